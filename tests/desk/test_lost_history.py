"""A database that lost its last second: a fail-over to a replica that lagged, or a backup put back under a running market.

The loss is made by putting a photograph of all tables back into the store, under the feet of the processes that use it.
"""

from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from selldesk.book.quotes import QuoteSigner
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.refusals import Refusal
from selldesk.steamsim.entities import Behaviour
from selldesk.store.audit import run_audit
from selldesk.store.copying import tables
from selldesk.store.store import Row, Store, StoreUnavailable, Writer
from selldesk.view.market_view import MarketView
from tests.desk.test_desk import RICH, SHOP, Market
from tests.little_market import LittleMarket, in_market
from tests.stores import postgres_server

pytestmark = pytest.mark.usefixtures("engine")
NEVER_CHANGED = ("person", "api_key", "worker", "bot_lease")
Photograph = dict[str, tuple[list[str], list[Row]]]


def photograph(store: Store) -> Photograph:
    reader = store.reader()
    taken: Photograph = {}
    for name in tables():
        if name not in NEVER_CHANGED:
            columns, rows = reader.table(name)
            taken[name] = (columns, list(rows))
    reader.close()
    return taken


def put_back(store: Store, taken: Photograph) -> None:
    with store.filling() as fill:
        for name, (columns, rows) in taken.items():
            fill(name, columns, rows)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def alerts(store: Store) -> list[str]:
    return [row[1] for row in store.reader().fetch("alerts_page", open=1, limit=20, offset=0)]


def refused(desk: Desk, command: commands.Command[Any]) -> tuple[int, str]:
    with pytest.raises(Refusal) as refusal:
        desk.ask(command)
    return refusal.value.status, refusal.value.code


