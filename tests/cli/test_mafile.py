"""Every usual file of authenticator secrets becomes a bot's request; what can't is refused in one line that says why."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from selldesk.cli.mafile import ARGON2ID, SDA, _derive, read_mafile
from selldesk.config import BadSetting
from selldesk.steamwire import tokens

STEAMID = 76561198012345679
SECRETS = {"shared_secret": "c2hhcmVkc2VjcmV0c2hhcmVkc2U=", "identity_secret": "aWRlbnRpdHlpZGVudGl0eWlkZW4="}
TOKEN = f"e30.{tokens.encode_part(json.dumps({'sub': str(STEAMID), 'exp': 9}).encode())}.x"

PLAIN: list[tuple[str, str, dict[str, Any], str | None]] = [
    # what                         file                    content                                                                    refresh token
    ("SDA of old",                 "bot.maFile",           {"account_name": "bot", **SECRETS, "Session": {"SteamID": STEAMID, "OAuthToken": None}}, None),
    ("SDA of today",               f"{STEAMID}.maFile",    {"account_name": "bot", **SECRETS, "Session": {"SteamID": str(STEAMID), "RefreshToken": TOKEN}}, TOKEN),
    ("other capitals",             "bot.maFile",           {"account_name": "bot", **SECRETS, "Session": {"SteamId": STEAMID}}, None),
    ("steamguard-cli",             "bot.maFile",           {"account_name": "bot", "steam_id": STEAMID, **SECRETS, "tokens": {"access_token": TOKEN, "refresh_token": TOKEN}}, TOKEN),
    ("steamguard-cli, no tokens",  "bot.maFile",           {"account_name": "bot", "steam_id": STEAMID, **SECRETS, "tokens": None}, None),
    ("the phone's own",            f"Steamguard-{STEAMID}", {"account_name": "bot", "steamid": str(STEAMID), **SECRETS, "status": 1}, None),
    ("the id in the token only",   "bot.maFile",           {"account_name": "bot", **SECRETS, "Session": {"AccessToken": TOKEN}}, None),
    ("the id in the name only",    f"{STEAMID}.maFile",    {"account_name": "bot", **SECRETS, "Session": None}, None),
]  # fmt: skip


def ask(answers: dict[str, str] | None = None) -> Any:
    """A prompt that knows these answers and no others."""

    def prompt(what: str) -> str:
        found = [answer for part, answer in (answers or {"Password": "hunter2"}).items() if part in what]
        assert found, what
        return found[0]

    return prompt


@pytest.mark.parametrize(("what", "name", "content", "refresh"), PLAIN, ids=[row[0] for row in PLAIN])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n "], ids=["", "BOM", "blanks"])
def test_plain_files(tmp_path: Path, what: str, name: str, content: dict[str, Any], refresh: str | None, start: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(start + json.dumps(content).encode())
    request = read_mafile(file, ask())
    assert (request.account_name, request.steamid, request.refresh_token) == ("bot", str(STEAMID), refresh)
    assert request.password == (None if refresh else "hunter2")
    assert (request.shared_secret, request.identity_secret) == tuple(SECRETS.values())


def test_a_minimal_file_takes_its_account_name_from_the_flag(tmp_path: Path) -> None:
    file = tmp_path / f"{STEAMID}.maFile"
    file.write_text(json.dumps(SECRETS))
    with pytest.raises(BadSetting, match="--account-name"):
        read_mafile(file, ask())
    assert read_mafile(file, ask(), account_name="bot").account_name == "bot"


KEYS = [
    # Keys that the programs themselves derive from the passphrase "password".
    (SDA, "GMhL0N2hqXg=", "KtiRa4/OxW83MlB6URf+Z8rAGj7CBY+pDlwD/NuVo6Y="),
    (SDA, "wTzTE9A6aN8=", "Dqpej/3DqEat0roJaHmu3luYgDzRCUmzX94n4fqvWj8="),
    (ARGON2ID, "GMhL0N2hqXg=", "cLn73uBZWFMeXyGbG3IfJj/OgGjQAAwQoWedUdSoQXI="),
    (ARGON2ID, "wTzTE9A6aN8=", "Puvpv6HExFpanhtNtTVuC2K7oSKey3tW96wsZJSwzWQ="),
]


@pytest.mark.parametrize(("scheme", "salt", "key"), KEYS)
def test_keys_are_derived_as_the_other_programs_do(scheme: str, salt: str, key: str) -> None:
    assert base64.b64encode(_derive(scheme, b"password", base64.b64decode(salt))).decode() == key


def _seal(folder: Path, scheme: str, manifest_of: str) -> Path:
    """An encrypted maFile with its manifest, as the programs write them."""
    salt, iv = os.urandom(8), os.urandom(16)
    plain = json.dumps({"account_name": "bot", **SECRETS, "Session": {"SteamID": STEAMID}}).encode()
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(_derive(scheme, "geheim€".encode(), salt)), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    file = folder / f"{STEAMID}.maFile"
    file.write_bytes(base64.b64encode(sealed) + b"\n")
    iv_text, salt_text = base64.b64encode(iv).decode(), base64.b64encode(salt).decode()
    if manifest_of == "SDA":
        entry = {"encryption_iv": iv_text, "encryption_salt": salt_text, "filename": file.name, "steamid": STEAMID}
        manifest: dict[str, Any] = {"encrypted": True, "first_run": False, "entries": [entry]}
    else:
        how = {"scheme": scheme, "iv": iv_text, "salt": salt_text}
        manifest = {
            "version": 1,
            "entries": [{"filename": file.name, "steam_id": STEAMID, "account_name": "bot", "encryption": how}],
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return file


@pytest.mark.parametrize(("scheme", "manifest_of"), [(SDA, "SDA"), (SDA, "steamguard-cli"), (ARGON2ID, "steamguard-cli")])
def test_encrypted_files(tmp_path: Path, scheme: str, manifest_of: str) -> None:
    file = _seal(tmp_path, scheme, manifest_of)
    request = read_mafile(file, ask({"Passphrase of 7656": "geheim€", "Password of bot": "hunter2"}))
    assert (request.account_name, request.steamid, request.password) == ("bot", str(STEAMID), "hunter2")
    assert read_mafile(file, ask(), passphrase="geheim€").shared_secret == SECRETS["shared_secret"]
    with pytest.raises(BadSetting, match="wrong passphrase"):
        read_mafile(file, ask(), passphrase="geheim")
    renamed = file.rename(tmp_path / f"copy of {STEAMID}.maFile")
    assert read_mafile(renamed, ask(), passphrase="geheim€").steamid == str(STEAMID)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(BadSetting, match=r"manifest\.json is not beside it"):
        read_mafile(renamed, ask(), passphrase="geheim€")


WHOLE: dict[str, Any] = {"account_name": "bot", **SECRETS, "Session": {"SteamID": STEAMID}}
BAD: list[tuple[str, bytes, str]] = [
    ("no secret", json.dumps({**WHOLE, "identity_secret": None}).encode(), "no identity_secret"),
    ("no base64", json.dumps({**WHOLE, "shared_secret": "a"}).encode(), "shared_secret is not base64"),
    ("stars", json.dumps({**WHOLE, "shared_secret": "********"}).encode(), "shared_secret is not base64"),
    ("no id", json.dumps({**WHOLE, "Session": {"SteamID": 0}}).encode(), "no steamid"),
    ("a rounded id", json.dumps({**WHOLE, "Session": {"SteamID": STEAMID - 7, "AccessToken": TOKEN}}).encode(), "several SteamIDs"),
    ("no SteamID64", json.dumps({**WHOLE, "Session": {"SteamID": 5}}).encode(), "steamid"),
    ("a comma too many", b'{"account_name": "bot",}', "not JSON"),
    ("a list", b"[]", "neither JSON nor"),
    ("nothing", b"", "manifest.json is not beside it"),
    ("noise", b"\x00\xff\x00", "neither JSON nor"),
]


@pytest.mark.parametrize(("what", "content", "complaint"), BAD, ids=[row[0] for row in BAD])
def test_bad_files_are_one_clear_line(tmp_path: Path, what: str, content: bytes, complaint: str) -> None:
    file = tmp_path / "bot.maFile"
    file.write_bytes(content)
    with pytest.raises(BadSetting, match=complaint) as refused:
        read_mafile(file, ask())
    assert str(file) in str(refused.value)
    with pytest.raises(BadSetting, match="No such file"):
        read_mafile(tmp_path / "missing.maFile", ask())


@pytest.mark.parametrize("manifest", ["[]", '{"entries": 5}', "not json", '{"entries": [null, {"filename": "bot.maFile"}]}'])
def test_a_plain_file_needs_no_manifest(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    file = tmp_path / "bot.maFile"
    file.write_text(json.dumps(WHOLE))
    assert read_mafile(file, ask()).steamid == str(STEAMID)
