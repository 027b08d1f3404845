"""The view of one process: feeds of other desks, gaps, duplicates, late ones; and a book rebuilt equals the live one (I16)."""

import contextlib
import random
from pathlib import Path
from typing import Any, cast

import pytest

from selldesk.book.plain import PlainBook
from selldesk.book.quotes import QuoteSigner
from selldesk.desk import commands
from selldesk.desk.commands import Feed
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.refusals import Refusal
from selldesk.store.store import Reader, StoreUnavailable
from selldesk.view.market_view import MarketView
from tests.desk.test_desk import POOR, RICH, SHOP, Market

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def view_of(market: Market) -> MarketView:
    view = MarketView(market.store.reader(), QuoteSigner(b"s"))
    view.load()
    return view


def feeds(market: Market, *batch: commands.Command[Any]) -> list[Feed]:
    return [result.feed for result in market.desk.process(batch) if result.feed is not None]


def price_of_a(view: MarketView, market: Market) -> int:
    match = view.match(SHOP, 730, [(market.item["A"], 1)])
    return match.payout if match else 0


def change(market: Market, price: int) -> Feed:
    line = commands.OrderLine(market.item["A"], price, 5)
    (feed,) = feeds(market, commands.ChangeOrders(buyer=RICH, game=730, withdraw=[], put=[line]))
    return feed


def test_feeds_are_applied_in_commit_order_whatever_the_order_of_arrival(market: Market) -> None:
    view = view_of(market)
    first, second, third = (change(market, price) for price in (101, 102, 103))
    assert not view.apply(third), "it waits for what is missing before it"
    assert (price_of_a(view, market), view.has_early) == (100, True)
    view.catch_up()
    assert (price_of_a(view, market), view.seq, view.has_early) == (103, third.seq, False), (
        "the missing ones were read from the store"
    )
    view.apply(first)
    view.apply(second)
    assert price_of_a(view, market) == 103, "what came late changed nothing"
    fourth, fifth = change(market, 104), change(market, 105)
    assert not view.apply(fifth)
    assert view.apply(fourth)
    assert (price_of_a(view, market), view.seq) == (105, fifth.seq), "what came early is applied when its turn has come"


class Flaky:
    """A reader whose server is away for one question."""

    def __init__(self, inner: Reader) -> None:
        self._inner = inner
        self.away: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def fetch(self, block: str, **parameters: Any) -> Any:
        if block in self.away:
            raise StoreUnavailable("away")
        return self._inner.fetch(block, **parameters)

    def stream(self, block: str, **parameters: Any) -> Any:
        if block in self.away:
            raise StoreUnavailable("away")
        return self._inner.stream(block, **parameters)


READS = ("current_batch", "all_items", "all_people", "load_rooms", "all_funds", "all_live_orders")


@pytest.mark.parametrize("block", READS)
def test_a_reload_that_breaks_off_leaves_the_old_state_whole_and_is_made_again(market: Market, block: str) -> None:
    """New state or old state, never a mixture, with the position behind it."""
    view = view_of(market)
    flaky = Flaky(market.store.reader())
    view._reader = flaky
    known = (view.seq, price_of_a(view, market), set(view.people))
    change(market, 77)
    market.ask(commands.StopTrading(operator="op", reason="a backup was put back", known_seq=None, history_lost=True))
    flaky.away = {block}
    for _ in range(3):
        with contextlib.suppress(StoreUnavailable):
            view.catch_up()
        assert (view.seq, price_of_a(view, market), set(view.people)) == known
    flaky.away = set()
    view.catch_up()
    assert (price_of_a(view, market), view.people.keys()) == (77, view_of(market).people.keys())


@pytest.mark.parametrize("breaks", ["the book", "a listener"])
def test_a_batch_that_can_not_be_taken_in_makes_everything_be_read_anew_and_keys_forgotten(market: Market, breaks: str) -> None:
    """A disabled user's key must not live on, nor a frozen buyer be offered, because one batch stumbled on its way in."""
    view = view_of(market)
    forgotten: list[bool] = []
    view.reload_listeners.append(lambda: forgotten.append(True))
    broken = [True]

    def fail(*_: object) -> None:
        if broken[0]:
            raise RuntimeError("no memory")

    if breaks == "a listener":
        view.listeners.append(fail)
    else:
        view.book.set_funds = fail  # type: ignore[assignment, method-assign]
    person = view.people[RICH].id
    (feed,) = feeds(market, commands.ChangePerson(operator="t", person_id=person, frozen=True, disabled=True))
    if breaks == "the book":
        feed.funds.append((RICH, 5))
    assert not view.apply(feed)
    assert view.needs_reload
    assert forgotten == [True]
    broken[0] = False
    view.catch_up()
    best = view.match(SHOP, 730, [(market.item["A"], 1)])
    assert (view.needs_reload, best is not None and best.buyer == RICH) == (False, False)


