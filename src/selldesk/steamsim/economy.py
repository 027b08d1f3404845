"""IEconService and ISteamEconomy of the simulated Steam: offers, exchanges, histories, hold durations, item classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selldesk.steamsim import calls
from selldesk.steamsim.entities import Account, OfferRecord, TradeRecord
from selldesk.steamsim.faults import Faults, Moods
from selldesk.steamsim.messages import Request, Response, Routes
from selldesk.steamsim.viewers import Viewers, json_answer, whole
from selldesk.steamsim.world import OPEN, World
from selldesk.steamwire.enums import EResult, OfferState, TradeStatus

_HISTORY_PAGE = 100
_CLASSES_MAX = 500
_BACKDATED_SECONDS = 1800
_UNKNOWN_STATE = 99
OFFERS_PAGE = 1000
INVENTORY_PAGE = 1000
_AVATAR = "https://avatars.steamstatic.com/0{}.jpg"


class Economy:
    def __init__(self, world: World, faults: Faults, viewers: Viewers) -> None:
        self._world = world
        self._faults = faults
        self._viewers = viewers

    def add_routes(self, routes: Routes) -> None:
        for method, handler in {
            "IEconService/GetTradeOffers": self._offers,
            "IEconService/GetTradeOffer": self._offer,
            "IEconService/GetTradeOffersSummary": self._summary,
            "IEconService/GetTradeStatus": self._trade_status,
            "IEconService/GetTradeHistory": self._history,
            "IEconService/GetTradeHoldDurations": self._hold_durations,
            "IEconService/GetInventoryItemsWithDescriptions": self._inventory_items,
            "ISteamEconomy/GetAssetClassInfo": self._asset_classes,
        }.items():
            routes.add("GET", f"/{method}/v1{{slash:/?}}", handler)
        routes.add("GET", "/ISteamUser/GetPlayerSummaries/v2{slash:/?}", self._summaries)

    @contextmanager
    def _moods(self, viewer: Account) -> Iterator[Moods]:
        """The switches for one call of this account; what struck is used up at its end."""
        moods = Moods(self._faults, self._world.now_us(), viewer.steamid64)
        yield moods
        moods.settle()

    # -- offers --------------------------------------------------------------------------------------------------------

    async def _offers(self, request: Request) -> Response:
        """With an access token only: since April 2024 a Web API key sees no offers (protocol §2.1)."""
        viewer = self._viewers.viewer(request)
        with self._moods(viewer) as moods:
            return self._list(request, viewer, moods)

    def _list(self, request: Request, viewer: Account, moods: Moods) -> Response:
        query = request.query
        mine = [offer for offer in self._world.offers_of(viewer.steamid64) if _is_visible(offer, viewer)]
        if _strikes("poll_500", mine, viewer, moods):
            return Response(status=500, text="<html><body>Internal Server Error</body></html>", content_type="text/html")
        if "access_token" not in query or moods.on("poll_empty"):
            return json_answer({"response": {"next_cursor": 0}})
        wanted = self._listed(mine, viewer, query, moods)
        start = whole(query.get("cursor"))
        end = start + (1 if _strikes("poll_pages", mine, viewer, moods) else OFFERS_PAGE)
        page = wanted[start:end]
        body: dict[str, Any] = {"next_cursor": end if end < len(wanted) else 0}
        body |= self._sent_and_received(page, viewer, moods)
        if moods.on("poll_malformed"):
            return json_answer({"response": {"trade_offers_sent": body.get("trade_offers_sent", [])}})
        if query.get("get_descriptions") in ("1", "true"):
            body["descriptions"] = calls.descriptions_of([given for offer in page for given in (*offer.give, *offer.receive)])
        return json_answer({"response": body}, EResult.FAIL if _strikes("poll_eresult_2", mine, viewer, moods) else EResult.OK)

    def _listed(self, mine: list[OfferRecord], viewer: Account, query: Any, moods: Moods) -> list[OfferRecord]:
        """Open ones, and those that changed since the cutoff."""
        cutoff = whole(query.get("time_historical_cutoff"))
        recent = [offer for offer in mine if offer.state in OPEN or offer.time_updated >= cutoff]
        return [offer for offer in recent if self._is_listed(offer, viewer, query, moods)]

    def _sent_and_received(self, page: list[OfferRecord], viewer: Account, moods: Moods) -> dict[str, Any]:
        """Steam leaves out a list that is empty."""
        sent = [self._in_list(offer, viewer, moods) for offer in page if offer.sender == viewer.steamid64]
        received = [self._in_list(offer, viewer, moods) for offer in page if offer.sender != viewer.steamid64]
        lists = {"trade_offers_sent": sent, "trade_offers_received": received}
        return {name: offers for name, offers in lists.items() if offers}

    def _is_listed(self, offer: OfferRecord, viewer: Account, query: Any, moods: Moods) -> bool:
        direction = "get_sent_offers" if offer.sender == viewer.steamid64 else "get_received_offers"
        about = _about(offer, viewer)
        if query.get(direction) not in ("1", "true") or moods.on("poll_empty", *about):
            return False
        late = self._faults.is_on("poll_late", self._world.now_us(), viewer.steamid64, *about)
        if late is not None and self._world.now_us() < offer.created_us + int((late.seconds or 30) * 1_000_000):
            moods.on("poll_late", *about)
            return False
        if offer.state in OPEN:
            return query.get("historical_only") not in ("1", "true")
        # With active_only Steam also shows what has changed since the cutoff, if there is one.
        cutoff, active_only = whole(query.get("time_historical_cutoff")), query.get("active_only") in ("1", "true")
        updated = offer.time_updated - (_BACKDATED_SECONDS if moods.on("poll_backdated", *about) else 0)
        return not moods.on("poll_hides", *about) and updated >= cutoff and (bool(cutoff) or not active_only)

    def _in_list(self, offer: OfferRecord, viewer: Account, moods: Moods) -> dict[str, Any]:
        about = _about(offer, viewer)
        if offer.sender == viewer.steamid64 and moods.on("poll_malformed", *about):
            return {"tradeofferid": offer.tradeofferid, "accountid_other": 0}
        flaps = offer.state == OfferState.ACCEPTED and not offer.flapped and moods.on("state_flaps", *about)
        if flaps:
            offer.flapped = True
            self._world.touch(offer)
        shown = self._shown(offer, viewer, moods, int(OfferState.ACTIVE) if flaps else None)
        if moods.on("poll_backdated", *about):
            shown["time_updated"] -= _BACKDATED_SECONDS
        if moods.on("poll_no_items", *about):
            shown.pop("items_to_give", None)
            shown.pop("items_to_receive", None)
        return shown

    def _shown(self, offer: OfferRecord, viewer: Account, moods: Moods, state: int | None = None) -> dict[str, Any]:
        """An offer as this account sees it now, through whatever moods are on."""
        about = _about(offer, viewer)
        shown = calls.offer_json(offer, viewer, self._world, state if state is not None else self._shown_state(offer, moods, about))
        if "tradeid" in shown and moods.on("offer_without_tradeid", *about):
            del shown["tradeid"]
        if shown["escrow_end_date"] and moods.on("escrow_end_zero", *about):
            shown["escrow_end_date"] = 0
        return shown

    def _shown_state(self, offer: OfferRecord, moods: Moods, about: tuple[str, int | None]) -> int:
        if offer.state == OfferState.ACTIVE and moods.on("unknown_state", *about):
            return _UNKNOWN_STATE
        trade = self._world.trades.get(offer.tradeid)
        is_reversed = trade is not None and trade.status == TradeStatus.TRADE_PROTECTION_ROLLBACK
        if is_reversed and moods.on("reversal_on_offer", *about):
            return int(OfferState.REVERTED)
        return int(offer.state)

    async def _offer(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        offer = self._world.offers.get(request.query.get("tradeofferid", ""))
        if offer is None or viewer.steamid64 not in (offer.sender, offer.recipient) or not _is_visible(offer, viewer):
            return json_answer({"response": {}}, EResult.NO_MATCH)
        with self._moods(viewer) as moods:
            body: dict[str, Any] = {"offer": self._shown(offer, viewer, moods)}
        if request.query.get("get_descriptions", "1") in ("1", "true"):
            body["descriptions"] = calls.descriptions_of([*offer.give, *offer.receive])
        return json_answer({"response": body})

    async def _summary(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        mine = self._world.offers_of(viewer.steamid64)
        counts: dict[str, int] = {}
        for side, offers in (
            ("sent", [offer for offer in mine if offer.sender == viewer.steamid64]),
            ("received", [offer for offer in mine if offer.sender != viewer.steamid64]),
        ):
            counts[f"pending_{side}_count"] = sum(offer.state == OfferState.ACTIVE for offer in offers)
            counts[f"updated_{side}_count"] = len(offers)
            counts[f"escrow_{side}_count"] = sum(offer.state == OfferState.IN_ESCROW for offer in offers)
            counts[f"historical_{side}_count"] = sum(offer.state not in OPEN for offer in offers)
        return json_answer({"response": counts})

    # -- exchanges -----------------------------------------------------------------------------------------------------

    async def _trade_status(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        trade = self._world.trades.get(request.query.get("tradeid", ""))
        if trade is None or viewer.steamid64 not in (trade.initiator, trade.partner):
            return json_answer({"response": {}})
        with self._moods(viewer) as moods:
            if moods.on("trade_status_empty", *_about(trade, viewer)):
                return json_answer({"response": {}})
            body: dict[str, Any] = {"trades": [self._exchange(trade, viewer, moods, in_history=False)]}
        if request.query.get("get_descriptions") in ("1", "true"):
            body["descriptions"] = calls.descriptions_of([*trade.given, *trade.received])
        return json_answer({"response": body})

    def _exchange(self, trade: TradeRecord, viewer: Account, moods: Moods, in_history: bool) -> dict[str, Any]:
        about = _about(trade, viewer)
        shown = calls.trade_json(trade, viewer)
        if trade.status == TradeStatus.TRADE_PROTECTION_ROLLBACK and moods.on("reversal_unsaid", *about):
            shown["status"] = int(TradeStatus.COMPLETE)
            for asset in (*shown.get("assets_received", []), *shown.get("assets_given", [])):
                asset.pop("rollback_new_assetid", None)
                asset.pop("rollback_new_contextid", None)
        if not in_history:
            _lie_about(trade, shown, moods, about)
        if moods.on("exchange_no_assets", *about):
            shown.pop("assets_received", None)
            shown.pop("assets_given", None)
        if moods.on("no_new_assetid", *about):
            for asset in (*shown.get("assets_received", []), *shown.get("assets_given", [])):
                asset.pop("new_assetid", None)
                asset.pop("new_contextid", None)
        return shown

    async def _history(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        with self._moods(viewer) as moods:
            return self._history_page(request, viewer, moods)

    def _history_page(self, request: Request, viewer: Account, moods: Moods) -> Response:
        if moods.on("history_500"):
            return Response(status=500, text="")
        if moods.on("history_empty"):
            return json_answer({"response": {"more": False, "total_trades": 0}})
        count = min(_HISTORY_PAGE, whole(request.query.get("max_trades")) or _HISTORY_PAGE)
        mine = self._world.trades_of(viewer.steamid64)
        if moods.may_strike("history_empty"):
            mine = [trade for trade in mine if not moods.on("history_empty", *_about(trade, viewer))]
        total = len(mine)
        after_time = whole(request.query.get("start_after_time"))
        if after_time:
            place = (after_time, whole(request.query.get("start_after_tradeid")))
            older = request.query.get("navigating_back") not in ("1", "true")
            mine = [trade for trade in mine if ((trade.time_init, int(trade.tradeid)) < place) == older]
        page = mine[:count]
        body: dict[str, Any] = {
            "more": len(mine) > count,
            "total_trades": total,
            "trades": [self._exchange(trade, viewer, moods, in_history=True) for trade in page],
        }
        if request.query.get("get_descriptions") in ("1", "true"):
            body["descriptions"] = calls.descriptions_of([given for trade in page for given in (*trade.given, *trade.received)])
        return json_answer({"response": body})

    async def _hold_durations(self, request: Request) -> Response:
        viewer = self._viewers.viewer(request)
        target = self._world.accounts.get(request.query.get("steamid_target", ""))
        is_refused = target is None or request.query.get("trade_offer_access_token") != target.trade_token
        with self._moods(viewer) as moods:
            if is_refused or target is None or moods.on("hold_unknown", target.steamid64):
                return json_answer({"response": {}}, EResult.ACCESS_DENIED)
            mine = 15 * 86_400 if moods.on("own_escrow", target.steamid64) else 0
        theirs = 15 * 86_400 if self._world.held_sellers(target.steamid64) else 0
        parts = {"my_escrow": mine, "their_escrow": theirs, "both_escrow": max(mine, theirs)}
        return json_answer({"response": {name: {"escrow_end_duration_seconds": seconds} for name, seconds in parts.items()}})

    # -- inventories and profiles, as the Web API shows them ------------------------------------------------------------

    async def _inventory_items(self, request: Request) -> Response:
        """One's own inventory with one's access token, protected items in context 16 as on the community page."""
        viewer, query = self._viewers.viewer(request), request.query
        if query.get("steamid") != viewer.steamid64:
            return json_answer({"response": {}}, EResult.ACCESS_DENIED)
        items = self._world.inventory(viewer.steamid64, whole(query.get("appid")), query.get("contextid", "2"))
        count = whole(query.get("count")) or INVENTORY_PAGE
        shown = calls.inventory_json(items, count, query.get("start_assetid", ""))
        parts = ("assets", "descriptions", "asset_properties", "total_inventory_count", "more_items", "last_assetid")
        answer = {name: shown[name] for name in parts if name in shown}
        if query.get("get_descriptions") not in ("1", "true"):
            answer.pop("descriptions", None)
        return json_answer({"response": answer})

    async def _summaries(self, request: Request) -> Response:
        """Names and pictures of up to 100 accounts."""
        self._viewers.viewer(request)
        wanted = request.query.get("steamids", "").split(",")[:100]
        players = [
            {
                "steamid": account.steamid64, "communityvisibilitystate": 3, "profilestate": 1, "personaname": account.persona,
                "profileurl": f"https://steamcommunity.com/profiles/{account.steamid64}/", "avatar": _AVATAR.format(""),
                "avatarmedium": _AVATAR.format("_medium"), "avatarfull": _AVATAR.format("_full"), "personastate": 0,
            }
            for steamid64 in wanted
            if (account := self._world.accounts.get(steamid64)) is not None
        ]  # fmt: skip
        return json_answer({"response": {"players": players}})

    # -- item classes --------------------------------------------------------------------------------------------------

    async def _asset_classes(self, request: Request) -> Response:
        """Names of item classes, by classid0, instanceid0, …"""
        query = request.query
        result: dict[str, Any] = {"success": True}
        for place in range(min(_CLASSES_MAX, whole(query.get("class_count")))):
            classid, instanceid = query.get(f"classid{place}", ""), query.get(f"instanceid{place}", "0")
            name = self._world.name_of_class(query.get("appid", ""), classid)
            if name is not None:
                key = f"{classid}_{instanceid}" if f"instanceid{place}" in query else classid
                result[key] = {
                    "classid": classid, "instanceid": instanceid, "name": name, "market_name": name, "market_hash_name": name,
                    "tradable": "1", "marketable": "1", "commodity": "0", "type": "Item", "icon_url": "", "fraudwarnings": "", "tags": {},
                }  # fmt: skip
        return json_answer({"result": result})


def game_of(what: OfferRecord | TradeRecord) -> int | None:
    """The game of an offer or exchange: of its first item."""
    both = [*what.receive, *what.give] if isinstance(what, OfferRecord) else [*what.received, *what.given]
    return both[0].appid if both else None


def _strikes(fault: str, mine: list[OfferRecord], viewer: Account, moods: Moods) -> bool:
    """Whether it strikes the answer as a whole, or anything that might be in it."""
    if not moods.may_strike(fault):
        return False
    return moods.on(fault) is not None or any(moods.on(fault, *_about(offer, viewer)) for offer in mine)


def _lie_about(trade: TradeRecord, shown: dict[str, Any], moods: Moods, about: tuple[str, int | None]) -> None:
    """What Steam says of a single exchange while the history may already be right."""
    shows = moods.on("trade_status_shows", *about)
    pending = moods.on("trade_status_pending", *about) if trade.status == TradeStatus.COMPLETE else None
    if shows is not None and shows.status is not None:
        shown["status"] = shows.status
    elif pending is not None:
        shown["status"] = pending.status if pending.status is not None else int(TradeStatus.PRE_COMMITTED)
    if moods.on("exchange_other_items", *about):
        for asset in shown.get("assets_received", []):
            asset["classid"] = str(int(asset["classid"]) + 1)
    if moods.on("exchange_loses_items", *about):
        shown["assets_received"] = shown.get("assets_received", [])[1:]


def _about(what: OfferRecord | TradeRecord, viewer: Account) -> tuple[str, int | None]:
    """(the other side, the game): what a switch may be limited to."""
    one, two = (what.sender, what.recipient) if isinstance(what, OfferRecord) else (what.initiator, what.partner)
    return two if one == viewer.steamid64 else one, game_of(what)


def _is_visible(offer: OfferRecord, viewer: Account) -> bool:
    """What its sender must still confirm, nobody else sees."""
    return offer.sender == viewer.steamid64 or offer.state != OfferState.NEEDS_CONFIRMATION
