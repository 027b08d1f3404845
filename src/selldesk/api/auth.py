"""Who is asking: API keys, remembered by hash and forgotten as soon as the feed says that something about them changed."""

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from selldesk.desk.commands import Feed
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import INVALID_API_KEY
from selldesk.kernel.times import MINUTE_US
from selldesk.store.store import Reader

_REMEMBERED_MAX = 50_000


class Identity(NamedTuple):
    """The holder of a key."""

    person: int
    login: str
    roles: int
    key_hash: str


class KeyRing:
    """Known keys. An unknown one is always looked up in the store, never refused from memory (contract C1)."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._known: OrderedDict[bytes, Identity] = OrderedDict()
        self._used: dict[str, int] = {}
        self._used_minute: dict[str, int] = {}

    def identify(self, api_key: bytes | None) -> Identity:
        """Refuses INVALID_API_KEY: missing, unknown, revoked and disabled are one answer."""
        if not api_key or len(api_key) > 200:
            raise INVALID_API_KEY()
        digest = hashlib.sha256(api_key).digest()
        identity = self._known.get(digest)
        if identity is None:
            rows = self._reader.fetch("identity_of_key", hash=digest.hex())
            if not rows:
                raise INVALID_API_KEY()
            identity = Identity(rows[0][0], rows[0][1], rows[0][2], digest.hex())
            self._known[digest] = identity
            if len(self._known) > _REMEMBERED_MAX:
                self._known.popitem(last=False)
        self._note_use(identity.key_hash)
        return identity

    def on_feed(self, feed: Feed) -> None:
        if feed.keys:
            changed = set(feed.keys)
            for digest in [digest for digest, identity in self._known.items() if identity.person in changed]:
                del self._known[digest]

    def forget_all(self) -> None:
        self._known.clear()

    def take_used(self) -> dict[str, int]:
        """Key hash → last use, of the keys used since the last call."""
        used, self._used = self._used, {}
        return used

    def _note_use(self, key_hash: str) -> None:
        """`last_used_at` is kept to the minute: one write a key and minute at most."""
        minute = self._clock.now_us() // MINUTE_US
        if self._used_minute.get(key_hash) != minute:
            if len(self._used_minute) > _REMEMBERED_MAX:
                self._used_minute.clear()
            self._used_minute[key_hash] = minute
            self._used[key_hash] = minute * MINUTE_US
