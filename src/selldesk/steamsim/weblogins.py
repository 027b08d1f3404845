"""Web logins of the simulated Steam: a refresh token becomes cookies on five hosts, is renewed, and is forgotten (protocol §3.2)."""

import html
import json
import secrets
from urllib.parse import quote, unquote

from selldesk.steamsim.auth import ACCESS_SECONDS, Authentication
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.fronts import TOKEN_HOSTS
from selldesk.steamsim.messages import Answered, Request, Response, Routes, found
from selldesk.steamsim.viewers import Viewers, cookies_of, form_of, json_answer
from selldesk.steamsim.world import World
from selldesk.steamwire.enums import EResult

_LOGIN_HOSTS = (*TOKEN_HOSTS[:2], "steamcommunity.com", *TOKEN_HOSTS[2:])
"""store, help, community, checkout, steam.tv: all five, or clients call the login incomplete (protocol §3.2)."""


class WebLogins:
    def __init__(self, world: World, auth: Authentication, faults: Faults, viewers: Viewers) -> None:
        self._world = world
        self._auth = auth
        self._faults = faults
        self._viewers = viewers

    def add_routes(self, routes: Routes) -> None:
        route = routes.add
        route("POST", "/jwt/finalizelogin", self._finalize_login)
        route("GET", "/jwt/refresh", self._refresh)
        route("*", "/login/settoken", self._set_token)
        route("POST", "/login/logout/", self._logout)
        route("GET", "/login/home/", self._login_page)
        route("*", "/", self._front_page)

    async def _finalize_login(self, request: Request) -> Response:
        """A web browser's refresh token → one transfer a host."""
        form = form_of(request)
        account = self._auth.owner_of(form.get("nonce", ""), needs="derive")
        if account is None:
            return json_answer({"success": False, "error": int(EResult.ACCESS_DENIED)})
        transfers = [
            {"url": f"https://{host}/login/settoken", "params": {"nonce": form["nonce"], "auth": account.trade_token}}
            for host in _LOGIN_HOSTS
        ]
        answer = json_answer(
            {
                "steamID": account.steamid64,
                "redir": form.get("redir", ""),
                "transfer_info": transfers,
                "primary_domain": "steamcommunity.com",
            }
        )
        _set_cookie(answer, "steamRefresh_steam", f"{account.steamid64}||{form['nonce']}")
        return answer

    async def _set_token(self, request: Request) -> Response:
        form = form_of(request) if request.method == "POST" else dict(request.query)
        account = self._auth.owner_of(form.get("nonce", ""), needs="derive")
        if account is None or form.get("steamID", account.steamid64) != account.steamid64:
            return json_answer({"result": int(EResult.ACCESS_DENIED)})
        self._faults.logged_in(account.steamid64)
        answer = json_answer({"result": 1, "rtExpiry": self._world.now() + ACCESS_SECONDS})
        _set_cookie(
            answer, "steamLoginSecure", f"{account.steamid64}||{self._auth.issue(account, ACCESS_SECONDS, ['web:community'])}"
        )
        return answer

    async def _refresh(self, request: Request) -> Response:
        """The web's renewal: the refresh cookie → a redirect that sets a fresh one."""
        cookie = unquote(cookies_of(request).get("steamRefresh_steam", ""))
        account = self._auth.owner_of(cookie.partition("||")[2], needs="derive")
        if account is None:
            raise Answered(found("https://steamcommunity.com/login/home/"))
        target = f"https://steamcommunity.com/login/settoken?steamID={account.steamid64}&nonce={quote(cookie.partition('||')[2])}"
        raise Answered(found(f"{target}&redir={quote(request.query.get('redir', ''), safe='')}"))

    async def _logout(self, request: Request) -> Response:
        answer = found("https://steamcommunity.com/")
        answer.cookies.append("steamLoginSecure=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; Path=/")
        return answer

    async def _login_page(self, request: Request) -> Response:
        """Where dead sessions are sent."""
        return Response(
            text="<html><head><title>Sign In</title></head><body>g_steamID = false;</body></html>", content_type="text/html"
        )

    async def _front_page(self, request: Request) -> Response:
        """Where some clients fetch their first cookies, and look whether they are logged in."""
        viewer = self._viewers.identify(request)
        if viewer is not None and self._faults.hit("session_expired", self._world.now_us(), viewer.steamid64):
            viewer = None
        who = json.dumps(viewer.steamid64) if viewer is not None else "false"
        name = f'<span id="account_pulldown">{html.escape(viewer.login)}</span>' if viewer is not None else ""
        page = (
            f"<html><head><title>Steam Community</title></head><body>{name}\n"
            f'<script type="text/javascript">\n\tg_steamID = {who};\n</script></body></html>'
        )
        answer = Response(text=page, content_type="text/html")
        if "sessionid" not in cookies_of(request):
            _set_cookie(answer, "sessionid", secrets.token_hex(12))
        _set_cookie(answer, "steamCountry", "DE|0000000000000000")
        return answer


def _set_cookie(answer: Response, name: str, value: str) -> None:
    answer.cookies.append(f"{name}={quote(value, safe='')}; Path=/; Secure; HttpOnly; SameSite=None")
