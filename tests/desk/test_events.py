"""What the desk tells, and how long it is kept (people P2): told in the transaction of the change, to the last step."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from selldesk.desk import commands
from selldesk.events.cursors import BEGINNING, Cursor, parse_cursor
from selldesk.kernel.refusals import CURSOR_EXPIRED, Refusal
from selldesk.kernel.times import DAY_US
from selldesk.offers.stages import Stage
from selldesk.reads.events import Event, EventPage, events_after
from selldesk.reads.showing import Showing, people_in
from selldesk.steamwire.enums import TradeStatus
from selldesk.store.audit import run_audit
from selldesk.trades.trade import Trade
from tests.little_market import BUYER, SHOP, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

OPERATOR = 1
HOUR = 3_600


def page_of(market: LittleMarket, person: int, after: Cursor = BEGINNING, limit: int = 500) -> EventPage:
    reader = market.store.reader()
    return events_after(reader, Showing("http://here", lambda: people_in(reader), market.box), person, after, None, limit)


def told(market: LittleMarket, person: int, trade_id: str) -> list[tuple[str, int | None]]:
    return [(one.type.removeprefix("trade."), one.version) for one in about(market, person, trade_id)]


def about(market: LittleMarket, person: int, trade_id: str) -> list[Event]:
    events = page_of(market, person).events
    return [one for one in events if one.type.startswith("trade.") and one.data.trade_id == trade_id]


def readers_view(trade: Trade) -> dict[str, Any]:
    """What moves `version`: everything that a reader sees."""
    names = "status", "error", "bot", "offer_id", "offer_state", "steam_trade_id", "settlement", "expires_at"
    return {name: getattr(trade, name) for name in names}


def test_version_rises_with_everything_that_a_reader_sees(tmp_path: Path) -> None:
    """Step by step through a sale whose offer has to be confirmed on the phone first; told as sent when it is open, once."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.fault("send_needs_confirmation", times=1)
        trade_id = market.open_trade("one")
        seen = market.trade(trade_id)
        assert seen.version == 1

        def goes_on() -> bool:
            nonlocal seen
            trade = market.trade(trade_id)
            changed = readers_view(trade) != readers_view(seen)
            assert (trade.version > seen.version) >= changed, (market.history(trade_id), readers_view(seen), readers_view(trade))
            assert trade.updated_at >= seen.updated_at
            seen = trade
            return trade.status in ("accepted", "completed")

        await market.run(worker, goes_on)
        market.clock.advance(8 * 86_400)
        await market.run(worker, lambda: goes_on() and seen.status == "completed")
        assert [name for name, _ in told(market, SHOP, trade_id)] == ["processing", "offer_sent", "accepted", "completed"]
        assert [name for name, _ in told(market, BUYER, trade_id)] == ["processing", "accepted", "completed"]
        versions = [version for _, version in told(market, SHOP, trade_id) if version is not None]
        assert len(versions) == 4
        assert versions == sorted(set(versions))
        assert seen.version == len(market.history(trade_id))

    in_market(tmp_path, story)


