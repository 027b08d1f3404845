"""What bots hold for buyers, item by item (people P4 "Stock", promise I18): what is missing, what was handed over by hand, what a
stocktake found."""

import msgspec

from selldesk.bots.stock import HeldItem, OwnAsset, find_assets, gone_with
from selldesk.deliveries.delivery import Delivery
from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases import delivering
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.offers.stages import BEFORE_AN_OFFER
from selldesk.store.rows import LiveItemRow, MissRow, StockCountRow


def unexplained_exchange(command: commands.UnexplainedExchange, batch: Batch) -> commands.ItemsMissing:
    """Marks what left as missing and tells once, by name. What an operator has decided, and closed the alert, nobody asks them again: they
    might pay twice."""
    if command.steam_trade_id is not None:
        if batch.store.load("known_exchanges", [(command.steam_trade_id,)]):
            return commands.ItemsMissing(missing=0)
        batch.steam_objects.add(("exchange", command.steam_trade_id, ""))
    if not command.given:
        if command.offer_id is None or not batch.store.fetch(
            "alert_of_bot", kind="foreign_offer", bot=command.bot, text=foreign_offer_text(command.offer_id)
        ):
            text = f"{command.what} brought {command.received} items, and the store knows no trade of it"
            _alert_once("unknown_offer", text, command.bot, batch)
        return commands.ItemsMissing(missing=0)
    named = _note_what_left(command, batch)
    unnamed = len(command.given) - len(named)
    parts = [", ".join(named[:20]) + (" …" if len(named) > 20 else "")] if named else []
    parts += [f"{unnamed} that no sale brought"] if unnamed else []
    _alert_once("items_left_unasked", f"{command.what} took {len(command.given)} items: {'; '.join(parts)}", command.bot, batch)
    return commands.ItemsMissing(missing=len(named))


def _note_what_left(command: commands.UnexplainedExchange, batch: Batch) -> list[str]:
    """Those of the given assets that buyers own, by name; they are missing now."""
    named: list[str] = []
    # All of them are read before anything is noted: a second reading would forget what the first one changed.
    held_of = {game: _held(batch, command.bot, game) for game in sorted({asset.game for asset in command.given})}
    for game, held in held_of.items():
        left = [
            OwnAsset(one.contextid, one.assetid, one.classid or "", one.instanceid or "0")
            for one in command.given
            if one.game == game
        ]
        for item, asset in gone_with(left, held):
            if item.assetid is None:
                # Steam may show the same once more, as an offer and as an exchange: it is this item again, and no other one.
                _adopt(batch, item, asset)
            _note(batch, item, "missing", f"Left the bot: {command.what}")
            named.append(f"{item.name} ({item.item_id})")
    return named


def foreign_offer_text(offer_id: str) -> str:
    return f"Offer {offer_id} of this bot was not made by selldesk: somebody else uses the account"


def _alert_once(kind: str, text: str, bot: int, batch: Batch) -> None:
    if not batch.store.fetch("alert_of_bot", kind=kind, bot=bot, text=text):
        batch.alert(kind, text, bot, None)


def take_stock(command: commands.StockRead, batch: Batch) -> commands.StockTaken:
    """A bot's own inventory of one game, all contexts, read to its end: asset ids are found, what is absent at two readings is missing,
    what no item of ours owns is listed as surplus."""
    waiting = _waiting_deliveries(command, batch)
    held = _held(batch, command.bot, command.game)
    on_their_way = _on_their_way(held, batch)
    keys = [(item.trade_id, item.position) for item in held]
    missed = {(miss.trade_id, miss.position): miss.at for miss in batch.store.load_as(MissRow, "misses_of", keys)}
    held = [msgspec.structs.replace(item, was_missed=True) if (item.trade_id, item.position) in missed else item for item in held]
    found = find_assets(held, command.assets)
    batch.wrote_directly = True
    missing = 0
    for item in held:
        key = (item.trade_id, item.position)
        if (asset := found.get(key)) is None:
            if key in on_their_way:
                continue
            missing += _is_missing_now(item, missed.get(key), command.began_at, batch)
            continue
        if key in missed:
            batch.store.put("drop_miss", trade_id=item.trade_id, position=item.position)
        if (item.assetid, item.contextid) != (asset.assetid, asset.contextid):
            _adopt(batch, item, asset)
    owners = {(asset.contextid, asset.assetid): key for key, asset in found.items()}
    batch.store.put("drop_bot_items", bot=command.bot, game=command.game)
    rows = [
        (
            command.bot, command.game, one.contextid, one.assetid, one.classid, one.instanceid, one.name, one.amount, int(one.tradable),
            one.properties, *owners.get((one.contextid, one.assetid), (None, None)),
        )
        for one in command.assets
    ]  # fmt: skip
    batch.store.write("add_bot_items", rows)
    batch.write_notes()
    _tell_of_missing(command, missing > 0, batch)
    for delivery in waiting:
        delivering.look_for_items(delivery, found, batch)
    return commands.StockTaken(missing=missing, surplus=len(command.assets) - len(owners))


