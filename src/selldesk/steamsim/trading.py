"""Trading on the simulated Steam's community host: send, cancel, decline, accept, the protection notice, inventories."""

import asyncio
from typing import Any

import msgspec

from selldesk.steamsim import calls
from selldesk.steamsim.entities import Account, OfferRecord
from selldesk.steamsim.faults import FaultRequest, Faults
from selldesk.steamsim.messages import Request, Response, Routes
from selldesk.steamsim.viewers import Viewers, drop, form_of, json_answer, whole
from selldesk.steamsim.world import Refused, World
from selldesk.steamwire.enums import EResult, OfferState

INVENTORY_PAGE = 1000
_INVENTORY_COUNT_MAX = 2000
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_ACCEPT_FAILED = "There was an error accepting this trade offer.  Please try again later."
_SERVER_DOWN = (
    "We were unable to contact the game's item server. The game's item server may be down or Steam may be experiencing"
    " temporary connectivity issues."
)


class Trading:
    def __init__(self, world: World, faults: Faults, viewers: Viewers) -> None:
        self._world = world
        self._faults = faults
        self._viewers = viewers

    def add_routes(self, routes: Routes) -> None:
        route = routes.add
        route("POST", "/{slash:/?}trade/new/acknowledge", self._acknowledge)
        route("GET", "/tradeoffer/new/partnerinventory{slash:/?}", self._partner_inventory)
        route("POST", "/tradeoffer/new/send", self._send)
        route("POST", "/tradeoffer/{offer:[0-9]+}/accept", self._accept)
        route("POST", "/tradeoffer/{offer:[0-9]+}/cancel", self._cancel)
        route("POST", "/tradeoffer/{offer:[0-9]+}/decline", self._decline)
        route("GET", "/inventory/{steamid:[0-9]+}/{appid:[0-9]+}/{context:[0-9]+}", self._inventory)

    def _hit(self, fault: str, bot: str, partner: str | None = None, game: int | None = None) -> FaultRequest | None:
        return self._faults.hit(fault, self._world.now_us(), bot, partner, game)

    async def _acknowledge(self, request: Request) -> Response:
        viewer = self._viewers.community_post(request, form_of(request))
        viewer.acknowledged = True
        self._world.touch(viewer)
        return json_answer({"success": 1})

    # -- sending -------------------------------------------------------------------------------------------------------

    async def _send(self, request: Request) -> Response:
        form = form_of(request)
        viewer = self._viewers.community_post(request, form, from_offer_page=True)
        partner = self._world.accounts.get(form.get("partner", ""))
        bot, seller = viewer.steamid64, partner.steamid64 if partner is not None else None
        try:
            sides, token = _wanted(form)
            game = next((appid for appid, *_ in [*sides[1], *sides[0]]), None)
            answer = self._refuse_to_send(request, bot, seller, game, gives=bool(sides[0]))
            if answer is not None:
                return answer
            if self._hit("acknowledge_forgotten", bot, seller, game):
                viewer.acknowledged = False
            if not viewer.acknowledged:
                raise Refused(EResult.INVALID_STATE, "You must acknowledge trade protection first.")
            if partner is None:
                raise Refused(EResult.ACCESS_DENIED)
            countered = self._world.offers.get(form.get("tradeofferid_countered", ""))
            message = form.get("tradeoffermessage", "")
            offer = self._world.create_offer(viewer, partner, token, sides[0], sides[1], message, countered)
        except Refused as error:
            return json_answer({"strError": calls.send_error_text(error.eresult, error.detail)}, status=500)
        if self._hit("send_needs_confirmation", bot, seller, game):
            self._world.set_state(offer, OfferState.NEEDS_CONFIRMATION)
        lost = self._lose_answer(request, bot, seller, game)
        if lost is not None:
            return lost
        late = self._hit("send_answers_late", bot, seller, game)
        if late is not None:
            self._world.commit()
            await asyncio.sleep(late.seconds or 1.0)
        sent: dict[str, Any] = {"tradeofferid": offer.tradeofferid}
        if offer.state == OfferState.NEEDS_CONFIRMATION:
            sent |= {"needs_mobile_confirmation": True, "needs_email_confirmation": False, "email_domain": ""}
        return json_answer(sent)

    def _refuse_to_send(self, request: Request, bot: str, seller: str | None, game: int | None, gives: bool) -> Response | None:
        """The moods in which no offer is created."""
        if self._hit("send_reset", bot, seller, game):
            return drop(request)
        if self._hit("send_500", bot, seller, game):
            return Response(status=500, text="")
        if self._hit("send_502", bot, seller, game):
            return Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
        refused = self._hit("send_error", bot, seller, game)
        if refused is not None:
            raise Refused(refused.eresult or EResult.FAIL, refused.text or "")
        given = self._hit("give_refused", bot, seller, game) if gives else None
        if given is not None:
            raise Refused(given.eresult or EResult.ACCESS_DENIED, given.text or "")
        if self._hit("item_server_down", bot, seller, game):
            raise Refused(EResult.SERVICE_UNAVAILABLE, _SERVER_DOWN)
        if self._hit("inventory_full", bot, seller, game):
            raise Refused(
                EResult.ACCESS_DENIED, "You have exceeded the maximum number of items allowed in your Counter-Strike 2 inventory."
            )
        return None

    def _lose_answer(self, request: Request, bot: str, seller: str | None, game: int | None) -> Response | None:
        """The moods in which the offer was created all the same."""
        if self._hit("send_created_then_reset", bot, seller, game):
            self._world.commit()
            return drop(request)
        if self._hit("send_created_then_500", bot, seller, game):
            return Response(status=500, text="")
        if self._hit("send_created_then_502", bot, seller, game):
            return Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
        failed = self._hit("send_created_then_error", bot, seller, game)
        if failed is not None:
            return json_answer({"strError": calls.send_error_text(failed.eresult or EResult.TIMEOUT)}, status=500)
        return None

    # -- ending an offer -----------------------------------------------------------------------------------------------

    async def _cancel(self, request: Request) -> Response:
        viewer = self._viewers.community_post(request, form_of(request))
        offer = self._world.offers.get(request.match_info["offer"])
        if offer is None or offer.sender != viewer.steamid64:
            return json_answer({"success": int(EResult.NO_MATCH)})
        refused = self._hit("cancel_refused", viewer.steamid64, offer.recipient)
        if refused is not None:
            return json_answer({"success": refused.eresult or int(EResult.INVALID_STATE)})
        if self._hit("cancel_ignored", viewer.steamid64, offer.recipient):
            return json_answer({"tradeofferid": offer.tradeofferid})
        if offer.state == OfferState.ACTIVE and self._hit("cancel_loses_race", viewer.steamid64, offer.recipient):
            self._world.accept(offer)
        answer = self._end(offer, OfferState.CANCELED)
        if self._hit("cancel_500", viewer.steamid64, offer.recipient):
            return Response(status=500, text="")
        return answer

    async def _decline(self, request: Request) -> Response:
        viewer = self._viewers.community_post(request, form_of(request))
        offer = self._world.offers.get(request.match_info["offer"])
        if offer is None or offer.recipient != viewer.steamid64 or offer.state == OfferState.NEEDS_CONFIRMATION:
            return json_answer({"success": int(EResult.NO_MATCH)})
        return self._end(offer, OfferState.DECLINED)

    def _end(self, offer: OfferRecord, state: OfferState) -> Response:
        if offer.state == OfferState.IN_ESCROW:
            self._world.abandon_hold(offer)
        elif offer.state in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION):
            self._world.set_state(offer, state)
        else:
            return json_answer({"success": int(EResult.INVALID_STATE)})
        return json_answer({"tradeofferid": offer.tradeofferid})

    async def _accept(self, request: Request) -> Response:
        """The recipient accepts. What they give, they must still confirm on the phone."""
        viewer = self._viewers.community_post(request, form_of(request), from_offer_page=True)
        offer = self._world.offers.get(request.match_info["offer"])
        if offer is None or offer.recipient != viewer.steamid64 or offer.state == OfferState.NEEDS_CONFIRMATION:
            return _accept_error(EResult.NO_MATCH)
        failed = self._hit("accept_error", viewer.steamid64, offer.sender)
        if failed is not None:
            return _accept_error(failed.eresult or EResult.ALREADY_REDEEMED)
        if offer.state != OfferState.ACTIVE:
            return _accept_error(EResult.INVALID_STATE)
        if offer.receive:
            offer.accepted_on_web = offer.answered = True
            self._world.touch(offer)
            return json_answer({"needs_mobile_confirmation": True, "needs_email_confirmation": False, "email_domain": ""})
        self._world.accept(offer)
        return json_answer({"tradeid": offer.tradeid})

    # -- inventories ---------------------------------------------------------------------------------------------------

    async def _partner_inventory(self, request: Request) -> Response:
        """What the trade page loads: of the partner, or with the viewer's own id, their own."""
        viewer: Account = self._viewers.viewer(request)
        query = request.query
        game = whole(query.get("appid"))
        partner = self._world.accounts.get(query.get("partner", ""))
        other = partner.steamid64 if partner is not None else None
        if self._hit("inventory_500", viewer.steamid64, other, game):
            return Response(status=500, text="null", content_type="application/json")
        if partner is None or self._hit("inventory_private", viewer.steamid64, other, game):
            return Response(status=403, text="null", content_type="application/json")
        items = self._world.inventory(partner.steamid64, game, query.get("contextid", "2"))
        body = calls.partner_inventory_json(items, whole(query.get("start")), INVENTORY_PAGE)
        if items and self._hit("inventory_no_descriptions", viewer.steamid64, other, game):
            body["rgDescriptions"] = []
        elif items and self._hit("inventory_locked", viewer.steamid64, other, game):
            for description in body["rgDescriptions"].values():
                description["tradable"] = 0
        return json_answer(body)

    async def _inventory(self, request: Request) -> Response:
        """The public page. Context 16 shows its owner alone what is protected (protocol §5.4)."""
        owner, context = request.match_info["steamid"], request.match_info["context"]
        game = whole(request.match_info["appid"])
        viewer = self._viewers.identify(request)
        is_his = viewer is not None and viewer.steamid64 == owner
        who = viewer.steamid64 if viewer is not None else None
        if owner not in self._world.accounts or (context == "16" and not is_his):
            return Response(status=403, text="null", content_type="application/json")
        if not is_his and self._faults.hit("inventory_private", self._world.now_us(), who, owner, game):
            return Response(status=403, text="null", content_type="application/json")
        count = whole(request.query.get("count")) or 75
        if count > _INVENTORY_COUNT_MAX:
            return Response(status=400, text="null", content_type="application/json")
        if is_his and self._faults.hit("own_inventory_500", self._world.now_us(), who, None, game):
            return Response(status=500, text="null", content_type="application/json")
        items = self._world.inventory(owner, game, context)
        if is_his and self._faults.hit("own_inventory_empty", self._world.now_us(), who, None, game):
            items = []
        return json_answer(calls.inventory_json(items, count, request.query.get("start_assetid", "")))


def _wanted(form: dict[str, str]) -> tuple[list[list[tuple[int, str, str, int]]], str]:
    """(assets of both sides, the trade link's token). Raises Refused for a form that Steam can't read."""
    try:
        parameters = msgspec.json.decode(form.get("trade_offer_create_params") or "{}")
        wanted = msgspec.json.decode(form["json_tradeoffer"])
        sides = [
            [
                (int(asset["appid"]), str(asset["contextid"]), str(asset["assetid"]), int(asset.get("amount", 1)))
                for asset in wanted[side]["assets"]
            ]
            for side in ("me", "them")
        ]
        return sides, str(parameters.get("trade_offer_access_token", ""))
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError):
        raise Refused(EResult.INVALID_PARAM) from None


def _accept_error(eresult: int) -> Response:
    return json_answer({"strError": f"{_ACCEPT_FAILED} ({int(eresult)})"}, status=500)
