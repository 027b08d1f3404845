"""Who looks at the simulated Steam: sessions by cookie or access token, and how each host tells that one is dead."""

import hashlib
from typing import Any
from urllib.parse import unquote

from selldesk.steamsim.auth import Authentication
from selldesk.steamsim.entities import Account
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.messages import Answered, Request, Response, found, json_body
from selldesk.steamsim.world import World
from selldesk.steamwire.enums import EResult

_ACCESS_DENIED = (
    "<html><head><title>Unauthorized</title></head><body><h1>Unauthorized</h1>Access is denied. Retrying will not help. "
    "Please verify your <pre>key=</pre> parameter.</body></html>"
)


class Viewers:
    def __init__(self, world: World, auth: Authentication, faults: Faults) -> None:
        self._world = world
        self._auth = auth
        self._faults = faults

    def _token(self, request: Request) -> str | None:
        token = request.query.get("access_token")
        if token is not None:
            return token
        secure = cookies_of(request).get("steamLoginSecure")
        return unquote(secure).partition("||")[2] if secure is not None else None

    def identify(self, request: Request) -> Account | None:
        token = self._token(request)
        if token:
            return self._auth.owner_of(token)
        key = request.query.get("key")
        return next((account for account in self._world.accounts.values() if api_key_of(account) == key), None) if key else None

    def viewer(self, request: Request) -> Account:
        """Whose session this is. A dead one is told as its host tells it: raises the answer."""
        account = self.identify(request)
        if account is not None and not self._faults.hit("session_expired", self._world.now_us(), account.steamid64):
            return account
        if request.path.startswith("/I"):
            raise Answered(Response(status=403, text=_ACCESS_DENIED, content_type="text/html"))
        if request.method == "GET":
            raise Answered(found("https://steamcommunity.com/login/home/?goto="))
        raise Answered(Response(status=401, text="null", content_type="application/json"))

    def community_post(self, request: Request, form: dict[str, str], from_offer_page: bool = False) -> Account:
        """A logged-in POST must repeat its session id; sending and accepting must also come from an offer's page."""
        viewer = self.viewer(request)
        session = cookies_of(request).get("sessionid")
        if not session or session != form.get("sessionid"):
            raise Answered(Response(status=400, text="null", content_type="application/json"))
        if from_offer_page and not request.headers.get("Referer", "").startswith("https://steamcommunity.com/tradeoffer/"):
            raise Answered(Response(status=400, text="null", content_type="application/json"))
        return viewer


def api_key_of(account: Account) -> str:
    """A Web API key, as the account finds it on its key page."""
    return hashlib.md5(f"api key of {account.steamid64}".encode(), usedforsecurity=False).hexdigest().upper()


def cookies_of(request: Request) -> dict[str, str]:
    """As servers read them: whatever stands between semicolons. One odd cookie must not hide the others."""
    pairs = (part.partition("=") for part in request.headers.get("Cookie", "").split(";"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def drop(request: Request) -> Response:
    """Ends the connection without an answer."""
    request.is_dropped = True
    return Response(status=500)


def form_of(request: Request) -> dict[str, str]:
    """The text fields of an urlencoded or multipart form."""
    return dict(request.form)


def json_answer(body: Any, eresult: int = EResult.OK, status: int = 200) -> Response:
    return json_body(body, status, {"x-eresult": str(int(eresult))})


def whole(text: str | None) -> int:
    """A non-negative number from a query or form; what is none counts as 0."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 21 else 0
