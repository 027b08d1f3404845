"""Advancing a trade: Steam's word, brought by a bot, becomes status, money and units in one decision (readings R5)."""

from collections.abc import Callable
from typing import Any

import msgspec

from selldesk.alerts.kinds import Closes, closing
from selldesk.bots.rooms import BotState, choose_bot
from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases import delivering
from selldesk.desk.cases.declaring import declare
from selldesk.desk.commands import TradeCommand
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.kernel.times import DAY_US, wire_time_or_none
from selldesk.offers import exchange, offered, sending
from selldesk.offers.outcomes import Outcome
from selldesk.offers.pacing import end_after_look
from selldesk.offers.stages import OFFER_STATES, Stage
from selldesk.offers.words import Proof, SendRefusal
from selldesk.sellers.standing import Strikes, blocked_for_reversal, counted_by_bot, is_strike, with_strike
from selldesk.steamwire.enums import TradeStatus
from selldesk.store.rows import ExchangedTradeRow, WaitingRow
from selldesk.trades import afterwards, reversals
from selldesk.trades.endings import Effects, event_of, of_sale
from selldesk.trades.reversals import Reversal
from selldesk.trades.status import RELEASED, ROLLED_BACK, Status, may_follow
from selldesk.trades.trade import Trade, TradeItem

ANOTHER_BOT = frozenset({SendRefusal.BOT_LIMIT, SendRefusal.BOT_FULL, SendRefusal.BOT_ILL})
"""Refusals that concern this bot, not the sale: the same trade moves to another bot of its room (R7)."""


_YEAR_DAYS = 365


class ImpossibleMove(Exception):
    """A room asked for a transition that the status table lacks. It means a bug: the command fails, nothing is written."""


def loads(command: TradeCommand, load: BatchLoad) -> None:
    load.trades.add(command.trade_id)
    if isinstance(command, commands.OfferRefused) and command.why in ANOTHER_BOT:
        load.sellers.add(command.seller)


def loads_of_rollback(command: commands.RolledBack, load: BatchLoad) -> None:
    load.trades.update(trade_id for trade_id, _ in command.readings)


def decide(command: TradeCommand, batch: Batch) -> commands.TradeReply:
    """News about one trade or delivery. Refuses TRADE_NOT_FOUND; news that no longer matters changes nothing."""
    trade = batch.trades.get(command.trade_id)
    if trade is None:
        delivery = batch.deliveries.get(command.trade_id)
        if delivery is None:
            raise refusals.TRADE_NOT_FOUND()
        return delivering.decide(command, delivery, batch)
    before = _Before(trade, batch.items[trade.id])
    granted = False
    effects = Effects()
    if isinstance(command, commands.IntendSend | commands.IntendCancel):
        granted = _grant(command, trade, batch)
    else:
        effects = _HEARD[type(command)](command, trade, batch)
    _adopt_exchange(trade, before, batch)
    apply(effects, trade, batch)
    before.finish(trade, batch)
    return commands.TradeReply(granted=granted, status=trade.status)


def _grant(command: commands.IntendSend | commands.IntendCancel, trade: Trade, batch: Batch) -> bool:
    """May the bot do it now? What is granted is on record before Steam is asked."""
    if isinstance(command, commands.IntendCancel):
        return offered.intend_to_cancel(trade, batch.now, batch.settings.rules)
    if batch.is_stopped or trade.game in batch.stopped_games:
        return False
    granted = sending.intend_to_send(trade, batch.now, batch.settings.rules)
    if granted:
        batch.steam_objects.add(("tag", f"{trade.tag}/{trade.seller}", trade.id))
    return granted


# -- one kind of news each ---------------------------------------------------------------------------------------------


