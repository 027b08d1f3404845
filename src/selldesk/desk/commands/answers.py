"""What the desk answers, and tells its followers."""

from typing import Any

import msgspec

from selldesk.bots.rooms import Room


class Answer(msgspec.Struct, frozen=True):
    """The desk's answer: a value, or a refusal that `kernel.refusals` declares."""

    value: Any = None
    """The command's reply (replies.py): a struct in the desk, its fields on the wire; None: refused."""
    status: int = 200
    code: str = ""
    text: str = ""
    cause: str | None = None
    """Which of several reasons a refusal had: for the metrics."""
    details: list[dict[str, str]] | None = None


class Feed(msgspec.Struct, array_like=True):
    """What one batch changed, for everybody who follows the market."""

    seq: int
    orders: list[tuple[int, int, int, int]] = []
    """(item, buyer, price, remaining); remaining 0: no longer for sale."""
    funds: list[tuple[int, int]] = []
    """(person, available)"""
    people: list[tuple[int, str, str, str | None, int, int, int]] = []
    """Person rows, whole."""
    rooms: bool = False
    items: list[tuple[int, int, str]] = []
    """New catalog items: (number, game, name)."""
    trades: list[str] = []
    """Trades that moved."""
    bots: list[int] = []
    """Bots that have something new to do."""
    keys: list[int] = []
    """People whose keys, roles or state changed: forget what is remembered of them."""
    stamp: int = 0
    """A number that no other batch has; 0: an older version wrote it."""
    after: int = 0
    """The stamp of the batch before this one; 0: not known. Whoever knows another one follows a history that was lost."""
    room_list: list[Room] | None = None
    """With `rooms`: all of them, as they are now; None: an older version's desk."""
    told: list[int] = []
    """People who have new events."""
    hooks: bool = False
    """Endpoints changed, or something was queued for one."""


class BatchResult(msgspec.Struct):
    """What the desk sends when a batch is through: the feed (None: nothing changed) and the answers in the commands' order."""

    feed: Feed | None
    answers: list[Answer]
