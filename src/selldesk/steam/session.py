"""A bot's session with Steam, as a mobile app: log in with password and guard code, renew, write the cookies by hand.

MobileApp on purpose: its access token is the web cookie itself, and renewal is one call (protocol §2.2).
"""

import asyncio
import base64
import secrets
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from selldesk.steam.results import LoginRefused, Malformed, NotLoggedIn, RateLimited, Unreachable
from selldesk.steam.transport import ConnectionFailed, Response, Transport
from selldesk.steamwire import protobuf, tokens
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.steamwire.enums import EResult
from selldesk.steamwire.guard import guard_code
from selldesk.steamwire.protobuf import Fixed64

MOBILE_APP = 3
DEVICE_CODE = 3
_TERMINAL = {EResult.INVALID_PASSWORD, EResult.ACCESS_DENIED, EResult.REVOKED, EResult.EXPIRED}
"""Only these end a token or password for good; everything else is transient (protocol §7)."""
_LATEST_SECONDS = 7_258_118_400
"""2200-01-01."""
_RENEW_REFRESH_WITHIN_SECONDS = 30 * 86_400
USER_AGENT = "okhttp/4.9.2"


class SteamUrls(msgspec.Struct, frozen=True):
    """Where Steam is. In development, one address of the simulator for all three."""

    community: str = "https://steamcommunity.com"
    api: str = "https://api.steampowered.com"
    login: str = "https://login.steampowered.com"


