"""The desk on a real store of each engine: the order of refusals, group commit and its failure paths, orders and their generations."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from selldesk.desk import commands
from selldesk.desk.cases.orders import Portions
from selldesk.desk.commands import OpenItem, OpenTrade, OrderLine, OrdersChanged
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.refusals import Refusal
from selldesk.link.server import DeskServer, _Waiting
from selldesk.offers.words import AssetWord, OfferWord, Proof, TradeWord
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS
from selldesk.store.audit import run_audit
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import CommitUnknown, StoreUnavailable
from selldesk.trades.trade import Trade
from tests.little_market import ClosingStore
from tests.stores import new_store, postgres_server

pytestmark = pytest.mark.usefixtures("engine")

SHOP, RICH, POOR = 1, 2, 3
SELLER = "76561197961265732"
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1000004&token=abc"
SECOND = 1_000_000


class Market:
    """A desk with a shop, two buyers, a room from 10 to 100,000 mills and two bots."""

    def __init__(self, folder: Path, fee_basis_points: int = 0) -> None:
        self.store = ClosingStore(new_store(folder))
        self.clock = ManualClock()
        self.desk = Desk(self.store.writer(), self.clock, DeskSettings(fee_basis_points=fee_basis_points))
        self._assets = 100
        for login, role, steamid64 in (
            ("shop", Role.PROJECT, None),
            ("rich", Role.BUYER, "76561197960300001"),
            ("poor", Role.BUYER, "76561197960300002"),
        ):
            self.ask(
                commands.CreatePerson(
                    operator="t",
                    id=new_uuid7(self.clock.now_us()),
                    login=login,
                    roles=pack_roles([role]),
                    steamid64=steamid64,
                )
            )
        self.ask(commands.SetLimits(operator="t", limits=NO_LIMITS))
        self.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=1_000_000, reference="d"))
        self.ask(commands.MoveMoney(operator="t", person=POOR, direction="deposit", amount=50, reference="d"))
        self.ask(
            commands.PutRoom(
                operator="t",
                id=None,
                name="room",
                game=None,
                min_value=10,
                max_value=100_000,
                buyers=None,
                bots=None,
                priority=1,
                enabled=True,
            )
        )
        self.ask(commands.ImportItems(operator="t", game=730, items=[("A", None), ("B", None), ("C", None)]))
        self.item = {row[2]: row[0] for row in self.desk.store.fetch("all_items")}
        for number in (1, 2):
            self.ask(
                commands.AddBot(
                    operator="t",
                    steamid64=f"7656119796126572{number}",
                    account_name=f"bot{number}",
                    secrets=b"s",
                    tokens=None,
                    profile_name=None,
                    avatar=None,
                    games=None,
                    live_offers_max=30,
                    seller_offers_max=5,
                    items_max=1000,
                )
            )
            self.ask(commands.BotReport(bot=number, state="ok"))
            SmallWrites(self.store).beat(number, self.clock.real_us())
        self.put(RICH, A=(100, 5), B=(20_000, 50))
        self.put(POOR, A=(100, 5))

    def ask(self, command: commands.Command[Any]) -> Any:
        return self.desk.ask(command)

    def put(self, buyer: int, replace: bool = False, keep: tuple[str, ...] = (), **orders: tuple[int, int]) -> OrdersChanged:
        lines = [OrderLine(self.item[name], price, amount) for name, (price, amount) in orders.items()]
        return self.desk.work_off(
            commands.PutOrders(buyer=buyer, game=730, replace=replace, lines=lines, keep=[self.item[name] for name in keep])
        )

    def assets(self, count: int) -> list[str]:
        self._assets += count
        return [str(number) for number in range(self._assets - count, self._assets)]

    def open(self, custom_id: str = "c1", *, sold: str = "A", count: int = 1, price: int = 100, **changed: Any) -> OpenTrade:
        items = [
            OpenItem(self.item.get(sold, -1), sold, "2", assetid, price) for assetid in changed.pop("assets", self.assets(count))
        ]
        fields: dict[str, Any] = {
            "trade_id": new_uuid7(self.clock.now_us()), "project": SHOP, "custom_id": custom_id, "game": 730, "buyer": RICH,
            "mismatch": False, "seller": SELLER, "tradelink": LINK, "message": "", "items": items,
        }  # fmt: skip
        return OpenTrade(**fields | changed)

    def order(self, buyer: int, name: str) -> tuple[int, ...]:
        """(amount, remaining, reserved, sold) of the current generation, or ()."""
        rows = self.desk.store.load("load_orders", [(buyer, self.item[name])])
        return tuple(rows[0][4:8]) if rows else ()

    def trade(self, trade_id: str) -> Trade:
        return self.desk.store.load_as(Trade, "load_trades", [(trade_id,)])[0]

    def status(self, trade_id: str) -> str:
        return self.trade(trade_id).status.value

    def end(self, trade_id: str, ending: str) -> None:
        """Steam's words that lead to an ending."""
        now = self.clock.now_us()
        items = self.desk.store.load("load_trade_items", [(trade_id,)])
        self.ask(
            commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=now, classes=[("1", "2")] * len(items))
        )
        self.ask(commands.IntendSend(trade_id=trade_id))
        self.ask(commands.OfferMade(trade_id=trade_id, offer_id=f"5{trade_id[-6:]}", needs_confirmation=False))
        state, tradeid = (3, f"4{trade_id[-6:]}") if ending == "accepted" else (7, None)
        self.ask(commands.OfferRead(trade_id=trade_id, offer=OfferWord(f"5{trade_id[-6:]}", state, now, tradeid), raw="{}"))
        if ending == "accepted":
            received = [AssetWord(730, row[3], row[4], "1") for row in items]
            self.ask(
                commands.TradeRead(
                    trade_id=trade_id, word=TradeWord(3, now + 7 * 86_400 * SECOND, False, received), began_at=now, raw="{}"
                )
            )

    def assert_clean(self) -> None:
        assert run_audit(self.store.reader()).violations == []


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path)
    yield market
    market.assert_clean()
    market.store.close_all()