def _proof_read(command: commands.ProofRead, trade: Trade, batch: Batch) -> Effects:
    """From verification on an asset is in at most one live trade (I7): of two claims the first to be verified keeps it."""
    now, rules = batch.now, batch.settings.rules
    if command.proof is not Proof.AS_NAMED or trade.stage is not Stage.VERIFY:
        return _hear_proof(command, trade, batch)
    items, assets = batch.items[trade.id], batch.assets_of(trade)
    for asset, item in zip(assets, items, strict=True):
        if batch.live_assets.get(asset, trade.id) != trade.id:
            text = refusals.ASSET_IN_TRADE(name=batch.item_name(item.item)).text
            return of_sale(end_after_look(trade, Outcome.REFUSED, text, command.looked_at, now, rules))
    if trade.verified_at is not None:
        _keep_what_was_shown(command, trade, batch)
        return _hear_proof(command, trade, batch)
    if not _has_room_with_seller(trade, batch):
        sending.wait_for_a_bot(trade, now, rules)
        _move_to_another_bot(trade, batch, "its bot has as many offers with this seller as it may")
        return Effects()
    _keep_what_was_shown(command, trade, batch)
    batch.add_load(trade, -1)
    effects = _hear_proof(command, trade, batch)
    batch.add_load(trade, +1)
    return effects


def _hear_proof(command: commands.ProofRead, trade: Trade, batch: Batch) -> Effects:
    rules = batch.settings.rules
    return of_sale(sending.read_proof(trade, command.proof, command.text, command.began_at, batch.now, rules, command.looked_at))


def _keep_what_was_shown(command: commands.ProofRead, trade: Trade, batch: Batch) -> None:
    """Classes and properties of the items, and that they are in this sale now."""
    items, assets = batch.items[trade.id], batch.assets_of(trade)
    for item, (classid, instanceid) in zip(items, command.classes, strict=True):
        item.classid, item.instanceid = classid, instanceid
    batch.changed_items.add(trade.id)
    if command.properties:
        known = [(trade.id, item.position, one) for item, one in zip(items, command.properties, strict=True) if one is not None]
        batch.item_properties.extend(known)
    batch.new_assets.extend((asset, trade.id) for asset in assets if asset not in batch.live_assets)
    batch.live_assets.update(dict.fromkeys(assets, trade.id))


def _offer_made(command: commands.OfferMade, trade: Trade, batch: Batch) -> Effects:
    return of_sale(sending.offer_made(trade, command.offer_id, command.needs_confirmation, batch.now))


def _offer_refused(command: commands.OfferRefused, trade: Trade, batch: Batch) -> Effects:
    was_sending = trade.stage is Stage.SENDING
    rules = batch.settings.rules
    heard = sending.offer_refused(trade, command.why, command.text, batch.now, rules, command.looked_at)
    if was_sending:
        _learn_from_refusal(command, trade, batch)
    return of_sale(heard)


def _offer_unconfirmed(command: commands.OfferUnconfirmed, trade: Trade, batch: Batch) -> Effects:
    return of_sale(sending.offer_unconfirmed(trade, batch.now, batch.settings.rules))


def _outcome_unknown(command: commands.OutcomeUnknown, trade: Trade, batch: Batch) -> Effects:
    return of_sale(sending.outcome_unknown(trade, batch.now))


def _not_listed(command: commands.NotListed, trade: Trade, batch: Batch) -> Effects:
    return of_sale(sending.not_listed(trade, command.began_at, batch.now, batch.settings.rules))


def _offer_read(command: commands.OfferRead, trade: Trade, batch: Batch) -> Effects:
    seen = _seen(trade)
    if trade.status in RELEASED or trade.status in ROLLED_BACK:
        effects = afterwards.offer_shown(trade, command.offer)
    else:
        effects = of_sale(offered.read_offer(trade, command.offer, batch.now, batch.settings.rules, command.looked_at))
    if seen != _seen(trade):
        batch.evidence.append((trade.id, batch.now, "offer", command.raw))
    return effects


def _exchange_found(command: commands.ExchangeFound, trade: Trade, batch: Batch) -> Effects:
    effects = of_sale(exchange.exchange_found(trade, command.steam_trade_id, batch.now))
    if effects.moves:
        batch.evidence.append((trade.id, batch.now, "trade", command.raw))
    return effects


def _trade_read(command: commands.TradeRead, trade: Trade, batch: Batch) -> Effects:
    status_before, items, rules = trade.steam_status, batch.items[trade.id], batch.settings.rules
    effects = of_sale(exchange.read_trade(trade, items, command.word, command.began_at, batch.now, rules))
    if status_before != trade.steam_status or effects.moves:
        batch.evidence.append((trade.id, batch.now, "trade", command.raw))
    return effects


