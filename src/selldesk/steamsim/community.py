"""Steam's pages beside the trade calls: pages of trade links, offers and receipts, mobile confirmations, profile pages."""

import html
import json
from typing import Any

from selldesk.steamsim.confirmations import Phone, confirmation_json
from selldesk.steamsim.entities import Account
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.messages import Answered, Request, Response, Routes, found
from selldesk.steamsim.viewers import Viewers, api_key_of, json_answer
from selldesk.steamsim.world import World, unavailable_text


def _error_page(text: str) -> Response:
    return Response(text=f'<html><body><div id="error_msg"> {html.escape(text)} </div></body></html>', content_type="text/html")


def _script_text(value: Any) -> str:
    """JSON that may stand in a page's script: a name can't end it."""
    return json.dumps(value).replace("</", "<\\/")


class Community:
    def __init__(self, world: World, faults: Faults, viewers: Viewers) -> None:
        self._world = world
        self._faults = faults
        self._viewers = viewers

    def add_routes(self, routes: Routes) -> None:
        route = routes.add
        route("GET", "/tradeoffer/new/", self._trade_page)
        route("GET", "/tradeoffer/{offer:[0-9]+}{slash:/?}", self._offer_page)
        route("GET", "/trade/{trade:[0-9]+}/receipt", self._receipt)
        route("GET", "/mobileconf/details/{confirmation:[0-9]+}", self._confirmation_details)
        route("GET", "/mobileconf/{what:getlist|conf}", self._confirmations)
        route("GET", "/mobileconf/ajaxop", self._act)
        route("POST", "/mobileconf/multiajaxop", self._act_on_many)
        route("GET", "/my", self._my)
        route("GET", "/my/", self._my)
        route("GET", "/profiles/{steamid:[0-9]+}{slash:/?}", self._profile_page)
        route("GET", "/profiles/{steamid:[0-9]+}/tradeoffers/privacy", self._trade_link_page)
        route("GET", "/dev/apikey", self._api_key_page)

    # -- trading pages -------------------------------------------------------------------------------------------------

    async def _trade_page(self, request: Request) -> Response:
        """The page behind a trade link: hold days and names, as script that a program may run."""
        viewer = self._viewers.viewer(request)
        partner = self._world.account_by_number(request.query.get("partner", ""))
        if partner is None or request.query.get("token") != partner.trade_token:
            text = "This Trade URL is no longer valid for sending a trade offer."
            return _error_page(text)
        if partner.banned_until > self._world.now():
            return _error_page(unavailable_text(partner))
        return self._trade_script(viewer, partner)

    def _trade_script(self, viewer: Account, partner: Account, more: tuple[str, ...] = ()) -> Response:
        theirs = 15 if self._world.held_sellers(partner.steamid64) else 0
        mine = 15 if self._faults.hit("own_escrow", self._world.now_us(), viewer.steamid64, partner.steamid64) else 0
        script = "\n".join(
            [
                "var g_rgAppContextData = {};",
                "var g_rgPartnerAppContextData = {};",
                f"var g_strYourPersonaName = {_script_text(viewer.persona)};",
                f"var g_strTradePartnerPersonaName = {_script_text(partner.persona)};",
                "var g_bTradePartnerProbation = false;",
                f"var g_daysMyEscrow = {mine};",
                f"var g_daysTheirEscrow = {theirs};",
                *more,
            ]
        )
        pictures = "".join(
            f'<img src="https://avatars.steamstatic.com/0_medium.jpg" data-miniprofile="{account.number}">'
            for account in (viewer, partner)
        )
        page = f'<html><body>{pictures}\n\t<script type="text/javascript">\n{script}\n</script></body></html>'
        return Response(text=page, content_type="text/html")

    async def _offer_page(self, request: Request) -> Response:
        """The page of one offer: who the partner is."""
        viewer = self._viewers.viewer(request)
        offer = self._world.offers.get(request.match_info["offer"])
        if offer is None or viewer.steamid64 not in (offer.sender, offer.recipient):
            text = "This trade offer does not exist."
            return _error_page(text)
        partner = self._world.accounts[offer.recipient if offer.sender == viewer.steamid64 else offer.sender]
        return self._trade_script(viewer, partner, (f"var g_ulTradePartnerSteamID = '{partner.steamid64}';",))

    async def _receipt(self, request: Request) -> Response:
        """What an exchange brought the viewer, as script."""
        viewer = self._viewers.viewer(request)
        trade = self._world.trades.get(request.match_info["trade"])
        if trade is None or viewer.steamid64 not in (trade.initiator, trade.partner):
            return Response(status=403, text='{"success": false}', content_type="application/json")
        lines = ["\tvar oItem;"]
        for place, given in enumerate(trade.received if trade.initiator == viewer.steamid64 else trade.given):
            item = {
                "id": given.new_assetid or given.assetid, "owner": viewer.steamid64, "amount": str(given.amount),
                "classid": given.classid, "instanceid": given.instanceid, "appid": given.appid,
                "contextid": given.new_contextid or given.contextid,
                "name": given.market_hash_name, "market_name": given.market_hash_name, "market_hash_name": given.market_hash_name,
            }  # fmt: skip
            lines += [
                f"\toItem = {_script_text(item)};",
                "\toItem.appid = " + str(given.appid) + ";",
                f"\tBuildHover( 'trade_receipt_item_{place}', oItem, UserYou );",
            ]
        script = "\r\n".join(lines)
        page = f'<html><body><script type="text/javascript">\r\n{script}\r\n</script></body></html>'
        return Response(text=page, content_type="text/html")

    # -- the phone -----------------------------------------------------------------------------------------------------

    def _phone(self, request: Request, query: dict[str, str]) -> Phone | None:
        viewer = self._viewers.identify(request)
        if viewer is None or self._faults.hit("session_expired", self._world.now_us(), viewer.steamid64):
            return None
        skewed = self._faults.is_on("clock_skew", self._world.now_us())
        phone = Phone(self._world, viewer, int(skewed.seconds or 60) if skewed is not None else 0)
        return phone if phone.is_his(query) else None

    async def _confirmations(self, request: Request) -> Response:
        phone = self._phone(request, dict(request.query))
        if phone is None:
            return json_answer({"success": False, "needauth": True})
        lines = []
        is_empty = self._faults.hit("phone_empty", self._world.now_us(), request.query["a"])
        for one in () if is_empty else phone.open():
            mine = request.query["a"] == one.offer.sender
            other = self._world.accounts[one.offer.recipient if mine else one.offer.sender]
            lines.append(confirmation_json(one, other))
        return json_answer({"success": True, "conf": lines})

    async def _confirmation_details(self, request: Request) -> Response:
        phone = self._phone(request, dict(request.query))
        wanted = request.match_info["confirmation"]
        one = None if phone is None else next((one for one in phone.open() if one.id == wanted), None)
        if one is None:
            return json_answer({"success": False})
        offer_id = one.offer.tradeofferid
        return json_answer({"success": True, "html": f'<div class="tradeoffer" id="tradeofferid_{offer_id}"></div>'})

    async def _act(self, request: Request) -> Response:
        query = dict(request.query)
        return self._act_on(request, query, [(query.get("cid", ""), query.get("ck", ""))])

    async def _act_on_many(self, request: Request) -> Response:
        """`cid[]` and `ck[]`, or numbered as `cid[0]` …: clients write lists either way."""
        posted = request.form
        query = {name: str(value) for name, value in posted.items()}
        ids = [str(value) for name, value in posted.items() if name.startswith("cid[")]
        keys = [str(value) for name, value in posted.items() if name.startswith("ck[")]
        return self._act_on(request, query, list(zip(ids, keys, strict=False)))

    def _act_on(self, request: Request, query: dict[str, str], pairs: list[tuple[str, str]]) -> Response:
        phone = self._phone(request, query)
        if phone is None or not pairs or self._faults.hit("phone_fails", self._world.now_us(), query["a"]):
            return json_answer({"success": False})
        done = [phone.act(cid, ck, query.get("op", ""), query.get("tag", "")) for cid, ck in pairs]
        return json_answer({"success": all(done)})

    # -- profiles ------------------------------------------------------------------------------------------------------

    async def _my(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        raise Answered(found(f"https://steamcommunity.com/profiles/{viewer.steamid64}/"))

    async def _profile_page(self, request: Request) -> Response:
        """`?xml=1` is what programs read."""
        account = self._world.accounts.get(request.match_info["steamid"])
        if account is None:
            return Response(status=404, text="The specified profile could not be found.", content_type="text/html")
        name = html.escape(account.persona)
        if request.query.get("xml") == "1":
            page = f'<?xml version="1.0" encoding="UTF-8"?><profile><steamID64>{account.steamid64}</steamID64><steamID>{name}</steamID></profile>'
            return Response(text=page, content_type="text/xml")
        return Response(text=f"<html><head><title>Steam Community :: {name}</title></head></html>", content_type="text/html")

    async def _api_key_page(self, request: Request) -> Response:
        """Programs that still use a Web API key read it here; GetTradeOffers shows nothing for it (protocol §2.1)."""
        viewer = self._viewers.viewer(request)
        page = f"<html><body><h2>Your Steam Web API Key</h2><p>Key: {api_key_of(viewer)}</p><p>Domain Name: localhost</p></body></html>"
        return Response(text=page, content_type="text/html")

    async def _trade_link_page(self, request: Request) -> Response:
        viewer: Account = self._viewers.viewer(request)
        link = f"https://steamcommunity.com/tradeoffer/new/?partner={viewer.number}&token={viewer.trade_token}"
        page = f'<html><body><input type="text" id="trade_offer_access_url" value="{html.escape(link)}"></body></html>'
        return Response(text=page, content_type="text/html")
