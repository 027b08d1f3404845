"""The rows of one batch: what was loaded, what changed, what must be written. Rooms decide on them; nothing else is touched."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any

import msgspec

from selldesk.alerts.views import alert_view
from selldesk.book.orders import Order
from selldesk.bots.leases import Lease
from selldesk.bots.rooms import Bot, BotState, Room, bot_of, room_of
from selldesk.deliveries.delivery import Delivery, DeliveryItem, DeliveryStep
from selldesk.deliveries.views import DeliverySnapshot
from selldesk.desk.commands import Feed
from selldesk.desk.rows import Added, Kept, Reckoned, Written, plain
from selldesk.desk.settings import DeskSettings
from selldesk.events.cursors import Cursor, new_event_ids
from selldesk.kernel import ids
from selldesk.kernel.chance import SYSTEM_CHANCE, Chance
from selldesk.kernel.clock import Clock
from selldesk.ledger import accounts
from selldesk.ledger.ledger import Hold, Ledger
from selldesk.offers.stages import Stage
from selldesk.people.person import Person
from selldesk.people.roles import Role
from selldesk.sellers.limits import MarketLimits, ProjectLimits, limits_of_project, read_limits
from selldesk.sellers.standing import Seller, SellerLoad, Strikes
from selldesk.store.blocks import all_blocks
from selldesk.store.rows import AlertRow, BatchRow, EventRow
from selldesk.store.store import Question, Row, Writer
from selldesk.store.typed import records
from selldesk.trades.endings import OFFER_SENT
from selldesk.trades.trade import HistoryEntry, Trade, TradeItem
from selldesk.trades.views import TradeSnapshot

IDS_PER_BATCH = 100_000
"""Ids of entries and generations are seq × this + a counter: unique, in commit order, and no sequence is needed."""

Asset = tuple[str, int, str, str]
"""(seller, game, contextid, assetid)"""


_ROOMS_AND_BOTS: list[Question] = [
    ("load_rooms", {}),
    ("load_blocks", {}),
    ("load_bots", {}),
    ("load_stock", {}),
    ("load_market", {}),
]
_OF_TRADES = ("load_trades", "load_trade_items", "load_holds", "load_open_alerts", "load_item_notes")


def _row_of(block: str) -> Callable[[Any], Row]:
    """An entity's row for a block, by the names of its columns."""
    return attrgetter(*(name for name, _ in all_blocks()[block].columns))


_ADDED, _CHANGED = _row_of("add_trades"), _row_of("change_trades")
_DELIVERY_CHANGED = _row_of("change_deliveries")


@dataclass
class BatchLoad:
    """What the commands of a batch need loaded, collected before anything is read."""

    persons: set[int] = field(default_factory=set)
    custom_ids: set[tuple[int, str]] = field(default_factory=set)
    orders: set[tuple[int, int]] = field(default_factory=set)
    balances: set[int] = field(default_factory=set)
    assets: set[Asset] = field(default_factory=set)
    trades: set[str] = field(default_factory=set)
    sellers: set[str] = field(default_factory=set)
    projects: set[int] = field(default_factory=set)
    """Whose limits and open sales are asked for."""
    leases: set[int] = field(default_factory=set)
    rooms_and_bots: bool = False

    def purse_of(self, person: int) -> None:
        self.balances.update((accounts.available(person), accounts.held(person), accounts.escrow(person)))


