"""The simulator's HTTP front end: Steam's three hosts on one address, by path (they don't collide), and /control beside them."""

import asyncio
import base64
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from selldesk.steamsim import calls
from selldesk.steamsim.auth import Authentication, LoginFault
from selldesk.steamsim.community import Community
from selldesk.steamsim.control import add_control_routes
from selldesk.steamsim.entities import Account, OfferRecord
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.fronts import serves
from selldesk.steamsim.viewers import Viewers, form_of, json_answer
from selldesk.steamsim.world import Refused, World
from selldesk.steamwire import protobuf
from selldesk.steamwire.enums import EResult, OfferState

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TICK_SECONDS = 0.02
INVENTORY_PAGE = 1000
_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Sorry!</title></head><body><h1>Sorry!</h1>Steam is down for maintenance.</body></html>"
)


class SteamSimulator:
    """One world behind one HTTP application."""

    def __init__(self, folder: Path, now_us: Callable[[], int], advance_clock: Callable[[int], None] | None) -> None:
        self.world = World(folder / "world.db", now_us)
        self.faults = Faults()
        self.auth = Authentication(self.world, folder)
        self.advance_clock = advance_clock
        self._viewers = Viewers(self.world, self.auth, self.faults)
        self._community = Community(self.world, self.auth, self._viewers)
        self.fronts: dict[str, Any] = {}
        """Where it listens: port, tls_port, proxy_port, ca_file."""
        self.request_log: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.world.held_sellers = lambda steamid64: self.faults.is_on("hold", now_us(), seller=steamid64) is not None
        self._ticker: asyncio.Task[None] | None = None

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._mood], client_max_size=4 * 1024 * 1024)
        add_control_routes(app, self.world, self.faults, self.advance_clock, self.request_log, self.fronts)
        route = app.router.add_route
        for method, call in {
            "GetPasswordRSAPublicKey": self.auth.public_key,
            "BeginAuthSessionViaCredentials": self.auth.begin,
            "UpdateAuthSessionWithSteamGuardCode": self.auth.answer_guard,
        }.items():
            route("*", f"/IAuthenticationService/{method}/v1{{slash:/?}}", self._auth_call(call))
        route("*", "/IAuthenticationService/PollAuthSessionStatus/v1{slash:/?}", self._auth_call(self._poll_login))
        route("*", "/IAuthenticationService/GenerateAccessTokenForApp/v1{slash:/?}", self._auth_call(self._renew))
        route("POST", "/ITwoFactorService/QueryTime/v1{slash:/?}", self._query_time)
        route("GET", "/IEconService/GetTradeOffers/v1{slash:/?}", self._get_trade_offers)
        route("GET", "/IEconService/GetTradeOffer/v1{slash:/?}", self._get_trade_offer)
        route("GET", "/IEconService/GetTradeStatus/v1{slash:/?}", self._get_trade_status)
        route("GET", "/IEconService/GetTradeHistory/v1{slash:/?}", self._get_trade_history)
        route("GET", "/IEconService/GetTradeHoldDurations/v1{slash:/?}", self._get_hold_durations)
        route("POST", "/{slash:/?}trade/new/acknowledge", self._acknowledge)
        route("GET", "/tradeoffer/new/partnerinventory{slash:/?}", self._partner_inventory)
        route("POST", "/tradeoffer/new/send", self._send)
        route("POST", "/tradeoffer/{offer:[0-9]+}/cancel", self._cancel)
        route("POST", "/tradeoffer/{offer:[0-9]+}/decline", self._decline)
        route("GET", "/inventory/{steamid:[0-9]+}/{appid:[0-9]+}/{context:[0-9]+}", self._inventory)
        self._community.add_routes(app)
        app.on_startup.append(self._start)
        app.on_cleanup.append(self._stop)
        return app

    async def _start(self, _: web.Application) -> None:
        self._ticker = asyncio.create_task(self._tick())

    async def _stop(self, _: web.Application) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        self.world.close()

    async def _tick(self) -> None:
        while True:
            try:
                self.world.tick()
            except Exception:
                logger.exception("the world stumbled; it goes on")
            await asyncio.sleep(TICK_SECONDS)

    # -- moods and identity --------------------------------------------------------------------------------------------

    @web.middleware
    async def _mood(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults that concern every call, the header filter, the request log, and the commit before the answer."""
        if request.secure and not serves(request.host, request.path):
            return web.Response(status=404, text="no such page on this host")
        if request.path.startswith("/control/"):
            response = await handler(request)
            self.world.commit()
            return response
        bot = self._viewers.identify(request)
        name = bot.steamid64 if bot is not None else None
        now_us = self.world.now_us()
        self.request_log.append({"at_us": now_us, "method": request.method, "path": request.path, "steamid64": name})
        slow = self.faults.hit("slow", now_us, name)
        if slow is not None:
            await asyncio.sleep(slow.seconds if slow.seconds is not None else 1.0)
        if self.faults.hit("maintenance", now_us, name):
            return web.Response(status=503, text=_MAINTENANCE_PAGE, content_type="text/html")
        filtered = "Accept-Language" not in request.headers and self.faults.hit("header_filter", now_us, name)
        if filtered or self.faults.hit("rate_limited", now_us, name):
            return web.Response(status=429, text="null", headers={"x-eresult": str(int(EResult.RATE_LIMIT_EXCEEDED))})
        response = await handler(request)
        self.world.commit()
        return response

    def _drop(self, request: web.Request) -> web.Response:
        """Ends the connection without an answer."""
        self.world.commit()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    # -- IAuthenticationService ----------------------------------------------------------------------------------------

    def _auth_call(self, call: Callable[[protobuf.Message], bytes]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            fields = request.query if request.method == "GET" else await request.post()
            try:
                message = protobuf.Message(base64.b64decode(str(fields.get("input_protobuf_encoded", ""))))
                body = call(message)
            except LoginFault as fault:
                return web.Response(headers={"x-eresult": str(int(fault.eresult))}, content_type="application/octet-stream")
            except ValueError:
                return web.Response(headers={"x-eresult": str(int(EResult.INVALID_PARAM))}, content_type="application/octet-stream")
            return web.Response(body=body, headers={"x-eresult": "1"}, content_type="application/octet-stream")

        return handle

    def _poll_login(self, message: protobuf.Message) -> bytes:
        body, steamid64 = self.auth.poll(message)
        if steamid64 is not None:
            self.faults.logged_in(steamid64)
        return body

    def _renew(self, message: protobuf.Message) -> bytes:
        body, steamid64 = self.auth.renew(message)
        self.faults.logged_in(steamid64)
        return body

    async def _query_time(self, request: web.Request) -> web.StreamResponse:
        return json_answer({"response": {"server_time": str(self.world.now()), "skew_tolerance_seconds": "60"}})

    # -- IEconService --------------------------------------------------------------------------------------------------

    async def _get_trade_offers(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewers.viewer(request)
        bot, now_us = viewer.steamid64, self.world.now_us()
        if self.faults.hit("poll_500", now_us, bot):
            return web.Response(status=500, text="<html><body>Internal Server Error</body></html>", content_type="text/html")
        if self.faults.hit("poll_empty", now_us, bot):
            return json_answer({"response": {"next_cursor": 0}})
        cutoff = _whole(request.query.get("time_historical_cutoff"))
        active_only = request.query.get("active_only") == "1"
        sent: list[dict[str, Any]] = []
        received: list[dict[str, Any]] = []
        late = self.faults.hit("poll_late", now_us, bot)
        for offer in self.world.offers_of(bot):
            is_open = offer.state in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION, OfferState.IN_ESCROW)
            if active_only and not is_open and not (cutoff and offer.time_updated >= cutoff):
                continue
            if not active_only and not is_open and offer.time_updated < cutoff:
                continue
            if late is not None and now_us < offer.created_us + int((late.seconds or 30) * 1_000_000):
                continue
            shown = calls.offer_json(offer, viewer, self.world, self._flapped_state(offer, bot))
            (sent if offer.sender == bot else received).append(shown)
        if self.faults.hit("poll_malformed", now_us, bot):
            sent = [{"tradeofferid": offer["tradeofferid"], "accountid_other": 0} for offer in sent]
            return json_answer({"response": {"trade_offers_sent": sent}})
        body: dict[str, Any] = {"next_cursor": 0}
        if sent and request.query.get("get_sent_offers") == "1":
            body["trade_offers_sent"] = sent
        if received and request.query.get("get_received_offers") == "1":
            body["trade_offers_received"] = received
        return json_answer({"response": body})

    def _flapped_state(self, offer: OfferRecord, bot: str) -> int | None:
        """An accepted offer shown active once more, once."""
        if offer.state == OfferState.ACCEPTED and not offer.flapped and self.faults.hit("state_flaps", self.world.now_us(), bot):
            offer.flapped = True
            self.world.touch(offer)
            return int(OfferState.ACTIVE)
        return None

    async def _get_trade_offer(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewers.viewer(request)
        offer = self.world.offers.get(request.query.get("tradeofferid", ""))
        if offer is None or viewer.steamid64 not in (offer.sender, offer.recipient):
            return json_answer({"response": {}}, EResult.NO_MATCH)
        return json_answer({"response": {"offer": calls.offer_json(offer, viewer, self.world)}})

    async def _get_trade_status(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewers.viewer(request)
        trade = self.world.trades.get(request.query.get("tradeid", ""))
        hidden = self.faults.hit("trade_status_empty", self.world.now_us(), viewer.steamid64)
        if hidden or trade is None or viewer.steamid64 not in (trade.initiator, trade.partner):
            return json_answer({"response": {}})
        return json_answer({"response": {"trades": [calls.trade_json(trade, viewer)]}})

    async def _get_trade_history(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewers.viewer(request)
        count = min(100, _whole(request.query.get("max_trades")) or 100)
        mine = [trade for trade in self.world.trades.values() if viewer.steamid64 in (trade.initiator, trade.partner)]
        after_time = _whole(request.query.get("start_after_time"))
        mine.sort(key=lambda trade: (trade.time_init, int(trade.tradeid)), reverse=True)
        if after_time:
            after_id = _whole(request.query.get("start_after_tradeid"))
            mine = [trade for trade in mine if (trade.time_init, int(trade.tradeid)) < (after_time, after_id or 0)]
        shown = [calls.trade_json(trade, viewer) for trade in mine[:count]]
        return json_answer({"response": {"more": len(mine) > count, "total_trades": len(mine), "trades": shown}})

    async def _get_hold_durations(self, request: web.Request) -> web.StreamResponse:
        self._viewers.viewer(request)
        target = self.world.accounts.get(request.query.get("steamid_target", ""))
        if target is None or request.query.get("trade_offer_access_token") != target.trade_token:
            return json_answer({"response": {}}, EResult.ACCESS_DENIED)
        theirs = 15 * 86_400 if self.world.held_sellers(target.steamid64) else 0
        parts = {"my_escrow": 0, "their_escrow": theirs, "both_escrow": theirs}
        return json_answer({"response": {name: {"escrow_end_duration_seconds": seconds} for name, seconds in parts.items()}})

    # -- community pages -----------------------------------------------------------------------------------------------

    async def _acknowledge(self, request: web.Request) -> web.StreamResponse:
        viewer = self._viewers.community_post(request, await form_of(request))
        viewer.acknowledged = True
        self.world.touch(viewer)
        return json_answer({"success": 1})

    async def _partner_inventory(self, request: web.Request) -> web.StreamResponse:
        self._viewers.viewer(request)
        query = request.query
        partner = self.world.accounts.get(query.get("partner", ""))
        if partner is None:
            return web.Response(status=403, text="null", content_type="application/json")
        items = self.world.inventory(partner.steamid64, _whole(query.get("appid")), query.get("contextid", "2"))
        return json_answer(calls.partner_inventory_json(items, _whole(query.get("start")), INVENTORY_PAGE))

    async def _inventory(self, request: web.Request) -> web.StreamResponse:
        owner, context = request.match_info["steamid"], request.match_info["context"]
        if owner not in self.world.accounts:
            return web.Response(status=403, text="null", content_type="application/json")
        viewer = self._viewers.identify(request)
        if context == "16" and (viewer is None or viewer.steamid64 != owner):
            return web.Response(status=403, text="null", content_type="application/json")
        count = _whole(request.query.get("count")) or 75
        if count > 2000:
            return web.Response(status=400, text="null", content_type="application/json")
        items = self.world.inventory(owner, _whole(request.match_info["appid"]), context)
        return json_answer(calls.inventory_json(items, count, request.query.get("start_assetid", "")))

    async def _send(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        viewer = self._viewers.community_post(request, form, from_offer_page=True)
        bot, now_us = viewer.steamid64, self.world.now_us()
        partner = self.world.accounts.get(form.get("partner", ""))
        seller = partner.steamid64 if partner is not None else None
        if self.faults.hit("send_reset", now_us, bot, seller):
            return self._drop(request)
        if self.faults.hit("send_500", now_us, bot, seller):
            return web.Response(status=500, text="")
        refused = self.faults.hit("send_error", now_us, bot, seller)
        if refused is not None:
            return json_answer({"strError": calls.send_error_text(refused.eresult or 2)}, status=500)
        try:
            if not viewer.acknowledged:
                raise Refused(EResult.INVALID_STATE, "You must acknowledge trade protection first.")
            if partner is None:
                raise Refused(EResult.ACCESS_DENIED)
            offer = self._create_offer(form, viewer, partner)
        except Refused as error:
            return json_answer({"strError": calls.send_error_text(error.eresult, error.detail)}, status=500)
        if self.faults.hit("send_created_then_reset", now_us, bot, seller):
            return self._drop(request)
        if self.faults.hit("send_created_then_500", now_us, bot, seller):
            return web.Response(status=500, text="")
        answer: dict[str, Any] = {"tradeofferid": offer.tradeofferid}
        if offer.give:
            answer |= {"needs_mobile_confirmation": True, "needs_email_confirmation": False, "email_domain": ""}
        return json_answer(answer)

    def _create_offer(self, form: dict[str, str], viewer: Account, partner: Account) -> OfferRecord:
        try:
            parameters = msgspec.json.decode(form.get("trade_offer_create_params") or "{}")
            wanted = msgspec.json.decode(form["json_tradeoffer"])
            sides = [
                [(int(asset["appid"]), str(asset["contextid"]), str(asset["assetid"])) for asset in wanted[side]["assets"]]
                for side in ("me", "them")
            ]
            token = str(parameters.get("trade_offer_access_token", ""))
        except (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError):
            raise Refused(EResult.INVALID_PARAM) from None
        return self.world.create_offer(viewer, partner, token, sides[0], sides[1], form.get("tradeoffermessage", ""))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        return await self._end(request, "sender", OfferState.CANCELED)

    async def _decline(self, request: web.Request) -> web.StreamResponse:
        return await self._end(request, "recipient", OfferState.DECLINED)

    async def _end(self, request: web.Request, side: str, state: OfferState) -> web.StreamResponse:
        viewer = self._viewers.community_post(request, await form_of(request))
        offer = self.world.offers.get(request.match_info["offer"])
        if offer is None or getattr(offer, side) != viewer.steamid64:
            return json_answer({"success": int(EResult.NO_MATCH)})
        if offer.state == OfferState.IN_ESCROW:
            self.world.abandon_hold(offer)
            return json_answer({"tradeofferid": offer.tradeofferid})
        if offer.state not in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION):
            return json_answer({"success": int(EResult.INVALID_STATE)})
        self.world.set_state(offer, state)
        return json_answer({"tradeofferid": offer.tradeofferid})


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
