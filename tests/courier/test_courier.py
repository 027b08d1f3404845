"""The courier in a market of its own: who works for which endpoint, and that one that fails or is slow harms nobody else (promise I14)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from selldesk.courier.books import LEASE_US, Books, Ended, Health
from selldesk.courier.courier import Courier, CourierSettings
from selldesk.courier.sender import SenderSettings
from selldesk.desk import commands
from selldesk.desk.commands import Command, R
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.secretbox import endpoint_place
from selldesk.reads.showing import Showing, people_in
from selldesk.store.rows import EndpointRow
from tests.little_market import LittleMarket, in_market
from tests.receivers import Receiver, answer, hang

pytestmark = pytest.mark.usefixtures("engine")

SECRET = "whsec_" + "A" * 43 + "="


class ByHand:
    """The market's store, whose clock is moved by hand."""

    def __init__(self, market: LittleMarket) -> None:
        self._store = market.store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def writer(self) -> Any:
        writer = self._store.writer()
        writer.machine_us = lambda: None  # type: ignore[method-assign]
        return writer


def books_of(market: LittleMarket, name: str) -> Books:
    return Books(ByHand(market), market.clock, showing(market), name)


class Port:
    """The desk for a courier: in line, and it hears the feed of whatever is asked."""

    def __init__(self, market: LittleMarket) -> None:
        self._market = market
        self.couriers: list[Courier] = []

    async def ask(self, command: Command[R]) -> R:
        return self.say(command)

    def say(self, command: Command[R]) -> R:
        result = self._market.desk.process([command])[-1]
        answer = result.answers[-1]
        assert answer.value is not None, answer
        if result.feed is not None:
            for courier in self.couriers:
                courier.on_feed(result.feed)
        reply: R = answer.value
        return reply


def showing(market: LittleMarket) -> Showing:
    people = people_in(market.store.reader())
    return Showing("http://here", lambda: people, market.box)


def add_operator(market: LittleMarket, number: int) -> int:
    made = market.desk.ask(
        commands.CreatePerson(operator="test", id=new_uuid7(market.clock.now_us()), login=f"operator {number}", roles=4)
    )
    return int(made.number)


def add_endpoint(market: LittleMarket, person: int, url: str) -> str:
    endpoint = new_uuid7(market.clock.now_us())
    secret = market.box.seal(SECRET.encode(), endpoint_place(endpoint))
    market.desk.ask(
        commands.AddEndpoint(
            person=person, id=endpoint, url=url, events=["operator.alert"], description=None, enabled=True, secret=secret
        )
    )
    return endpoint


def tell(port: Port, text: str) -> None:
    port.say(commands.RaiseAlert(kind="foreign_offer", text=text, bot=1, trade_id=None))


def make(market: LittleMarket, port: Port, **more: Any) -> Courier:
    settings = CourierSettings(sender=SenderSettings(connect_seconds=2, whole_seconds=5, allow_private=True), **more)
    courier = Courier(market.store, port, market.clock, market.box, showing(market), settings, name=new_uuid7(0))
    port.couriers.append(courier)
    return courier


