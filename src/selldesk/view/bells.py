"""Who waits for news of one person is woken by the feed."""

import asyncio

from selldesk.desk.commands import Feed


class Bells:
    """One process's. On the event loop alone."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def next_of(self, person: int) -> asyncio.Future[None]:
        """Done when this person is told something the next time: ask before you look, or news between the two is missed. Whoever waits
        leaves it standing for the others."""
        ring = self._waiting.get(person)
        if ring is None:
            ring = self._waiting[person] = asyncio.get_running_loop().create_future()
        return ring

    def on_feed(self, feed: Feed) -> None:
        for person in feed.told:
            self._ring(person)

    def ring_all(self) -> None:
        """Something was missed: everybody looks."""
        for person in list(self._waiting):
            self._ring(person)

    def _ring(self, person: int) -> None:
        ring = self._waiting.pop(person, None)
        if ring is not None and not ring.done():
            ring.set_result(None)