def _exchange_after_end(command: commands.ExchangeAfterEnd, trade: Trade, batch: Batch) -> Effects:
    return afterwards.exchange_shown(trade, command.steam_trade_id, command.text)


def _give_up(command: commands.GiveUp, trade: Trade, batch: Batch) -> Effects:
    now, rules = batch.now, batch.settings.rules
    if not sending.too_late_to_offer(trade, now, rules):
        return Effects()
    return of_sale(sending.give_up(trade, command.looked_at, now, rules))


def _has_room_with_seller(trade: Trade, batch: Batch) -> bool:
    """R7's count of one bot and seller: what is verified counts for all projects."""
    verified = sum(load.verified for load in batch.loads[trade.seller].values() if load.bot == trade.bot)
    return verified < batch.bots[trade.bot].seller_offers_max


def _adopt_exchange(trade: Trade, before: "_Before", batch: Batch) -> None:
    """One exchange of Steam belongs to one sale. If another sale has adopted this one, its number stays there; and what this sale
    forgets (the number of an offer that another one took the place of) stays on record as its own."""
    if before.offer_id is not None and trade.offer_id != before.offer_id:
        batch.steam_objects.add(("offer", before.offer_id, trade.id))
    if trade.steam_trade_id is None or trade.steam_trade_id == before.steam_trade_id:
        return
    owners = {one.id for one in batch.store.load_as(ExchangedTradeRow, "trades_by_steam_trade", [(trade.steam_trade_id,)])}
    owners |= {other.id for other in batch.trades.values() if other.steam_trade_id == trade.steam_trade_id}
    if owners - {trade.id}:
        batch.steam_objects.add(("exchange", trade.steam_trade_id, trade.id))
        trade.steam_trade_id = before.steam_trade_id


def decide_rollback(command: commands.RolledBack, batch: Batch) -> commands.RollbackDecided:
    """Reversals of one bot: who pressed the button is read off all its protected trades together (R5)."""
    by = reversals.who_reversed(_protected(command, batch)) if command.complete else Reversal.USER
    for trade_id, status in command.readings:
        if status == TradeStatus.TRADE_PROTECTION_ROLLBACK and trade_id in batch.deliveries:
            delivering.roll_back(batch.deliveries[trade_id], by, batch)
        trade = batch.trades.get(trade_id)
        if trade is None or status != TradeStatus.TRADE_PROTECTION_ROLLBACK:
            continue
        before = _Before(trade, batch.items[trade.id])
        if trade.status is Status.COMPLETED:
            _reversed_after_completion(trade, batch)
        else:
            apply(reversals.rolled_back(trade, by), trade, batch)
        before.finish(trade, batch)
    if by is Reversal.BOT and command.bot in batch.bots:
        batch.quarantine(command.bot, "all its protected trades were reversed on its own side", None)
    return commands.RollbackDecided(by=by.value)


def _protected(command: commands.RolledBack, batch: Batch) -> list[tuple[str, int]]:
    """(counterparty, Steam's status) of every protected exchange among the readings, sales and deliveries together."""
    found: list[tuple[str, int]] = []
    for one, status in command.readings:
        is_reversed = status == TradeStatus.TRADE_PROTECTION_ROLLBACK
        trade, delivery = batch.trades.get(one), batch.deliveries.get(one)
        if trade is not None and (reversals.is_reversible(trade, batch.now) or is_reversed):
            found.append((trade.seller, status))
        elif delivery is not None and (reversals.is_reversible(delivery, batch.now) or is_reversed):
            found.append((delivery.partner, status))
    return found


def give_up_unsent(trade: Trade, batch: Batch) -> None:
    """Nothing was sent in time, and nothing can be out: the desk's own clock ends it, whatever its bot does."""
    before = _Before(trade, batch.items[trade.id])
    apply(of_sale(sending.give_up(trade, None, batch.now, batch.settings.rules)), trade, batch)
    before.finish(trade, batch)
    batch.feed.bots.append(trade.bot)


