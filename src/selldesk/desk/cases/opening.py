"""Opening a trade: the market's promise to a seller, in one decision (readings R3)."""

from selldesk.book.matching import UNKNOWN_ITEM
from selldesk.bots.rooms import Bot, Room, choose_bot, choose_room, why_no_bot
from selldesk.catalog.games import is_supported
from selldesk.desk.batch import Asset, Batch, BatchLoad
from selldesk.desk.commands import OpenTrade, TradeOpened
from selldesk.kernel import refusals
from selldesk.kernel.limits import MONEY_MAX
from selldesk.kernel.money import platform_fee
from selldesk.ledger import accounts
from selldesk.offers.stages import Stage
from selldesk.people.person import Person
from selldesk.people.roles import Role, has_role
from selldesk.sellers.standing import counted_by_bot, why_not, why_not_project
from selldesk.trades.endings import event_of
from selldesk.trades.status import Status
from selldesk.trades.trade import Trade, TradeItem


def loads(command: OpenTrade, load: BatchLoad) -> None:
    load.custom_ids.add((command.project, command.custom_id))
    load.assets.update((command.seller, command.game, item.contextid, item.assetid) for item in command.items)
    load.sellers.add(command.seller)
    if command.project not in load.projects:
        load.projects.add(command.project)
        load.persons.add(command.project)
        load.purse_of(command.project)
    load.rooms_and_bots = True
    if command.buyer is not None:
        load.persons.add(command.buyer)
        load.purse_of(command.buyer)
        load.orders.update((command.buyer, item.item) for item in command.items if item.item != UNKNOWN_ITEM)


def decide(command: OpenTrade, batch: Batch) -> TradeOpened:
    """Freezes the buyer's money, reserves the units, picks room and bot, and leaves the offer as work to do.

    Refuses, first failure first: CUSTOM_ID_EXISTS, ACCOUNT_FROZEN, TRADING_STOPPED, GAME_NOT_SUPPORTED, GAME_STOPPED, SELLER_BLOCKED,
    SELLER_COOLDOWN, SELLER_LIMIT, PROJECT_LIMIT, BUYER_MISMATCH, NO_BUY_ORDER, PRICE_EXCEEDS_ORDER, VALUE_NOT_POSITIVE,
    INSUFFICIENT_BALANCE, BALANCE_TOO_LARGE, ASSET_IN_TRADE, NO_ROOM, NO_BOT; INVALID_API_KEY and FORBIDDEN if the project is not (any
    more) one, INVALID_BODY for a trade link of one of our own bots. A refusal leaves no trace: everything is checked before anything is changed.
    """
    value = sum(item.price for item in command.items)
    project = _check_project(command, batch)
    if (command.project, command.custom_id) in batch.taken_custom_ids:
        raise refusals.CUSTOM_ID_EXISTS()
    if project.frozen:
        raise refusals.ACCOUNT_FROZEN()
    _check_market(command, batch)
    _check_limits(command, value, batch)
    buyer = _check_buyer(command, batch)
    _check_orders(command, buyer, batch)
    _check_money(command, buyer, value, batch)
    assets = [(command.seller, command.game, item.contextid, item.assetid) for item in command.items]
    _check_assets(command, assets, batch)
    room, bot = _choose(command, buyer, value, batch)

    trade = _new_trade(command, buyer, value, room, bot, batch)
    batch.items[trade.id] = _reserve(command, trade, batch)
    batch.holds.put(batch.ledger.freeze(trade.id, buyer, value, batch.now))
    batch.taken_custom_ids.add((command.project, command.custom_id))
    for asset in assets:
        batch.claims.add((command.project, asset))
        batch.new_claims.append((command.project, asset, trade.id))
    batch.add_load(trade, +1)
    project_load = batch.project_loads[command.project]
    project_load[0], project_load[1] = project_load[0] + 1, project_load[1] + value
    bot.live_offers += 1
    bot.hold(command.game, len(assets))
    batch.bots.changed.add(bot.number)
    batch.trades[trade.id] = trade
    batch.new_trades.append(trade)
    batch.count(trade, trade.status, +1)
    batch.note(trade, f"Created in room {room.name}", event_of(trade.status))
    return TradeOpened(trade.id, len(assets), value, bot.number, bot.steamid64, bot.avatar, bot.profile_name)


def _check_project(command: OpenTrade, batch: Batch) -> Person:
    project = batch.persons.get(command.project)
    if project is None or project.disabled:
        raise refusals.INVALID_API_KEY()
    if not has_role(project.roles, Role.PROJECT):
        raise refusals.FORBIDDEN()
    if command.seller in batch.bots_accounts:
        message = "this is the trade link of one of the market's own bots"
        raise refusals.INVALID_BODY(details=[{"path": "$.tradelink", "message": message}])
    return project


def _check_market(command: OpenTrade, batch: Batch) -> None:
    if batch.is_stopped:
        raise refusals.TRADING_STOPPED()
    if not is_supported(command.game):
        raise refusals.GAME_NOT_SUPPORTED()
    if command.game in batch.stopped_games:
        raise refusals.GAME_STOPPED()


