"""Files in which the secrets of a Steam mobile authenticator are kept, read into a bot's request.

Steam Desktop Authenticator's maFiles (plain, and encrypted with the manifest.json beside them), steamguard-cli's (plain, and both
of its encryptions), the phone app's own `Steamguard-…` files, and minimal files as ArchiSteamFarm takes them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.padding import PKCS7

from selldesk.config import BadSetting
from selldesk.desk.requests.bots import BotRequest
from selldesk.steamwire import tokens
from selldesk.steamwire.guard import is_secret

_KEY_BYTES = 32
_PBKDF2_ROUNDS = 50_000
_ARGON2_MEMORY_KIB, _ARGON2_ROUNDS, _ARGON2_LANES = 62_500, 3, 4
_STEAMID64 = re.compile(r"(?<!\d)(7656119\d{10})(?!\d)")
SDA, ARGON2ID = "LegacySdaCompatible", "Argon2idAes256"


def read_mafile(
    file: Path,
    ask: Callable[[str], str],
    *,
    passphrase: str | None = None,
    password: str | None = None,
    account_name: str | None = None,
    profile_name: str | None = None,
) -> BotRequest:
    """`ask` is a hidden prompt, used for what neither file nor flags hold: the passphrase of an encrypted file, the account's
    password. Raises BadSetting that names what is missing or wrong."""
    try:
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf").strip()
    except OSError as error:
        raise BadSetting(f"{file}: {error.strerror or error}") from None
    is_plain = content.startswith(b"{")
    try:
        entry = _manifest_entry(file)
    except BadSetting:
        # A plain file needs no manifest; one that can't be read may be anybody's.
        if not is_plain:
            raise
        entry = {}
    if not is_plain:
        content = _decrypt(file, content, entry, passphrase, ask)
    raw = _object(file, content)
    fields = _fields(file, raw, entry, account_name)
    refresh_token = _refresh_token(raw)
    if refresh_token is not None and _subject(refresh_token) is None:
        raise BadSetting(f"{file}: the refresh token is not one of Steam's (three parts with dots between, which name an account)")
    secret = password or raw.get("password")
    if not secret and not refresh_token:
        secret = ask(f"Password of {fields['account_name']}")
    try:
        return msgspec.convert(
            fields | {"password": secret or None, "refresh_token": refresh_token, "profile_name": profile_name}, BotRequest
        )
    except msgspec.ValidationError as error:
        raise BadSetting(f"{file}: {error}") from None


def _fields(file: Path, raw: dict[str, Any], entry: dict[str, Any], account_name: str | None) -> dict[str, Any]:
    """What every bot needs. Raises BadSetting."""
    fields = {
        "account_name": account_name or raw.get("account_name") or entry.get("account_name"),
        "shared_secret": raw.get("shared_secret"),
        "identity_secret": raw.get("identity_secret"),
        "steamid": _steamid64(file, raw, entry),
    }
    missing = [name for name, value in fields.items() if not value]
    if missing:
        hint = " (an account name can be given with --account-name)" if "account_name" in missing else ""
        raise BadSetting(f"{file}: no {', '.join(missing)}{hint}")
    for name in ("shared_secret", "identity_secret"):
        if not is_secret(str(fields[name])):
            raise BadSetting(f"{file}: {name} is not base64 of 20 bytes, as every authenticator's is")
    return fields


def _object(file: Path, content: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise BadSetting(f"{file}: not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise BadSetting(f"{file}: not a JSON object")
    return raw


# -- what is in it -----------------------------------------------------------------------------------------------------


def _part(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    """A part by any of its names, its own names in lower case: programs spell SteamID, SteamId and steamid."""
    for name in names:
        if isinstance(raw.get(name), dict):
            return {key.lower(): value for key, value in raw[name].items()}
    return {}


def _refresh_token(raw: dict[str, Any]) -> str | None:
    session, kept = _part(raw, "Session", "session"), _part(raw, "tokens")
    for token in (raw.get("refresh_token"), kept.get("refresh_token"), session.get("refreshtoken")):
        if isinstance(token, str) and token:
            return token
    return None


def _steamid64(file: Path, raw: dict[str, Any], entry: dict[str, Any]) -> str | None:
    """Whatever says it must say the same: a JSON number that JavaScript once rounded would add the wrong account."""
    session, kept = _part(raw, "Session", "session"), _part(raw, "tokens")
    said = [session.get("steamid"), entry.get("steamid"), entry.get("steam_id"), _subject(kept.get("access_token")), _subject(session.get("accesstoken")), _subject(_refresh_token(raw))]  # fmt: skip
    said += [raw.get(name) for name in ("steamid", "steamid64", "steam_id", "SteamID")]
    in_name = _STEAMID64.search(file.stem)
    said.append(in_name.group(1) if in_name else None)
    ids = {str(value) for value in said if value not in (None, "", 0, "0")}
    if len(ids) > 1:
        raise BadSetting(f"{file}: names several SteamIDs: {', '.join(sorted(ids))}")
    return ids.pop() if ids else None


def _subject(token: Any) -> str | None:
    try:
        return str(tokens.claims(token)["sub"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


# -- encrypted ones ----------------------------------------------------------------------------------------------------


def _manifest_entry(file: Path) -> dict[str, Any]:
    """What the manifest.json in the same folder says about this file; empty without one."""
    path = file.with_name("manifest.json")
    if not path.is_file() or path == file:
        return {}
    manifest = _object(path, path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    listed = manifest.get("entries")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    in_name = _STEAMID64.search(file.stem)
    for entry in entries:
        if str(entry.get("filename", "")).lower() == file.name.lower():
            return entry
    for entry in entries:
        if in_name is not None and in_name.group(1) in (str(entry.get("steamid")), str(entry.get("steam_id"))):
            return entry
    return {}


def _decrypt(file: Path, content: bytes, entry: dict[str, Any], passphrase: str | None, ask: Callable[[str], str]) -> bytes:
    """AES-256-CBC under a key from the passphrase, as the manifest says how."""
    how = entry.get("encryption") if isinstance(entry.get("encryption"), dict) else None
    scheme = how.get("scheme") if how is not None else entry.get("encryption_scheme") or SDA
    iv = how.get("iv") if how is not None else entry.get("encryption_iv")
    salt = how.get("salt") if how is not None else entry.get("encryption_salt")
    try:
        sealed = base64.b64decode(content, validate=True)
    except ValueError:
        raise BadSetting(f"{file}: neither JSON nor an encrypted maFile") from None
    if not iv or not salt:
        raise BadSetting(f"{file}: encrypted, and its current manifest.json is not beside it")
    if scheme not in (SDA, ARGON2ID):
        raise BadSetting(f"{file}: unknown encryption {scheme!r}")
    secret = (passphrase or ask(f"Passphrase of {file.name}")).encode()
    try:
        key = _derive(str(scheme), secret, base64.b64decode(salt))
        decryptor = Cipher(algorithms.AES(key), modes.CBC(base64.b64decode(iv))).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        plain = unpadder.update(padded) + unpadder.finalize()
        # There is no checksum: only what it decrypts to tells whether the passphrase was right.
        if "shared_secret" not in json.loads(plain.decode("utf-8")):
            raise ValueError("no authenticator")
    except UnsupportedAlgorithm:
        raise BadSetting(f"{file}: this machine's OpenSSL lacks Argon2id (3.2 or newer has it)") from None
    except (ValueError, TypeError):
        raise BadSetting(f"{file}: wrong passphrase, or not the manifest that belongs to it") from None
    return plain


def _derive(scheme: str, secret: bytes, salt: bytes) -> bytes:
    if scheme == SDA:
        return hashlib.pbkdf2_hmac("sha1", secret, salt, _PBKDF2_ROUNDS, _KEY_BYTES)
    kdf = Argon2id(salt=salt, length=_KEY_BYTES, iterations=_ARGON2_ROUNDS, lanes=_ARGON2_LANES, memory_cost=_ARGON2_MEMORY_KIB)
    return kdf.derive(secret)