def apply(effects: Effects, trade: Trade, batch: Batch) -> None:
    """Carries out moves, notes and alerts: the one place where a trade's status and its money change."""
    for move in effects.moves:
        if move.status is not None:
            _move(trade, move.status, move.error, batch)
        if move.offer_state is not None:
            trade.offer_state = move.offer_state
        batch.note(trade, move.note, event_of(move.status) if move.status is not None else move.event)
        batch.changed_trades.add(trade.id)
    for kind, text in effects.alerts:
        batch.alert(kind, text, trade.bot, trade.id)


def _move(trade: Trade, status: Status, error: str | None, batch: Batch) -> None:
    if not may_follow(trade.status, status):
        raise ImpossibleMove(f"trade {trade.id}: {trade.status} → {status}")
    hold, ledger, now = batch.holds[trade.id], batch.ledger, batch.now
    items = batch.items[trade.id]
    bot = batch.bots[trade.bot]
    batch.bots.changed.add(bot.number)
    if trade.status is Status.PROCESSING:
        bot.live_offers -= 1
        batch.add_load(trade, -1)
        load = batch.project_loads.get(trade.project)
        if load is not None:
            load[0], load[1] = load[0] - 1, load[1] - trade.value
        batch.holds.changed.add(trade.id)
    if status in RELEASED:
        ledger.release(hold, now)
        for item in items:
            order = batch.generation_of(trade, item)
            order.give_back(1)
        bot.hold(trade.game, -len(items))
    elif status is Status.ACCEPTED:
        ledger.capture(hold, trade.project, trade.fee, now)
        for item in items:
            batch.generation_of(trade, item).sell(1)
    elif status is Status.COMPLETED:
        ledger.pay_out(hold, trade.project, trade.fee, now)
    elif status in ROLLED_BACK:
        ledger.refund(hold, trade.project, trade.fee, now)
        for item in items:
            # Whatever was noted about it: it is back with the seller.
            batch.note_item(trade, item.position, None, "")
        bot.hold(trade.game, -len(items))
    if status is not Status.ACCEPTED:
        trade.stage, trade.due_at = Stage.DONE, None
        batch.freed_trades.add(trade.id)
    batch.count(trade, trade.status, -1)
    trade.status, trade.error = status, error
    batch.count(trade, trade.status, +1)
    for kind in closing(Closes.TRADE_MOVES):
        batch.close_alert_of(kind, trade.id, "The sale has moved on")
    _judge_seller(trade, batch)


def _judge_seller(trade: Trade, batch: Batch) -> None:
    """What an end or an acceptance makes of the seller's record (people P6)."""
    key = (trade.seller, trade.project)
    known = batch.strikes.get(key, Strikes(trade.seller, trade.project, 0, 0))
    if trade.status is Status.ACCEPTED and (known.strikes or known.cooldown_until):
        batch.strikes.put(Strikes(trade.seller, trade.project, 0, 0))
    elif trade.status is Status.CANCELLED and trade.offer_id is not None and is_strike(trade.offer_state, trade.cancel_by):
        batch.strikes.put(with_strike(known, batch.limits, batch.now))
    elif trade.status is Status.ROLLED_BACK_BY_USER:
        since = batch.now // DAY_US - _YEAR_DAYS
        reversals = 1 + int(batch.store.value("reversals_of_seller", seller=trade.seller, day=since)) + batch.reversed[trade.seller]
        batch.reversed[trade.seller] += 1
        seller = blocked_for_reversal(trade.seller, reversals, batch.sellers.get(trade.seller), batch.limits, batch.now)
        if seller is not None:
            batch.sellers[trade.seller] = seller
            batch.sellers.changed.add(trade.seller)


def _learn_from_refusal(command: commands.OfferRefused, trade: Trade, batch: Batch) -> None:
    """What a refused send says about the bot or the game, beyond this sale (protocol §6)."""
    now, rules = batch.now, batch.settings.rules
    match command.why:
        case SendRefusal.BOT_FULL:
            bot = batch.bots[trade.bot]
            bot.blocked_games.append(trade.game)
            batch.blocks[bot.number, trade.game] = (now + rules.bot_full_us, command.text)
            batch.alert("bot_full", f"Its inventory of game {trade.game} is full", bot.number, None)
        case SendRefusal.BOT_ILL:
            batch.quarantine(trade.bot, command.text, now + rules.quarantine_us)
        case SendRefusal.GAME_DOWN:
            batch.pauses[trade.game] = (now + rules.game_pause_us, command.text)
    if command.why in ANOTHER_BOT and trade.stage is Stage.SEND:
        _move_to_another_bot(trade, batch, command.text)