def _snapshot(market: Market) -> list[list[tuple[Any, ...]]]:
    """All rows of all tables that a trade could touch."""
    tables = (
        "trade",
        "trade_item",
        "trade_history",
        "live_asset",
        "hold",
        "ledger_entry",
        "ledger_account",
        "buy_order",
        "bot",
        "feed",
        "market",
    )
    reader = market.store.reader()
    return [reader.query(f"SELECT * FROM {table} ORDER BY 1, 2", {}) for table in tables]


REFUSALS = [
    # what is wrong (each row also has everything of the rows below)                     refusal
    ("the custom_id is used",       {"custom_id": "used"},                                "A trade with this custom_id already exists"),
    ("the game is unknown",         {"game": 999},                                        "Game not supported"),
    ("no such buyer",               {"buyer": None},                                      "Buyer mismatch"),
    ("another pays more",           {"mismatch": True},                                   "Buyer mismatch"),
    ("oneself",                     {"buyer": SHOP},                                      "Buyer mismatch"),
    ("an item nobody ordered",      {"sold": "C"},                                        "No buy order found for item: C"),
    ("an unknown item",             {"sold": "Z"},                                        "No buy order found for item: Z"),
    ("more than remains",           {"count": 6},                                         "No buy order found for item: A"),
    ("too dear",                    {"price": 101},                                       "Item A price exceeds buy order price"),
    ("worth nothing",               {"price": 0},                                         "Trade value must be positive"),
    ("too poor",                    {"buyer": POOR},                                      "Insufficient balance"),
    ("an asset in a live trade",    {"assets": ["7"]},                                    "Item A is already in an active trade"),
    ("no room for that value",      {"price": 5},                                         "No suitable purchase room found"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "changed", "text"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_refused_create_says_why_and_leaves_no_trace(market: Market, what: str, changed: dict[str, Any], text: str) -> None:
    market.ask(market.open("used", assets=["7"]))
    before = _snapshot(market)
    changed = dict(changed)
    command = market.open(changed.pop("custom_id", "new"), **changed)
    with pytest.raises(Refusal) as refused:
        market.ask(command)
    assert refused.value.text == text
    assert _snapshot(market) == before


def test_refusals_come_in_the_documents_order(market: Market) -> None:
    """Everything is wrong at once; mending one fault after the other shows them in order."""
    market.ask(market.open("used", assets=["7"]))
    market.ask(commands.ChangeBot(operator="t", number=1, enabled=False))
    market.ask(commands.ChangeBot(operator="t", number=2, enabled=False))
    state: dict[str, Any] = {
        "custom_id": "used",
        "game": 999,
        "mismatch": True,
        "buyer": POOR,
        "sold": "C",
        "price": 200_000,
        "assets": ["7"],
    }
    heard = []
    mending: list[dict[str, Any]] = [
        {"custom_id": "new"}, {"game": 730}, {"mismatch": False}, {"sold": "A"}, {"price": 0}, {"price": 100}, {"buyer": RICH, "price": 1},
        {"assets": ["8"]}, {"price": 100},
    ]  # fmt: skip
    for change in [*mending, None]:
        arguments = dict(state)
        with pytest.raises(Refusal) as refused:
            market.ask(market.open(arguments.pop("custom_id"), **arguments))
        heard.append(refused.value.code)
        state |= change or {}
    assert heard == [
        "custom_id_exists", "game_not_supported", "buyer_mismatch", "no_buy_order", "price_exceeds_order", "value_not_positive",
        "insufficient_balance", "asset_in_trade", "no_purchase_room", "no_bot",
    ]  # fmt: skip


def test_a_batch_sees_itself(market: Market) -> None:
    """The same custom_id, the same asset and the last units, within one transaction."""
    batch = [
        market.open("one", count=3),
        market.open("one"),
        market.open("two", count=3),
        market.open("three", assets=["9"]),
        market.open("four", assets=["9"]),
        market.open("five"),
        market.open("six"),
    ]
    (result,) = market.desk.process(batch)
    assert [answer.code or "ok" for answer in result.answers] == [
        "ok", "custom_id_exists", "no_buy_order", "ok", "asset_in_trade", "ok", "no_buy_order",
    ]  # fmt: skip
    assert market.order(RICH, "A") == (5, 0, 5, 0)


def test_bots_share_the_load_and_have_limits(market: Market) -> None:
    """5 offers with one seller on each of two bots, then none is suitable; another seller is served."""
    chosen = [market.ask(market.open(f"c{number}", sold="B", price=20_000)).bot for number in range(10)]
    assert chosen == [1, 2] * 5
    with pytest.raises(Refusal, match="No suitable bot found"):
        market.ask(market.open("c10", sold="B", price=20_000))
    assert market.ask(market.open("c11", sold="B", price=20_000, seller="76561197961265799")).bot == 1


def test_a_stale_bot_gets_nothing(market: Market) -> None:
    market.clock.advance(119)
    market.ask(market.open("c1"))
    market.clock.advance(2)
    with pytest.raises(Refusal, match="No suitable bot found"):
        market.ask(market.open("c2"))


def test_a_guilty_command_harms_nobody_else(market: Market) -> None:
    """A write that fails takes the batch apart: the guilty one answers 500, the others are decided as if it had not come."""
    clash = market.open("clash")
    batch = [market.open("before"), OpenTrade(**{**_fields(clash), "trade_id": _existing(market)}), market.open("after")]
    results = market.desk.process(batch)
    answers = [answer for result in results for answer in result.answers]
    assert [answer.status if answer.value is None else 201 for answer in answers] == [201, 500, 201]


def _fields(command: OpenTrade) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}


def _existing(market: Market) -> str:
    return str(market.ask(market.open("existing")).trade_id)


class TornWriter:
    """A connection whose commit's answer is lost: after it happened, or before; then `meanwhile` takes place."""

    def __init__(self, inner: Any, happened: bool, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._inner = inner
        self._happened = happened
        self._meanwhile = meanwhile
        self._torn = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self) -> None:
        if not self._torn:
            self._torn = True
            (self._inner.commit if self._happened else self._inner.rollback)()
            self._meanwhile()
            raise CommitUnknown("the connection broke")
        self._inner.commit()


@pytest.mark.parametrize("happened", [True, False])
def test_a_lost_answer_to_a_commit_is_resolved_by_reading(market: Market, happened: bool) -> None:
    desk = Desk(TornWriter(market.store.writer(), happened), market.clock, DeskSettings())
    (result,) = desk.process([market.open("c1")])
    assert (result.answers[0].value is not None) is happened
    if not happened:
        assert result.answers[0].status == 503
        assert market.ask(market.open("c1")).value == 100
    with pytest.raises(Refusal, match="already exists"):
        market.ask(market.open("c1"))


def test_another_batch_under_its_number_does_not_make_a_lost_commit_happen(market: Market) -> None:
    """Both change nothing that followers must know: but for the number that each batch has for itself they would look alike."""
    beside = Desk(market.store.writer(), market.clock, DeskSettings())
    torn = TornWriter(market.store.writer(), False, lambda: beside.ask(commands.SetMark(name="theirs", value="b")))
    desk = Desk(torn, market.clock, DeskSettings())
    (result,) = desk.process([commands.SetMark(name="ours", value="a")])
    assert result.answers[0].status == 503
    assert market.store.mark("ours") is None
    assert market.store.mark("theirs") == "b"


@pytest.mark.parametrize("where", ["before its changes", "among its changes"])
def test_a_stalled_writer_blocks_nobody_for_long(market: Market, engine: str, where: str) -> None:
    """It holds the market's lock and is stopped. SQLite: 503 when the time-out is over, and nothing is lost. On PostgreSQL it is cut
    off, by the server or by whoever waits, and the batch goes through; the stalled one finds its transaction gone."""
    other = market.store.writer()
    other.begin()
    other.execute("take_seq")
    if where == "among its changes":
        other.put("set_mark", name="half", value="way")
    began = time.monotonic()
    (result,) = market.desk.process([market.open("c1")])
    assert time.monotonic() - began < 5
    assert result.answers[0].status == (503 if engine == "sqlite" else 200)
    if engine == "sqlite":
        other.rollback()
        market.ask(market.open("c1"))
    else:
        with pytest.raises(StoreUnavailable):
            other.execute("take_seq")
        other.rollback()
        other.begin()
        other.execute("take_seq")
        other.rollback()
    market.assert_clean()


def test_another_markets_stalled_writer_is_left_alone(market: Market, engine: str, tmp_path: Path) -> None:
    """It lives in another schema of the same database, and may take its time there; only our own is cut off."""
    if engine == "sqlite":
        return
    neighbour, mine = new_store(tmp_path / "neighbour").writer(), market.store.writer()
    for writer in (neighbour, mine):
        writer.begin()
        writer.execute("take_seq")
    neighbour._connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # type: ignore[attr-defined]
    mine._connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # type: ignore[attr-defined]
    (result,) = market.desk.process([market.open("c1")])
    assert result.answers[0].status == 200
    with pytest.raises(StoreUnavailable):
        mine.execute("take_seq")
    neighbour.execute("take_seq")
    neighbour.commit()


def test_a_second_desk_may_stand_beside(market: Market) -> None:
    beside = Desk(market.store.writer(), market.clock, DeskSettings())
    for number in range(6):
        desk = beside if number % 2 else market.desk
        try:
            desk.ask(market.open(f"c{number}"))
        except Refusal as refusal:
            assert number == 5
            assert refusal.code == "no_buy_order"
    assert market.order(RICH, "A") == (5, 0, 5, 0)


def test_a_connection_that_breaks_is_made_again(market: Market, engine: str) -> None:
    """The server ends every connection, as when it restarts: a batch under way is refused as a whole, the next one goes through, and
    readers notice nothing."""
    if engine == "sqlite":
        return
    reader = market.store.reader()
    assert reader.fetch("current_seq")
    server = postgres_server()
    assert server is not None

    def cut(*users: Any) -> None:
        with psycopg.connect(server, autocommit=True) as admin:
            for user in users:
                admin.execute("SELECT pg_terminate_backend(%s)", [user._connection.info.backend_pid])

    cut(reader, market.desk.store)
    assert reader.fetch("current_seq")
    (result,) = market.desk.process([market.open("c1")])
    assert result.answers[0].status == 200
    writer = market.store.writer()
    writer.begin()
    writer.execute("take_seq")
    cut(writer)
    with pytest.raises(StoreUnavailable):
        writer.fetch("current_seq")
    writer.rollback()
    writer.begin()
    assert writer.execute("take_seq")
    writer.rollback()
    market.ask(market.open("c2"))
    market.assert_clean()


# -- orders and generations (contract C2) ------------------------------------------------------------------------------


def test_unchanged_updated_created_withdrawn(market: Market) -> None:
    assert market.put(RICH, A=(100, 5), B=(19_000, 50), C=(7, 1)) == OrdersChanged(created=1, updated=1, unchanged=1, withdrawn=0)
    assert market.put(RICH, replace=True, A=(100, 5)) == OrdersChanged(created=0, updated=0, unchanged=1, withdrawn=2)
    assert market.order(RICH, "B") == ()


def test_of_two_lists_at_two_desks_the_later_one_counts(market: Market) -> None:
    """The first is half done at one desk when the buyer, who gave up waiting, sends another through a second one."""
    beside = Desk(market.store.writer(), market.clock, DeskSettings())

    def listed(price: int, names: str) -> commands.PutOrders:
        return commands.PutOrders(
            buyer=RICH, game=730, replace=True, lines=[OrderLine(market.item[name], price, 5) for name in names], keep=[]
        )

    first = Portions(listed(500, "ABC"), market.desk.store)
    begun = first.next()
    assert begun is not None
    first.done(market.ask(begun))
    beside.work_off(listed(90, "A"))
    rest = first.next()
    assert rest is not None
    with pytest.raises(Refusal, match="send it again"):
        market.ask(rest)
    orders = market.store.reader().fetch("orders_page", buyer=RICH, game=730, name=None, limit=10, offset=0)
    assert [(row[1], row[2]) for row in orders] == [("A", 90)]
    market.assert_clean()


@pytest.mark.parametrize("steps", range(5))
def test_lists_that_queue_at_one_desk_are_worked_off_in_their_order(market: Market, steps: int) -> None:
    """The third comes when the first two are so far."""
    server = DeskServer(market.desk, 64)

    def send(price: int) -> None:
        lines = [OrderLine(market.item[name], price, 5) for name in "AB"]
        server._queue.append(_Waiting(None, 1, commands.PutOrders(buyer=RICH, game=730, replace=True, lines=lines, keep=[])))  # type: ignore[arg-type]

    send(100)
    send(200)
    for _ in range(steps):
        server._step()
    send(300)
    while server._queue or server._jobs:
        server._step()
    orders = market.store.reader().fetch("orders_page", buyer=RICH, game=730, name=None, limit=10, offset=0)
    assert [(row[1], row[2]) for row in orders] == [("A", 300), ("B", 300)]


def test_a_rejected_line_keeps_its_order_under_replace(market: Market) -> None:
    market.put(RICH, replace=True, keep=("B",), A=(100, 5))
    assert market.order(RICH, "B") == (50, 50, 0, 0)


def test_a_line_says_what_is_wanted_from_now_on(market: Market) -> None:
    """Running trades come on top; what they give back belongs to their own generation."""
    running = market.ask(market.open("c1", count=2)).trade_id
    assert market.put(RICH, A=(100, 5)).updated == 1
    assert market.order(RICH, "A") == (5, 5, 0, 0)
    market.end(running, "declined")
    assert market.order(RICH, "A") == (5, 5, 0, 0)


def test_a_release_gives_units_back_to_the_same_generation(market: Market) -> None:
    running = market.ask(market.open("c1", count=2)).trade_id
    assert market.order(RICH, "A") == (5, 3, 2, 0)
    market.end(running, "declined")
    assert market.order(RICH, "A") == (5, 5, 0, 0)
    assert market.status(running) == "cancelled"


def test_an_order_that_got_all_its_units_back_may_be_replaced(market: Market) -> None:
    """Nothing must remember its generation any more, and no audit question may miss it."""
    running = market.ask(market.open("c1", count=2)).trade_id
    market.end(running, "declined")
    market.put(RICH, A=(90, 3))
    market.desk.work_off(commands.WithdrawOrders(buyer=RICH, game=730, items=None))
    market.assert_clean()


def test_a_sale_after_withdrawal_still_counts_in_its_generation(market: Market) -> None:
    running = market.ask(market.open("c1", count=2)).trade_id
    market.desk.work_off(commands.WithdrawOrders(buyer=RICH, game=730, items=None))
    assert market.order(RICH, "A") == ()
    market.end(running, "accepted")
    assert market.status(running) == "accepted"


def test_a_rollback_gives_no_units_back(market: Market) -> None:
    running = market.ask(market.open("c1", count=2)).trade_id
    market.end(running, "accepted")
    market.ask(commands.RolledBack(bot=1, readings=[(running, 12)], complete=True))
    assert market.status(running) == "rolled_back_by_user"
    assert market.order(RICH, "A") == (5, 3, 0, 2)


def test_reversal_of_all_trades_of_two_sellers_is_the_bots(market: Market) -> None:
    first = market.ask(market.open("c1")).trade_id
    market.ask(commands.ChangeBot(operator="t", number=2, enabled=False))
    second = market.ask(market.open("c2", seller="76561197961265799")).trade_id
    for trade_id in (first, second):
        market.end(trade_id, "accepted")
    market.ask(commands.RolledBack(bot=1, readings=[(first, 12), (second, 12)], complete=True))
    assert [market.status(trade_id) for trade_id in (first, second)] == ["rolled_back_by_bot"] * 2


def test_fees_are_taken_at_completion_and_returned_on_rollback(tmp_path: Path) -> None:
    market = Market(tmp_path, fee_basis_points=250)
    paid, reversed_ = (market.ask(market.open(name, sold="B", price=20_000)).trade_id for name in ("c1", "c2"))
    market.end(paid, "accepted")
    market.end(reversed_, "accepted")
    market.ask(commands.RolledBack(bot=2, readings=[(reversed_, 12)], complete=True))
    market.clock.advance(7 * 86_400 + 901)
    word = TradeWord(3, None, False, [])
    market.ask(commands.TradeRead(trade_id=paid, word=word, began_at=market.clock.now_us(), raw="{}"))
    rows = market.store.reader().load("load_balances", [(4,), (6,), (8,), (-2,), (-4,)])
    assert sorted(rows) == [(-4, 0), (-2, 500), (4, 19_500), (6, 0), (8, 980_000)]
    market.assert_clean()


def test_a_reading_from_before_the_margin_pays_nobody(market: Market) -> None:
    """Steam said 3, but the reading began too early (I9)."""
    trade_id = market.ask(market.open("c1")).trade_id
    market.end(trade_id, "accepted")
    market.clock.advance(7 * 86_400 + 899)
    began_early = market.clock.now_us()
    market.clock.advance(2)
    market.ask(commands.TradeRead(trade_id=trade_id, word=TradeWord(3, None, False, []), began_at=began_early, raw="{}"))
    assert market.status(trade_id) == "accepted"
    market.ask(commands.TradeRead(trade_id=trade_id, word=TradeWord(3, None, False, []), began_at=market.clock.now_us(), raw="{}"))
    assert market.status(trade_id) == "completed"
    market.ask(commands.RolledBack(bot=1, readings=[(trade_id, 12)], complete=False))
    assert market.status(trade_id) == "completed"
    assert [row[1] for row in market.store.reader().fetch("alerts_page", open=1, limit=9, offset=0)] == [
        "reversed_after_completion"
    ]


def test_items_that_are_not_what_was_verified_wait_for_an_operator(market: Market) -> None:
    trade_id = market.ask(market.open("c1", assets=["70"])).trade_id
    now = market.clock.now_us()
    market.ask(commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=now, classes=[("1", "2")]))
    market.ask(commands.IntendSend(trade_id=trade_id))
    market.ask(commands.OfferMade(trade_id=trade_id, offer_id="51", needs_confirmation=False))
    market.ask(commands.OfferRead(trade_id=trade_id, offer=OfferWord("51", 3, now, "41"), raw="{}"))
    no_assets = TradeWord(3, None, False, [])
    market.ask(commands.TradeRead(trade_id=trade_id, word=no_assets, began_at=now, raw="{}"))
    row = market.trade(trade_id)
    assert (row.status, row.offer_state) == ("processing", 3), "an answer without assets is no difference"
    wrong = TradeWord(3, None, False, [AssetWord(730, "2", "70", "another class")])
    market.ask(commands.TradeRead(trade_id=trade_id, word=wrong, began_at=now, raw="{}"))
    row = market.trade(trade_id)
    assert (row.status, row.offer_state) == ("processing", 13)
    for action in ("cancel", "retry"):
        with pytest.raises(Refusal) as refused:
            market.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action=action, reason="can't work"))
        assert refused.value.code == "wrong_status"
    (alert,) = market.store.reader().fetch("alerts_page", open=1, limit=9, offset=0)
    market.ask(commands.CloseAlert(operator="op", alert_id=alert[0], reason="seen"))
    market.assert_clean()
    market.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="declare-failed", reason="wrong item"))
    assert market.status(trade_id) == "error"
    market.ask(commands.OfferRead(trade_id=trade_id, offer=OfferWord("51", 3, now, "41"), raw="{}"))
    assert market.trade(trade_id).offer_state == 13, "a final trade stays as it was declared"
    assert market.order(RICH, "A") == (5, 5, 0, 0)


