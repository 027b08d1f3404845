"""The calls of a selling market's bot, one method each, with typed answers (protocol §3.2). Base URLs come from the session."""

import hashlib
import html
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from selldesk.steam.errors import read_send_error
from selldesk.steam.results import (
    Asset,
    Confirmation,
    Exchange,
    Inventory,
    InventoryItem,
    Malformed,
    NeedsConfirmation,
    NotLoggedIn,
    Offer,
    OfferLists,
    RateLimited,
    Rejected,
    ResultFault,
    SendResult,
    SendUnknown,
    Sent,
    TradePage,
    Unreachable,
)
from selldesk.steam.session import SteamSession, base_headers, eresult_of, is_refused_for_rate, request
from selldesk.steam.transport import ConnectionFailed, Response
from selldesk.steamwire.enums import EResult
from selldesk.steamwire.guard import confirmation_key
from selldesk.steamwire.tradelink import STEAMID64_BASE, TradeLink

_COMMUNITY_NAME = "https://steamcommunity.com"
"""Referer and Origin stay the real names wherever the base URL points: Steam rejects sends without them."""
_LANGUAGE = "en"
_CONFIRMS_TRADE = 2
"""The type of a trade's confirmation (protocol §4)."""
_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)(?:</script>|\Z)", re.DOTALL | re.IGNORECASE)
"""Elsewhere on a page, as in its title, a name may hold lines of its own."""
_OWN_HOLD_DAYS = re.compile(r"^[ \t]*var g_daysMyEscrow = (\d{1,4});[ \t\r]*$", re.MULTILINE)
_HOLD_DAYS = re.compile(r"^[ \t]*var g_daysTheirEscrow = (\d{1,4});[ \t\r]*$", re.MULTILINE)
_PERSONA = re.compile(r'^[ \t]*var g_strTradePartnerPersonaName = ("(?:[^"\\]|\\.)*");[ \t\r]*$', re.MULTILINE)
_PAGE_ERROR = re.compile(r'<div id="error_msg">(.*?)</div>', re.DOTALL)
"""What Steam writes on a line of its own. A name is written inside a string, where a line can't end."""
_PERSONAS_MAX = 2_000
_PAGES_MAX = 200
"""No reading goes on without end: 200 pages are 200,000 assets or offers."""