def test_a_view_follows_another_desk_by_the_feed_table(market: Market) -> None:
    view = view_of(market)
    look = market.store.reader()
    look.changed()
    assert not look.changed()
    beside = Desk(market.store.writer(), market.clock, DeskSettings())
    beside.ask(commands.ChangeOrders(buyer=RICH, game=730, withdraw=[], put=[commands.OrderLine(market.item["A"], 120, 5)]))
    assert price_of_a(view, market) == 100
    assert look.changed()
    view.catch_up()
    assert price_of_a(view, market) == 120


def test_a_view_that_fell_behind_the_kept_feed_reads_everything_anew_and_forgets(market: Market) -> None:
    view = view_of(market)
    forgotten: list[bool] = []
    view.reload_listeners.append(lambda: forgotten.append(True))
    last = [change(market, price) for price in (101, 102, 103)][-1]
    market.desk.store.begin()
    market.desk.store.execute("prune_feed", before=last.seq)
    market.desk.store.commit()
    view.catch_up()
    assert (price_of_a(view, market), view.seq, forgotten) == (103, last.seq, [True])


def test_people_rooms_and_the_project_itself_decide_who_is_a_candidate(market: Market) -> None:
    view = view_of(market)

    def tell(command: commands.Command[Any]) -> None:
        for feed in feeds(market, command):
            view.apply(feed)

    market.put(POOR, A=(50, 5))
    view.catch_up()
    line = [(market.item["A"], 1)]
    person = {number: view.people[number].id for number in (RICH, POOR)}
    assert view.match(SHOP, 730, line).buyer == RICH  # type: ignore[union-attr]
    assert view.match(RICH, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(commands.ChangePerson(operator="t", person_id=person[RICH], frozen=True))
    assert view.match(SHOP, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(commands.ChangePerson(operator="t", person_id=person[RICH], frozen=False))
    tell(
        commands.PutRoom(
            operator="t",
            id=1,
            name="room",
            game=None,
            min_value=None,
            max_value=None,
            buyers=[POOR],
            bots=None,
            priority=1,
            enabled=True,
        )
    )
    assert view.match(SHOP, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(
        commands.PutRoom(
            operator="t",
            id=1,
            name="room",
            game=570,
            min_value=None,
            max_value=None,
            buyers=None,
            bots=None,
            priority=1,
            enabled=True,
        )
    )
    assert view.match(SHOP, 730, line) is None
    tell(
        commands.PutRoom(
            operator="t",
            id=1,
            name="room",
            game=None,
            min_value=None,
            max_value=None,
            buyers=None,
            bots=None,
            priority=1,
            enabled=False,
        )
    )
    assert view.match(SHOP, 730, line) is None
    tell(
        commands.PutRoom(
            operator="t",
            id=None,
            name="b",
            game=730,
            min_value=10**9,
            max_value=None,
            buyers=None,
            bots=None,
            priority=1,
            enabled=True,
        )
    )
    assert view.match(SHOP, 730, line).buyer == RICH, "at any value"  # type: ignore[union-attr]


def test_a_rebuilt_book_equals_the_live_one(market: Market) -> None:
    """Random sales, endings, order changes and money: the live view, one built anew, and the plain twin answer alike."""
    view, chance = view_of(market), random.Random(3)
    open_trades: list[str] = []
    for number in range(120):
        what = chance.randrange(5)
        if what <= 1:
            sold = chance.choice("AB")
            command = market.open(f"c{number}", sold=sold, price=chance.choice([10, 100]), seller=f"7656119796126{number:04d}")
            (result,) = market.desk.process([command])
            if result.answers[0].value is not None:
                open_trades.append(str(result.answers[0].value.trade_id))
            if result.feed is not None:
                view.apply(result.feed)
        elif what == 2 and open_trades:
            market.end(open_trades.pop(chance.randrange(len(open_trades))), chance.choice(["accepted", "declined"]))
            view.catch_up()
        elif what == 3:
            market.put(
                chance.choice([RICH, POOR]), **cast(Any, {chance.choice("ABC"): (chance.randint(1, 300), chance.randint(1, 9))})
            )
            view.catch_up()
        else:
            try:
                market.ask(
                    commands.MoveMoney(
                        operator="t",
                        person=POOR,
                        direction=chance.choice(["deposit", "withdrawal"]),
                        amount=chance.randint(1, 500),
                        reference=f"m{number}",
                    )
                )
            except Refusal as refusal:
                assert refusal.code == "insufficient_balance"
            view.catch_up()
    rebuilt = view_of(market)
    plain = MarketView(market.store.reader(), QuoteSigner(b"s"), PlainBook)
    plain.load()
    assert rebuilt.seq == view.seq
    for _ in range(300):
        lines = [(market.item[chance.choice("ABC")], chance.randint(1, 6)) for _ in range(chance.randint(1, 4))]
        asked = chance.choice([SHOP, RICH])
        assert view.match(asked, 730, lines) == rebuilt.match(asked, 730, lines) == plain.match(asked, 730, lines)
    market.assert_clean()
