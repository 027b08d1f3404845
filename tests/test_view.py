"""The view of one process: feeds of other desks, gaps, duplicates, late ones; and a book rebuilt equals the live one (I16)."""

import random
from pathlib import Path

import pytest

from selldesk.book.plain import PlainBook
from selldesk.book.quotes import QuoteSigner
from selldesk.desk import commands
from selldesk.desk.commands import Feed
from selldesk.desk.desk import Desk
from selldesk.desk.view import MarketView
from selldesk.desk.work import DeskSettings
from selldesk.kernel.refusals import Refusal
from tests.test_desk import POOR, RICH, SHOP, Market

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def view_of(market: Market) -> MarketView:
    view = MarketView(market.store.reader(), QuoteSigner(b"s"))
    view.load()
    return view


def feeds(market: Market, *batch: commands.Command) -> list[Feed]:
    return [result.feed for result in market.desk.process(batch) if result.feed is not None]


def price_of_a(view: MarketView, market: Market) -> int:
    match = view.match(SHOP, 730, [(market.item["A"], 1)])
    return match.payout if match else 0


def change(market: Market, price: int) -> Feed:
    line = commands.OrderLine(market.item["A"], price, 5)
    (feed,) = feeds(market, commands.ChangeOrders(RICH, 730, [], [line]))
    return feed


def test_feeds_are_applied_in_commit_order_whatever_the_order_of_arrival(market: Market) -> None:
    view = view_of(market)
    first, second, third = (change(market, price) for price in (101, 102, 103))
    view.apply(third)
    assert (price_of_a(view, market), view.seq) == (103, third.seq), "the missing ones were read from the store"
    view.apply(first)
    view.apply(second)
    assert price_of_a(view, market) == 103, "what came late changed nothing"


def test_a_view_follows_another_desk_by_the_feed_table(market: Market) -> None:
    view = view_of(market)
    look = market.store.reader()
    look.changed()
    assert not look.changed()
    beside = Desk(market.store.writer(), market.clock, DeskSettings())
    beside.ask(commands.ChangeOrders(RICH, 730, [], [commands.OrderLine(market.item["A"], 120, 5)]))
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

    def tell(command: commands.Command) -> None:
        for feed in feeds(market, command):
            view.apply(feed)

    market.put(POOR, A=(50, 5))
    view.catch_up()
    line = [(market.item["A"], 1)]
    person = {number: view.people[number].id for number in (RICH, POOR)}
    assert view.match(SHOP, 730, line).buyer == RICH  # type: ignore[union-attr]
    assert view.match(RICH, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(commands.ChangePerson("t", person[RICH], frozen=True))
    assert view.match(SHOP, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(commands.ChangePerson("t", person[RICH], frozen=False))
    tell(commands.PutRoom("t", 1, "room", None, None, None, [POOR], None, 1, True))
    assert view.match(SHOP, 730, line).buyer == POOR  # type: ignore[union-attr]
    tell(commands.PutRoom("t", 1, "room", 570, None, None, None, None, 1, True))
    assert view.match(SHOP, 730, line) is None
    tell(commands.PutRoom("t", 1, "room", None, None, None, None, None, 1, False))
    assert view.match(SHOP, 730, line) is None
    tell(commands.PutRoom("t", None, "b", 730, 10**9, None, None, None, 1, True))
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
                open_trades.append(str(result.answers[0].value["trade_id"]))
            if result.feed is not None:
                view.apply(result.feed)
        elif what == 2 and open_trades:
            market.end(open_trades.pop(chance.randrange(len(open_trades))), chance.choice(["accepted", "declined"]))
            view.catch_up()
        elif what == 3:
            market.put(chance.choice([RICH, POOR]), **{chance.choice("ABC"): (chance.randint(1, 300), chance.randint(1, 9))})
            view.catch_up()
        else:
            try:
                market.ask(
                    commands.MoveMoney("t", POOR, chance.choice(["deposit", "withdrawal"]), chance.randint(1, 500), f"m{number}")
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
