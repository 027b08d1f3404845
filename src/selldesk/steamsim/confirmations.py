"""Mobile confirmations: what an account must still confirm on its phone, and the HMAC that proves the phone (protocol §3.2)."""

import hmac
from typing import Any

import msgspec

from selldesk.steamsim.entities import Account, OfferRecord
from selldesk.steamsim.world import World
from selldesk.steamwire.enums import OfferState
from selldesk.steamwire.guard import confirmation_key

TRADE = 2
"""The type of a trade's confirmation."""
_KEY_SECONDS = 300
_TAGS = {"allow": ("allow", "accept"), "cancel": ("cancel", "reject")}


class Confirmation(msgspec.Struct):
    """One line on the phone. Its id and nonce follow from the offer, so that they survive a restart without being stored."""

    id: str
    nonce: str
    offer: OfferRecord


class Phone:
    """The confirmations of one account."""

    def __init__(self, world: World, account: Account, skew_seconds: int = 0) -> None:
        self._world = world
        self._account = account
        self._skew_seconds = skew_seconds

    def is_his(self, query: dict[str, str]) -> bool:
        """Whether `k` was made with the identity secret for this time and tag."""
        moment, tag = query.get("t", ""), query.get("tag", "")
        if not moment.isascii() or not moment.isdigit() or query.get("a") != self._account.steamid64 or not tag.isascii():
            return False
        if len(moment) > 20 or abs(int(moment) - self._world.now() - self._skew_seconds) > _KEY_SECONDS:
            return False
        wanted = confirmation_key(self._account.identity_secret, int(moment), tag)
        return hmac.compare_digest(wanted.encode(), query.get("k", "").encode())

    def open(self) -> list[Confirmation]:
        """Their own offers that give something and wait for them, and offers to them that they accepted on the web only."""
        mine = self._account.steamid64
        found = []
        for offer in self._world.offers_of(mine):
            as_sender = offer.sender == mine and offer.state == OfferState.NEEDS_CONFIRMATION
            as_recipient = offer.recipient == mine and offer.state == OfferState.ACTIVE and offer.accepted_on_web
            if as_sender or as_recipient:
                number = int(offer.tradeofferid)
                found.append(Confirmation(str(number * 2 + as_recipient), str(number * 7919 + 13), offer))
        return found

    def act(self, confirmation_id: str, nonce: str, op: str, tag: str) -> bool:
        """`allow` or `cancel` one; the tag must fit."""
        if tag not in _TAGS.get(op, ()):
            return False
        for confirmation in self.open():
            if (confirmation.id, confirmation.nonce) == (confirmation_id, nonce):
                self._decide(confirmation.offer, op == "allow")
                return True
        return False

    def _decide(self, offer: OfferRecord, allowed: bool) -> None:
        if not allowed:
            self._world.set_state(offer, OfferState.CANCELED_BY_SECOND_FACTOR)
        elif offer.sender == self._account.steamid64:
            self._world.set_state(offer, OfferState.ACTIVE)
        else:
            self._world.accept(offer)


def confirmation_json(confirmation: Confirmation, other: Account) -> dict[str, Any]:
    """A line of getlist."""
    offer = confirmation.offer
    return {
        "type": TRADE,
        "type_name": "Trade Offer",
        "id": confirmation.id,
        "creator_id": offer.tradeofferid,
        "nonce": confirmation.nonce,
        "creation_time": offer.created_us // 1_000_000,
        "cancel": "Cancel",
        "accept": "Send offer" if offer.state == OfferState.NEEDS_CONFIRMATION else "Accept",
        "icon": "",
        "multi": True,
        "headline": other.persona,
        "summary": ["You will give up your items"],
        "warn": None,
    }
