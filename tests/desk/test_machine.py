"""A machine of random commands against two desks of one market, on both engines, beside a little model that knows nothing of the desk.

Bots, sellers, buyers, operators and workers say at random what they plausibly might, in batches as they happen to come together, while
the clock moves. What was refused must have changed nothing; the model compares money and statuses with the store, the audit runs, and the
view that follows the feeds is compared with one that is loaded anew. One seed is one run;
`SELLDESK_FUZZ_SEED` names another, `SELLDESK_FUZZ_STEPS` a longer one.
"""

import asyncio
import os
import random
import struct
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import msgspec
import pytest

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM, Demand, Line, Match
from selldesk.book.plain import PlainBook
from selldesk.book.quotes import QuoteSigner
from selldesk.bots.stock import OwnAsset
from selldesk.deliveries.delivery import Delivery, DeliveryItem
from selldesk.desk import commands
from selldesk.desk.commands import Answer, Command, Feed, OpenItem, OpenTrade, OrderLine, runs_alone
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.limits import MONEY_MAX
from selldesk.link.server import DeskServer, Request, Response, _Waiting
from selldesk.offers.words import AssetWord, OfferWord, Proof, SendRefusal, TradeWord
from selldesk.people.roles import ALL_ROLE_BITS, Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS, MarketLimits, ProjectLimits
from selldesk.store.audit import run_audit
from selldesk.store.rows import EndpointRow
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Reader, Row
from selldesk.trades.trade import Trade
from selldesk.view.market_view import MarketView
from tests.desk.test_desk import RICH, Market
from tests.little_market import ClosingStore
from tests.stores import new_store

pytestmark = pytest.mark.usefixtures("engine")

STEPS = int(os.environ.get("SELLDESK_FUZZ_STEPS", "2000"))
SEED = int(os.environ.get("SELLDESK_FUZZ_SEED", "1"))
AUDIT_EVERY = 20
"""Steps between two audits, and between two comparisons of the view."""
COMPARE_EVERY = 2
"""Steps between two comparisons of the model with the store."""
FEE_BASIS_POINTS = 333

SECOND = 1_000_000
DAY = 86_400 * SECOND
GAMES = (730, 440)
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1000004&token=abcdefgh"
OPERATOR, SHOP, OTHER_SHOP, BOTH, SECOND_OPERATOR = 1, 2, 3, 4, 10
ROLES = {
    OPERATOR: [Role.OPERATOR],
    SHOP: [Role.PROJECT],
    OTHER_SHOP: [Role.PROJECT],
    BOTH: [Role.PROJECT, Role.BUYER],
    **{number: [Role.BUYER] for number in range(5, 10)},
    SECOND_OPERATOR: [Role.OPERATOR],
}
WORKERS = ("elsewhere-1", "elsewhere-2")
NOBODY, NO_TRADE = 999, str(uuid.UUID(int=1))

KINDS = [kind for kind in get_args(commands.AnyCommand) if kind not in (commands.BotNews, commands.OnBehalf)]
NEVER_REFUSED = {
    commands.KeepLeases, commands.Watch, commands.SetMark, commands.ForgetEvents, commands.DisableEndpoint, commands.ResealEndpoint,
}  # fmt: skip
"""The market's own, for which no refusal is declared."""
FINAL = {"completed", "declined", "cancelled", "error", "rolled_back_by_user", "rolled_back_by_bot"}
MAY_BECOME = {
    "processing": {"processing", "accepted", *FINAL},
    "accepted": {"accepted", "completed", "rolled_back_by_user", "rolled_back_by_bot"},
}
"""Seen from step to step, between which a sale may move twice."""
NOT_THE_DESKS_FAULT = {"items_without_trade"}
"""The audit also lists what Steam did against the market's word: offers accepted after their sale had ended."""


# -- the model ---------------------------------------------------------------------------------------------------------


class Sale(NamedTuple):
    project: int
    buyer: int
    value: int
    fee: int