def move_waiting(command: commands.MoveWaiting, batch: Batch) -> commands.WaitingMoved:
    """Trades that wait at a bot which can't send now, and for which no offer can exist, move to able bots of their rooms."""
    waiting = batch.store.fetch_as(WaitingRow, "waiting_of_bot", bot=command.bot)
    load = BatchLoad(trades={one.id for one in waiting}, sellers={one.seller for one in waiting}, rooms_and_bots=True)
    batch.load(load)
    moved = 0
    for trade_id, _ in waiting:
        trade = batch.trades[trade_id]
        bot = batch.bots[trade.bot]
        if bot.state == BotState.OK and bot.is_fresh(batch.real_us) and trade.game not in bot.blocked_games:
            continue
        before = _Before(trade, batch.items[trade.id])
        _move_to_another_bot(trade, batch, f"bot {bot.number} is {bot.state}")
        before.finish(trade, batch)
        moved += trade.bot != command.bot
    return commands.WaitingMoved(moved=moved)


def _move_to_another_bot(trade: Trade, batch: Batch, because: str) -> None:
    """The same trade, served by another able bot of its room, as long as no offer can exist (R7). Without one it stays."""
    room = next((room for room in batch.rooms if room.id == trade.room), None)
    if room is None or trade.unknown_since is not None or trade.offer_id is not None or trade.cancel_by is not None:
        return
    # In turn, so that each of them is tried before one is tried again; after a whole round the back-off counts.
    numbers = sorted(batch.bots)
    place = numbers.index(trade.bot)
    seller_offers = counted_by_bot(batch.loads[trade.seller].values(), trade.project)
    for number in (*numbers[place + 1 :], *numbers[:place]):
        other = choose_bot(room, [batch.bots[number]], trade.game, trade.items_count, seller_offers, batch.real_us)
        if other is not None:
            break
    else:
        return
    old = batch.bots[trade.bot]
    old.live_offers, other.live_offers = old.live_offers - 1, other.live_offers + 1
    old.hold(trade.game, -trade.items_count)
    other.hold(trade.game, trade.items_count)
    batch.bots.changed.update((old.number, other.number))
    batch.add_load(trade, -1)
    trade.bot = other.number
    batch.add_load(trade, +1)
    if trade.attempts < len(numbers):
        trade.due_at = batch.now
    batch.feed.bots.append(other.number)
    batch.note(trade, f"Moved to another bot: {because}")


def _operate(command: commands.OperateTrade, trade: Trade, batch: Batch) -> Effects:
    """An operator's action, logged. Refuses WRONG_STATUS where it makes no sense now, and FORCE_REQUIRED for a declaration against
    Steam's last word (contract C4)."""
    operation = _OPERATIONS.get((command.action, trade.status))
    if operation is not None:
        effects = operation(command, trade, batch)
    else:
        effects = declare(command, trade, trade.status, batch.now, batch.settings.rules)
    if effects is None:
        raise refusals.WRONG_STATUS()
    log(
        batch,
        command.operator,
        f"trade.{command.action}",
        trade.id,
        {"reason": command.reason, "force": command.force, "by": command.by},
    )
    return effects


def _cancel(command: commands.OperateTrade, trade: Trade, batch: Batch) -> Effects | None:
    if trade.stage in (Stage.EXCHANGED, Stage.OPERATOR):
        return None
    batch.feed.bots.append(trade.bot)
    return of_sale(offered.withdraw(trade, batch.now))


def _retry(command: commands.OperateTrade, trade: Trade, batch: Batch) -> Effects | None:
    if trade.stage is Stage.OPERATOR:
        return None
    trade.attempts, trade.due_at = 0, batch.now
    batch.feed.bots.append(trade.bot)
    return Effects()


