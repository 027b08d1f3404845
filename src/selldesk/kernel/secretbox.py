"""Secrets at rest: sealed with keys derived from SELLDESK_SECRET_KEY (AES-256-GCM, a fresh nonce each time).

A seal is bound to its place: put into another row or column of the store, it does not open there. It names its key, so that two keys
may be in use while a market changes from one to the other. Seals of earlier releases, which do neither, still open.
"""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEAL_MARK, SEAL_FORMAT = "seal_format", "2"
"""The store's mark that seals are bound to their places: no process of an earlier release, which can't read them, works on it."""

_MAGIC = b"\x00sd\x02"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_SEALED_LINK = "sealed:"


class CannotOpen(Exception):
    """The box was sealed with another key or for another place, or is damaged."""


class _Key:
    def __init__(self, secret_key: bytes) -> None:
        derived = hashlib.sha256(b"selldesk secrets at rest\0" + secret_key).digest()
        self.cipher = AESGCM(derived)
        self.id = hashlib.sha256(b"selldesk key id\0" + derived).digest()[:_KEY_ID_BYTES]
        self.links = hashlib.sha256(b"selldesk trade links\0" + secret_key).digest()


class SecretBox:
    """`old_key` only opens. `binds`: whether new seals are bound to their place, which earlier releases can't read (SEAL_MARK)."""

    def __init__(self, secret_key: bytes, old_key: bytes | None = None, *, binds: bool = True) -> None:
        self._key = _Key(secret_key)
        self._keys = [self._key] + ([_Key(old_key)] if old_key is not None else [])
        self.binds = binds

    def seal(self, content: bytes, place: str) -> bytes:
        """`place`: the row and column where it will stand, such as `bot:76561…:secrets`."""
        nonce = os.urandom(_NONCE_BYTES)
        if not self.binds:
            return nonce + self._key.cipher.encrypt(nonce, content, None)
        head = _MAGIC + self._key.id
        return head + nonce + self._key.cipher.encrypt(nonce, content, head + place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Raises CannotOpen."""
        head, rest = sealed[: len(_MAGIC) + _KEY_ID_BYTES], sealed[len(_MAGIC) + _KEY_ID_BYTES :]
        for key in self._keys:
            try:
                if head == _MAGIC + key.id:
                    return key.cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + place.encode())
                return key.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
            except (InvalidTag, ValueError):
                continue
        raise CannotOpen("a stored secret can't be opened with this SELLDESK_SECRET_KEY")

    def is_current(self, sealed: bytes) -> bool:
        """Sealed with today's key, and bound to a place."""
        return sealed.startswith(_MAGIC + self._key.id)

    # -- trade links: text, and equal ones are found without opening them ------------------------------------------------

    def seal_link(self, link: str, place: str) -> str:
        """`sealed:<keyed hash of the link>:<base64 of the seal>`; the link itself as long as earlier releases may read it."""
        if not self.binds:
            return link
        likeness = hmac.digest(self._key.links, link.encode(), "sha256").hex()[:32]  # in one call: each create waits for it
        return f"{_SEALED_LINK}{likeness}:{base64.b64encode(self.seal(link.encode(), place)).decode()}"

    def open_link(self, stored: str, place: str) -> str:
        """Raises CannotOpen."""
        if not stored.startswith(_SEALED_LINK):
            return stored
        try:
            return self.open(base64.b64decode(stored.rpartition(":")[2], validate=True), place).decode()
        except ValueError as error:
            raise CannotOpen("a stored trade link is damaged") from error

    def is_current_link(self, stored: str) -> bool:
        return stored.startswith(_SEALED_LINK) and self.is_current(base64.b64decode(stored.rpartition(":")[2]))


def link_likeness(stored: str) -> str:
    """The same for equal trade links."""
    return stored.rpartition(":")[0] if stored.startswith(_SEALED_LINK) else stored


def secrets_place(steamid64: str) -> str:
    return f"bot:{steamid64}:secrets"


def endpoint_place(endpoint_id: str) -> str:
    return f"endpoint:{endpoint_id}:secret"


def tokens_place(steamid64: str) -> str:
    return f"bot:{steamid64}:tokens"


def link_place(trade_id: str) -> str:
    return f"trade:{trade_id}:tradelink"
