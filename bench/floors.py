"""The floor of create: the desk's own loads and writes in batches of 64, recorded once and replayed without any decision."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench import market
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.memory import exclude_loaded_from_collection
from selldesk.store.store import Row, Store, Writer

BATCH = 64
Step = tuple[str, tuple[Any, ...], dict[str, Any]]


class Recorder:
    """A writer that notes every call it passes on."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self.dialect = inner.dialect
        self.steps: list[Step] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            kept = tuple(list(one) if isinstance(one, list) else one for one in arguments)
            self.steps.append((name, kept, dict(named)))
            return call(*arguments, **named)

        return noted


def desk_rate(store: Store, buyers: int, batches: int) -> tuple[float, list[Step]]:
    """(creates a second of the desk alone, what it asked of its store)."""
    recorder = Recorder(store.writer())
    desk = Desk(recorder, SystemClock(), DeskSettings())
    orders = market.create_commands(buyers, batches * BATCH)
    exclude_loaded_from_collection()
    began = time.perf_counter()
    for batch in _batches(orders):
        for result in desk.process(batch):
            assert all(answer.value is not None for answer in result.answers), result.answers[0]
    return batches * BATCH / (time.perf_counter() - began), recorder.steps


def replay_rate(store: Store, steps: list[Step], batches: int) -> float:
    """Creates a second of the bare statements, on a store of the same beginning."""
    writer = store.writer()
    exclude_loaded_from_collection()
    began = time.perf_counter()
    for name, arguments, named in steps:
        getattr(writer, name)(*arguments, **named)
    took = time.perf_counter() - began
    writer.close()
    return batches * BATCH / took


def _batches(orders: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(orders), BATCH):
        yield orders[start : start + BATCH]


def rows_of(store: Store, block: str) -> list[Row]:
    reader = store.reader()
    found = reader.fetch(block)
    reader.close()
    return found
