"""The market in one process: the same seed tells the same tale, and nothing goes through a socket."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from selldesk.simulation.chance import SeededChance
from tests.little_market import LittleMarket


def tale(folder: Path, seed: int) -> list[object]:
    """A sale that is accepted and one whose offer is declined: ids, steps, log and alerts of the whole market."""

    async def told() -> list[object]:
        async with LittleMarket(folder, chance=SeededChance(seed)) as market:
            worker = market.worker()
            first = market.open_trade("first", 440)
            await market.run(worker, lambda: market.trade(first).status == "completed")
            second = market.open_trade("second", 730)
            await market.pass_time(worker, 60)
            market.assert_clean()
            reader = market.store.reader()
            steps = [(one, market.trade(one).status.value, market.history(one)) for one in (first, second)]
            return [steps, market.balances(), reader.query("SELECT seq, stamp FROM feed ORDER BY seq", {}), market.alerts()]

    return asyncio.run(told())


def test_a_seed_repeats_a_market(tmp_path: Path) -> None:
    one, again, other = (tale(tmp_path / str(number), seed) for number, seed in enumerate((7, 7, 8)))
    assert one == again
    assert one != other


def test_no_socket_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the pair that wakes the event loop itself."""
    opened: list[object] = []
    real = socket.socket.connect

    def connect(one: socket.socket, address: Any) -> None:
        opened.append(address)
        real(one, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    tale(tmp_path, 1)
    assert opened == []