def _reversed_after_completion(trade: Trade, batch: Batch) -> None:
    """Too late for a status: an operator must adjust by hand (contract C4). Said once."""
    if trade.steam_status == TradeStatus.TRADE_PROTECTION_ROLLBACK:
        return
    trade.steam_status = TradeStatus.TRADE_PROTECTION_ROLLBACK
    text = "Steam shows this trade reversed after it was completed; nothing was moved"
    batch.alert("reversed_after_completion", text, trade.bot, trade.id)
    batch.note(trade, text)
    batch.changed_trades.add(trade.id)


def _seen(trade: Trade) -> tuple[object, ...]:
    """What a reader of the trade can see: `version` and `updated_at` move with it (R6)."""
    return (
        trade.status, trade.error, trade.bot, trade.offer_id, trade.offer_state, trade.steam_trade_id, trade.settlement,
        trade.expires_at,
    )  # fmt: skip


def _what_is_new(before: "_Before", trade: Trade) -> str:
    """What a reader sees since, where nothing else has told of it."""
    if trade.offer_state != before.offer_state and trade.offer_state is not None:
        return f"Steam shows the offer as {OFFER_STATES.get(trade.offer_state, f'state {trade.offer_state}')}"
    if trade.steam_trade_id != before.steam_trade_id:
        return f"Steam's trade is {trade.steam_trade_id}" if trade.steam_trade_id else "The exchange belongs to another sale"
    if trade.settlement != before.settlement:
        return f"Steam's settlement is {wire_time_or_none(trade.settlement)}"
    if trade.offer_id != before.offer_id:
        return f"The offer is {trade.offer_id}"
    return f"The offer is open until {wire_time_or_none(trade.expires_at)}"


def _ids(items: list[TradeItem]) -> list[tuple[str | None, str | None]]:
    return [(item.new_assetid, item.new_contextid) for item in items]


class _Before:
    """A trade as it was before a command, to see afterwards what changed."""

    def __init__(self, trade: Trade, items: list[TradeItem]) -> None:
        self.whole = msgspec.structs.astuple(trade)
        self.stage, self.offer_id, self.steam_trade_id = trade.stage, trade.offer_id, trade.steam_trade_id
        self.seen, self.version = _seen(trade), trade.version
        self.offer_state, self.settlement = trade.offer_state, trade.settlement
        self.ids = _ids(items)

    def finish(self, trade: Trade, batch: Batch) -> None:
        """`updated_at` moves with what a reader sees; a row is written only if it changed."""
        if trade.stage != self.stage:
            trade.stage_at = batch.now
        ids_changed = _ids(batch.items[trade.id]) != self.ids
        if ids_changed:
            batch.changed_items.add(trade.id)
        if trade.version == self.version and _seen(trade) != self.seen:
            # `version` moves with everything that a reader sees (settled 22).
            batch.note(trade, _what_is_new(self, trade))
        if ids_changed:
            trade.updated_at = max(batch.now, trade.updated_at)
            if trade.id not in batch.feed.trades:
                batch.feed.trades.append(trade.id)
        if msgspec.structs.astuple(trade) != self.whole:
            batch.changed_trades.add(trade.id)


_OPERATIONS: dict[tuple[str, Status], Callable[[commands.OperateTrade, Trade, Batch], Effects | None]] = {
    ("cancel", Status.PROCESSING): _cancel,
    ("retry", Status.PROCESSING): _retry,
}
"""What an operator may do to a sale, by its status; None: not in its present stage."""

_HEARD: dict[type[TradeCommand], Callable[[Any, Trade, Batch], Effects]] = {
    commands.ProofRead: _proof_read,
    commands.OfferMade: _offer_made,
    commands.OfferRefused: _offer_refused,
    commands.OfferUnconfirmed: _offer_unconfirmed,
    commands.OutcomeUnknown: _outcome_unknown,
    commands.NotListed: _not_listed,
    commands.OfferRead: _offer_read,
    commands.ExchangeFound: _exchange_found,
    commands.TradeRead: _trade_read,
    commands.ExchangeAfterEnd: _exchange_after_end,
    commands.GiveUp: _give_up,
    commands.OperateTrade: _operate,
}