class StopIsNotWritten:
    """A writer whose store goes away once, just when the stop should be written."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self.has_failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, block: str, **parameters: Any) -> list[Row]:
        if block == "add_stop" and not self.has_failed:
            self.has_failed = True
            raise StoreUnavailable("gone for a moment")
        return self._inner.execute(block, **parameters)


def test_a_stop_that_could_not_be_written_is_not_forgotten(market: Market) -> None:
    torn = StopIsNotWritten(market.store.writer())
    desk = Desk(torn, market.clock, DeskSettings())
    before = photograph(market.store)
    desk.ask(market.open("lost"))
    put_back(market.store, before)

    assert refused(desk, market.open("first")) == (503, "unavailable")
    assert torn.has_failed
    assert alerts(market.store) == []

    assert refused(desk, market.open("second")) == (503, "trading_stopped")
    assert alerts(market.store) == ["history_lost"]
    assert run_audit(market.store.reader()).violations == []


def test_a_desk_that_remembers_more_than_its_store_stops_trading(market: Market) -> None:
    before = photograph(market.store)
    market.ask(market.open("lost"))
    view = MarketView(market.store.reader(), QuoteSigner(b"x"))
    view.load()
    put_back(market.store, before)

    (result,) = market.desk.process([market.open("next")])
    assert (result.answers[0].status, result.answers[0].code) == (503, "trading_stopped")
    reader = market.store.reader()
    assert alerts(market.store) == ["history_lost"]
    assert reader.fetch("trade_by_custom_id", project=SHOP, custom_id="lost") == []
    view.catch_up()
    assert view.seq == reader.fetch("current_seq")[0][0], "whoever followed the lost history reads everything anew"
    match = view.book.best(730, [(market.item["A"], 9)], exclude=SHOP)
    assert match is not None
    assert (match.buyer, match.fills) == (RICH, [(100, 5)])

    market.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=10, reference="other work goes on"))
    assert refused(market.desk, commands.ResumeTrading(operator="op", reason="in a hurry")) == (409, "bots_not_looked_at")
    market.ask(commands.ResumeTrading(operator="op", reason="I looked myself", force=True))
    assert alerts(market.store) == []
    assert refused(market.desk, commands.ResumeTrading(operator="op", reason="twice")) == (409, "not_stopped")
    market.ask(market.open("next"))
    market.assert_clean()


def test_a_desk_learns_of_the_loss_though_another_one_has_written_since(market: Market, engine: str) -> None:
    """The numbers have gone on; but the batch that it saw committed is another one now. Connections break at a fail-over."""
    if engine == "sqlite":
        pytest.skip("SQLite has no fail-over")
    before = photograph(market.store)
    market.ask(market.open("lost"))
    put_back(market.store, before)
    other = Desk(market.store.writer(), market.clock, DeskSettings())
    for number in range(3):
        other.ask(commands.MoveMoney(operator="t", person=RICH, direction="deposit", amount=10, reference=f"d{number}"))
    server = postgres_server()
    assert server is not None
    with psycopg.connect(server, autocommit=True) as admin:
        user: Any = market.desk.store
        admin.execute("SELECT pg_terminate_backend(%s)", [user._connection.info.backend_pid])
    (result,) = market.desk.process([market.open("next")])
    assert result.answers[0].code == "trading_stopped"
    assert alerts(market.store) == ["history_lost"]
    assert refused(other, market.open("there too")) == (503, "trading_stopped")
    market.assert_clean()


def test_a_desk_learns_of_the_loss_by_the_batch_that_took_the_place_of_its_own(market: Market) -> None:
    """Neither numbers nor contents differ, no connection breaks: but it is another batch."""
    before = photograph(market.store)
    market.ask(commands.SetMark(name="ours", value="a"))
    put_back(market.store, before)
    other = Desk(market.store.writer(), market.clock, DeskSettings())
    other.ask(commands.SetMark(name="theirs", value="b"))
    assert refused(market.desk, market.open("next")) == (503, "trading_stopped")
    assert alerts(market.store) == ["history_lost"]


@pytest.mark.parametrize("batches", [1, 2, 5])
def test_a_follower_learns_of_a_loss_that_only_it_remembers(market: Market, batches: int) -> None:
    """It had followed two batches of a desk that died with them. Others write, fewer, as many or more, before it looks again."""
    view = MarketView(market.store.reader(), QuoteSigner(b"x"))
    before = photograph(market.store)
    market.put(RICH, A=(120, 5))
    view.load()
    put_back(market.store, before)
    other = Desk(market.store.writer(), market.clock, DeskSettings())
    for number in range(batches):
        other.ask(commands.SetMark(name=f"m{number}", value="b"))
    view.catch_up()
    assert view.has_lost(*market.store.reader().fetch("current_batch")[0])
    known = view.seq
    other.ask(commands.StopTrading(operator="selldesk", reason="The database lost what was committed", known_seq=known))
    view.catch_up()
    assert not view.has_lost(*market.store.reader().fetch("current_batch")[0])
    assert (view.seq, view.stamp) == market.store.reader().fetch("current_batch")[0]
    match = view.book.best(730, [(market.item["A"], 1)], exclude=SHOP)
    assert match is not None
    assert match.payout == 100


def test_a_loss_that_several_tell_of_stops_trading_once(market: Market) -> None:
    market.ask(commands.StopTrading(operator="selldesk", reason="lost", known_seq=10**6))
    reader = market.store.reader()
    first, seq = reader.fetch("open_stop"), reader.fetch("current_seq")
    market.clock.advance(1)
    market.ask(commands.StopTrading(operator="selldesk", reason="lost", known_seq=10**6 - 3))
    assert (reader.fetch("open_stop"), reader.fetch("current_seq")) == (first, seq)
    assert alerts(market.store) == ["history_lost"]


def test_batches_of_an_older_version_are_followed_and_cause_no_alarm(market: Market) -> None:
    """It writes no stamps, beside a desk that does."""
    view = MarketView(market.store.reader(), QuoteSigner(b"x"))
    view.load()
    older = Desk(WithoutStamps(market.store.writer()), market.clock, DeskSettings())
    for price in (110, 120, 130, 140, 150):
        line = commands.OrderLine(market.item["A"], price, 5)
        (older if price % 20 else market.desk).ask(commands.ChangeOrders(buyer=RICH, game=730, withdraw=[], put=[line]))
        view.catch_up()
        match = view.book.best(730, [(market.item["A"], 1)], exclude=SHOP)
        assert match is not None
        assert match.payout == price
        assert not view.has_lost(*market.store.reader().fetch("current_batch")[0])
    assert market.store.reader().fetch("open_stop") == []


class WithoutStamps:
    """The writer of a desk that knows nothing of stamps."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put(self, block: str, **parameters: Any) -> None:
        if block == "add_feed":
            feed = msgspec.msgpack.decode(parameters["body"])
            parameters |= {"body": msgspec.msgpack.encode(feed[:9]), "stamp": None}
        self._inner.put(block, **parameters)

    def fetch(self, block: str, **parameters: Any) -> list[Row]:
        assert block != "stamp_of", "it compares bodies"
        return self._inner.fetch(block, **parameters)


