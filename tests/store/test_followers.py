"""A process that follows the market remembers what its own desk, started anew, can't know any more: that the store lost history."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from selldesk.config import Settings
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.refusals import Refusal
from selldesk.people.roles import Role, pack_roles
from selldesk.runtime.api_process import ApiProcess
from selldesk.store.audit import run_audit
from selldesk.store.open import open_store
from tests.desk.test_lost_history import photograph, put_back
from tests.stores import new_database

pytestmark = pytest.mark.usefixtures("engine")

PATIENCE_SECONDS = 10


@contextlib.asynccontextmanager
async def _following(database_url: str) -> AsyncIterator[ApiProcess]:
    """An API process without its door: its desk is a process of its own, its view follows the feed."""
    running = ApiProcess(Settings(database_url=database_url, secret_key="k" * 32))
    assert running.supervisor is not None
    running.load()
    tasks = [
        asyncio.create_task(work) for work in (running.supervisor.run(asyncio.Event()), running.desk.run(), running.follower.run())
    ]
    try:
        await _until(running.desk.connected.is_set, "its desk is there")
        yield running
    finally:
        for task in reversed(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.01)


async def _kill_its_desk(running: ApiProcess) -> None:
    """The supervisor starts another one, which remembers nothing."""
    assert running.supervisor is not None
    killed = running.supervisor.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await _until(lambda: not running.desk.connected.is_set(), "its desk is gone")
    supervisor = running.supervisor
    await _until(lambda: supervisor.pid != killed and running.desk.connected.is_set(), "its next desk is there")


def _sale() -> commands.OpenTrade:
    items = [commands.OpenItem(1, "A", "2", "70", 100)]
    return commands.OpenTrade(
        trade_id=new_uuid7(1),
        project=1,
        custom_id="next",
        game=730,
        buyer=None,
        mismatch=False,
        seller="7",
        tradelink="",
        message="",
        items=items,
    )


WRITTEN_SINCE = [
    # by others, until the follower looks     batches
    ("nothing",                               0),
    ("fewer batches than were lost",          1),
    ("as many: the numbers are the same",     2),
    ("more: the numbers have gone on",        5),
]  # fmt: skip


@pytest.mark.parametrize(("what", "batches"), WRITTEN_SINCE, ids=[row[0] for row in WRITTEN_SINCE])
def test_a_follower_whose_desk_was_started_anew_tells_of_a_loss(tmp_path: Path, what: str, batches: int) -> None:
    """Two batches were committed and followed. Then the desk dies, and the store with the two batches: nobody else knows of them."""
    database_url = new_database(tmp_path)
    store = open_store(database_url)
    store.migrate()
    Desk(store.writer(), SystemClock(), DeskSettings()).ask(
        commands.CreatePerson(operator="t", id=new_uuid7(1), login="shop", roles=pack_roles([Role.PROJECT]))
    )

    async def story() -> None:
        async with _following(database_url) as running:
            await running.desk.ask(commands.SetMark(name="kept", value="a"))
            before = photograph(store)
            for number in range(2):
                await running.desk.ask(commands.SetMark(name=f"lost {number}", value="b"))
            reader = store.reader()
            assert (running.view.seq, running.view.stamp) == reader.fetch("current_batch")[0]
            lost_at = running.view.seq
            await _kill_its_desk(running)
            assert reader.fetch("open_stop") == [], "a desk that dies loses nothing"

            put_back(store, before)
            other = Desk(store.writer(), SystemClock(), DeskSettings())
            for number in range(batches):
                other.ask(commands.SetMark(name=f"since {number}", value="c"))
            await _until(lambda: reader.fetch("open_stop"), "the follower tells of the loss")

            ((_, reason, history_lost),) = reader.fetch("open_stop")
            assert (reason, history_lost) == ("The database lost what was committed", 1)
            (alert,) = reader.fetch("alerts_page", open=1, limit=9, offset=0)
            assert alert[1] == "history_lost"
            assert f"no longer holds batch {lost_at}" in alert[5]
            with pytest.raises(Refusal, match="Trading is stopped"):
                await running.desk.ask(_sale())
            with pytest.raises(Refusal, match="Trading is stopped"):
                other.ask(_sale())
            await _until(lambda: (running.view.seq, running.view.stamp) == reader.fetch("current_batch")[0], "it follows again")
            assert running.view.seq > lost_at + 100_000, "nobody takes a new batch for one that was lost"
            assert not running.view.has_lost(*reader.fetch("current_batch")[0])
            assert len(reader.query("SELECT since FROM trading_stop", {})) == 1
            assert run_audit(reader).violations == []

    asyncio.run(story())


def test_a_loss_that_came_while_the_desk_was_away_is_told_when_both_are_back(tmp_path: Path) -> None:
    """The follower had noticed at once, and nobody was there to be told."""
    database_url = new_database(tmp_path)
    store = open_store(database_url)
    store.migrate()
    Desk(store.writer(), SystemClock(), DeskSettings()).ask(
        commands.CreatePerson(operator="t", id=new_uuid7(1), login="shop", roles=pack_roles([Role.PROJECT]))
    )

    async def story() -> None:
        async with _following(database_url) as running:
            before = photograph(store)
            for number in range(2):
                await running.desk.ask(commands.SetMark(name=f"lost {number}", value="b"))
            assert running.supervisor is not None
            assert running.supervisor.pid is not None
            os.kill(running.supervisor.pid, signal.SIGKILL)
            put_back(store, before)
            await _until(lambda: not running.desk.connected.is_set(), "its desk is gone")
            await _until(running.desk.connected.is_set, "its desk is there")
            Desk(store.writer(), SystemClock(), DeskSettings()).ask(commands.SetMark(name="since", value="c"))
            reader = store.reader()
            await _until(lambda: reader.fetch("open_stop"), "the follower tells of the loss")
            with pytest.raises(Refusal, match="Trading is stopped"):
                await running.desk.ask(_sale())

    asyncio.run(story())