async def while_it_runs(courier: Courier, story: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(courier.run())
    try:
        await story()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


async def until_more(receiver: Receiver, than: int) -> None:
    await until(lambda: len(receiver.requests) > than)


@pytest.mark.alone
def test_two_hundred_endpoints_that_hang_and_a_good_one(tmp_path: Path) -> None:
    """The good one has each event within a second, from the first on that it took."""

    async def story(market: LittleMarket) -> None:
        port = Port(market)
        with Receiver() as good, Receiver(hang) as bad:
            good_one = add_endpoint(market, 1, good.url)
            courier = make(market, port)

            async def tell_and_watch() -> None:
                tell(port, "first")
                await until(lambda: good.requests)
                for number in range(20):
                    person = add_operator(market, number)
                    for _ in range(10):
                        add_endpoint(market, person, bad.url)
                courier.ring_all()
                waits: list[float] = []
                for number in range(60):
                    before = len(good.requests)
                    began = time.monotonic()
                    tell(port, str(number))
                    await until_more(good, before)
                    waits.append(time.monotonic() - began)
                waits.sort()
                assert waits[-1] < 1, waits[-5:]
                assert bad.connections >= 50, "the others were tried meanwhile"

            await while_it_runs(courier, tell_and_watch)
            rows = market.desk.store.fetch_as(EndpointRow, "endpoint_by_id", id=good_one)
            assert (rows[0].in_a_row, rows[0].failing_since) == (0, None)

    in_market(tmp_path, story)


def test_an_endpoint_is_tried_alone_once_it_fails(tmp_path: Path) -> None:
    """Eight requests at a time, one after three failures in a row, eight again once one is taken."""

    async def story(market: LittleMarket) -> None:
        port, most = Port(market), 0
        flying: set[int] = set()

        def counting(mood: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
            def counted(connection: Any, request: Any) -> None:
                nonlocal most
                flying.add(id(connection))
                most = max(most, len(flying))
                time.sleep(0.02)
                flying.discard(id(connection))
                mood(connection, request)

            return counted

        with Receiver(counting(answer(500))) as receiver:
            add_endpoint(market, 1, receiver.url)
            courier = make(market, port)

            async def fail_and_mend() -> None:
                nonlocal most
                for number in range(30):
                    tell(port, str(number))
                await until(lambda: len(receiver.requests) >= 30)
                assert most <= 8
                await asyncio.sleep(0.3)
                most = 0
                market.clock.advance(6)
                await until(lambda: len(receiver.requests) >= 50)
                assert most == 1
                receiver.mood = counting(answer(200))
                most = 0
                market.clock.advance(600)
                # One may have failed after the clock went on.
                await until(lambda: len(receiver.requests) >= 79)
                assert 1 < most <= 8

            await while_it_runs(courier, fail_and_mend)

    in_market(tmp_path, story)


def test_couriers_share_the_endpoints(tmp_path: Path) -> None:
    """Each has a fair share; one that leaves gives its own back at once, one that is gone after its lease; none has another's."""

    async def story(market: LittleMarket) -> None:
        for _ in range(5):
            add_endpoint(market, 1, "http://127.0.0.1:9/x")
        names = ["a", "b", "c"]
        books = {name: books_of(market, name) for name in names}

        def held() -> dict[str, set[str]]:
            for name in (*names, *names, *names):
                found[name] = {one.id for one in books[name].keep(())}
            return found

        found: dict[str, set[str]] = {}
        assert len(books["a"].keep(())) == 5
        shares = held()
        assert sorted(len(share) for share in shares.values()) == [1, 2, 2]
        assert len(set().union(*shares.values())) == 5
        assert len(books["a"].keep([one.id for one in books["a"].keep(())])) == len(shares["a"]), "what is busy stays"
        books["c"].leave()
        names.remove("c")
        found.clear()
        assert sorted(len(share) for share in held().values()) == [2, 3]
        names.remove("b")
        market.clock.advance(LEASE_US // 1_000_000 - 5)
        assert len(books["a"].keep(())) < 5, "nobody knows yet that b is gone"
        market.clock.advance(10)
        assert len(books["a"].keep(())) == 5

    in_market(tmp_path, story)


def test_what_a_courier_finds_out_too_late_is_not_kept(tmp_path: Path) -> None:
    """It slept past its lease: another one works for the endpoint, and its word counts."""

    async def story(market: LittleMarket) -> None:
        port = Port(market)
        endpoint = add_endpoint(market, 1, "http://127.0.0.1:9/x")
        slow, quick = (books_of(market, name) for name in ("slow", "quick"))
        (row,) = slow.keep(())
        tell(port, "one")
        slow.queue([row])
        (due,), gone = slow.due(row, 8, ())
        assert (due.made, gone) == (0, [])
        market.clock.advance(60)
        assert [one.id for one in quick.keep(())] == [endpoint]
        slow.write([Ended(due.place, "delivered", 1, None, [])], [Health(endpoint, None, 0, 0, 5)])
        (again,), _ = quick.due(row, 8, ())
        assert (again.place, again.made) == (due.place, 0)
        quick.write([Ended(due.place, "delivered", 1, None, [])], [Health(endpoint, None, 0, 0, 5)])
        assert quick.due(row, 8, ()) == ([], [])

    in_market(tmp_path, story)