def _waiting_deliveries(command: commands.StockRead, batch: Batch) -> list[Delivery]:
    """Those of this game that need to know where their items are, and that there were when the reading began."""
    ids = set(batch.store.column("waiting_deliveries", bot=command.bot, game=command.game))
    batch.load(BatchLoad(trades=ids, rooms_and_bots=True))
    return [batch.deliveries[one] for one in sorted(ids) if batch.deliveries[one].created_at <= command.began_at]


def _on_their_way(held: list[HeldItem], batch: Batch) -> set[tuple[str, int]]:
    """Items for which an offer may be out: only that tells where they are."""
    rows = batch.store.load_as(LiveItemRow, "live_items_of", [(item.trade_id, item.position) for item in held])
    batch.load(BatchLoad(trades={row.delivery_id for row in rows} - batch.deliveries.keys(), rooms_and_bots=True))
    return {(row.trade_id, row.position) for row in rows if batch.deliveries[row.delivery_id].stage not in BEFORE_AN_OFFER}


def _tell_of_missing(command: commands.StockRead, some_are_new: bool, batch: Batch) -> None:
    """At once what is newly missing; at a stocktake's end all of it, or that nothing is."""
    (counts,) = batch.store.fetch_as(StockCountRow, "stock_counts", bot=command.bot)
    if command.is_last:
        batch.store.put("end_stocktake", bot=command.bot, at=batch.now, missing=counts.missing, surplus=counts.surplus)
    if some_are_new or (command.is_last and counts.missing):
        names = ", ".join(batch.store.column("missing_names", bot=command.bot))
        batch.alert("item_missing", f"Its inventory lacks {counts.missing} items of buyers: {names}", command.bot, None)
    elif command.is_last:
        batch.close_alerts("item_missing", command.bot, "A later stocktake found nothing missing")


def _is_missing_now(item: HeldItem, missed_at: int | None, began_at: int, batch: Batch) -> bool:
    """An item that this reading did not show: noted, and if an earlier reading missed it too, it is missing."""
    if item.accepted_at > began_at:
        # Came while the inventory was read.
        return False
    if missed_at is None:
        batch.store.put("put_miss", trade_id=item.trade_id, position=item.position, at=began_at)
    if missed_at is None or missed_at >= began_at:
        return False
    _note(batch, item, "missing", "Absent at two readings of the bot's inventory")
    batch.store.put("drop_miss", trade_id=item.trade_id, position=item.position)
    return True


def ask_for_stocktake(command: commands.AskStocktake, batch: Batch) -> commands.Done:
    batch.store.put("ask_stocktake", bot=command.bot, at=batch.now)
    if command.operator is not None:
        log(batch, command.operator, "bot.stocktake", str(command.bot), {})
    batch.wrote_directly = True
    batch.feed.bots.append(command.bot)
    return commands.Done()


def declare_item(command: commands.DeclareItem, batch: Batch) -> commands.Done:
    """An operator handed an item over, or found a missing one. Refuses ITEM_NOT_FOUND, ITEM_WRONG_STATUS (settled 8)."""
    trade_id, _, position = command.item_id.rpartition("-")
    number = int(position) if position.isascii() and position.isdigit() and len(position) < 5 else -1
    batch.load(BatchLoad(trades={trade_id}))
    trade = batch.trades.get(trade_id)
    if trade is None or not any(item.position == number for item in batch.items[trade_id]):
        raise refusals.ITEM_NOT_FOUND(item_id=command.item_id)
    noted = batch.notes.get((trade_id, number))
    in_delivery = bool(batch.store.load("live_items_of", [(trade_id, number)]))
    is_held = noted is None and trade.status == "completed" and not in_delivery
    if command.action == "declare-delivered" and (is_held or noted == "missing"):
        batch.note_item(trade, number, "delivered", command.reason)
    elif command.action == "declare-found" and noted == "missing":
        batch.note_item(trade, number, None, command.reason)
    else:
        raise refusals.ITEM_WRONG_STATUS()
    log(batch, command.operator, f"item.{command.action}", command.item_id, {"reason": command.reason})
    batch.write_notes()
    if not batch.store.fetch("missing_names", bot=trade.bot):
        batch.close_alerts("item_missing", trade.bot, "Every missing item was declared")
    return commands.Done()


def _held(batch: Batch, bot: int, game: int) -> list[HeldItem]:
    rows = batch.store.fetch("held_of_bot", bot=bot, game=game)
    items = [HeldItem(*row) for row in rows]
    batch.load(BatchLoad(trades={item.trade_id for item in items}))
    missing = {key for key, state in batch.notes.items() if state == "missing"}
    return [msgspec.structs.replace(item, was_missed=(item.trade_id, item.position) in missing) for item in items]


def _note(batch: Batch, item: HeldItem, state: str, reason: str) -> None:
    batch.note_item(batch.trades[item.trade_id], item.position, state, reason)


def _adopt(batch: Batch, item: HeldItem, asset: OwnAsset) -> None:
    """The id in the bot's inventory: from now on a reader sees it."""
    trade = batch.trades[item.trade_id]
    known = batch.items[item.trade_id][item.position]
    known.new_assetid, known.new_contextid = asset.assetid, asset.contextid
    batch.changed_items.add(trade.id)
    trade.updated_at = max(batch.now, trade.updated_at)
    batch.changed_trades.add(trade.id)
    batch.feed.trades.append(trade.id)
