"""What the simulated Steam answers: offers, trades and inventories in the shapes of the Web API and the community pages."""

from typing import Any

from selldesk.steamsim.entities import Account, Given, Item, OfferRecord, TradeRecord
from selldesk.steamsim.world import OFFER_LIFE_SECONDS, World
from selldesk.steamwire.enums import OfferState


def offer_json(offer: OfferRecord, viewer: Account, world: World, state: int | None = None) -> dict[str, Any]:
    """An offer as its sender or recipient sees it."""
    is_ours = offer.sender == viewer.steamid64
    other = world.accounts[offer.recipient if is_ours else offer.sender]
    give, receive = (offer.give, offer.receive) if is_ours else (offer.receive, offer.give)
    shown = state if state is not None else offer.state
    waits_for_phone = shown == OfferState.NEEDS_CONFIRMATION or (shown == OfferState.ACTIVE and offer.accepted_on_web)
    body: dict[str, Any] = {
        "tradeofferid": offer.tradeofferid,
        "accountid_other": other.number,
        "message": offer.message,
        "expiration_time": offer.created_us // 1_000_000 + OFFER_LIFE_SECONDS,
        "trade_offer_state": shown,
        "is_our_offer": is_ours,
        "time_created": offer.created_us // 1_000_000,
        "time_updated": offer.time_updated,
        "from_real_time_trade": False,
        "escrow_end_date": offer.escrow_end,
        "confirmation_method": 2 if waits_for_phone else 0,
        "eresult": 1,
        "delay_settlement": any(given.appid == 730 for given in [*give, *receive]),
        "settlement_date": _settlement_of(offer, world) if shown == OfferState.ACCEPTED else 0,
    }
    if give:
        body["items_to_give"] = [_offer_asset(given, world, offer) for given in give]
    if receive:
        body["items_to_receive"] = [_offer_asset(given, world, offer) for given in receive]
    if offer.tradeid and shown in (OfferState.ACCEPTED, OfferState.IN_ESCROW):
        body["tradeid"] = offer.tradeid
    return body


def _settlement_of(offer: OfferRecord, world: World) -> int:
    trade = world.trades.get(offer.tradeid)
    return trade.time_settlement if trade is not None else 0


def _offer_asset(given: Given, world: World, offer: OfferRecord) -> dict[str, Any]:
    return {
        "appid": given.appid,
        "contextid": given.contextid,
        "assetid": given.assetid,
        "classid": given.classid,
        "instanceid": given.instanceid,
        "amount": str(given.amount),
        "missing": offer.state in (OfferState.ACTIVE, OfferState.INVALID_ITEMS) and given.assetid not in world.items,
        "est_usd": "0",
    }


def trade_json(trade: TradeRecord, viewer: Account) -> dict[str, Any]:
    """An exchange as one of its parties sees it."""
    is_initiator = trade.initiator == viewer.steamid64
    received, given = (trade.received, trade.given) if is_initiator else (trade.given, trade.received)
    body: dict[str, Any] = {
        "tradeid": trade.tradeid,
        "steamid_other": trade.partner if is_initiator else trade.initiator,
        "time_init": trade.time_init,
        "time_mod": trade.time_mod,
        "status": trade.status,
    }
    if trade.time_settlement:
        body["time_settlement"] = trade.time_settlement
    if trade.escrow_end:
        body["time_escrow_end"] = str(trade.escrow_end)
    if trade.rollback_trade:
        body["rollback_trade"] = trade.rollback_trade
    if received:
        body["assets_received"] = [_trade_asset(asset) for asset in received]
    if given:
        body["assets_given"] = [_trade_asset(asset) for asset in given]
    return body


def _trade_asset(given: Given) -> dict[str, Any]:
    body: dict[str, Any] = {
        "appid": given.appid,
        "contextid": given.contextid,
        "assetid": given.assetid,
        "amount": str(given.amount),
        "classid": given.classid,
        "instanceid": given.instanceid,
    }
    if given.new_assetid:
        body |= {"new_assetid": given.new_assetid, "new_contextid": given.new_contextid}
    if given.rollback_new_assetid:
        body |= {
            "rollback_new_assetid": given.rollback_new_assetid,
            "rollback_new_contextid": given.rollback_new_contextid,
        }
    return body


def description_json(item: Item) -> dict[str, Any]:
    return _description(item.appid, item.classid, item.instanceid, item.market_hash_name, tradable=not item.protected_until)


def _description(appid: int, classid: str, instanceid: str, name: str, tradable: bool) -> dict[str, Any]:
    return {
        "appid": appid,
        "classid": classid,
        "instanceid": instanceid,
        "name": name,
        "market_name": name,
        "market_hash_name": name,
        "type": "Item",
        "icon_url": "",
        "icon_url_large": "",
        "name_color": "D2D2D2",
        "background_color": "",
        "tradable": int(tradable),
        "marketable": 1,
        "commodity": 0,
        "currency": 0,
        "market_tradable_restriction": 7,
        "descriptions": [],
        "tags": [],
    }


def descriptions_of(assets: list[Given]) -> list[dict[str, Any]]:
    """One description a class and instance, as the Web API adds them to offers and trades."""
    known = {(given.appid, given.classid, given.instanceid): given for given in assets}
    return [
        _description(given.appid, given.classid, given.instanceid, given.market_hash_name, tradable=True)
        for given in known.values()
    ]


def partner_inventory_json(items: list[Item], start: int, page: int) -> dict[str, Any]:
    """The inventory as the trade page loads it: rgInventory and rgDescriptions, empty lists where there is nothing."""
    part = items[start : start + page]
    inventory = {
        item.assetid: {
            "id": item.assetid,
            "classid": item.classid,
            "instanceid": item.instanceid,
            "amount": str(item.amount),
            "hide_in_china": 0,
            "pos": start + place,
        }
        for place, item in enumerate(part, start=1)
    }
    descriptions = {f"{item.classid}_{item.instanceid}": description_json(item) for item in part}
    more = start + page < len(items)
    return {
        "success": True,
        "rgInventory": inventory or [],
        "rgCurrency": [],
        "rgDescriptions": descriptions or [],
        "rgAssetProperties": [],
        "rgAssetAccessories": [],
        "more": more,
        "more_start": start + page if more else False,
    }


def inventory_json(items: list[Item], count: int, start_assetid: str) -> dict[str, Any]:
    """The public inventory page."""
    if not items:
        return {"total_inventory_count": 0, "success": 1, "rwgrsn": -2}
    first = next((place + 1 for place, item in enumerate(items) if item.assetid == start_assetid), 0) if start_assetid else 0
    part = items[first : first + count]
    body: dict[str, Any] = {
        "assets": [
            {
                "appid": item.appid,
                "contextid": item.contextid,
                "assetid": item.assetid,
                "classid": item.classid,
                "instanceid": item.instanceid,
                "amount": str(item.amount),
            }
            for item in part
        ],
        "descriptions": list({(item.classid, item.instanceid): description_json(item) for item in part}.values()),
        "asset_properties": [],
        "total_inventory_count": len(items),
        "success": 1,
        "rwgrsn": -2,
    }
    if first + count < len(items):
        body |= {"more_items": 1, "last_assetid": part[-1].assetid}
    return body


def send_error_text(eresult: int, detail: str = "") -> str:
    text = "There was an error sending your trade offer.  Please try again later."
    return f"{text}<br><br>{detail} ({eresult})" if detail else f"{text} ({eresult})"