def test_a_loss_ends_a_stop_by_hand_and_begins_its_own(market: Market) -> None:
    """What was looked at and decided before counts no more, and bots take nothing for known."""
    market.ask(commands.StopTrading(operator="op", reason="lunch"))
    market.clock.advance(60)
    market.ask(commands.BotLooked(bot=1))
    reader = market.store.reader()
    ((by_hand, _, _),) = reader.fetch("open_stop")
    market.ask(commands.StopTrading(operator="op", reason="a backup was put back", history_lost=True))
    ((since, _, lost),) = reader.fetch("open_stop")
    assert alerts(market.store) == ["history_lost"]
    assert (since - by_hand, lost) == (60_000_000, 1)
    assert len(reader.fetch("bots_not_looked_at")) == 2


def test_a_broken_connection_alone_stops_nothing(market: Market, engine: str) -> None:
    market.ask(market.open("kept"))
    if engine == "postgresql":
        server = postgres_server()
        assert server is not None
        with psycopg.connect(server, autocommit=True) as admin:
            user: Any = market.desk.store
            admin.execute("SELECT pg_terminate_backend(%s)", [user._connection.info.backend_pid])
    market.ask(market.open("next"))
    assert alerts(market.store) == []


def test_an_operator_stops_and_resumes_the_whole_trade(market: Market) -> None:
    market.ask(market.open("before"))
    market.ask(commands.StopTrading(operator="op", reason="the exchange rate is wrong"))
    assert refused(market.desk, market.open("meanwhile")) == (503, "trading_stopped")
    assert refused(market.desk, market.open("before")) == (409, "custom_id_exists")
    market.ask(commands.ResumeTrading(operator="op", reason="mended"))
    market.ask(market.open("meanwhile"))
    market.assert_clean()
    logged = {row[3] for row in market.store.reader().fetch("log_page", limit=50, offset=0)}
    assert {"trading.stop", "trading.resume"} <= logged