class SteamClient:
    def __init__(self, session: SteamSession) -> None:
        self.session = session
        self._personas: dict[str, str] = {}
        """SteamID64 → the name that the trade page showed last."""

    def _remember_name(self, steamid64: str, written: str) -> None:
        try:
            name = msgspec.json.decode(written.encode())
        except msgspec.MsgspecError:
            return
        while len(self._personas) >= _PERSONAS_MAX:
            del self._personas[next(iter(self._personas))]
        self._personas[steamid64] = str(name)

    # -- before an offer -----------------------------------------------------------------------------------------------

    async def acknowledge_protection(self) -> None:
        """The trade-protection notice, once an account: without it offers fail or hang (protocol §3.2)."""
        form = {"sessionid": self.session.session_id, "message": "1"}
        await self._community("POST", "/trade/new/acknowledge", form=form)

    async def hold_seconds(self, link: TradeLink) -> int | None:
        """How long Steam would hold the seller's items; None if Steam doesn't say: then ask the trade page."""
        params = {"steamid_target": link.steamid64, "trade_offer_access_token": link.token}
        try:
            answer = await self._api("IEconService/GetTradeHoldDurations", params)
            return int(answer["response"]["their_escrow"]["escrow_end_duration_seconds"])
        except (KeyError, TypeError, ValueError, ResultFault):
            return None

    async def own_hold_seconds(self, link: TradeLink) -> int:
        """How long Steam would hold what this bot gives them; 0 if it says nothing of a hold."""
        params = {"steamid_target": link.steamid64, "trade_offer_access_token": link.token}
        try:
            answer = await self._api("IEconService/GetTradeHoldDurations", params)
            return int(answer["response"]["my_escrow"]["escrow_end_duration_seconds"])
        except (KeyError, TypeError, ValueError, ResultFault):
            return (await self.trade_page(link)).own_hold_seconds

    async def trade_page(self, link: TradeLink) -> TradePage:
        """The page behind the trade link: asked where GetTradeHoldDurations says nothing (protocol §5.5)."""
        params = {"partner": str(link.account), "token": link.token}
        response = await self._community_raw("GET", "/tradeoffer/new/", params=params, referer=link.url)
        text = response.body.decode("utf-8", "replace")
        script = "\n".join(_SCRIPT.findall(text))
        persona = _PERSONA.search(script)
        if persona is not None:
            self._remember_name(link.steamid64, persona.group(1))
        days, own_days = _HOLD_DAYS.search(script), _OWN_HOLD_DAYS.search(script)
        if days is not None:
            return TradePage(int(days.group(1)) * 86_400, None, int(own_days.group(1)) * 86_400 if own_days is not None else 0)
        error = _PAGE_ERROR.search(text)
        if error is None:
            return TradePage(None, None)
        told = read_send_error(html.unescape(error.group(1)).strip(), self._names_of(link.steamid64))
        return TradePage(None, told if isinstance(told, Rejected) else None)

    def _names_of(self, steamid64: str) -> tuple[str, ...]:
        """What a partner is called, as far as their trade page has told: cut out of Steam's texts before anything is looked for in them."""
        name = self._personas.get(steamid64)
        return (name,) if name else ()

    async def partner_inventory(self, link: TradeLink, appid: int, contextid: str) -> Inventory:
        """The seller's inventory as an offer to them would see it: the only view with recently traded CS2 items.

        Raises Malformed for an answer that is no word about the seller.
        """
        items: dict[str, InventoryItem] = {}
        unreadable: set[str] = set()
        start = ""
        for _ in range(_PAGES_MAX):
            params = {
                "sessionid": self.session.session_id,
                "partner": link.steamid64,
                "appid": str(appid),
                "contextid": contextid,
            }
            if start:
                params["start"] = start
            response = await self._community_raw("GET", "/tradeoffer/new/partnerinventory/", params=params, referer=link.url)
            if response.status == 403 and response.body.strip() == b"null":
                return Inventory({}, private=True)
            if response.status in (401, 403):
                raise NotLoggedIn(f"partnerinventory: {response.status}")
            page = _json_object(response)
            if page.get("success") is not True:
                if any("private" in str(page.get(name, "")).lower() for name in ("error", "Error")):
                    return Inventory({}, private=True)
                raise Malformed("partnerinventory without success")
            found, missing = _inventory_page(page)
            items.update(found)
            unreadable |= missing
            if not page.get("more"):
                return Inventory(items, unreadable=frozenset(unreadable))
            before, start = start, str(page.get("more_start", ""))
            if not start.isdigit() or start == before:
                raise Malformed("partnerinventory promises more, but not where")
        raise Malformed("partnerinventory without end")

    async def own_inventory(self, appid: int, contextid: str) -> Inventory:
        """The bot's own inventory of one game and context; 16 holds what is under trade protection (protocol §5.4). Steam limits this
        page more tightly than any other. Raises Malformed."""
        items: dict[str, InventoryItem] = {}
        unreadable: set[str] = set()
        start = ""
        for _ in range(_PAGES_MAX):
            params = {"l": "english", "count": "1000", "preserve_bbcode": "1"}
            if start:
                params["start_assetid"] = start
            path = f"/inventory/{self.session.steamid64}/{appid}/{contextid}"
            response = await self._community_raw("GET", path, params=params)
            if response.status in (401, 403):
                raise NotLoggedIn(f"inventory: {response.status}")
            page = _json_object(response)
            if page.get("success") not in (1, True):
                raise Malformed("inventory without success")
            found, missing = _own_page(page)
            items.update(found)
            unreadable |= missing
            if not page.get("more_items"):
                return Inventory(items, unreadable=frozenset(unreadable))
            before, start = start, str(page.get("last_assetid", ""))
            if not start.isdigit() or start == before:
                raise Malformed("inventory promises more, but not where")
        raise Malformed("an inventory without end")

    # -- offers --------------------------------------------------------------------------------------------------------

    async def send(self, link: TradeLink, assets: list[Asset], message: str, given: Sequence[Asset] = ()) -> SendResult:
        """Asks the partner for items, or gives them some. Raises NotLoggedIn, RateLimited (certainly no offer), Throttled, Unreachable (not
        even sent)."""
        session = self.session
        mine, theirs = (
            [{"appid": a.appid, "contextid": a.contextid, "amount": 1, "assetid": a.assetid} for a in side]
            for side in (given, assets)
        )
        offer = {
            "newversion": True,
            "version": len(mine) + len(theirs) + 1,
            "me": {"assets": mine, "currency": [], "ready": False},
            "them": {"assets": theirs, "currency": [], "ready": False},
        }
        form = {
            "sessionid": session.session_id,
            "serverid": "1",
            "partner": link.steamid64,
            "tradeoffermessage": message,
            "json_tradeoffer": msgspec.json.encode(offer).decode(),
            "captcha": "",
            "trade_offer_create_params": msgspec.json.encode({"trade_offer_access_token": link.token}).decode(),
            "tradeofferid_countered": "",
        }
        headers = self._headers(link.url)
        url = f"{session.urls.community}/tradeoffer/new/send"
        try:
            response = await session.transport.request("POST", url, form=form, headers=headers)
        except ConnectionFailed as error:
            if not error.sent:
                raise Unreachable(str(error)) from error
            return SendUnknown(str(error))
        if is_refused_for_rate(response):
            raise RateLimited(f"send: {response.status}")
        if response.status == 401 or _is_login_redirect(response):
            raise NotLoggedIn(f"send: {response.status}")
        return _read_send(response, self._names_of(link.steamid64))

    async def cancel(self, offer_id: str) -> None:
        """Asks Steam to cancel our offer. Whatever it answers, only a reading of the offer tells (protocol §9 no. 20)."""
        await self._community("POST", f"/tradeoffer/{offer_id}/cancel", form={"sessionid": self.session.session_id})

    async def decline(self, offer_id: str) -> None:
        """Declines a received offer."""
        await self._community("POST", f"/tradeoffer/{offer_id}/decline", form={"sessionid": self.session.session_id})

    async def offers(self, cutoff_seconds: int, active_only: bool, lists: OfferLists | None = None) -> OfferLists:
        """All pages, into `lists`. Offers that can't be read are left out, and the lists are then called incomplete.

        If a page fails, `lists` holds the ones before it: the same call with it goes on from there.
        """
        lists = lists if lists is not None else OfferLists()
        while lists.cursor is not None:
            lists.pages += 1
            if lists.pages > _PAGES_MAX:
                raise Malformed("a list of offers without end")
            params = {
                "get_sent_offers": "1",
                "get_received_offers": "1",
                "get_descriptions": "0",
                "language": _LANGUAGE,
                "active_only": "1" if active_only else "0",
                "historical_only": "0",
                "time_historical_cutoff": str(cutoff_seconds),
                "cursor": lists.cursor,
            }
            page = (await self._api("IEconService/GetTradeOffers", params)).get("response")
            if not isinstance(page, dict):
                raise Malformed("GetTradeOffers without a response")
            for known, raw in (
                (lists.sent, page.get("trade_offers_sent")),
                (lists.received, page.get("trade_offers_received")),
            ):
                readable = _offers(raw)
                lists.complete = lists.complete and len(readable) == (len(raw) if isinstance(raw, list) else 0)
                known += readable
            following = str(page.get("next_cursor") or "0")
            lists.cursor = None if following in ("0", lists.cursor) else following
        return lists

    async def offer(self, offer_id: str) -> Offer | None:
        """One offer; None if Steam knows none of that number or shows it without its parts."""
        answer = await self._api("IEconService/GetTradeOffer", {"tradeofferid": offer_id, "language": _LANGUAGE})
        found = _offers([(answer.get("response") or {}).get("offer")])
        return found[0] if found else None

    # -- the bot's own phone -------------------------------------------------------------------------------------------

    async def confirmations(self) -> list[Confirmation]:
        """What waits on the bot's phone. Raises NotLoggedIn, Malformed."""
        answer = await self._phone("getlist", "list", {})
        listed = answer.get("conf")
        if not isinstance(listed, list):
            raise Malformed("mobileconf without a list")
        return [
            Confirmation(str(one["id"]), str(one["nonce"]), str(one.get("creator_id", "")), one.get("type") == _CONFIRMS_TRADE)
            for one in listed
            if isinstance(one, dict) and one.get("id") and one.get("nonce")
        ]

    async def confirm(self, confirmation: Confirmation) -> bool:
        """Allows it; False if Steam wouldn't have it (it may be through already: read the offer)."""
        more = {"op": "allow", "cid": confirmation.id, "ck": confirmation.nonce}
        return (await self._phone("ajaxop", "accept", more)).get("success") is True

    async def _phone(self, what: str, tag: str, more: dict[str, str]) -> dict[str, Any]:
        """A call as the mobile app makes it, with the key that only the identity secret gives (protocol §3.2)."""
        session = self.session
        now = session.steam_seconds()
        params = {
            "p": _device_id(session.steamid64),
            "a": session.steamid64,
            "k": confirmation_key(session.credentials.identity_secret, now, tag),
            "t": str(now),
            "m": "react",
            "tag": tag,
            **more,
        }
        answer = _json_object(await self._community_raw("GET", f"/mobileconf/{what}", params=params))
        if answer.get("needauth") is True:
            raise NotLoggedIn(f"mobileconf/{what}: needauth")
        return answer

    # -- exchanges -----------------------------------------------------------------------------------------------------

    async def trade_status(self, trade_id: str) -> Exchange | None:
        """GetTradeStatus; None while Steam has no entry."""
        answer = await self._api(
            "IEconService/GetTradeStatus", {"tradeid": trade_id, "get_descriptions": "0", "language": _LANGUAGE}
        )
        trades = (answer.get("response") or {}).get("trades") or []
        found = [exchange for exchange in map(_exchange, trades) if exchange is not None and exchange.trade_id == trade_id]
        return found[0] if found else None

    async def trade_history(self, before: Exchange | None = None) -> tuple[list[Exchange], bool]:
        """(up to 100 exchanges of the account, newest first, older than `before`, reversed ones included; whether there are more)."""
        params = {
            "max_trades": "100",
            "get_descriptions": "0",
            "include_failed": "1",
            "include_total": "1",
            "language": _LANGUAGE,
        }
        if before is not None:
            params |= {"start_after_time": str(before.time_init), "start_after_tradeid": before.trade_id}
        answer = await self._api("IEconService/GetTradeHistory", params)
        response = answer.get("response")
        if not isinstance(response, dict):
            raise Malformed("GetTradeHistory without a response")
        exchanges = [exchange for exchange in map(_exchange, response.get("trades") or []) if exchange is not None]
        return exchanges, bool(exchanges) and response.get("more") is True

    # -- plumbing ------------------------------------------------------------------------------------------------------

    def _headers(self, referer: str = f"{_COMMUNITY_NAME}/") -> dict[str, str]:
        return base_headers() | {"Cookie": self.session.cookie(), "Referer": referer, "Origin": _COMMUNITY_NAME}

    async def _community(self, method: str, path: str, form: dict[str, str] | None = None) -> Response:
        response = await self._community_raw(method, path, form=form)
        if response.status in (401, 403):
            raise NotLoggedIn(f"{path}: {response.status}")
        return response

    async def _community_raw(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        referer: str = f"{_COMMUNITY_NAME}/",
    ) -> Response:
        response = await request(
            self.session.transport,
            method,
            f"{self.session.urls.community}{path}",
            params=params,
            form=form,
            headers=self._headers(referer),
        )
        if _is_login_redirect(response):
            raise NotLoggedIn(f"{path}: sent to the login page")
        return response

    async def _api(self, method: str, params: dict[str, str]) -> dict[str, Any]:
        """A Web API call with the access token (never with a key: GetTradeOffers answers nothing then, protocol §2.1)."""
        params = {"access_token": self.session.access_token(), **params}
        response = await request(
            self.session.transport,
            "GET",
            f"{self.session.urls.api}/{method}/v1/",
            params=params,
            headers=base_headers(),
        )
        if response.status in (401, 403):
            raise NotLoggedIn(f"{method}: {response.status}")
        eresult = eresult_of(response, EResult.OK)
        if eresult == EResult.NO_MATCH:
            return {"response": {}}
        answer = _json_object(response)
        # 2 with a filled response counts as success; everything else that isn't 1 does not (protocol §4).
        if eresult != EResult.OK and not (eresult == EResult.FAIL and answer.get("response")):
            raise ResultFault(method, eresult)
        return answer