class Model:
    """What must be so, by the answers alone. Raises AssertionError for an answer that breaks a promise."""

    def __init__(self) -> None:
        self.paid_in: Counter[int] = Counter()
        """Person → deposits less withdrawals."""
        self.adjusted: Counter[int] = Counter()
        self.references: dict[tuple[int, str, str], int] = {}
        self.sales: dict[str, Sale] = {}
        self.statuses: dict[str, str] = {}
        self.deliveries: dict[str, str] = {}
        self.custom_ids: set[tuple[int, str]] = set()
        self.people: dict[int, dict[str, Any]] = {}
        self.numbers: dict[str, int] = {}
        """Person's id → number."""
        self.is_stopped = False
        self.stopped_games: set[int] = set()
        self.blocked_sellers: set[str] = set()
        self.leases: dict[int, tuple[str, int]] = {}
        """Bot → (worker, fence)."""
        self.fences: dict[int, int] = {}
        """Bot → the highest fence ever given."""

    def learn(self, command: Command[Any], value: Any) -> None:
        """An accepted command and its answer."""
        match command:
            case commands.BotNews(bot=bot, fence=fence, news=news):
                assert self.leases.get(bot, ("", 0))[1] == fence, f"news of bot {bot} under fence {fence}, leases {self.leases}"
                self.learn(news, value)
            case commands.OnBehalf(person=person, role_bits=bits, command=inner):
                actor = self.people.get(person, {"roles": 0, "disabled": True})
                assert actor["roles"] & bits, f"person {person} may not do this"
                assert not actor["disabled"], f"person {person} is disabled"
                self.learn(inner, value)
            case OpenTrade():
                self._open(command, value)
            case commands.OpenDelivery():
                assert not self.is_stopped, "a delivery while trading is stopped"
                self.deliveries |= dict.fromkeys(value.ids, "processing")
            case commands.CancelDelivery(delivery_id=one):
                # At once, or by Steam's word: the next news of it tells.
                self.deliveries[one] = "processing"
            case commands.IntendSend(trade_id=trade_id):
                assert not (value.granted and self.is_stopped), "sent while trading is stopped"
                self.see(trade_id, value.status)
            case commands.TradeCommand(trade_id=trade_id):
                self.see(trade_id, value.status)
            case commands.MoveMoney():
                self._move_money(command, value.repeated)
            case commands.CreatePerson():
                self.numbers[command.id] = value.number
                self.people[value.number] = {"id": command.id, "roles": command.roles, "disabled": False, "frozen": False}
            case commands.ChangePerson():
                changed = self.people[self.numbers[command.person_id]]
                for name in ("roles", "disabled", "frozen"):
                    if getattr(command, name) is not None:
                        changed[name] = getattr(command, name)
            case commands.BeginOrders(buyer=buyer) | commands.ChangeOrders(buyer=buyer):
                assert self.people[buyer]["roles"] & pack_roles([Role.BUYER]), "orders of somebody who is not a buyer"
                assert not self.people[buyer]["disabled"], "orders of somebody who is disabled"
            case commands.StopTrading():
                self.is_stopped = True
            case commands.ResumeTrading():
                assert self.is_stopped, "trading that was not stopped has been resumed"
                self.is_stopped = False
            case commands.StopGame(game=game):
                self.stopped_games.add(game)
            case commands.ResumeGame(game=game):
                self.stopped_games.remove(game)
            case commands.SetSeller(steamid64=seller, status=status):
                (self.blocked_sellers.add if status == "blocked" else self.blocked_sellers.discard)(seller)
            case commands.KeepLeases():
                self._keep_leases(command, value.held)

    def _open(self, command: OpenTrade, value: Any) -> None:
        assert command.buyer is not None
        project, buyer = self.people[command.project], self.people[command.buyer]
        assert not self.is_stopped, "a sale while trading is stopped"
        assert command.game not in self.stopped_games, "a sale while its game is stopped"
        assert command.seller not in self.blocked_sellers, "a sale of a blocked seller"
        assert project["roles"] & pack_roles([Role.PROJECT]), "a sale of somebody who is not a project"
        assert buyer["roles"] & pack_roles([Role.BUYER]), "a sale to somebody who is not a buyer"
        for person in (project, buyer):
            assert not person["disabled"], "a sale of somebody who is disabled"
            assert not person["frozen"], "a sale of somebody who is frozen"
        assert command.project != command.buyer, "a sale to oneself"
        assert not command.mismatch, "a sale below the best payout"
        assert command.trade_id not in self.sales
        assert (command.project, command.custom_id) not in self.custom_ids, "a custom_id twice"
        total = sum(item.price for item in command.items)
        assert value.value == total > 0
        self.custom_ids.add((command.project, command.custom_id))
        self.sales[command.trade_id] = Sale(command.project, command.buyer, total, total * FEE_BASIS_POINTS // 10_000)
        self.statuses[command.trade_id] = "processing"

    def _move_money(self, command: commands.MoveMoney, repeated: bool) -> None:
        key = (command.person, command.direction, command.reference)
        assert repeated == (key in self.references), "a reference counts once"
        assert self.references.setdefault(key, command.amount) == command.amount
        if not repeated:
            change = -command.amount if command.direction == "withdrawal" else command.amount
            (self.adjusted if command.direction == "adjustment" else self.paid_in)[command.person] += change

    def _keep_leases(self, command: commands.KeepLeases, held: list[list[int]]) -> None:
        for bot in [bot for bot, (worker, _) in self.leases.items() if worker == command.worker]:
            if command.leaves or bot in command.released:
                del self.leases[bot]
        for bot, fence in held:
            worker, known = self.leases.get(bot, (command.worker, 0))
            assert worker == command.worker or fence > known, f"bot {bot} was handed over without a new fence"
            assert fence >= self.fences.get(bot, 0), f"fence {fence} of bot {bot} is an old one"
            self.leases[bot], self.fences[bot] = (command.worker, fence), fence

    def see(self, trade_id: str, status: str) -> None:
        """A sale or a delivery is in this status now. What has ended never lives again."""
        known = self.deliveries if trade_id in self.deliveries else self.statuses
        before = known[trade_id]
        assert status in MAY_BECOME.get(before, {before}), f"{trade_id} went from {before} to {status}"
        known[trade_id] = status

    def balances(self) -> dict[int, int]:
        """Account → what must be on it, by what was paid in and how each sale stands; nothing that is zero."""
        of: Counter[int] = Counter()
        for person, amount in self.paid_in.items():
            of[person * 4] += amount
            of[-1] -= amount
        for person, amount in self.adjusted.items():
            of[person * 4] += amount
            of[-3] -= amount
        for trade_id, (project, buyer, value, fee) in self.sales.items():
            match self.statuses[trade_id]:
                case "processing":
                    changes = {buyer * 4: -value, buyer * 4 + 1: value}
                case "accepted":
                    changes = {buyer * 4: -value, project * 4 + 2: value - fee, -4: fee}
                case "completed":
                    changes = {buyer * 4: -value, project * 4: value - fee, -2: fee}
                case _:
                    changes = {}
            of.update(changes)
        return {account: amount for account, amount in of.items() if amount}

    def compare(self, reader: Reader) -> None:
        """The store says the same."""
        rows = reader.query("SELECT id, status, project, buyer, value, fee FROM trade", {})
        for trade_id, status, *sale in rows:
            assert self.sales.get(trade_id) == tuple(sale), f"sale {trade_id} is not what was answered"
            self.see(trade_id, status)
        assert len(rows) == len(self.sales), "sales are missing"
        found = {row[0]: int(row[1]) for row in reader.query("SELECT id, balance FROM ledger_account WHERE balance <> 0", {})}
        expected = self.balances()
        wrong = {one: (found.get(one), expected.get(one)) for one in {*found, *expected} if found.get(one) != expected.get(one)}
        assert not wrong, f"accounts (in the store, as it must be): {wrong}"
        assert sum(found.values()) == 0
        assert all(0 <= amount <= MONEY_MAX for account, amount in found.items() if account > 0)
        holds = {row[0] * 4 + 1: int(row[1]) for row in reader.query(OPEN_HOLDS, {})}
        frozen = {account: amount for account, amount in found.items() if account > 0 and account % 4 == 1}
        assert holds == frozen, f"holds {holds}, frozen {frozen}"
        twice = reader.query(ASSETS_TWICE, {}) + reader.query(CLAIMS_TWICE, {})
        assert not twice, f"assets in two live sales: {twice}"


OPEN_HOLDS = "SELECT buyer, sum(amount) FROM hold WHERE closed_at IS NULL GROUP BY buyer"
_LIVE_ASSETS = """FROM trade t JOIN trade_item i ON i.trade_id = t.id
WHERE t.status IN ('processing', 'accepted')"""
ASSETS_TWICE = f"""SELECT t.seller, t.game, i.contextid, i.assetid {_LIVE_ASSETS} AND t.verified_at IS NOT NULL
GROUP BY t.seller, t.game, i.contextid, i.assetid HAVING count(*) > 1"""
CLAIMS_TWICE = f"""SELECT t.project, t.seller, t.game, i.contextid, i.assetid {_LIVE_ASSETS}
GROUP BY t.project, t.seller, t.game, i.contextid, i.assetid HAVING count(*) > 1"""
MONEY_DIGEST = """SELECT 'account', CAST(id AS TEXT), CAST(balance AS TEXT) FROM ledger_account
UNION ALL SELECT 'order', buyer || '/' || item, price || '/' || remaining || '/' || reserved || '/' || sold FROM buy_order
UNION ALL SELECT 'asset', seller || '/' || game || '/' || assetid, trade_id FROM live_asset
UNION ALL SELECT 'claim', project || '/' || seller || '/' || game || '/' || assetid, trade_id FROM asset_claim
UNION ALL SELECT 'stock', bot || '/' || game, kind || '/' || items FROM bot_stock
UNION ALL SELECT 'bot', number || '/' || enabled, live_offers || '/' || items_held || '/' || state FROM bot
UNION ALL SELECT 'item', trade_id || '/' || position, state FROM item_note
UNION ALL SELECT 'mark', name, value FROM mark
UNION ALL SELECT 'closed orders', count(*) || '', sum(remaining) || '/' || sum(reserved) || '/' || sum(sold) FROM closed_order
UNION ALL SELECT 'entries', count(*) || '', sum(id) || '/' || sum(abs(amount)) FROM ledger_entry
UNION ALL SELECT 'holds', count(*) || '', sum(amount) || '/' || sum(captured) || '/' || sum(released) FROM hold
UNION ALL SELECT 'references', count(*) || '', '' FROM money_reference
UNION ALL SELECT 'log', count(*) || '', '' FROM operator_log
UNION ALL SELECT 'sales', count(*) || '', sum(version) || '/' || sum(length(status)) || '/' || sum(length(stage)) FROM trade"""
"""All that a refusal must leave alone; what only grows by its sums."""


# -- the market that the machine works on ------------------------------------------------------------------------------


class BothBooks:
    """The engine and its slow twin, fed alike: whoever asks gets one answer of both."""

    def __init__(self) -> None:
        self.engine, self.plain = EngineBook(), PlainBook()

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None:
        self.engine.put_order(item, buyer, price, remaining)
        self.plain.put_order(item, buyer, price, remaining)

    def set_funds(self, buyer: int, available: int) -> None:
        self.engine.set_funds(buyer, available)
        self.plain.set_funds(buyer, available)

    def set_candidates(self, game: int, buyers: set[int]) -> None:
        self.engine.set_candidates(game, buyers)
        self.plain.set_candidates(game, buyers)

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        found = self.engine.best(game, lines, exclude)
        assert found == self.plain.best(game, lines, exclude), lines
        return found

    def is_outbid(self, buyer: int, game: int, lines: list[Line], exclude: int) -> bool:
        found = self.engine.is_outbid(buyer, game, lines, exclude)
        assert found == self.plain.is_outbid(buyer, game, lines, exclude), (buyer, lines)
        return found

    def payout(self, buyer: int, lines: list[Line]) -> int:
        return self.plain.payout(buyer, lines)

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        found = self.engine.demand(game, items, exclude)
        assert found == self.plain.demand(game, items, exclude), items
        return found


class Socket:
    """A client's end of a desk's socket, at which everything arrives at once."""

    def __init__(self) -> None:
        self.transport = self
        self.responses: list[Response] = []
        self._decoder = msgspec.msgpack.Decoder(Response)

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, frame: bytes) -> None:
        assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
        self.responses.append(self._decoder.decode(frame[4:]))

    def close(self) -> None:
        raise AssertionError("the desk met an unhandled error and reset its connections")