@pytest.mark.parametrize("hours", [0, 40], ids=["at once", "days later"])
def test_what_steam_knows_of_a_lost_sale_is_listed_and_never_credited(tmp_path: Path, hours: int) -> None:
    """A sale is accepted on Steam; then the store forgets it. The bot's whole list is compared, the offer is told, a human decides."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.ACCEPT
        first = market.open_trade("kept")
        await market.run(worker, lambda: market.trade(first).status == "accepted")
        before = photograph(market.store)
        lost = market.open_trade("lost")
        await market.run(worker, lambda: market.trade(lost).status == "accepted")
        market.wait_at_least_seconds = lambda: 1800.0
        await market.pass_time(worker, hours * 3600)
        market.wait_at_least_seconds = lambda: 0.0
        waiting = market.open_trade("waits")
        put_back(market.store, before)
        purse = market.store.reader().fetch("balances_of", available=12, held=13, escrow=14)

        with pytest.raises(Refusal, match="Trading is stopped"):
            market.open_trade("new", assets=market.give(market.seller, 730))
        reader = market.store.reader()
        await market.run(worker, lambda: "unknown_offer" in alerts(market.store) and not reader.fetch("bots_not_looked_at"))
        (told,) = [row for row in reader.fetch("alerts_page", open=1, limit=9, offset=0) if row[1] == "unknown_offer"]
        assert market.seller.steamid64 in told[5], "with whom it was exchanged"
        assert refused(market.desk, commands.ResumeTrading(operator="op", reason="too early")) == (409, "offers_undecided")
        market.desk.ask(commands.CloseAlert(operator="op", alert_id=told[0], reason="paid by hand"))
        market.desk.ask(commands.ResumeTrading(operator="op", reason="decided"))

        assert reader.fetch("balances_of", available=12, held=13, escrow=14) == purse, "none is credited by itself"
        assert reader.load("load_trades", [(lost,), (waiting,)]) == []
        again = market.open_trade("new")
        await market.run(worker, lambda: market.trade(again).status == "accepted")
        assert run_audit(reader).violations == []

        later = market.worker()
        await market.pass_time(later, 300)
        assert "unknown_offer" not in alerts(market.store), "what was decided is not asked again"

    in_market(tmp_path, story)


@pytest.mark.parametrize("noticed", ["before he accepts", "after he accepted"])
def test_an_offer_whose_send_the_store_forgot_is_found_and_no_second_one_goes_out(tmp_path: Path, noticed: str) -> None:
    """The commonest loss: the trade is there, verified or not yet, and the store knows nothing of the offer that is out."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.IGNORE
        trade_id = market.open_trade("sent")
        before = photograph(market.store)
        await market.run(worker, lambda: market.trade(trade_id).offer_state == 2)
        if noticed == "after he accepted":
            market.seller.behaviour = Behaviour.ACCEPT
            await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        put_back(market.store, before)
        assert market.trade(trade_id).offer_id is None

        with pytest.raises(Refusal, match="Trading is stopped"):
            market.open_trade("new", assets=market.give(market.seller, 730))
        reader = market.store.reader()
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None and not reader.fetch("bots_not_looked_at"))
        assert "unknown_offer" not in alerts(market.store)
        market.desk.ask(commands.ResumeTrading(operator="op", reason="all found"))
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        assert [offer.state for offer in market.offers()] == [3]

    in_market(tmp_path, story)


def test_a_doubted_sale_of_a_quiet_bot_ends_when_its_time_is_over(tmp_path: Path) -> None:
    """The bot sold something last week; now its list is empty, and that is believed."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        old = market.open_trade("old", 440)
        await market.run(worker, lambda: market.trade(old).status == "completed")
        market.wait_at_least_seconds = lambda: 1800.0
        await market.pass_time(worker, 8 * 86_400)
        market.wait_at_least_seconds = lambda: 0.0
        trade_id = market.open_trade("doubted")
        market.desk.ask(commands.StopTrading(operator="op", reason="a backup was put back", history_lost=True))
        await market.pass_time(worker, 1_200)
        ended = market.trade(trade_id)
        assert (ended.status, ended.error) == ("declined", "No offer could be sent in time")
        assert len(market.offers()) == 1

    in_market(tmp_path, story)


def test_a_sale_that_was_never_sent_goes_on_when_that_is_certain(tmp_path: Path) -> None:
    """Nothing was sent of it, and the bot has no offers at all: an empty list is believed, after the windows."""

    async def story(market: LittleMarket) -> None:
        for custom_id in ("one", "two"):
            market.open_trade(custom_id)
        before = photograph(market.store)
        market.open_trade("lost")
        put_back(market.store, before)
        with pytest.raises(Refusal, match="Trading is stopped"):
            market.open_trade("new", assets=market.give(market.seller, 730))
        trades = [row[0] for row in market.store.reader().fetch("running_of_bot", bot=1)]
        assert {market.trade(trade_id).stage for trade_id in trades} == {"reconcile"}
        worker = market.worker()
        await market.run(worker, lambda: {market.trade(trade_id).stage for trade_id in trades} == {"send"})
        market.desk.ask(commands.ResumeTrading(operator="op", reason="nothing was out"))
        await market.run(worker, lambda: {market.trade(trade_id).status for trade_id in trades} == {"accepted"})
        assert [offer.state for offer in market.offers()] == [3, 3]

    in_market(tmp_path, story)