def _device_id(steamid64: str) -> str:
    """The same phone at every call: the app's own ids look so."""
    digest = hashlib.sha1(steamid64.encode(), usedforsecurity=False).hexdigest()
    return "android:" + "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _is_login_redirect(response: Response) -> bool:
    return response.status in (301, 302, 303) and "/login" in response.headers.get("location", "")


def _json_object(response: Response) -> dict[str, Any]:
    """Raises Malformed for anything but a JSON object."""
    try:
        answer = msgspec.json.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"status {response.status}, no JSON") from error
    if response.status != 200 or not isinstance(answer, dict):
        raise Malformed(f"status {response.status}, not the expected JSON")
    return answer


def _read_send(response: Response, names: tuple[str, ...]) -> SendResult:
    try:
        answer = msgspec.json.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return SendUnknown(f"status {response.status} without a readable body")
    offer_id = answer.get("tradeofferid")
    if response.status == 200 and isinstance(offer_id, str) and offer_id.isdigit():
        if answer.get("needs_mobile_confirmation"):
            return NeedsConfirmation(offer_id, "mobile")
        if answer.get("needs_email_confirmation"):
            return NeedsConfirmation(offer_id, "email")
        return Sent(offer_id)
    error = answer.get("strError")
    if isinstance(error, str):
        told = read_send_error(error, names)
        if isinstance(told, SendUnknown) and told.eresult == EResult.RATE_LIMIT_EXCEEDED:
            raise RateLimited("send: eresult 84")
        return told
    return SendUnknown(f"status {response.status} without an offer id")