class Batch:
    """One batch's rows. Every command sees the changes of the commands before it."""

    def __init__(self, store: Writer, clock: Clock, settings: DeskSettings, chance: Chance = SYSTEM_CHANCE) -> None:
        self.store = store
        self._chance = chance
        self.settings = settings
        self._clock = clock
        self.wrote_directly = False
        """Set by commands that write through `store` themselves (they run alone)."""
        self._generations = 0
        self._prepare_market()
        self._prepare_sales()
        self._prepare_deliveries()
        self._prepare_people()
        self._prepare_bots()

    def _prepare_deliveries(self) -> None:
        self.deliveries: dict[str, Delivery] = {}
        self.delivery_items: dict[str, list[DeliveryItem]] = {}
        self.delivered_sales: dict[str, Trade] = {}
        """What brought their items; only notes on items are changed through them."""
        self.new_deliveries: Added[Delivery] = Added("add_deliveries", _row_of("add_deliveries"))
        self.changed_deliveries: set[str] = set()
        self.changed_delivery_items: set[str] = set()
        self.freed_deliveries: set[str] = set()
        """No longer running: they hold no item any more."""
        self.delivery_steps: Added[DeliveryStep] = Added("add_delivery_history")

    def _prepare_market(self) -> None:
        self.is_stopped = False
        """Trading, by an operator or after a loss of history."""
        self.stopped_games: set[int] = set()
        self.limits = MarketLimits()
        self.rooms: list[Room] = []
        self.open_alerts: set[tuple[str, str]] = set()
        self.alerts: Added[tuple[str, str, int | None, str | None, str, int]] = Added("add_alerts", _as_it_is)
        self.events: Added[EventRow] = Added("add_events", _as_it_is)
        self._last_place = 0
        """Of the events: one that is taken back leaves its place empty."""

    def _prepare_sales(self) -> None:
        self.taken_custom_ids: set[tuple[int, str]] = set()
        self.trades: dict[str, Trade] = {}
        self.new_trades: Added[Trade] = Added("add_trades", _ADDED)
        self.changed_trades: set[str] = set()
        self.items: dict[str, list[TradeItem]] = {}
        self.changed_items: set[str] = set()
        self.live_assets: dict[Asset, str] = {}
        """Assets of verified sales → the sale."""
        self.new_assets: list[tuple[Asset, str]] = []
        self.claims: set[tuple[int, Asset]] = set()
        """(project, asset) of sales that run, verified or not."""
        self.new_claims: list[tuple[int, Asset, str]] = []
        self.freed_trades: set[str] = set()
        """Final: they hold no asset any more."""
        self.notes: dict[tuple[str, int], str] = {}
        """(trade, position) → missing or delivered."""
        self.changed_notes: dict[tuple[str, int], tuple[str, str] | None] = {}
        """(trade, position) → (state, reason); None: no longer true."""
        self.history: Added[HistoryEntry] = Added("add_history")
        self.evidence: Added[tuple[str, int, str, str]] = Added("add_evidence", _as_it_is)
        self.item_properties: Added[tuple[str, int, str]] = Added("put_item_properties", _as_it_is)
        self.steam_objects: set[tuple[str, str, str]] = set()
        """(kind, id, trade): Steam's offers and exchanges, and our tags, as they are first seen."""
        self.sums_in: dict[tuple[int, int, str], list[int]] = {}
        self.sums_out: dict[tuple[int, int, str], list[int]] = {}
        """What entered and what left a status: kept apart, for a batch may hold both with different values."""

    def _prepare_people(self) -> None:
        self.persons: Kept[int, Person] = Kept(Person, attrgetter("number"))
        self.holds: Kept[str, Hold] = Kept(Hold, attrgetter("trade_id"), "put_holds")
        self.orders: Kept[tuple[int, int], Order] = Kept(Order, attrgetter("buyer", "item"), "put_orders")
        self.dropped_orders: set[tuple[int, int]] = set()
        self.closed_orders: Kept[tuple[int, int, int], Order] = Kept(
            Order, attrgetter("buyer", "item", "generation"), "put_closed_orders"
        )
        self.project_limits: dict[int, ProjectLimits] = {}
        self.project_loads: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        """Project → number and value of its processing sales."""
        self.sellers: Kept[str, Seller] = Kept(Seller, attrgetter("steamid64"), "put_sellers")
        self.strikes: Kept[tuple[str, int], Strikes] = Kept(Strikes, attrgetter("seller", "project"), "put_strikes")
        self.loads: defaultdict[str, dict[tuple[int, int], SellerLoad]] = defaultdict(dict)
        """Seller → (bot, project) → their processing sales there."""
        self.reversed: defaultdict[str, int] = defaultdict(int)
        """Seller → reversals of this batch."""

    def _prepare_bots(self) -> None:
        self.leases: Kept[int, Lease] = Kept(Lease, attrgetter("bot"))
        self.bots: Kept[int, Bot] = Kept(
            Bot, attrgetter("number"), "put_bot_loads", attrgetter("number", "live_offers", "items_held")
        )
        self.blocks: dict[tuple[int, int], tuple[int, str]] = {}
        """(bot, game) → (until, reason): new ones."""
        self.pauses: dict[int, tuple[int, str]] = {}
        """Game → (until, reason): new ones."""
        self.quarantines: dict[int, tuple[str, int | None]] = {}
        """Bot → (reason, until): new ones."""
        self.stock_changes: defaultdict[tuple[int, int, str], int] = defaultdict(int)
        """(bot, game, missing or delivered) → items more or fewer."""

    @cached_property
    def lease_us(self) -> int:
        """The time that leases are judged by: the database's, where several machines share one; else this machine's."""
        shared = self.store.machine_us()
        return self.real_us if shared is None else shared

    # -- loading -------------------------------------------------------------------------------------------------------

    def begin(self, load: BatchLoad) -> None:
        """Opens the transaction with the market's lock and the next feed number, and loads: one round trip to the store, two if trades
        are to be loaded, since only they say whose money and orders they touch."""
        first = self._of_trades(load) if load.trades else self._of_rest(load)
        ((seq,),), stamps, *answers = self.store.begin([("take_seq", {}), ("last_stamp", {}), *first])
        self.seq: int = seq
        last = [BatchRow(*row) for row in stamps]
        self.last_batch: tuple[int, int | None] | None = (last[0].seq, last[0].stamp) if last else None
        """Number and stamp of the newest batch that the feed holds; no stamp: an older version wrote it."""
        self.now = self._clock.now_us()
        self.real_us = self._clock.real_us()
        is_next = self.last_batch is not None and self.last_batch[0] == self.seq - 1
        before = self.last_batch[1] if self.last_batch is not None and is_next else None
        self.feed = Feed(self.seq, stamp=ids.new_stamp(self._chance), after=before or 0)
        self.ledger = Ledger({}, self.seq * IDS_PER_BATCH)
        if load.trades:
            self._take_trades(answers, load)
            answers = self.store.load_all(self._of_rest(load))
        self._take(answers)

    def load(self, load: BatchLoad) -> None:
        """More, inside the transaction."""
        if load.trades:
            self._take_trades(self.store.load_all(self._of_trades(load)), load)
        self._take(self.store.load_all(self._of_rest(load)))

    def _of_trades(self, load: BatchLoad) -> list[Question]:
        keys = [(trade_id,) for trade_id in sorted(load.trades)]
        return [(block, keys) for block in _OF_TRADES]

    def _of_rest(self, load: BatchLoad) -> list[Question]:
        """A few set-based statements, whatever the size of the batch, in the order in which `_take` takes their answers."""
        asked: list[Question] = [
            ("load_leases", [(bot,) for bot in sorted(load.leases)]),
            ("load_persons", [(number,) for number in load.persons]),
            ("load_custom_ids", list(load.custom_ids)),
            ("load_orders", sorted(load.orders)),
            ("load_balances", [(account,) for account in sorted(load.balances)]),
            ("load_live_assets", sorted(load.assets)),
        ]
        if load.rooms_and_bots:
            sellers = [(seller,) for seller in sorted(load.sellers)]
            projects = [(project,) for project in sorted(load.projects)]
            claims = [(project, *asset) for project in sorted(load.projects) for asset in sorted(load.assets)]
            asked += [
                *_ROOMS_AND_BOTS,
                ("load_seller_loads", sellers),
                ("load_standings", sellers),
                ("load_projects", projects),
                ("load_claims", claims),
            ]
        return asked

    def _take_trades(self, answers: list[list[Row]], load: BatchLoad) -> None:
        trades, items, holds, alerts, notes = answers
        found = {trade_id for trade_id, *_ in trades}
        for trade in records(Trade, trades):
            self.trades[trade.id] = trade
            self.items[trade.id] = []
        for item in (TradeItem(*row) for row in items):
            self.items[item.trade_id].append(item)
        self.holds.take(holds)
        self.open_alerts.update((kind, trade_id) for kind, trade_id in alerts)
        self.notes.update({(trade_id, position): state for trade_id, position, state in notes})
        for trade in self.trades.values():
            load.sellers.add(trade.seller)
            if trade.stage is Stage.VERIFY:
                load.assets.update(self.assets_of(trade))
            load.purse_of(trade.buyer)
            load.purse_of(trade.project)
            load.balances.update(accounts.MARKET_ACCOUNTS)
            load.orders.update((trade.buyer, item.item) for item in self.items[trade.id])
            load.rooms_and_bots = True
        self._take_deliveries(load.trades - found, load)

    def _take_deliveries(self, ids: set[str], load: BatchLoad) -> None:
        """Whatever is no sale's id is a delivery's. With them come the sales that brought their items, as far as they are not here: what
        is here may have changed since it was loaded."""
        keys = [(one,) for one in sorted(ids - self.deliveries.keys())]
        if not keys:
            return
        deliveries, items = self.store.load_all([("load_deliveries", keys), ("load_delivery_items", keys)])
        for delivery in records(Delivery, deliveries):
            self.deliveries[delivery.id] = delivery
            self.delivery_items[delivery.id] = []
            load.rooms_and_bots = True
        for item in records(DeliveryItem, items):
            self.delivery_items[item.delivery_id].append(item)
        self.load_delivered({item.trade_id for items_of in self.delivery_items.values() for item in items_of})

    def load_delivered(self, ids: set[str]) -> None:
        """Sales whose items are to be noted, without what moves their money."""
        keys = [(one,) for one in sorted(ids - self.trades.keys() - self.delivered_sales.keys())]
        if not keys:
            return
        trades, items, notes = self.store.load_all(
            [(block, keys) for block in ("load_trades", "load_trade_items", "load_item_notes")]
        )
        for trade in records(Trade, trades):
            self.delivered_sales[trade.id] = trade
            self.items[trade.id] = []
        for item in (TradeItem(*row) for row in items):
            self.items[item.trade_id].append(item)
        self.notes.update({(trade_id, position): state for trade_id, position, state in notes})

    def sale_of(self, item: DeliveryItem) -> Trade:
        """The sale that brought it."""
        return self.trades.get(item.trade_id) or self.delivered_sales[item.trade_id]

    def _take(self, answers: list[list[Row]]) -> None:
        leases, persons, custom_ids, orders, balances, assets, *more = answers
        self.leases.take(leases)
        self.persons.take(persons)
        self.taken_custom_ids.update((project, custom_id) for project, custom_id in custom_ids)
        self.orders.take(orders)
        for account, balance in balances:
            self.ledger.balances[account] = balance
        self.live_assets.update(
            {(seller, game, contextid, assetid): trade_id for seller, game, contextid, assetid, trade_id in assets}
        )
        self._load_closed_orders()
        if more:
            *rooms_and_bots, loads, standings, projects, claims = more
            self._take_rooms_and_bots(rooms_and_bots)
            self._take_sellers(loads, standings)
            self._take_projects(projects)
            self.claims.update(
                (project, (seller, game, contextid, assetid)) for project, seller, game, contextid, assetid in claims
            )

    def _load_closed_orders(self) -> None:
        """Generations that trades remember and that are no longer the current ones. What is here already may have changed since it
        was loaded."""
        if not self.trades:
            return
        lost = {
            (trade.buyer, item.item, item.generation)
            for trade in self.trades.values()
            for item in self.items[trade.id]
            if (current := self.orders.get((trade.buyer, item.item))) is None or current.generation != item.generation
        }
        self.closed_orders.take(self.store.load("load_closed_orders", sorted(lost - self.closed_orders.keys())))

    def _take_sellers(self, loads: list[Row], standings: list[Row]) -> None:
        for load in (SellerLoad(*row) for row in loads):
            self.loads[load.seller][load.bot, load.project] = load
        for steamid64, status, reason, until, changed_at, project, strikes, cooldown_until in standings:
            if status is not None:
                self.sellers[steamid64] = Seller(steamid64, status, reason, until, changed_at)
            if project is not None:
                self.strikes[steamid64, project] = Strikes(steamid64, project, strikes, cooldown_until)

    def _take_projects(self, projects: list[Row]) -> None:
        for project, own_limits, trades, value in projects:
            if own_limits is not None:
                self.project_limits[project] = msgspec.json.decode(own_limits, type=ProjectLimits)
            known = self.project_loads[project]
            known[0], known[1] = known[0] + trades, known[1] + value

    def load_rooms_and_bots(self) -> None:
        self._take_rooms_and_bots(self.store.load_all(_ROOMS_AND_BOTS))

    def _take_rooms_and_bots(self, answers: list[list[Row]]) -> None:
        rooms, blocks, bots, stock, market = answers
        self.is_stopped = any(what == "stop" for what, _, _ in market)
        self.stopped_games = {game for what, game, _ in market if what == "game_stop"}
        self.limits = read_limits(next((body for what, _, body in market if what == "limits"), None))
        held: dict[int, dict[int, int]] = {}
        for bot, game, items in stock:
            held.setdefault(bot, {})[game] = items
        self.rooms = [room_of(row) for row in rooms]
        blocked: dict[int, list[int]] = {}
        furthest = self.now + self.settings.rules.bot_full_us
        for bot, game, until in blocks:
            if self.now < until <= furthest:
                blocked.setdefault(bot, []).append(game)
        self.bots.clear()
        for number, *rest in bots:
            self.bots[number] = bot_of((number, *rest), blocked.get(number, ()), held.get(number, {}))

    def renumber(self, seq: int) -> None:
        """Goes on under a higher feed number. Before anything takes an id."""
        self.seq = self.feed.seq = seq
        self.ledger = Ledger({}, seq * IDS_PER_BATCH)

    def assets_of(self, trade: Trade) -> list[Asset]:
        return [(trade.seller, trade.game, item.contextid, item.assetid) for item in self.items[trade.id]]

    def item_name(self, item: int) -> str:
        return str(self.store.value("item_by_number", number=item))

    def limits_of(self, project: int) -> MarketLimits:
        own = self.project_limits.get(project)
        return self.limits if own is None else limits_of_project(self.limits, own)

    @cached_property
    def bots_accounts(self) -> frozenset[str]:
        """SteamID64s of all bots: whoever adds one does so alone in a batch."""
        return frozenset(bot.steamid64 for bot in self.bots.values())

    @cached_property
    def slots(self) -> int:
        """Live offers that all enabled bots may have together."""
        return sum(bot.live_offers_max for bot in self.bots.values() if bot.enabled)

    @cached_property
    def has_second_project(self) -> bool:
        return len(self.store.fetch("two_selling_projects")) == 2

    # -- changing ------------------------------------------------------------------------------------------------------

    def add_load(self, trade: Trade, sales: int) -> None:
        """A processing sale begins or ends to count for its seller, bot and project."""
        loads, key = self.loads[trade.seller], (trade.bot, trade.project)
        load = loads.get(key)
        if load is None:
            load = loads[key] = SellerLoad(trade.seller, trade.bot, trade.project, 0, 0, 0, 0)
        if trade.verified_at is not None:
            load.verified, load.verified_value = load.verified + sales, load.verified_value + sales * trade.value
        else:
            load.unverified, load.unverified_value = load.unverified + sales, load.unverified_value + sales * trade.value

    def note_item(self, trade: Trade, position: int, state: str | None, reason: str) -> None:
        """An item of a sale that its bot holds is missing or was delivered; None: it is there again. Its stock follows."""
        key = (trade.id, position)
        before = self.notes.get(key)
        if before == state:
            return
        bot = self.bots[trade.bot]
        if before is not None:
            self.stock_changes[bot.number, trade.game, before] -= 1
            bot.hold(trade.game, 1)
        if state is not None:
            self.stock_changes[bot.number, trade.game, state] += 1
            bot.hold(trade.game, -1)
            self.notes[key] = state
        else:
            del self.notes[key]
        self.changed_notes[key] = None if state is None else (state, reason)
        self.bots.changed.add(bot.number)

    def write_notes(self) -> None:
        """Whoever asks the store what is missing sees what was noted so far. The batch is not over by that."""
        for written in self._written_notes:
            self.store.write(written.block, list(written.changes()))
        self.wrote_directly = self.wrote_directly or bool(self.changed_notes)
        self.changed_notes.clear()

    def new_id(self) -> str:
        return ids.new_uuid7(self.now, self._chance)

    def next_generation(self) -> int:
        self._generations += 1
        return self.seq * IDS_PER_BATCH + self._generations

    def generation_of(self, trade: Trade, item: TradeItem) -> Order:
        """The generation that the unit was taken from, current or closed."""
        current = self.orders.get((trade.buyer, item.item))
        if current is not None and current.generation == item.generation:
            self.orders.changed.add((trade.buyer, item.item))
            return current
        key = (trade.buyer, item.item, item.generation)
        self.closed_orders.changed.add(key)
        return self.closed_orders[key]

    def count(self, trade: Trade, status: str, change: int) -> None:
        """Moves a trade in or out of the dashboard's sums."""
        sums = (self.sums_in if change > 0 else self.sums_out).setdefault((trade.project, trade.game, status), [0, 0])
        sums[0] += 1
        sums[1] += trade.value

    def note(self, trade: Trade, note: str, event: str | None = None) -> None:
        """A step of a sale: everything that its readers see of it moves with one. `event`: what they are told of this one."""
        trade.version += 1
        trade.updated_at = max(self.now, trade.updated_at)
        told = 0
        if event is not None:
            body = msgspec.json.encode(TradeSnapshot.of(trade)).decode()
            self.tell(trade.project, event, trade.id, body, Role.PROJECT, trade.version)
            if event != OFFER_SENT:
                self.tell(trade.buyer, event, trade.id, body, Role.BUYER, trade.version)
            told = 1 if event == OFFER_SENT else 2
        self.history.append(HistoryEntry(trade.id, trade.version, trade.status, self.now, note, told))
        self.feed.trades.append(trade.id)

    def note_delivery(self, delivery: Delivery, note: str, event: str | None = None) -> None:
        """A step of a delivery; its buyer is told what `event` says."""
        delivery.version += 1
        delivery.updated_at = max(self.now, delivery.updated_at)
        if event is not None:
            body = msgspec.json.encode(DeliverySnapshot.of(delivery)).decode()
            self.tell(delivery.buyer, event, delivery.id, body, Role.BUYER, delivery.version)
        step = DeliveryStep(delivery.id, delivery.version, delivery.status, self.now, note, int(event is not None))
        self.delivery_steps.append(step)
        self.changed_deliveries.add(delivery.id)

    # -- telling -------------------------------------------------------------------------------------------------------

    def tell(self, person: int, event: str, subject: str, body: str, role: Role | None = None, version: int | None = None) -> None:
        """One reader of one event. It is told when this batch commits."""
        self._last_place += 1
        cursor = Cursor(self.seq, self._last_place)
        self.events.append(EventRow(person, *cursor, self._new_event_id(cursor), event, role, self.now, version, subject, body))

    @cached_property
    def _new_event_id(self) -> Callable[[Cursor], str]:
        return new_event_ids(self.now, self._chance)

    def tell_operators(self, event: str, subject: str, body: msgspec.Struct | dict[str, object]) -> None:
        encoded = msgspec.json.encode(body).decode()
        for operator in self._operators:
            self.tell(operator, event, subject, encoded, Role.OPERATOR)

    @cached_property
    def _operators(self) -> list[int]:
        return self.store.column("operators")

    def alert(self, kind: str, text: str, bot: int | None, trade_id: str | None) -> None:
        """Opens an alert, unless one of its kind is open for this trade; without a trade, unless this very one is open."""
        if trade_id is not None:
            if (kind, trade_id) in self.open_alerts:
                return
            self.open_alerts.add((kind, trade_id))
        elif self.store.fetch("open_alert_without_trade", kind=kind, bot=bot, text=text):
            return
        alert = (self.new_id(), kind, bot, trade_id, text, self.now)
        self.alerts.append(alert)
        if self._operators:
            steamid64 = None if bot is None else self.store.value("steamid64_of_bot", number=bot)
            self.tell_operators(
                "operator.alert",
                alert[0],
                alert_view(alert[0], kind, steamid64, trade_id, trade_id in self.deliveries, text, self.now),
            )

    def close_alerts(self, kind: str, bot: int | None, reason: str) -> None:
        """The cause is gone: open alerts of that kind about that bot (None: about none) close by themselves."""
        for (alert_id,) in self.store.fetch("open_alerts_of_kind", kind=kind, bot=bot):
            self.close_alert(alert_id, "selldesk", reason)

    def close_alert(self, alert_id: str, closed_by: str, reason: str) -> None:
        """An open one of an earlier batch."""
        self.store.put("close_alert", id=alert_id, closed_at=self.now, closed_by=closed_by, reason=reason)
        self.wrote_directly = True
        if self._operators:
            (alert,) = self.store.load_as(AlertRow, "alerts_by_id", [(alert_id,)])
            self.tell_operators("operator.alert_closed", alert_id, alert_view(*alert))

    def close_alert_of(self, kind: str, trade_id: str, reason: str) -> None:
        """The sale has moved: an open alert of that kind about it is answered."""
        if (kind, trade_id) in self.open_alerts:
            self.open_alerts.discard((kind, trade_id))
            unwritten = {alert[0] for alert in self.alerts if (alert[1], alert[3]) == (kind, trade_id)}
            self.alerts[:] = [alert for alert in self.alerts if alert[0] not in unwritten]
            self.events[:] = [event for event in self.events if event.subject not in unwritten]
            for alert_id in self.store.column("open_alerts_of_trade", kind=kind, trade_id=trade_id):
                self.close_alert(alert_id, "selldesk", reason)

    def quarantine(self, bot: int, reason: str, until: int | None) -> None:
        """No more sends of this bot until then, or until an operator enables it again; what runs is finished and settled."""
        self.bots[bot].state = BotState.QUARANTINED
        self.quarantines[bot] = (reason, until)
        self.feed.bots.append(bot)
        self.alert("bot_quarantined", f"Sends nothing any more: {reason}", bot, None)

    # -- writing -------------------------------------------------------------------------------------------------------

    @cached_property
    def _written_notes(self) -> tuple[Written, ...]:
        notes = self.changed_notes
        return (
            Reckoned("drop_item_notes", lambda: [key for key, change in sorted(notes.items()) if change is None]),
            Reckoned(
                "put_item_notes",
                lambda: [(*key, change[0], self.now, change[1]) for key, change in sorted(notes.items()) if change is not None],
            ),
        )

    @cached_property
    def _in_order(self) -> tuple[Written, ...]:
        """Everything that a batch may write, in the order in which it is written: always the same, so that batches of several
        desks never wait for each other crosswise."""
        return (
            self.new_trades,
            Reckoned("change_trades", self._changed_trades),
            Reckoned("put_trade_items", self._touched_items),
            Reckoned("free_assets", lambda: [(trade_id,) for trade_id in sorted(self.freed_trades)]),
            Reckoned("add_claims", self._standing_claims),
            Reckoned("add_live_assets", self._standing_assets),
            self.holds,
            Reckoned("put_balances", lambda: [(account, self.ledger.balances[account]) for account in sorted(self.ledger.touched)]),
            Reckoned("add_entries", lambda: [plain(entry) for entry in self.ledger.entries]),
            Reckoned("drop_orders", lambda: sorted(self.dropped_orders)),
            self.orders,
            self.closed_orders,
            self.history,
            self.evidence,
            Reckoned("add_to_sums", lambda: [(*key, *sums) for key, sums in sorted(self.sums_in.items())]),
            Reckoned("take_from_sums", lambda: [(*key, *sums) for key, sums in sorted(self.sums_out.items())]),
            self.new_deliveries,
            Reckoned("change_deliveries", self._changed_deliveries),
            Reckoned("put_delivery_items", self._touched_delivery_items),
            Reckoned("free_delivery_items", lambda: [(one,) for one in sorted(self.freed_deliveries)]),
            Reckoned("add_live_delivery_items", self._live_items),
            self.delivery_steps,
            self.bots,
            Reckoned("add_to_stock", lambda: [(*key, items) for key, items in sorted(self.stock_changes.items()) if items]),
            *self._written_notes,
            self.sellers,
            self.strikes,
            self.item_properties,
            Reckoned("put_steam_objects", lambda: sorted(self.steam_objects)),
            self.alerts,
            self.events,
            Reckoned("put_blocks", lambda: [(*key, *block) for key, block in sorted(self.blocks.items())]),
            Reckoned("put_pauses", lambda: [(game, *pause) for game, pause in sorted(self.pauses.items())]),
            Reckoned("quarantine_bots", self._new_quarantines),
        )

    def write(self) -> bool:
        """All changes, a few set-based statements; False if there is nothing to write."""
        written = [(written.block, rows) for written in self._in_order if (rows := list(written.changes()))]
        for block, rows in written:
            self.store.write(block, rows)
        self._fill_feed()
        return self.wrote_directly or bool(written)

    def _changed_trades(self) -> list[Row]:
        fresh = {trade.id for trade in self.new_trades}
        return [_CHANGED(self.trades[trade_id]) for trade_id in sorted(self.changed_trades - fresh)]

    def _changed_deliveries(self) -> list[Row]:
        fresh = {delivery.id for delivery in self.new_deliveries}
        return [_DELIVERY_CHANGED(self.deliveries[one]) for one in sorted(self.changed_deliveries - fresh)]

    def _touched_delivery_items(self) -> list[Row]:
        touched = sorted(self.changed_delivery_items | {delivery.id for delivery in self.new_deliveries})
        return [plain(item) for one in touched for item in self.delivery_items[one]]

    def _live_items(self) -> list[Row]:
        fresh = sorted({delivery.id for delivery in self.new_deliveries} - self.freed_deliveries)
        return [(*item.key, one) for one in fresh for item in self.delivery_items[one]]

    def _touched_items(self) -> list[Row]:
        touched = sorted(self.changed_items | {trade.id for trade in self.new_trades})
        return [plain(item) for trade_id in touched for item in self.items[trade_id]]

    def _standing_claims(self) -> list[Row]:
        """What ended in the batch that began it holds nothing; claims of earlier batches are freed by a trigger (migration 19)."""
        ended = self.freed_trades
        return [(project, *asset, trade_id) for project, asset, trade_id in self.new_claims if trade_id not in ended]

    def _standing_assets(self) -> list[Row]:
        return [(*asset, trade_id) for asset, trade_id in self.new_assets if trade_id not in self.freed_trades]

    def _new_quarantines(self) -> list[Row]:
        return [(bot, reason, self.now, until) for bot, (reason, until) in sorted(self.quarantines.items())]

    def _fill_feed(self) -> None:
        feed = self.feed
        for buyer, item in sorted(self.dropped_orders - self.orders.changed):
            feed.orders.append((item, buyer, 0, 0))
        for key in sorted(self.orders.changed):
            order = self.orders[key]
            feed.orders.append((order.item, order.buyer, order.price, order.remaining))
        for account in sorted(self.ledger.touched):
            if accounts.is_available(account):
                feed.funds.append((accounts.owner_of(account), self.ledger.balances[account]))
        feed.told = sorted({event.person for event in self.events})
        feed.bots = sorted({*feed.bots, *(trade.bot for trade in self.new_trades)})


def _as_it_is(row: tuple[object, ...]) -> Row:
    return row
