"""Ids: UUIDv7 for trades and people (they sort by time), and keys for programs."""

import hashlib
import re
import secrets
import uuid

import uuid_utils

from selldesk.kernel.chance import SYSTEM_CHANCE, Chance

_KEY_PREFIX = "selldesk_"


def new_uuid7(at_us: int, chance: Chance = SYSTEM_CHANCE) -> str:
    """A UUIDv7 that carries the given (virtual) time."""
    if chance is SYSTEM_CHANCE:
        return str(uuid_utils.uuid7(nanoseconds=at_us * 1000))
    rest = int.from_bytes(chance.bytes(10), "big")
    return str(uuid.UUID(int=at_us // 1000 << 80 | 0x7 << 76 | (rest >> 62 & 0xFFF) << 64 | 0b10 << 62 | rest & (1 << 62) - 1))


def canonical_uuid(text: str) -> str | None:
    """The lower-case dashed form, or None if the text is no UUID written as 32 digits with or without dashes."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", text):
        return None
    return str(uuid.UUID(text))


def new_stamp(chance: Chance = SYSTEM_CHANCE) -> int:
    """63 random bits, never 0: tells a batch from every other."""
    return (int.from_bytes(chance.bytes(8), "big") >> 1) or 1


def new_api_key() -> str:
    """`selldesk_` and 43 url-safe characters: 256 random bits."""
    return _KEY_PREFIX + secrets.token_urlsafe(32)


def api_key_hash(api_key: str) -> str:
    """What is stored of a key. A key has 256 random bits, so a plain SHA-256 can't be searched."""
    return hashlib.sha256(api_key.encode()).hexdigest()
