"""Ids: UUIDv7 for trades and people (they sort by time), keys for programs, numbers of Steam accounts."""

import hashlib
import re
import secrets
import uuid

import uuid_utils

STEAMID64_BASE = 76561197960265728
"""SteamID64 of account number 0 (public universe, individual account)."""

_KEY_PREFIX = "selldesk_"


def new_uuid7(at_us: int) -> str:
    """A UUIDv7 that carries the given (virtual) time."""
    return str(uuid_utils.uuid7(nanoseconds=at_us * 1000))


def canonical_uuid(text: str) -> str | None:
    """The lower-case dashed form, or None if the text is no UUID written as 32 digits with or without dashes."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", text):
        return None
    return str(uuid.UUID(text))


def new_api_key() -> str:
    """`selldesk_` and 43 url-safe characters: 256 random bits."""
    return _KEY_PREFIX + secrets.token_urlsafe(32)


def api_key_hash(api_key: str) -> str:
    """What is stored of a key. A key has 256 random bits, so a plain SHA-256 can't be searched."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def steamid64_of_account(account_number: int) -> str:
    """The 32-bit `partner` of a trade link → SteamID64."""
    return str(STEAMID64_BASE + account_number)


def account_of_steamid64(steamid64: str) -> int:
    return int(steamid64) - STEAMID64_BASE