def test_each_step_of_one_transaction_is_told_as_it_stood_then(tmp_path: Path) -> None:
    """Reversed before anybody saw it accepted: both steps are told, and the first one shows no reversal."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("one")
        await market.run(
            worker, lambda: market.trade(trade_id).stage is Stage.OFFERED and market.trade(trade_id).expires_at is not None
        )
        status = int(TradeStatus.TRADE_PROTECTION_ROLLBACK)
        market.desk.ask(commands.RolledBack(bot=1, readings=[(trade_id, status)], complete=False))
        accepted, reversed_ = about(market, SHOP, trade_id)[-2:]
        assert (accepted.type, reversed_.type) == ("trade.accepted", "trade.rolled_back_by_user")
        assert (accepted.data.status, accepted.data.processed_trade.trade_status) == ("accepted", "Active")
        assert (reversed_.data.status, reversed_.data.processed_trade.trade_status) == ("rolled_back_by_user", "RolledBack")
        assert accepted.data.version + 1 == reversed_.data.version
        first, last = (parse_cursor(one.cursor) for one in (accepted, reversed_))
        assert first is not None
        assert last is not None
        assert first.seq == last.seq

    in_market(tmp_path, story)


def test_an_offer_that_was_accepted_before_it_was_seen_open_is_not_told_as_sent(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.delay_seconds = 0
        worker = market.worker()
        trade_id = market.open_trade("one")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        assert [name for name, _ in told(market, SHOP, trade_id)] == ["processing", "accepted"]

    in_market(tmp_path, story)


def test_alerts_are_told_when_they_open_and_close(tmp_path: Path) -> None:
    """To every operator that is one now; what opens and closes within one transaction is told to nobody."""

    async def story(market: LittleMarket) -> None:
        market.desk.ask(commands.CreatePerson(operator="op", id="019d62b2-9550-7000-8000-000000000001", login="two", roles=4))
        market.desk.ask(commands.CreatePerson(operator="op", id="019d62b2-9550-7000-8000-000000000002", login="gone", roles=4))
        market.desk.ask(commands.ChangePerson(operator="op", person_id="019d62b2-9550-7000-8000-000000000002", disabled=True))
        market.desk.ask(commands.RaiseAlert(kind="foreign_offer", text="see", bot=1, trade_id=None))
        ((alert_id, *_),) = market.desk.store.fetch("alerts_page", open=1, limit=10, offset=0)
        market.desk.ask(commands.CloseAlert(operator="op", alert_id=alert_id, reason="seen"))
        second = 4
        for person in (OPERATOR, second):
            opened, closed = page_of(market, person).events
            assert (opened.type, closed.type, opened.role) == ("operator.alert", "operator.alert_closed", "operator")
            before, after = (msgspec.json.decode(one.data) for one in (opened, closed))
            assert (before["id"], before["bot"], before["closed_at"]) == (alert_id, market.bot_account.steamid64, None)
            assert (after["id"], after["closed_by"], after["close_reason"]) == (alert_id, "op", "seen")
        assert [page_of(market, person).events for person in (SHOP, 5)] == [[], []]

    in_market(tmp_path, story)


def test_events_are_kept_for_a_month(tmp_path: Path) -> None:
    """Then they go in portions; who reads on from before is told that something is gone, who begins anew reads what is left."""

    async def story(market: LittleMarket) -> None:
        for first in range(0, 2_500, 50):
            texts = map(str, range(first, first + 50))
            market.desk.process([commands.RaiseAlert(kind="foreign_offer", text=text, bot=1, trade_id=None) for text in texts])
        early = page_of(market, OPERATOR, limit=3)
        middle, end = (parse_cursor(text) for text in (early.next, page_of(market, OPERATOR, limit=500).next))
        assert early.has_more
        assert middle is not None
        assert end is not None
        market.clock.advance(29 * 86_400)
        market.desk.ask(commands.RaiseAlert(kind="foreign_offer", text="young", bot=1, trade_id=None))
        market.desk.watch()
        assert page_of(market, OPERATOR, middle).events, "nothing is old yet"
        market.clock.advance(2 * 86_400)
        left = []
        for _ in range(4):
            market.desk.watch()
            left.append(int(market.store.reader().query("SELECT count(*) FROM event", {})[0][0]))
        assert left == sorted(left, reverse=True)
        for cursor in (middle, end, Cursor(0, 1)):
            with pytest.raises(Refusal) as refused:
                page_of(market, OPERATOR, cursor)
            assert (refused.value.status, refused.value.code) == (410, CURSOR_EXPIRED.code)
        assert msgspec.json.decode(page_of(market, OPERATOR).events[0].data)["text"] == "young"
        assert page_of(market, BUYER).events == []

    in_market(tmp_path, story)


def test_a_batch_ends_before_its_places_do(tmp_path: Path) -> None:
    """However much is asked at once: every place of a batch has four digits, and all of it is answered in order."""

    async def story(market: LittleMarket) -> None:
        market.order(440, 3_000)
        market.clock.advance(1)
        for _ in range(3):
            asked = [_create(market, number) for number in range(400)]
            results = market.desk.process(asked)
            answers = [answer for result in results for answer in result.answers]
            assert len(answers) == 400
            opened = [answer.value.trade_id for answer in answers if answer.value is not None]
            assert opened == [command.trade_id for command, answer in zip(asked, answers, strict=True) if answer.value is not None]
        seats = market.store.reader().query("SELECT seq, max(place), count(*) FROM event GROUP BY seq ORDER BY 2 DESC", {})
        assert seats[0][1] == seats[0][2] < 9_999

    in_market(tmp_path, story)


def _create(market: LittleMarket, number: int) -> commands.OpenTrade:
    trade_id = f"019d62b2-9550-7000-8000-{market.clock.now_us() % 10**8 + number:012d}"
    (asset,) = market.give(market.seller, 440)
    item = commands.OpenItem(market.item[440], "x", "2", asset, 1)
    link = f"https://steamcommunity.com/tradeoffer/new/?partner={market.seller.number}&token={market.seller.trade_token}"
    return commands.OpenTrade(
        trade_id=trade_id, project=SHOP, custom_id=trade_id, game=440, buyer=BUYER, mismatch=False, seller=market.seller.steamid64,
        tradelink=link, message="", items=[item],
    )  # fmt: skip


DAMAGE = {
    "an event is lost": "DELETE FROM event WHERE type = 'trade.accepted' AND role = 'buyer' RETURNING 1",
    "one too many": "INSERT INTO event SELECT person, seq, place + 500, id, type, role, at, version, subject, body FROM event WHERE type = 'trade.accepted' RETURNING 1",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_the_audit_finds_a_step_that_was_not_told(tmp_path: Path, what: str) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("one")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        store = market.desk.store
        store.begin()
        store.query(DAMAGE[what], {})
        found = {one["check"] for one in run_audit(store).violations}
        store.rollback()
        assert found == {"steps_have_their_events"}
        market.clock.advance(40 * DAY_US // 1_000_000)
        market.desk.watch()

    in_market(tmp_path, story)