def _number(value: object) -> int:
    """Steam writes numbers as numbers or as texts; what is neither counts as 0, and so does what no 64 bits hold (protocol §11)."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else 0


def _moment(value: object) -> int:
    """Seconds since 1970; a date after the year 2200 or before 1970 is none."""
    seconds = _number(value)
    return seconds if 0 <= seconds < _LATEST else 0


_LATEST = 7_258_118_400
"""2200-01-01: later ones overflow what others keep of a time."""


def _asset(raw: object) -> Asset | None:
    if not isinstance(raw, dict) or not raw.get("assetid"):
        return None
    return Asset(
        appid=_number(raw.get("appid")),
        contextid=str(raw.get("contextid", "")),
        assetid=str(raw["assetid"]),
        classid=str(raw["classid"]) if raw.get("classid") else None,
        instanceid=str(raw["instanceid"]) if raw.get("instanceid") else None,
        missing=raw.get("missing") is True,
        new_assetid=str(raw["new_assetid"]) if raw.get("new_assetid") else None,
        new_contextid=str(raw["new_contextid"]) if raw.get("new_contextid") else None,
    )


def _assets(raw: object) -> list[Asset]:
    return [asset for asset in map(_asset, raw if isinstance(raw, list) else []) if asset is not None]


def _offers(raw: object) -> list[Offer]:
    """Offers that carry what every real one carries; glitched ones are left out, for 'not seen' means nothing."""
    offers = []
    for one in raw if isinstance(raw, list) else []:
        if not isinstance(one, dict) or not one.get("tradeofferid") or not _number(one.get("accountid_other")):
            continue
        offers.append(
            Offer(
                offer_id=str(one["tradeofferid"]),
                partner=str(STEAMID64_BASE + _number(one["accountid_other"])),
                state=_number(one.get("trade_offer_state")),
                is_ours=one.get("is_our_offer") is True,
                items_to_give=_assets(one.get("items_to_give")),
                items_to_receive=_assets(one.get("items_to_receive")),
                time_created=_moment(one.get("time_created")),
                time_updated=_moment(one.get("time_updated")),
                message=str(one.get("message") or ""),
                trade_id=str(one["tradeid"]) if one.get("tradeid") else None,
                escrow_end=_moment(one.get("escrow_end_date")),
                settlement=_moment(one.get("settlement_date")),
                raw=one,
            )
        )
    return offers


def _exchange(raw: object) -> Exchange | None:
    if not isinstance(raw, dict) or not raw.get("tradeid") or "status" not in raw:
        return None
    other = raw.get("steamid_other")
    return Exchange(
        trade_id=str(raw["tradeid"]),
        partner=str(other) if other else None,
        status=_number(raw["status"]),
        time_init=_moment(raw.get("time_init")),
        settlement=_moment(raw.get("time_settlement")),
        delayed=raw.get("delay_settlement") is True,
        received=_assets(raw.get("assets_received")),
        given=_assets(raw.get("assets_given")),
        rollback_of=str(raw["rollback_trade"]) if raw.get("rollback_trade") else None,
        raw=raw,
    )


def _inventory_page(page: dict[str, Any]) -> tuple[dict[str, InventoryItem], set[str]]:
    """rgInventory and rgDescriptions of the trade page's inventory; an empty part may be a list. (items, assets without a description).
    Raises Malformed."""
    inventory, descriptions = page.get("rgInventory"), page.get("rgDescriptions")
    if inventory == [] or inventory == {}:
        return {}, set()
    if not isinstance(inventory, dict) or not isinstance(descriptions, dict):
        raise Malformed("partnerinventory without its parts")
    properties = page.get("rgAssetProperties")
    return _described(
        (entry for entry in inventory.values() if isinstance(entry, dict)),
        "id",
        lambda classid, instanceid: descriptions.get(f"{classid}_{instanceid}"),
        properties if isinstance(properties, dict) else {},
    )


def _own_page(page: dict[str, Any]) -> tuple[dict[str, InventoryItem], set[str]]:
    """assets[], descriptions[], asset_properties[] of the inventory page, as `_inventory_page`."""
    assets, descriptions = page.get("assets") or [], page.get("descriptions") or []
    if not isinstance(assets, list) or not isinstance(descriptions, list):
        raise Malformed("inventory without its parts")
    known = {(str(one.get("classid")), str(one.get("instanceid", "0"))): one for one in descriptions if isinstance(one, dict)}
    listed = page.get("asset_properties")
    properties = {str(one.get("assetid")): one.get("asset_properties") for one in listed or [] if isinstance(one, dict)}
    return _described(
        (one for one in assets if isinstance(one, dict)),
        "assetid",
        lambda classid, instanceid: known.get((classid, instanceid)),
        properties,
    )


def _described(
    entries: Iterable[dict[str, Any]], id_name: str, describe: Callable[[str, str], Any], properties: dict[str, Any]
) -> tuple[dict[str, InventoryItem], set[str]]:
    """One asset without its description is unreadable alone: the rest is good (protocol §11)."""
    items: dict[str, InventoryItem] = {}
    unreadable: set[str] = set()
    for entry in entries:
        assetid, classid = str(entry.get(id_name, "")), str(entry.get("classid", ""))
        instanceid = str(entry.get("instanceid", "0"))
        description = describe(classid, instanceid)
        if not isinstance(description, dict) or not isinstance(description.get("market_hash_name"), str):
            unreadable.add(assetid)
            continue
        told = properties.get(assetid)
        items[assetid] = InventoryItem(
            assetid,
            classid,
            instanceid,
            description["market_hash_name"],
            bool(_number(description.get("tradable")) or description.get("tradable") is True),
            max(1, _number(entry.get("amount", 1))),
            msgspec.json.encode(told, order="sorted").decode() if told else None,
        )
    return items, unreadable