# -- money from outside ------------------------------------------------------------------------------------------------


def test_references_are_used_once_per_direction(market: Market) -> None:
    first = market.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=10, reference="ref"))
    again = market.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=10, reference="ref"))
    assert again == msgspec.structs.replace(first, repeated=True)
    with pytest.raises(Refusal) as refused:
        market.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=11, reference="ref"))
    assert (refused.value.status, refused.value.code) == (409, "reference_reused")
    withdrawn = market.ask(commands.MoveMoney(operator="t", person=RICH, direction="withdrawal", amount=10, reference="ref"))
    assert withdrawn.balance_after == 1_000_000


def test_the_last_key_goes_only_by_an_operator(market: Market) -> None:
    market.ask(commands.CreateKey(person=SHOP, name="only", key_hash="hash"))
    with pytest.raises(Refusal) as refused:
        market.ask(commands.DeleteKey(person=SHOP, name="only"))
    assert refused.value.code == "last_api_key"
    market.ask(commands.DeleteKey(person=SHOP, name="only", operator="op"))


def test_sums_survive_trades_that_enter_and_leave_a_status_in_one_batch(market: Market) -> None:
    """One trade completes and another of other value is accepted, in the same transaction."""
    leaving = market.ask(market.open("c1", sold="B", price=20_000)).trade_id
    market.end(leaving, "accepted")
    market.clock.advance(7 * 86_400 + 901)
    for number in (1, 2):
        SmallWrites(market.store).beat(number, market.clock.real_us())
    entering = market.ask(market.open("c2", assets=["70"])).trade_id
    now = market.clock.now_us()
    market.ask(commands.ProofRead(trade_id=entering, proof=Proof.AS_NAMED, text="", began_at=now, classes=[("1", "2")]))
    market.ask(commands.IntendSend(trade_id=entering))
    market.ask(commands.OfferMade(trade_id=entering, offer_id="52", needs_confirmation=False))
    market.ask(commands.OfferRead(trade_id=entering, offer=OfferWord("52", 3, now, "42"), raw="{}"))
    received = [AssetWord(730, "2", "70", "1")]
    news = [
        commands.TradeRead(trade_id=leaving, word=TradeWord(3, None, False, []), began_at=now, raw="{}"),
        commands.TradeRead(trade_id=entering, word=TradeWord(3, None, False, received), began_at=now, raw="{}"),
    ]
    (result,) = market.desk.process(news)
    assert [answer.value is not None for answer in result.answers] == [True, True]
    assert (market.status(leaving), market.status(entering)) == ("completed", "accepted")
