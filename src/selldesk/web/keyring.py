"""Who is asking: API keys, remembered by hash and forgotten as soon as the feed says that something about them changed."""

import asyncio
import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from selldesk.desk.commands import Feed
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import INVALID_API_KEY, TOO_MANY_REQUESTS, UNAVAILABLE
from selldesk.kernel.times import MINUTE_US
from selldesk.store.rows import IdentityRow
from selldesk.store.store import Reader, Store, StoreUnavailable
from selldesk.web.limits import LockOut, LockOutRules

_REMEMBERED_MAX = 50_000
_LOOK_UPS_MAX = 200
"""Unknown keys that are being looked up: more wait for nothing that a hanging store will answer."""
_THREADS = 2


class Identity(NamedTuple):
    """The holder of a key."""

    person: int
    login: str
    roles: int
    key_hash: str


class KeyRing:
    """Known keys. An unknown one is looked up in the store, off the event loop, never refused from memory (contract C1), unless its
    address is locked out (people P1)."""

    def __init__(self, store: Store, clock: Clock, lock_out: LockOutRules | None = None) -> None:
        self._store = store
        self._clock = clock
        self.lock_out = LockOut(lock_out or LockOutRules())
        self._known: OrderedDict[bytes, Identity] = OrderedDict()
        self._looking: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")
        self._of_thread = threading.local()
        self._changes = 0
        """Counts what was forgotten: a look-up that began before may have read what is no longer true."""
        self._used: dict[str, int] = {}
        self._used_minute: dict[str, int] = {}

    def known(self, api_key: bytes | None) -> Identity | None:
        """Whose key this is, as far as this process remembers. Refuses INVALID_API_KEY if there is none."""
        if not api_key or len(api_key) > 200:
            raise INVALID_API_KEY()
        identity = self._known.get(hashlib.sha256(api_key).digest())
        if identity is not None:
            self._note_use(identity.key_hash)
        return identity

    async def identify(self, api_key: bytes | None, address: str = "") -> Identity:
        """Refuses INVALID_API_KEY: missing, unknown, revoked and disabled are one answer; TOO_MANY_REQUESTS for an unknown key of an
        address that is locked out; UNAVAILABLE while the store can't be asked."""
        identity = self.known(api_key)
        if identity is not None:
            return identity
        assert api_key is not None
        seconds = self.lock_out.seconds_left(address)
        if seconds:
            raise TOO_MANY_REQUESTS(retry_after=seconds)
        digest = hashlib.sha256(api_key).digest()
        looking = self._looking.get(digest)
        if looking is None:
            if len(self._looking) >= _LOOK_UPS_MAX:
                raise UNAVAILABLE()
            looking = self._looking[digest] = asyncio.create_task(self._look_up(digest))
            looking.add_done_callback(lambda _: self._looking.pop(digest, None))
        identity = await asyncio.shield(looking)
        if identity is None:
            self.lock_out.note_unknown(address)
            raise INVALID_API_KEY()
        self._note_use(identity.key_hash)
        return identity

    async def _look_up(self, digest: bytes) -> Identity | None:
        loop = asyncio.get_running_loop()
        while True:
            changes = self._changes
            identity = await loop.run_in_executor(self._threads, self._ask, digest.hex())
            if changes == self._changes:
                break
        if identity is not None:
            self._known[digest] = identity
            if len(self._known) > _REMEMBERED_MAX:
                self._known.popitem(last=False)
        return identity

    def _ask(self, key_hash: str) -> Identity | None:
        reader: Reader | None = getattr(self._of_thread, "reader", None)
        if reader is None:
            reader = self._of_thread.reader = self._store.reader()
        found = reader.fetch_as(IdentityRow, "identity_of_key", hash=key_hash)
        return Identity(found[0].person, found[0].login, found[0].roles, key_hash) if found else None

    async def still_holds(self, identity: Identity, role_bits: int) -> bool:
        """Whether a key that was known is one still, with one of these roles: asked again and again while a stream runs. A store that can't
        be asked ends none."""
        digest = bytes.fromhex(identity.key_hash)
        known = self._known.get(digest)
        if known is None:
            try:
                known = await self._look_up(digest)
            except StoreUnavailable:
                return True
        return known is not None and bool(known.roles & role_bits)

    def on_feed(self, feed: Feed) -> None:
        if feed.keys:
            self._changes += 1
            changed = set(feed.keys)
            for digest in [digest for digest, identity in self._known.items() if identity.person in changed]:
                del self._known[digest]

    def forget_all(self) -> None:
        self._changes += 1
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