class SteamSession:
    """One account's session. `now_seconds` is Steam's time as we know it (the clock plus the measured offset)."""

    def __init__(
        self,
        transport: Transport,
        urls: SteamUrls,
        credentials: Credentials,
        tokens: Tokens | None,
        now_seconds: Callable[[], int],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.transport = transport
        self.urls = urls
        self.credentials = credentials
        self.tokens = tokens
        self._random_bytes = random_bytes
        self.new_session_id()
        self._now_seconds = now_seconds
        self.clock_offset_seconds = 0

    @property
    def steamid64(self) -> str:
        return self.credentials.steamid64

    def steam_seconds(self) -> int:
        return self._now_seconds() + self.clock_offset_seconds

    def access_expires_at(self) -> int:
        """Seconds; 0 without a usable token."""
        if self.tokens is None:
            return 0
        try:
            return tokens.expires_at_seconds(self.tokens.access)
        except ValueError:
            return 0

    def new_session_id(self) -> None:
        """Steam doubts the old one (eresult 8)."""
        self.session_id = self._random_bytes(12).hex()

    def cookie(self) -> str:
        """Raises NotLoggedIn."""
        return f"steamLoginSecure={self.steamid64}%7C%7C{self.access_token()}; sessionid={self.session_id}; mobileClient=android"

    def access_token(self) -> str:
        if self.tokens is None:
            raise NotLoggedIn("no session")
        return self.tokens.access

    # -- logging in ----------------------------------------------------------------------------------------------------

    async def log_in(self) -> Tokens:
        """A full login. Rate-limited by Steam: the last resort. `access` of the answer may be empty. Raises LoginRefused, Unreachable, RateLimited, Malformed."""
        credentials = self.credentials
        if credentials.password is None:
            raise LoginRefused("no password is known for this account", EResult.INVALID_PASSWORD, terminal=True)
        await self.measure_clock()
        key_reply = await self._call("GetPasswordRSAPublicKey", [(1, credentials.account_name)], get=True)
        try:
            modulus, exponent = int(key_reply.get_text(1), 16), int(key_reply.get_text(2), 16)
            public_key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError as error:
            raise Malformed("no RSA key") from error
        # Steam's own page leaves out what is beyond ASCII, when a password is set and when it is typed (protocol §11).
        password = credentials.password.encode("ascii", "ignore")
        encrypted = base64.b64encode(public_key.encrypt(password, padding.PKCS1v15())).decode()
        device = protobuf.encode([(1, "selldesk"), (2, MOBILE_APP), (3, -500), (4, 528)])
        begun = await self._call(
            "BeginAuthSessionViaCredentials",
            [
                (2, credentials.account_name),
                (3, encrypted),
                (4, key_reply.get_int(3)),
                (5, True),
                (7, 1),
                (8, "Mobile"),
                (9, device),
            ],
        )
        client_id, request_id, steamid = begun.get_int(1), begun.get_bytes(2), begun.get_int(5)
        if DEVICE_CODE in {allowed.get_int(1) for allowed in begun.messages(4)}:
            await self._answer_guard(client_id, steamid)
        return await self._poll(client_id, request_id, max(0.1, begun.get_float(3, 5.0)))

    async def _answer_guard(self, client_id: int, steamid: int) -> None:
        code = guard_code(self.credentials.shared_secret, self.steam_seconds())
        fields: list[tuple[int, protobuf.Value | None]] = [
            (1, client_id),
            (2, Fixed64(steamid)),
            (3, code),
            (4, DEVICE_CODE),
        ]
        try:
            await self._call("UpdateAuthSessionWithSteamGuardCode", fields)
        except LoginRefused as refused:
            if refused.eresult != EResult.DUPLICATE_REQUEST:
                raise

    async def _poll(self, client_id: int, request_id: bytes, interval_seconds: float) -> Tokens:
        for _ in range(10):
            polled = await self._call("PollAuthSessionStatus", [(1, client_id), (2, request_id)])
            if polled.get_text(3):
                # The access token may be missing (protocol §11): then it is asked for like any renewal, once this one is on record.
                self.tokens = Tokens(polled.get_text(3), polled.get_text(4))
                return self.tokens
            client_id = polled.get_int(1) or client_id
            await asyncio.sleep(interval_seconds)
        raise Unreachable("the login was not confirmed in time")

    async def renew(self) -> Tokens:
        """A new access token, and a new refresh token near the old one's end. The caller stores both before using them.

        Raises NotLoggedIn if Steam refuses the refresh token for good: a full login is due.
        """
        if self.tokens is None:
            raise NotLoggedIn("no refresh token")
        try:
            remaining = tokens.expires_at_seconds(self.tokens.refresh) - self.steam_seconds()
        except ValueError as error:
            raise NotLoggedIn("the refresh token can't be read") from error
        if remaining <= 0:
            raise NotLoggedIn("the refresh token has expired")
        renewal = 1 if remaining < _RENEW_REFRESH_WITHIN_SECONDS else 0
        fields: list[tuple[int, protobuf.Value | None]] = [
            (1, self.tokens.refresh),
            (2, Fixed64(int(self.steamid64))),
            (3, renewal),
        ]
        try:
            reply = await self._call("GenerateAccessTokenForApp", fields)
        except LoginRefused as refused:
            if refused.terminal:
                raise NotLoggedIn(str(refused)) from refused
            raise Unreachable(str(refused)) from refused
        if not reply.get_text(1):
            raise Malformed("no access token in the renewal")
        return Tokens(reply.get_text(2) or self.tokens.refresh, reply.get_text(1))

    async def measure_clock(self) -> None:
        """Steam's time against ours, for guard codes (protocol §9 no. 32)."""
        response = await request(
            self.transport,
            "POST",
            f"{self.urls.api}/ITwoFactorService/QueryTime/v1/",
            form={"steamid": "0"},
            headers=base_headers(),
        )
        try:
            server_time = int(msgspec.json.decode(response.body)["response"]["server_time"])
        except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
            raise Malformed("QueryTime gives no time") from error
        if not 0 < server_time < _LATEST_SECONDS:
            raise Malformed("QueryTime gives an absurd time")
        self.clock_offset_seconds = server_time - self._now_seconds()

    async def _call(self, method: str, fields: list[tuple[int, protobuf.Value | None]], get: bool = False) -> protobuf.Message:
        """One call of IAuthenticationService. Raises LoginRefused with Steam's result."""
        url = f"{self.urls.api}/IAuthenticationService/{method}/v1/"
        body = {"input_protobuf_encoded": base64.b64encode(protobuf.encode(fields)).decode()}
        if get:
            params = {"origin": "SteamMobile", **body}
            response = await request(self.transport, "GET", url, params=params, headers=base_headers())
        else:
            response = await request(self.transport, "POST", url, form=body, headers=base_headers())
        eresult = eresult_of(response, EResult.FAIL)
        if eresult != EResult.OK:
            raise LoginRefused(f"{method} refused", eresult, terminal=eresult in _TERMINAL)
        try:
            return protobuf.Message(response.body)
        except protobuf.ProtobufFault as error:
            raise Malformed(f"{method}: {error}") from error


def eresult_of(response: Response, unsaid: int) -> int:
    """Steam's result, `unsaid` where it gives none; 0: it is not readable."""
    written = response.headers.get("x-eresult") or str(int(unsaid))
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0


def is_refused_for_rate(response: Response) -> bool:
    """429, eresult 84, or the page that an address sees which Steam has blocked for a while (protocol §7)."""
    if response.status == 429 or response.headers.get("x-eresult") == str(int(EResult.RATE_LIMIT_EXCEEDED)):
        return True
    return response.status == 403 and b"You don't have permission to access" in response.body


def base_headers() -> dict[str, str]:
    """Without Accept-Language and a known user agent Steam answers 429 for ever (protocol §7)."""
    return {
        "User-Agent": USER_AGENT,
        "Accept-Language": "en-US,en;q=0.9",
        "Accept": "application/json, text/plain, */*",
    }


async def request(
    transport: Transport,
    method: str,
    url: str,
    *,
    params: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A request whose loss does no harm. Raises Unreachable (also for 5xx), RateLimited."""
    try:
        response = await transport.request(method, url, params=params, form=form, headers=headers)
    except ConnectionFailed as error:
        raise Unreachable(str(error)) from error
    if is_refused_for_rate(response):
        raise RateLimited(f"{method} {url.split('?')[0]}: {response.status}")
    if response.status >= 500:
        raise Unreachable(f"{method} {url.split('?')[0]}: {response.status}")
    return response