class DeskUnderTest:
    """A desk as it is served: what comes in goes through its queue, its batches and its portions."""

    def __init__(self, desk: Desk, batch_max: int) -> None:
        self.desk = desk
        self.server = DeskServer(desk, batch_max)
        self.socket = Socket()
        self.server._connections.add(cast(asyncio.StreamWriter, self.socket))
        self.asked: dict[int, Command[Any]] = {}
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Request)

    def send(self, number: int, command: Command[Any]) -> None:
        """Over the wire and into the queue."""
        request = self._decoder.decode(self._encoder.encode(Request(number, cast(Any, command))))
        self.asked[number] = request.command
        self.server._queue.append(_Waiting(cast(asyncio.StreamWriter, self.socket), number, request.command))

    @property
    def is_busy(self) -> bool:
        return bool(self.server._queue)

    @property
    def may_be_refused_whole(self) -> bool:
        """The next batch is so small that a refusal of all of it is worth a look."""
        waiting = [one.command for one in self.server._queue]
        if not waiting:
            return False
        batch = 1 if runs_alone(waiting[0]) else len(waiting)
        return batch <= 3 and type(inner_of(waiting[0])) not in NEVER_REFUSED

    @property
    def has_lists(self) -> bool:
        return bool(self.server._jobs)

    def step(self) -> list[Response]:
        """One batch and one portion of a big command, as in production."""
        self.server._step()
        responses, self.socket.responses = self.socket.responses, []
        return responses


Words = list[Command[Any]]


