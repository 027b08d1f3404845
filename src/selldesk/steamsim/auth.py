"""Logins of the simulated Steam: RSA, guard codes, tokens (protocol §3.2)."""

import base64
import functools
import hmac
import json
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from selldesk.steamsim.entities import Account
from selldesk.steamsim.world import World
from selldesk.steamwire import tokens
from selldesk.steamwire.enums import EResult
from selldesk.steamwire.guard import CODE_SECONDS, guard_code

ACCESS_SECONDS = 86_400
REFRESH_SECONDS = 200 * 86_400
RENEW_REFRESH_WITHIN_SECONDS = 30 * 86_400
POLL_INTERVAL_SECONDS = 0.1
DEVICE_CODE, DEVICE_CONFIRMATION = 3, 4
_INVALID_EMAIL_CODE = 65


class LoginFault(Exception):
    def __init__(self, eresult: int) -> None:
        super().__init__(eresult)
        self.eresult = eresult


class _Attempt:
    def __init__(self, account: Account, request_id: bytes, is_mobile: bool) -> None:
        self.is_mobile = is_mobile
        self.account = account
        self.request_id = request_id
        self.confirmed = False


class Authentication:
    """Password logins and tokens. Keys live in the world's folder, so that tokens survive a restart."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._attempts: dict[int, _Attempt] = {}
        self._private_key = _rsa_key(folder / "rsa.pem")
        self._signing_key = _signing_key(folder / "jwt.key")

    # -- the calls: typed values in, typed values out; `logins` speaks protobuf and JSON around them -----------------------

    def public_key(self) -> tuple[str, str, int]:
        """(modulus, exponent, timestamp), the numbers in hex."""
        numbers = self._private_key.public_key().public_numbers()
        return f"{numbers.n:x}", f"{numbers.e:x}", self._world.now() * 1_000_000

    def begin(self, account_name: str, encrypted_password: str, is_mobile: bool) -> tuple[int, bytes, Account]:
        """(client id, request id, account). As on Steam's page only the ASCII characters of a password count. Raises LoginFault: 5, for an unknown account too."""
        account = self._world.account_by_login(account_name)
        try:
            password = self._private_key.decrypt(base64.b64decode(encrypted_password), padding.PKCS1v15())
        except ValueError:
            raise LoginFault(EResult.INVALID_PASSWORD) from None
        if account is None or not hmac.compare_digest(password, account.password.encode("ascii", "ignore")):
            raise LoginFault(EResult.INVALID_PASSWORD)
        client_id = int(self._world.take_id("client"))
        request_id = secrets.token_bytes(16)
        self._attempts[client_id] = _Attempt(account, request_id, is_mobile)
        return client_id, request_id, account

    def answer_guard(self, client_id: int, steamid64: str, code: str, code_type: int, skew_seconds: int = 0) -> None:
        """Raises LoginFault: 27 unknown attempt, 29 already answered, 65 not a device code, 88 wrong code."""
        attempt = self._attempts.get(client_id)
        if attempt is None or steamid64 != attempt.account.steamid64:
            raise LoginFault(EResult.EXPIRED)
        if attempt.confirmed:
            raise LoginFault(EResult.DUPLICATE_REQUEST)
        if code_type != DEVICE_CODE:
            raise LoginFault(_INVALID_EMAIL_CODE)
        now = self._world.now() + skew_seconds
        if code not in {guard_code(attempt.account.shared_secret, now + shift * CODE_SECONDS) for shift in (-1, 0, 1)}:
            raise LoginFault(EResult.TWO_FACTOR_CODE_MISMATCH)
        attempt.confirmed = True

    def poll(self, client_id: int, request_id: bytes) -> tuple[str, str, Account] | None:
        """(refresh token, access token, account), or None while the guard code is missing. Raises LoginFault."""
        attempt = self._attempts.get(client_id)
        if attempt is None or attempt.request_id != request_id:
            raise LoginFault(EResult.FILE_NOT_FOUND)
        if not attempt.confirmed:
            return None
        del self._attempts[client_id]
        audience = ["web", "mobile"] if attempt.is_mobile else ["web"]
        refresh = self.issue(attempt.account, REFRESH_SECONDS, [*audience, "renew", "derive"])
        return refresh, self.issue(attempt.account, ACCESS_SECONDS, audience), attempt.account

    def renew(self, refresh_token: str, steamid64: str, renewal_type: int) -> tuple[str, str | None, Account]:
        """(access token, a new refresh token near the old one's end, account). Raises LoginFault."""
        account = self.owner_of(refresh_token, needs="derive")
        if account is None or steamid64 != account.steamid64 or "mobile" not in tokens.claims(refresh_token)["aud"]:
            # A browser's token is renewed through cookies and redirects, not by this call.
            raise LoginFault(EResult.ACCESS_DENIED)
        access = self.issue(account, ACCESS_SECONDS, ["web", "mobile"])
        remaining = tokens.expires_at_seconds(refresh_token) - self._world.now()
        new_refresh = None
        if renewal_type == 1 and remaining < RENEW_REFRESH_WITHIN_SECONDS:
            new_refresh = self.issue(account, REFRESH_SECONDS, ["web", "mobile", "renew", "derive"])
        return access, new_refresh, account

    def revoke(self, account: Account) -> None:
        """Every token that was issued so far is dead."""
        account.token_generation += 1
        self._world.touch(account)

    # -- tokens --------------------------------------------------------------------------------------------------------

    def issue(self, account: Account, life_seconds: int, audience: list[str]) -> str:
        now = self._world.now()
        body = {
            "iss": "steam",
            "sub": account.steamid64,
            "aud": audience,
            "iat": now,
            "nbf": now - 60,
            "exp": now + life_seconds,
            "jti": secrets.token_hex(8),
            "gen": account.token_generation,
        }
        head = tokens.encode_part(b'{"typ":"JWT","alg":"HS256"}')
        payload = f"{head}.{tokens.encode_part(json.dumps(body).encode())}"
        return f"{payload}.{tokens.encode_part(hmac.digest(self._signing_key, payload.encode(), 'sha256'))}"

    def owner_of(self, token: str, needs: str = "") -> Account | None:
        """The account of a token that is ours, alive and not revoked. A refresh token opens no page, an access token renews none."""
        try:
            claims = tokens.claims(token)
            payload, _, signature = token.rpartition(".")
        except ValueError:
            return None
        expected = tokens.encode_part(hmac.digest(self._signing_key, payload.encode(), "sha256"))
        if not hmac.compare_digest(signature.encode(), expected.encode()) or int(claims["exp"]) <= self._world.now():
            return None
        if (needs == "derive") != ("derive" in claims["aud"]):
            return None
        account = self._world.accounts.get(str(claims["sub"]))
        return account if account is not None and claims["gen"] >= account.token_generation else None


def _rsa_key(path: Path) -> rsa.RSAPrivateKey:
    if path.exists():
        return _loaded_rsa_key(path.read_bytes())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_private(path, pem)
    return key


@functools.cache
def _loaded_rsa_key(pem: bytes) -> rsa.RSAPrivateKey:
    """Checking that a key is sound takes 40 ms: once a process for each key, however many worlds share it."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _signing_key(path: Path) -> bytes:
    if not path.exists():
        _write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def _write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and for this user only."""
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_bytes(content)
    temporary.replace(path)