def _check_buyer(command: OpenTrade, batch: Batch) -> int:
    buyer = batch.persons.get(command.buyer) if command.buyer is not None else None
    if buyer is None or not buyer.may_buy or buyer.number == command.project or command.mismatch:
        raise refusals.BUYER_MISMATCH()
    return buyer.number


def _check_money(command: OpenTrade, buyer: int, value: int, batch: Batch) -> None:
    if value <= 0:
        raise refusals.VALUE_NOT_POSITIVE()
    if value > batch.ledger.balance(accounts.available(buyer)):
        raise refusals.INSUFFICIENT_BALANCE()
    if batch.ledger.owned(command.project) + batch.project_loads[command.project][1] + value > MONEY_MAX:
        raise refusals.BALANCE_TOO_LARGE()


def _check_assets(command: OpenTrade, assets: list[Asset], batch: Batch) -> None:
    """Verified for anybody, or claimed for this very project (I7)."""
    for asset, item in zip(assets, command.items, strict=True):
        if asset in batch.live_assets or (command.project, asset) in batch.claims:
            raise refusals.ASSET_IN_TRADE(name=item.name)


def _choose(command: OpenTrade, buyer: int, value: int, batch: Batch) -> tuple[Room, Bot]:
    room = choose_room(batch.rooms, command.game, value, buyer)
    if room is None:
        raise refusals.NO_ROOM()
    seller_offers = counted_by_bot(batch.loads[command.seller].values(), command.project)
    items = len(command.items)
    bot = choose_bot(room, batch.bots.values(), command.game, items, seller_offers, batch.real_us)
    if bot is None:
        cause = why_no_bot(room, batch.bots.values(), command.game, items, seller_offers, batch.real_us)
        raise refusals.NO_BOT(cause=cause)
    return room, bot


def _new_trade(command: OpenTrade, buyer: int, value: int, room: Room, bot: Bot, batch: Batch) -> Trade:
    """As yet without a step: `Batch.note` makes the first one."""
    return Trade(
        id=command.trade_id, project=command.project, buyer=buyer, custom_id=command.custom_id, game=command.game, value=value,
        fee=platform_fee(value, batch.settings.fee_basis_points), items_count=len(command.items), room=room.id, seller=command.seller,
        tradelink=command.tradelink, message=command.message, created_at=batch.now, bot=bot.number, status=Status.PROCESSING,
        updated_at=batch.now, version=0, error=None, offer_id=None, offer_state=None, steam_trade_id=None, steam_status=None,
        settlement=None, expires_at=None, stage=Stage.VERIFY, due_at=batch.now, attempts=0, send_started_at=None, misses=0,
        first_miss_at=None, doubt_at=None, cancel_by=None, exchanged_at=None, protected=0, settle_at=None, unknown_since=None,
        verified_at=None, stage_at=batch.now,
    )  # fmt: skip


def _reserve(command: OpenTrade, trade: Trade, batch: Batch) -> list[TradeItem]:
    """One unit of the buyer's order for each item, which remembers the order's generation."""
    items: list[TradeItem] = []
    for position, item in enumerate(command.items):
        key = (trade.buyer, item.item)
        order = batch.orders[key]
        order.reserve(1)
        batch.orders.changed.add(key)
        ids = (item.contextid, item.assetid)
        items.append(TradeItem(trade.id, position, item.item, *ids, item.price, order.generation, None, None, None, None))
    return items


def _check_limits(command: OpenTrade, value: int, batch: Batch) -> None:
    """People P6: the seller's standing, then what the project has open."""
    limits = batch.limits_of(command.project)
    strikes = [one for one in batch.strikes.values() if one.seller == command.seller] if batch.strikes else []
    unsettled = 0
    if limits.seller_unsettled_value_max is not None:
        unsettled = int(batch.store.value("unsettled_of_seller", seller=command.seller))
    seller = batch.sellers.get(command.seller)
    refusal = why_not(seller, strikes, batch.loads[command.seller].values(), unsettled, command.project, value, limits, batch.now)
    if refusal is not None:
        raise refusal
    sales, project_value = batch.project_loads[command.project]
    needs_others = limits.project_processing_percent is not None
    refusal = why_not_project(sales + 1, project_value + value, limits, batch.slots, needs_others and batch.has_second_project)
    if refusal is not None:
        raise refusal


def _check_orders(command: OpenTrade, buyer: int, batch: Batch) -> None:
    """Units first, for all items; then prices (R3's order)."""
    asked: dict[int, int] = {}
    for item in command.items:
        order = batch.orders.get((buyer, item.item))
        units = asked[item.item] = asked.get(item.item, 0) + 1
        if order is None or order.game != command.game or units > order.remaining:
            raise refusals.NO_BUY_ORDER(name=item.name)
    for item in command.items:
        if item.price > batch.orders[buyer, item.item].price:
            raise refusals.PRICE_EXCEEDS_ORDER(name=item.name)