class Machine:
    """Chooses what happens next, and looks whether everything is right."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.store = ClosingStore(new_store(folder))
        settings = DeskSettings(fee_basis_points=FEE_BASIS_POINTS, stocktake_at_us=0)
        self.desks = [DeskUnderTest(Desk(self._writer(), self.clock, settings), batch_max) for batch_max in (64, 5)]
        self.reader = self.store.reader()
        self.aside = SmallWrites(self.store)
        self.model = Model()
        self.view = self._new_view()
        self.late: list[Feed] = []
        self.asked = 0
        self.accepted: Counter[type[Command[Any]]] = Counter()
        self.refused: Counter[type[Command[Any]]] = Counter()
        self.codes: Counter[str] = Counter()
        self.granted: Counter[tuple[type[Command[Any]], bool]] = Counter()
        self.recent: deque[str] = deque(maxlen=12)
        self._digest: list[Row] | None = None
        self._ids = 0
        self.bots = 0
        self.rooms: list[int] = []
        self.items: dict[int, list[tuple[int, str]]] = {}
        self.steam_numbers = 1_000
        self._beaten_at = 0
        self._kept_at: defaultdict[str, int] = defaultdict(int)
        """Worker → when it last renewed its leases."""
        self._set_up()

    def _writer(self) -> Any:
        """The database's own clock stands as still as ours."""
        writer = self.store.writer()
        writer.machine_us = lambda: None  # type: ignore[method-assign]
        return writer

    def _new_view(self) -> MarketView:
        view = MarketView(self.store.reader(), QuoteSigner(b"s" * 32), BothBooks)
        view.load()
        return view

    def close(self) -> None:
        self.store.close_all()
        if self.aside._writer is not None:
            self.aside._writer.close()

    # -- talking to the desks ------------------------------------------------------------------------------------------

    def ask(self, command: Command[Any]) -> None:
        self.send([command], self.desks[0])

    def send(self, words: Sequence[Command[Any]], desk: DeskUnderTest) -> None:
        """Everything at once; the desk makes batches of it."""
        for command in words:
            self.asked += 1
            self.recent.append(repr(command)[:600])
            desk.send(self.asked, command)
        while desk.is_busy:
            self._work(desk)
        while desk.has_lists and self.chance.random() < 0.8:
            self._work(desk)

    def _work(self, desk: DeskUnderTest) -> None:
        """One batch: its answers go to the model, its feed to the view; if all of it was refused, nothing has changed."""
        before = self._digest
        if before is None and desk.may_be_refused_whole:
            before = self.digest()
        had_lists = desk.has_lists
        responses = desk.step()
        answers = [answer for response in responses for answer in response.answers]
        changed = any(answer.value is not None for _, answer in answers) or had_lists or desk.has_lists
        self._digest = None
        if answers and not changed:
            assert all(response.feed is None for response in responses), f"refused, but there is a feed: {answers}"
            if before is not None:
                self._digest = self.digest()
                assert self._digest == before, f"refused, but changed: {set(self._digest) ^ set(before)}"
        for response in responses:
            for number, answer in response.answers:
                self._hear(desk.asked.pop(number), answer)
            if response.feed is not None:
                self._follow(response.feed)

    def _hear(self, command: Command[Any], answer: Answer) -> None:
        kind = inner_of(command)
        assert answer.code not in ("internal_error", "unavailable"), f"{answer.code} as the answer to {command}"
        if answer.value is None:
            self.refused[type(kind)] += 1
            self.codes[f"{answer.code} {answer.cause}" if answer.cause else answer.code] += 1
            return
        self.accepted[type(kind)] += 1
        reply = commands.reply_of(command, answer.value)
        if isinstance(kind, commands.IntendSend | commands.IntendCancel):
            self.granted[type(kind), reply.granted] += 1
        self.model.learn(command, reply)
        match kind:
            case commands.PutRoom():
                self.rooms = sorted({*self.rooms, reply.id})
            case commands.DropRoom():
                self.rooms.remove(kind.id)
            case commands.AddBot():
                self.bots = max(self.bots, reply.number)
            case commands.ImportItems():
                self._read_items()

    def _follow(self, feed: Feed) -> None:
        """Most batches arrive in order; some come late, some are lost on the way."""
        luck = self.chance.random()
        if luck < 0.8:
            self.view.apply(feed)
        elif luck < 0.9:
            self.late.append(feed)
        if self.late and self.chance.random() < 0.2:
            self.view.apply(self.late.pop(self.chance.randrange(len(self.late))))

    def digest(self) -> list[Row]:
        return sorted(self.reader.query(MONEY_DIGEST, {}), key=repr)

    # -- the beginning -------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        for number, roles in ROLES.items():
            steamid64 = f"7656119796030{number:04d}" if Role.BUYER in roles else None
            self.ask(
                commands.CreatePerson(
                    operator="t", id=self.new_id(), login=f"person-{number}", roles=pack_roles(roles), steamid64=steamid64
                )
            )
        self.ask(commands.SetLimits(operator="t", limits=NO_LIMITS))
        for game in GAMES:
            self.ask(commands.ImportItems(operator="t", game=game, items=[(f"item {game} {number}", None) for number in range(6)]))
        self.ask(
            commands.PutRoom(
                operator="t",
                id=None,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=None,
                priority=5,
                enabled=True,
            )
        )
        for number in range(1, 4):
            self.ask(self._add_bot(number))
        self.ask(commands.KeepLeases(worker=WORKERS[0]))
        for number in range(1, 4):
            self.ask(commands.BotNews(bot=number, fence=self.model.fences[number], news=commands.BotReport(bot=number, state="ok")))
        for buyer in self._with_role(Role.BUYER):
            self.ask(commands.MoveMoney(operator="t", person=buyer, direction="deposit", amount=10**9, reference="first"))
            for game in GAMES:
                lines = [OrderLine(item, 10_000 + buyer, 500) for item, _ in self.items[game]]
                self.ask(commands.PutOrders(buyer=buyer, game=game, replace=False, lines=lines, keep=[]))
        self._beat()

    def _add_bot(self, number: int) -> commands.AddBot:
        return commands.AddBot(
            operator="t", steamid64=f"765611979603900{number:02d}", account_name=f"bot{number}", secrets=b"sealed", tokens=None, profile_name=None, avatar=None, games=None, live_offers_max=self.chance.choice([10, 40]), seller_offers_max=6, items_max=1000
        )  # fmt: skip

    def _read_items(self) -> None:
        self.items = {game: [] for game in GAMES}
        for number, game, name in self.reader.fetch("all_items"):
            self.items[game].append((number, name))

    def _beat(self) -> None:
        self._beaten_at = self.clock.real_us()
        for bot in range(1, self.bots + 1):
            assert self.aside.beat(bot, self.clock.real_us())

    def new_id(self) -> str:
        """A UUIDv7 that the seed decides."""
        self._ids += 1
        return str(uuid.UUID(int=(self.clock.now_us() // 1000) << 80 | 7 << 76 | 2 << 62 | self._ids))

    def new_number(self) -> str:
        self.steam_numbers += 1
        return str(self.steam_numbers)

    def _with_role(self, role: Role) -> list[int]:
        return [number for number, roles in ROLES.items() if role in roles]

    # -- a step --------------------------------------------------------------------------------------------------------

    def step(self, number: int) -> None:
        self._pass_time()
        chance = self.chance
        self._say(self._lease_words())
        if chance.random() < 0.55:
            words = [one for _ in range(chance.choice([1, 2, 4, 8, 12])) for one in self._sell_or_tell()]
        else:
            choices, weights = zip(*self._others(), strict=True)
            words = [one for _ in range(chance.choice([1, 1, 2])) for one in chance.choices(choices, weights)[0]()]
        self._say(words)
        if chance.random() < 0.1:
            self._look_around()
        if chance.random() < 0.12:
            self._say(self._calm())
        if number % COMPARE_EVERY == 0 or number == STEPS:
            self.model.compare(self.reader)
        if number % AUDIT_EVERY == 0 or number == STEPS:
            self.check()

    def _say(self, words: Words) -> None:
        if words:
            self.send(words, self.chance.choice(self.desks))

    def _pass_time(self) -> None:
        chance = self.chance
        self.clock.advance(chance.choice([0, 0, 0, 0, 0, 0, 0.001, 0.5, 2, 5, 20]))
        luck = chance.random()
        if luck < 0.02:
            self.clock.advance(chance.choice([60, 60, 400, 1000]))
        elif luck < 0.026:
            self.clock.advance(8 * 86_400)
        elif luck < 0.028:
            self.clock.advance(-3600)
        elif luck < 0.032:
            self.clock.jump(chance.choice([1000, 86_400]))
        if self.clock.real_us() - self._beaten_at > 60 * SECOND and chance.random() < 0.9:
            self._beat()

    def _look_around(self) -> None:
        """What the desk's own clock does once a second."""
        for result in self.chance.choice(self.desks).desk.watch():
            self._digest = None
            for answer in result.answers:
                if isinstance(answer.value, commands.Done):
                    self._hear(commands.ForgetEvents(people=[], before=0), answer)
                else:
                    self._hear(commands.Watch(end=[], overdue=[], close=[], open=[], stocktakes=[]), answer)
            if result.feed is not None:
                self._follow(result.feed)

    def check(self) -> None:
        """Is everything coherent?"""
        violations = [one for one in run_audit(self.reader).violations if one["check"] not in NOT_THE_DESKS_FAULT]
        assert not violations, violations
        self.view.catch_up()
        fresh = self._new_view()
        self.compare_views(fresh)
        fresh._reader.close()

    def compare_views(self, fresh: MarketView) -> None:
        view, chance = self.view, self.chance
        assert (view.seq, view.stamp, view.people, view.rooms) == (fresh.seq, fresh.stamp, fresh.people, fresh.rooms)
        assert view._buyers_by_steamid64 == fresh._buyers_by_steamid64
        assert (view.catalog._numbers, view.catalog._names) == (fresh.catalog._numbers, fresh.catalog._names)
        followed, loaded = cast(BothBooks, view.book).plain, cast(BothBooks, fresh.book).plain
        assert followed._orders == loaded._orders
        assert {one: money for one, money in followed._funds.items() if money} == {
            one: money for one, money in loaded._funds.items() if money
        }
        assert followed._candidates == loaded._candidates
        for _ in range(4):
            game, project = chance.choice(GAMES), chance.choice([SHOP, BOTH])
            lines = [(chance.choice(self.items[game])[0], chance.choice([1, 1, 3, 1000])) for _ in range(chance.randint(1, 6))]
            assert view.book.best(game, lines, project) == fresh.book.best(game, lines, project)
            buyer = chance.choice(self._with_role(Role.BUYER))
            assert view.book.is_outbid(buyer, game, lines, project) == fresh.book.is_outbid(buyer, game, lines, project)
            items = sorted({item for item, _ in lines})
            assert view.book.demand(game, items, project) == fresh.book.demand(game, items, project)

    # -- who says it ---------------------------------------------------------------------------------------------------

    def by_operator(self, command: Any) -> Command[Any]:
        """A person's command as an edge brings it; now and then of one who may not."""
        luck = self.chance.random()
        person = SECOND_OPERATOR if luck > 0.8 else OPERATOR
        if luck < (0.05 if self.refused[type(command)] else 0.4):
            person = self.chance.choice([SHOP, NOBODY])
        return commands.OnBehalf(person=person, role_bits=pack_roles([Role.OPERATOR]), command=command)

    def by_bot(self, bot: int, news: Any) -> Command[Any]:
        """News under the lease; now and then under one that was lost."""
        wrong = 0.03 if self.refused[type(news)] else 0.3
        fence = self.model.fences.get(bot, 1)
        if self.chance.random() < wrong:
            fence = max(0, fence - 1)
        return commands.BotNews(bot=bot, fence=fence, news=news)

    def _lease_words(self) -> Words:
        chance = self.chance
        words: Words = []
        is_any_free = len(self.model.leases) < self.bots
        for worker in WORKERS:
            held = [bot for bot, (holder, _) in self.model.leases.items() if holder == worker]
            luck = chance.random()
            if luck < 0.005:
                words.append(commands.KeepLeases(worker=worker, leaves=True))
            elif luck < 0.015 and held:
                words.append(commands.KeepLeases(worker=worker, released=[chance.choice(held)], seal_format=2))
            elif luck < 0.9 and (is_any_free or self.clock.real_us() - self._kept_at[worker] > 5 * SECOND):
                self._kept_at[worker] = self.clock.real_us()
                words.append(commands.KeepLeases(worker=worker, seal_format=chance.choice([2, 2, 2, None])))
        return words

    # -- sales and news of bots ----------------------------------------------------------------------------------------

    def _sell_or_tell(self) -> Words:
        if self.chance.random() < 0.25:
            return [self._create()]
        trade = self._some_trade()
        if trade is None:
            return [self._create()]
        # Now and then an operator has his say about the same sale in the same moment.
        return [self._news(trade), self._operate(trade)] if self.chance.random() < 0.06 else [self._news(trade)]

    def _create(self) -> OpenTrade:
        chance = self.chance
        game = chance.choice(GAMES)
        buyer = chance.choice(self._with_role(Role.BUYER))
        count = chance.choice([1, 1, 2, 3])
        wanted = [chance.choice(self.items[game]) for _ in range(count)]
        orders = {row[1]: row[3] for row in self.reader.load("load_orders", [(buyer, item) for item, _ in wanted])}
        items = []
        for item, name in wanted:
            price = chance.choice([0, 0, -1, 1, 5_000]) if chance.random() < 0.1 else 0
            number = UNKNOWN_ITEM if chance.random() < 0.01 else item
            items.append(OpenItem(number, name, "2", "", max(0, orders.get(item, 5) + price)))
        if chance.random() < 0.01:
            items = [msgspec.structs.replace(item, price=0) for item in items]
        assets = chance.sample(range(25), count)
        items = [msgspec.structs.replace(item, assetid=str(asset)) for item, asset in zip(items, assets, strict=True)]
        return OpenTrade(
            trade_id=self.new_id(), project=chance.choice([SHOP, SHOP, OTHER_SHOP, BOTH]), custom_id=f"c{chance.randrange(20_000)}", game=game,
            buyer=None if chance.random() < 0.01 else buyer, mismatch=chance.random() < 0.03, seller=f"7656119796040000{chance.randrange(8)}", tradelink=LINK, message="", items=items,
        )  # fmt: skip

    def _some_trade(self) -> Trade | None:
        """Mostly one that lives."""
        chance, known = self.chance, self.model.statuses
        pool = [one for one, status in known.items() if status in MAY_BECOME] if chance.random() < 0.93 else list(known)
        if not pool:
            return None
        chosen = chance.choice(pool[-40:] if chance.random() < 0.5 else pool)
        return self.reader.load_as(Trade, "load_trades", [(chosen,)])[0]

    def _news(self, trade: Trade) -> Command[Any]:
        """Mostly what the stage lets expect, sometimes anything."""
        chance = self.chance
        usual: dict[str, list[Callable[[Trade], Command[Any]]]] = {
            "verify": [self._proof],
            "send": [self._intend_send],
            "sending": [self._made, self._made, self._send_refused, self._unknown],
            "reconcile": [self._not_listed, self._offer, self._exchange],
            "offered": [self._offer, self._offer, self._intend_cancel, self._unconfirmed],
            "exchanged": [self._trade_read, self._trade_read, self._offer],
            "settling": [self._trade_read, self._trade_read, self._trade_read, self._trade_read, self._rollback],
            "operator": [self._operate, self._rollback, self._trade_read],
            "done": [self._offer, self._trade_read, self._rollback, self._after_end, self._operate],
        }
        anything = [*{one for many in usual.values() for one in many}, self._give_up, self._raise_alert, self._operate]
        anything.sort(key=lambda one: one.__name__)
        command = chance.choice(usual[trade.stage] if chance.random() < 0.85 else anything)(trade)
        if isinstance(command, commands.TradeCommand):
            if chance.random() < 0.01:
                command = msgspec.structs.replace(command, trade_id=NO_TRADE)
            return self.by_bot(trade.bot, command)
        return command

    def _began(self) -> int:
        return self.clock.now_us() - self.chance.choice([0, 0, 0, SECOND, 400 * SECOND])

    def _looked(self) -> int | None:
        return self.chance.choice([None, self.clock.now_us()])

    def _proof(self, trade: Trade) -> Command[Any]:
        chance = self.chance
        proof = chance.choice([Proof.AS_NAMED] * 14 + list(Proof))
        named = proof is Proof.AS_NAMED
        classes = [(f"c{position}", "0") for position in range(trade.items_count)] if named else []
        properties = [chance.choice([None, '{"float":0.5}']) for _ in classes] if chance.random() < 0.3 else []
        return commands.ProofRead(
            trade_id=trade.id,
            proof=proof,
            text=f"proof {proof}",
            began_at=self._began(),
            classes=classes,
            properties=properties,
            looked_at=self._looked(),
        )

    def _intend_send(self, trade: Trade) -> Command[Any]:
        return commands.IntendSend(trade_id=trade.id)

    def _made(self, trade: Trade) -> Command[Any]:
        return commands.OfferMade(trade_id=trade.id, offer_id=self.new_number(), needs_confirmation=self.chance.random() < 0.2)

    def _send_refused(self, trade: Trade) -> Command[Any]:
        rarely = {SendRefusal.BOT_ILL, SendRefusal.BOT_FULL}
        why = self.chance.choice([one for one in SendRefusal if one not in rarely] * 4 + sorted(rarely))
        return commands.OfferRefused(
            trade_id=trade.id, why=why, text=f"Steam refused: {why}", seller=trade.seller, looked_at=self._looked()
        )

    def _unknown(self, trade: Trade) -> Command[Any]:
        return commands.OutcomeUnknown(trade_id=trade.id)

    def _unconfirmed(self, trade: Trade) -> Command[Any]:
        return commands.OfferUnconfirmed(trade_id=trade.id)

    def _not_listed(self, trade: Trade) -> Command[Any]:
        return commands.NotListed(trade_id=trade.id, began_at=self._began() + self.chance.choice([0, 0, 400 * SECOND]))

    def _intend_cancel(self, trade: Trade) -> Command[Any]:
        return commands.IntendCancel(trade_id=trade.id)

    def _give_up(self, trade: Trade) -> Command[Any]:
        return commands.GiveUp(trade_id=trade.id, looked_at=self._looked())

    def _offer(self, trade: Trade) -> Command[Any]:
        chance = self.chance
        offer_id = trade.offer_id if trade.offer_id is not None and chance.random() < 0.92 else self.new_number()
        state = chance.choice([2, 3, 3, 3, 3, 3, 9, 11, 2, 3, 3, 4, 5, 6, 7, 8, 10, 12, 1, 99])
        exchange = trade.steam_trade_id or self.new_number() if state in (3, 11, 12) and chance.random() < 0.8 else None
        made_at = self.clock.now_us() - chance.choice([0, SECOND, 1000 * SECOND])
        escrow_end = self.clock.now_us() + 1000 * SECOND if state == 11 and chance.random() < 0.7 else None
        return commands.OfferRead(
            trade_id=trade.id, offer=OfferWord(offer_id, state, made_at, exchange, escrow_end), raw="{}", looked_at=self._looked()
        )

    def _exchange(self, trade: Trade) -> Command[Any]:
        return commands.ExchangeFound(trade_id=trade.id, steam_trade_id=self.new_number(), raw="{}")

    def _after_end(self, trade: Trade) -> Command[Any]:
        return commands.ExchangeAfterEnd(trade_id=trade.id, steam_trade_id=self.new_number(), text="an exchange of a released sale")

    def _trade_read(self, trade: Trade) -> Command[Any]:
        chance, now = self.chance, self.clock.now_us()
        if chance.random() < 0.1:
            return commands.TradeRead(trade_id=trade.id, word=None, began_at=self._began(), raw="")
        status = chance.choice([2, 3, 3, 3, 3, 3, 3, 3, 0, 1, 4, 7, 10, 11, 12, 99])
        settlement = chance.choice([None, None, now + 7 * DAY, now - 1000 * SECOND])
        what = chance.choice(["all"] * 9 + ["one less", "another", "none"])
        items = self.reader.load("load_trade_items", [(trade.id,)])
        assets = [
            AssetWord(
                trade.game, row[3], row[4], "zz" if what == "another" else row[7], chance.choice([None, self.new_number()]), "2"
            )
            for row in items
        ]
        assets = assets[1:] if what == "one less" else [] if what == "none" else assets
        return commands.TradeRead(
            trade_id=trade.id, word=TradeWord(status, settlement, chance.random() < 0.1, assets), began_at=self._began(), raw="{}"
        )

    def _rollback(self, trade: Trade) -> Command[Any]:
        """What the bot reads of its unsettled trades together; only rarely all of them are gone."""
        chance = self.chance
        same = [row[0] for row in self.reader.query("SELECT id FROM trade WHERE bot = :bot ORDER BY id", {"bot": trade.bot})]
        chosen = chance.sample(same, min(len(same), chance.choice([1, 2, 5])))
        statuses = [12] if chance.random() < 0.08 else [12, 3, 3, 3, 3]
        readings = [(one, chance.choice(statuses)) for one in {trade.id: 0, **dict.fromkeys(chosen)}]
        return self.by_bot(trade.bot, commands.RolledBack(bot=trade.bot, readings=readings, complete=chance.random() < 0.5))

    def _raise_alert(self, trade: Trade) -> Command[Any]:
        about = self.chance.choice([None, trade.id])
        return self.by_bot(
            trade.bot,
            commands.RaiseAlert(kind=f"kind{self.chance.randrange(3)}", text="look at this", bot=trade.bot, trade_id=about),
        )

    def _operate(self, trade: Trade) -> Command[Any]:
        chance = self.chance
        action = chance.choice(
            ["cancel", "retry", "declare-accepted", "declare-failed", "declare-completed", "declare-rolled-back"]
        )
        force = chance.random() < 0.5
        return self.by_operator(
            commands.OperateTrade(
                trade_id=trade.id, operator="op", action=action, reason="why", by=chance.choice(["user", "bot"]), force=force
            )
        )

    # -- everything else -----------------------------------------------------------------------------------------------

    def _others(self) -> list[tuple[Callable[[], Words], float]]:
        return [
            (self._orders, 8), (self._money, 8), (self._person, 4), (self._keys, 3), (self._room, 3), (self._bot, 3), (self._secrets, 2),
            (self._limits, 2), (self._seller, 2), (self._game_stop, 2), (self._endpoint, 3), (self._trading_stop, 2), (self._alert, 3), (self._stock, 5),
            (self._item, 3), (self._delivery, 8), (self._relieve, 2), (self._import, 1), (self._mark, 1), (self._portion, 2),
        ]  # fmt: skip

    def _bot_number(self) -> int:
        return self.chance.randint(1, self.bots)

    def _orders(self) -> Words:
        chance = self.chance
        game = chance.choice(GAMES)
        buyer = chance.choice(self._with_role(Role.BUYER)) if chance.random() < 0.9 else SHOP
        chosen = chance.sample(self.items[game], chance.randint(1, 6))
        lines = [
            OrderLine(item, chance.choice([1, 100, 10_000, 40_000, 10**9]), chance.choice([1, 3, 50, 500])) for item, _ in chosen
        ]
        if chance.random() < 0.25:
            return [
                commands.WithdrawOrders(
                    buyer=buyer, game=game, items=None if chance.random() < 0.3 else [line.item for line in lines]
                )
            ]
        return [commands.PutOrders(buyer=buyer, game=game, replace=chance.random() < 0.3, lines=lines, keep=[])]

    def _portion(self) -> Words:
        """A list of another edge, its portions in the wrong order too."""
        chance = self.chance
        game = chance.choice(GAMES)
        buyer = SHOP if chance.random() < 0.3 else chance.choice(self._with_role(Role.BUYER))
        item = chance.choice(self.items[game])[0]
        seq = self.reader.query(
            "SELECT max(seq) FROM order_list WHERE buyer = :buyer AND game = :game", {"buyer": buyer, "game": game}
        )
        list_seq = chance.choice([None, 1, seq[0][0]])
        line = OrderLine(item, 10_000, chance.choice([10, 100]))
        return [commands.BeginOrders(buyer=buyer, game=game)] if chance.random() < 0.3 else [
            commands.ChangeOrders(buyer=buyer, game=game, withdraw=chance.choice([[], [item]]), put=[line], list_seq=list_seq, begins=chance.random() < 0.2)
        ]  # fmt: skip

    def _money(self) -> Words:
        chance = self.chance
        person = chance.choice([*ROLES, NOBODY])
        direction = chance.choice(["deposit", "deposit", "withdrawal", "adjustment"])
        amount = chance.choice([1, 1000, 10**6, 10**8, 10**8, MONEY_MAX])
        if direction == "adjustment" and chance.random() < 0.5:
            amount = -amount
        reference = f"r{chance.randrange(4)}" if chance.random() < 0.4 else self.new_number()
        return [
            self.by_operator(
                commands.MoveMoney(
                    operator="op", person=person, direction=direction, amount=amount, reference=reference, reason="why"
                )
            )
        ]

    def _person(self) -> Words:
        chance = self.chance
        if chance.random() < 0.3:
            number = chance.randint(5, 14)
            name, steamid64 = f"person-{number}", f"7656119796030{chance.randint(5, 20):04d}"
            return [
                self.by_operator(
                    commands.CreatePerson(
                        operator="op", id=self.new_id(), login=name, roles=pack_roles([Role.BUYER]), steamid64=steamid64
                    )
                )
            ]
        number = chance.choice([*sorted(self.model.people.keys() - {OPERATOR}), SECOND_OPERATOR, SECOND_OPERATOR])
        found = self.model.people[number]["id"] if chance.random() < 0.9 else NO_TRADE
        roles = (
            pack_roles(chance.choice([[Role.BUYER], [Role.PROJECT], [Role.PROJECT, Role.BUYER]])) if chance.random() < 0.1 else None
        )
        other = f"7656119796030{chance.randint(5, 20):04d}" if chance.random() < 0.1 else None
        change = commands.ChangePerson(
            operator="op",
            person_id=found,
            roles=roles,
            disabled=chance.random() < 0.2,
            frozen=chance.random() < 0.2,
            steamid64=other,
        )
        return [self.by_operator(change)]

    def _keys(self) -> Words:
        chance = self.chance
        person, name = chance.choice([SHOP, OTHER_SHOP, NOBODY]), f"key{chance.randrange(4)}"
        if chance.random() < 0.5:
            return [
                self.by_operator(
                    commands.CreateKey(person=person, name=name, key_hash=self.new_number(), operator=chance.choice([None, "op"]))
                )
            ]
        return [self.by_operator(commands.DeleteKey(person=person, name=name, operator=chance.choice([None, "op"])))]

    def _room(self) -> Words:
        chance = self.chance
        known = [*self.rooms, NOBODY]
        if chance.random() < 0.3:
            return [self.by_operator(commands.DropRoom(operator="op", id=chance.choice([one for one in known if one != 1])))]
        room = commands.PutRoom(
            operator="op", id=chance.choice([None, *known[1:]]), name=f"room{chance.randrange(5)}", game=chance.choice([None, *GAMES]), min_value=chance.choice([None, 1000]),
            max_value=chance.choice([None, 10**9, 1]), buyers=chance.choice([None, None, [], chance.sample(self._with_role(Role.BUYER), 3)]),
            bots=chance.choice([None, [1], [2, 3]]), priority=chance.randrange(9), enabled=chance.random() < 0.6,
        )  # fmt: skip
        return [self.by_operator(room)]

    def _bot(self) -> Words:
        chance, bot = self.chance, self._bot_number()
        luck = chance.random()
        if luck < 0.1:
            return [self.by_operator(self._add_bot(chance.randint(1, 5)))]
        if luck < 0.5:
            number = bot if chance.random() < 0.9 else NOBODY
            games = chance.choice([None, None, [730]])
            change = commands.ChangeBot(
                operator="op",
                number=number,
                enabled=chance.choice([None, True, False]),
                games=games,
                all_games=chance.random() < 0.5,
            )
            return [self.by_operator(msgspec.structs.replace(change, items_max=chance.choice([None, 1000, 30])))]
        state = chance.choice(["ok", "ok", "ok", "down", "limited", "needs_login", "restricted"])
        return [
            self.by_bot(
                bot, commands.BotReport(bot=bot, state=state, reason=f"it is {state}", tokens=chance.choice([None, b"tokens"]))
            )
        ]

    def _secrets(self) -> Words:
        """New secrets, and old ones under another seal, some of which were changed meanwhile."""
        chance = self.chance
        number = self._bot_number() if chance.random() < 0.8 else NOBODY
        if chance.random() < 0.5:
            new = chance.choice([b"one", b"two"])
            return [
                self.by_operator(
                    commands.ReplaceBotSecrets(
                        operator="op", number=number, secrets=new, tokens=None, forgets_tokens=chance.random() < 0.3
                    )
                )
            ]
        bots = [commands.ResealedBot(number, chance.choice([b"sealed", b"one", b"two"]), None, b"resealed", None)]
        trade = self._some_trade()
        links = [] if trade is None else [(trade.id, chance.choice([LINK, "other"]), LINK)]
        return [commands.Reseal(operator="op", begins=chance.random() < 0.5, bots=bots, links=links)]

    def _limits(self) -> Words:
        chance = self.chance
        if chance.random() < 0.5:
            limits = chance.choice(
                [
                    NO_LIMITS,
                    NO_LIMITS,
                    MarketLimits(),
                    MarketLimits(seller_processing_max=3, seller_processing_value_max=100_000, seller_unsettled_value_max=10**6),
                    MarketLimits(project_processing_max=10, project_processing_value_max=10**6, strikes_free=0),
                ]
            )
            return [self.by_operator(commands.SetLimits(operator="op", limits=limits))]
        number = chance.choice(list(ROLES))
        own = chance.choice([ProjectLimits(), ProjectLimits(project_processing_max=None), ProjectLimits(project_processing_max=2)])
        return [self.by_operator(commands.SetProjectLimits(operator="op", person_id=self.model.people[number]["id"], limits=own))]

    def _seller(self) -> Words:
        seller = f"7656119796040000{self.chance.randrange(8)}"
        return [
            self.by_operator(
                commands.SetSeller(
                    operator="op", steamid64=seller, status=self.chance.choice(["normal", "trusted", "blocked"]), reason="why"
                )
            )
        ]

    def _endpoint(self) -> Words:
        """Endpoints of two people, and what their courier says of them; now and then of one that is not theirs."""
        chance, person = self.chance, self.chance.choice([SHOP, OPERATOR])
        known = [one.id for one in self.reader.fetch_as(EndpointRow, "all_endpoints")]
        endpoint = chance.choice([*known, new_uuid7(self.clock.now_us())])
        events = chance.choice([["*"], ["trade.*", "wallet.deposited"], ["operator.alert"]])
        if chance.random() < 0.5:
            # One that has something in its log.
            entries = self.reader.query(
                "SELECT w.endpoint, w.seq, w.place, p.person FROM webhook_entry w JOIN endpoint p ON p.id = w.endpoint", {}
            )
            endpoint, seq, place, person = chance.choice(entries) if entries else (endpoint, 1, 1, person)
        else:
            seq, place = 1, 1
        words: list[Any] = [
            commands.AddEndpoint(person=person, id=new_uuid7(self.clock.now_us()), url="https://a.example", events=events, description=None, enabled=chance.random() < 0.8, secret=b"s"),
            commands.ChangeEndpoint(person=person, id=endpoint, events=events, enabled=chance.choice([None, True, False])),
            commands.RotateSecret(person=person, id=endpoint, secret=b"t", overlap_seconds=chance.choice([0, 600])),
            commands.Recover(person=person, id=endpoint, since=chance.choice([0, self.clock.now_us()]), types=None, after=(0, 0)),
            commands.Redeliver(person=person, id=endpoint, seq=seq, place=place),
        ]  # fmt: skip
        asked = [
            commands.OnBehalf(person=person, role_bits=ALL_ROLE_BITS, command=one)
            for one in [words[0], *chance.sample(words[1:], 2)]
        ]
        if chance.random() < 0.15:
            dropped = commands.DropEndpoint(person=person, id=chance.choice([endpoint, new_uuid7(self.clock.now_us())]))
            asked.append(commands.OnBehalf(person=person, role_bits=ALL_ROLE_BITS, command=dropped))
        return [
            *asked,
            commands.DisableEndpoint(id=endpoint, reason=chance.choice(["gone", "failing"])),
            commands.ResealEndpoint(id=endpoint, old=(b"s", None), new=(b"r", None)),
        ]

    def _game_stop(self) -> Words:
        game = self.chance.choice(GAMES)
        if self.chance.random() < 0.5:
            return [self.by_operator(commands.StopGame(operator="op", game=game, reason="why"))]
        return [self.by_operator(commands.ResumeGame(operator="op", game=game, reason="why"))]

    def _trading_stop(self) -> Words:
        """Stops, among them losses of history; bots look; an operator resumes, sometimes too early."""
        chance = self.chance
        luck = chance.random()
        if luck < 0.35:
            return [
                self.by_operator(
                    commands.StopTrading(operator="op", reason="why", known_seq=None, history_lost=chance.random() < 0.2)
                )
            ]
        if luck < 0.65:
            bot = self._bot_number()
            return [self.by_bot(bot, commands.BotLooked(bot=bot))]
        return [self.by_operator(commands.ResumeTrading(operator="op", reason="why", force=chance.random() < 0.4))]

    def _alert(self) -> Words:
        chance = self.chance
        rows = sorted(self.reader.fetch("open_alerts"), key=lambda row: repr(row[1:]))
        alert = chance.choice(rows)[0] if rows and chance.random() < 0.9 else NO_TRADE
        return [self.by_operator(commands.CloseAlert(operator="op", alert_id=alert, reason="seen"))]

    def _held(self, bot: int, game: int) -> list[Row]:
        return self.reader.fetch("held_of_bot", bot=bot, game=game)

    def _stock(self) -> Words:
        chance, bot = self.chance, self._bot_number()
        luck = chance.random()
        if luck < 0.15:
            number = bot if chance.random() < 0.9 else self._bot_number()
            return [self.by_operator(commands.AskStocktake(bot=number, operator="op"))]
        game = chance.choice(GAMES)
        held = self._held(bot, game)
        if luck < 0.4:
            given = []
            for one in GAMES:
                rows = self._held(bot, one)
                left = chance.sample(rows, min(len(rows), chance.randint(0, 2)))
                given += [commands.LeftAsset(one, row[8] or "2", row[7] or self.new_number(), row[5], row[6]) for row in left]
            exchange = self.new_number() if chance.random() < 0.7 else None
            offer = self.new_number() if exchange is None else None
            news = commands.UnexplainedExchange(
                bot=bot,
                what=f"Something {self.new_number()}",
                offer_id=offer,
                steam_trade_id=exchange,
                given=given,
                received=chance.randint(0, 2),
            )
            return [self.by_bot(bot, news)]
        present = [row for row in held if chance.random() < 0.9]
        assets = [OwnAsset("2", row[7] or self.new_number(), row[5] or "?", row[6] or "0", row[2]) for row in present]
        assets += [OwnAsset("2", self.new_number(), "c0", "0", "a gift") for _ in range(chance.choice([0, 0, 2]))]
        return [
            self.by_bot(
                bot,
                commands.StockRead(bot=bot, game=game, assets=assets, began_at=self.clock.now_us(), is_last=chance.random() < 0.5),
            )
        ]

    def _delivery(self) -> Words:
        """Requests of buyers for what they own (and now and then for what they don't), and news of deliveries on their way."""
        chance = self.chance
        running = self.reader.query("SELECT id FROM delivery WHERE status IN ('processing', 'accepted') ORDER BY id", {})
        ended = self.reader.query("SELECT id FROM delivery ORDER BY id", {})
        if running and chance.random() < 0.8:
            pool = running if chance.random() < 0.9 else ended
            (delivery,) = self.reader.load_as(Delivery, "load_deliveries", [chance.choice(pool)])
            return [self._delivery_news(delivery)]
        owned = self.reader.query(
            "SELECT t.buyer, t.id, i.position FROM trade t JOIN trade_item i ON i.trade_id = t.id WHERE t.status IN ('accepted', 'completed') ORDER BY t.id, i.position", {}
        )  # fmt: skip
        if not owned:
            return []
        buyer, *_ = chance.choice(owned)
        mine = [(trade_id, position) for owner, trade_id, position in owned if owner == buyer]
        items = chance.sample(mine, min(len(mine), chance.randint(1, 4)))
        if chance.random() < 0.05:
            items.append((NO_TRADE, 0))
        partner = (
            self.reader.query("SELECT steamid64 FROM person WHERE number = :n", {"n": buyer})[0][0]
            if chance.random() < 0.9
            else f"7656119796040000{chance.randrange(8)}"
        )
        asked = commands.OpenDelivery(
            buyer=buyer, custom_id=f"d{chance.randrange(2_000)}", items=items, partner=partner, tradelink=LINK, message=""
        )
        link = commands.SetTradeLink(buyer=buyer, partner=chance.choice([None, partner]), tradelink=None)
        bits = pack_roles([Role.BUYER])
        said: Words = [commands.OnBehalf(person=buyer, role_bits=bits, command=one) for one in (asked, link)]
        if ended:
            (one,) = chance.choice(ended)
            owner = self.reader.load_as(Delivery, "load_deliveries", [(one,)])[0].buyer if chance.random() < 0.8 else buyer
            said.append(
                commands.OnBehalf(person=owner, role_bits=bits, command=commands.CancelDelivery(buyer=owner, delivery_id=one))
            )
        person = self.model.people[buyer]["id"] if chance.random() < 0.7 else NO_TRADE
        said.append(self.by_operator(commands.SetDeliverTo(operator="op", person_id=person, steamid64s=["76561197960400001"])))
        return said

    def _delivery_news(self, delivery: Any) -> Command[Any]:
        """Mostly what the stage lets expect."""
        chance = self.chance
        usual: dict[str, list[Callable[[Any], Command[Any]]]] = {
            "verify": [self._inventory_of, self._inventory_of, self._give_up],
            "send": [self._intend_send],
            "sending": [self._made, self._made, self._delivery_refused, self._unknown],
            "reconcile": [self._not_listed, self._offer, self._exchange],
            "offered": [self._offer, self._offer, self._intend_cancel, self._unconfirmed],
            "exchanged": [self._delivery_read, self._delivery_read, self._offer],
            "settling": [self._delivery_read, self._delivery_read, self._rollback],
            "operator": [self._operate, self._rollback, self._delivery_read],
            "done": [self._offer, self._delivery_read, self._rollback, self._operate],
        }
        anything = [self._operate, self._give_up, self._offer, self._delivery_read, self._intend_send]
        command = chance.choice(usual[delivery.stage] if chance.random() < 0.9 else anything)(delivery)
        return self.by_bot(delivery.bot, command) if isinstance(command, commands.TradeCommand) else command

    def _delivery_refused(self, delivery: Any) -> Command[Any]:
        why = self.chance.choice([one for one in SendRefusal if one is not SendRefusal.BOT_ILL])
        return commands.OfferRefused(
            trade_id=delivery.id, why=why, text=f"Steam refused: {why}", seller=delivery.partner, looked_at=self._looked()
        )

    def _inventory_of(self, delivery: Any) -> Command[Any]:
        """The bot's inventory, mostly with everything in it."""
        assets = []
        for row in self._held(delivery.bot, delivery.game):
            if self.chance.random() < 0.98:
                assets.append(OwnAsset("2", row[7] or self.new_number(), row[5] or "?", row[6] or "0", row[2]))
        read = commands.StockRead(bot=delivery.bot, game=delivery.game, assets=assets, began_at=self.clock.now_us(), is_last=False)
        return self.by_bot(delivery.bot, read)

    def _delivery_read(self, delivery: Any) -> Command[Any]:
        chance, now = self.chance, self.clock.now_us()
        status = chance.choice([3, 3, 3, 3, 3, 3, 0, 4, 10, 11, 12])
        settlement = chance.choice([None, now + 7 * DAY, now - 1000 * SECOND])
        rows = self.reader.load_as(DeliveryItem, "load_delivery_items", [(delivery.id,)])
        assets = [AssetWord(delivery.game, one.contextid, one.assetid, one.classid, None, None) for one in rows]
        assets = assets[1:] if chance.random() < 0.1 else assets
        return commands.TradeRead(
            trade_id=delivery.id, word=TradeWord(status, settlement, False, assets), began_at=self._began(), raw="{}"
        )

    def _item(self) -> Words:
        chance = self.chance
        rows = self.reader.query("SELECT trade_id, position FROM item_note ORDER BY trade_id, position", {})
        if not rows or chance.random() < 0.5:
            rows += [(one, 0) for one, status in self.model.statuses.items() if status == "completed"]
        trade_id, position = chance.choice(rows) if rows else (NO_TRADE, 0)
        action = chance.choice(["declare-delivered", "declare-found"])
        return [
            self.by_operator(commands.DeclareItem(operator="op", item_id=f"{trade_id}-{position}", action=action, reason="why"))
        ]

    def _relieve(self) -> Words:
        return [self.by_operator(commands.MoveWaiting(bot=self._bot_number()))]

    def _import(self) -> Words:
        game = self.chance.choice(GAMES)
        names = [(f"item {game} {self.chance.randrange(12)}", self.chance.choice([None, 5000])) for _ in range(3)]
        return [self.by_operator(commands.ImportItems(operator="op", game=game, items=names))]

    def _mark(self) -> Words:
        return [commands.SetMark(name="machine", value=self.new_number())]

    def _calm(self) -> Words:
        """An operator puts everything right again, or soon all would be refused."""
        words: Words = []
        operator = pack_roles([Role.OPERATOR])
        if self.model.is_stopped:
            words.append(commands.ResumeTrading(operator="op", reason="calm", force=True))
        words += [commands.ResumeGame(operator="op", game=game, reason="calm") for game in sorted(self.model.stopped_games)]
        words += [
            commands.SetSeller(operator="op", steamid64=seller, status="normal", reason="calm")
            for seller in sorted(self.model.blocked_sellers)
        ]
        for number, roles in ROLES.items():
            person = self.model.people[number]
            is_out = person["disabled"] or person["frozen"] or person["roles"] != pack_roles(roles)
            if is_out and self.chance.random() < 0.5:
                words.append(
                    commands.ChangePerson(
                        operator="op", person_id=person["id"], roles=pack_roles(roles), disabled=False, frozen=False
                    )
                )
        if self.chance.random() < 0.5:
            words.append(commands.SetLimits(operator="op", limits=NO_LIMITS))
            words.append(commands.SetProjectLimits(operator="op", person_id=self.model.people[SHOP]["id"], limits=ProjectLimits()))
        words += [commands.DropRoom(operator="op", id=room) for room in self.rooms if room != 1]
        rows = self.reader.query("SELECT number, state, enabled, games, items_max FROM bot ORDER BY number", {})
        ill = {bot: state for bot, state, *rest in rows if [state, *rest] != ["ok", 1, None, 1000]}
        words += [commands.ChangeBot(operator="op", number=bot, enabled=True, all_games=True, items_max=1000) for bot in ill]
        said: Words = [commands.OnBehalf(person=OPERATOR, role_bits=operator, command=cast(Any, word)) for word in words]
        for bot in ill:
            said.append(
                commands.BotNews(bot=bot, fence=self.model.fences.get(bot, 0), news=commands.BotReport(bot=bot, state="ok"))
            )
        game = self.chance.choice(GAMES)
        for buyer in self.chance.sample(self._with_role(Role.BUYER), 3):
            lines = [OrderLine(item, 10_000 + buyer, 500) for item, _ in self.items[game]]
            said.append(commands.PutOrders(buyer=buyer, game=game, replace=False, lines=lines, keep=[]))
        return said


def inner_of(command: Command[Any]) -> Command[Any]:
    """What is said, whoever says it."""
    match command:
        case commands.BotNews(news=news):
            return news
        case commands.OnBehalf(command=inner):
            return inner
    return command


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, SEED)
    yield machine
    machine.close()


@pytest.mark.timeout(60 + STEPS // 10)
@pytest.mark.long
def test_random_commands_break_no_promise(machine: Machine) -> None:
    for step in range(1, STEPS + 1):
        try:
            machine.step(step)
        except Exception as error:
            said = "\n".join(machine.recent)
            raise AssertionError(
                f"seed {SEED}, step {step}, command {machine.asked}: {error}\nwhat was said last:\n{said}"
            ) from error
    ends = Counter(machine.model.statuses.values())
    print(f"seed {SEED}: {STEPS} steps, {machine.asked} commands, sales {dict(ends)}, refused {dict(machine.codes)}")
    if STEPS >= 2_000:
        never = [kind.__name__ for kind in KINDS if not machine.accepted[kind]]
        assert not never, f"seed {SEED}: never accepted: {never}"
        never = [kind.__name__ for kind in KINDS if not machine.refused[kind] and kind not in NEVER_REFUSED]
        assert not never, f"seed {SEED}: never refused: {never}"
        assert ends.keys() >= FINAL, f"seed {SEED}: never reached: {FINAL - ends.keys()}"
        for intent in (commands.IntendSend, commands.IntendCancel):
            assert machine.granted[intent, True], f"{intent.__name__} was never granted"
            assert machine.granted[intent, False], f"{intent.__name__} was never withheld"


# -- what it has found, each as a story of its own -------------------------------------------------------------------------


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path)
    yield market
    market.assert_clean()


def verified(trade_id: str) -> Command[Any]:
    return commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=0, classes=[("1", "0")])


def operate(trade_id: str, action: str) -> commands.OperateTrade:
    return commands.OperateTrade(trade_id=trade_id, operator="op", action=action, reason="why", by=None, force=True)


def test_a_sale_that_is_verified_and_withdrawn_in_one_batch_frees_its_asset(market: Market) -> None:
    trade_id = market.ask(market.open("first", assets=["7"])).trade_id
    market.desk.process([verified(trade_id), operate(trade_id, "cancel")])
    assert market.status(trade_id) == "declined"
    market.ask(market.open("again", assets=["7"]))


def test_units_of_a_replaced_order_come_back_though_an_unknown_person_asks_in_the_same_batch(market: Market) -> None:
    trade_id = market.ask(market.open()).trade_id
    market.put(RICH, A=(99, 5))
    stranger = commands.OnBehalf(person=NOBODY, role_bits=pack_roles([Role.OPERATOR]), command=operate(trade_id, "retry"))
    market.desk.process([operate(trade_id, "cancel"), stranger])
    assert market.status(trade_id) == "declined"


def test_one_exchange_that_takes_items_of_two_games_lowers_both_stocks(market: Market) -> None:
    market.ask(commands.ImportItems(operator="t", game=440, items=[("K", None)]))
    market.item["K"] = max(row[0] for row in market.desk.store.fetch("all_items"))
    market.desk.work_off(
        commands.PutOrders(buyer=RICH, game=440, replace=False, lines=[OrderLine(market.item["K"], 100, 5)], keep=[])
    )
    given = []
    for game, name in ((730, "A"), (440, "K")):
        trade_id = market.ask(market.open(name, sold=name, game=game)).trade_id
        market.desk.process([verified(trade_id), operate(trade_id, "declare-accepted")])
        given.append(commands.LeftAsset(game, "2", f"90{game}", "1", "0"))
    ((bot,),) = market.desk.store.query("SELECT DISTINCT bot FROM trade", {})
    assert market.ask(
        commands.UnexplainedExchange(bot=bot, what="A theft", offer_id=None, steam_trade_id="5", given=given, received=0)
    ) == commands.ItemsMissing(missing=2)


def test_a_reseal_that_names_an_unknown_bot_leaves_no_trace(market: Market) -> None:
    bot = commands.ResealedBot(NOBODY, b"old", None, b"new", None)
    (result,) = market.desk.process([commands.Reseal(operator="op", begins=True, bots=[bot], links=[])])
    assert (result.answers[0].code, result.feed) == ("bot_not_found", None)
