"""The life of one Steam offer, whoever's it is: a sale's row is the row of its offer (decision 19)."""

from typing import Final, Protocol

import msgspec

from selldesk.offers.stages import BEFORE_AN_OFFER, Stage
from selldesk.steamwire.enums import OfferState


class OfferLife(msgspec.Struct, array_like=True):
    """One offer of one bot to one partner. Times in microseconds UTC; offers and bots by number."""

    id: str
    """The id of what the offer is for."""
    game: int
    bot: int
    created_at: int
    stage: Stage
    stage_at: int | None
    """When the present stage began; None: an older version wrote it."""
    due_at: int | None
    """When the bot should next do something about it; None: nothing by itself."""
    attempts: int
    offer_id: str | None
    offer_state: int | None
    expires_at: int | None
    send_started_at: int | None
    """When the last send began whose outcome isn't known to be 'no offer'."""
    unknown_since: int | None
    """When the first send began whose answer was lost. Stays: from then on an ending is believed only after a look at the
    exchanges, for an offer that nobody knows of may have been accepted."""
    misses: int
    first_miss_at: int | None
    doubt_at: int | None
    """When the first reading began that could not show the items as promised."""
    verified_at: int | None
    """When Steam answered for the items with this very token; None: the partner's claim is their word alone (R3)."""
    cancel_by: str | None
    """Who wants the offer cancelled: 'deadline', 'unconfirmed', 'operator', or 'owner' of what it is for; 'missing': what it would give is not
    there."""
    steam_trade_id: str | None
    steam_status: int | None
    exchanged_at: int | None
    settlement: int | None
    protected: int
    settle_at: int | None
    """Nothing is final before this moment, nor on a reading that began before it."""

    @property
    def began_at(self) -> int:
        """From when the time counts in which an offer must be out."""
        return self.created_at

    @property
    def gives(self) -> bool:
        """The bot's items are asked for, not the partner's."""
        return False

    @property
    def is_open(self) -> bool:
        """Steam's word on how it ends is still awaited: neither exchanged for good nor ended."""
        return self.stage not in (Stage.SETTLING, Stage.DONE)

    @property
    def is_doubted(self) -> bool:
        """A send of it may have made an offer that nobody knows of."""
        return self.unknown_since is not None or self.stage in (Stage.SENDING, Stage.RECONCILE)

    @property
    def is_unsent(self) -> bool:
        """No offer is out and none can be on its way, but for a lost one (`is_doubted`)."""
        return self.stage in BEFORE_AN_OFFER and self.offer_id is None

    @property
    def needs_confirmation(self) -> bool:
        """Our own offer waits for the bot's phone; Steam shows it to nobody until then (protocol §9 no. 22)."""
        return self.stage is Stage.OFFERED and self.offer_state == OfferState.NEEDS_CONFIRMATION

    @property
    def is_held(self) -> bool:
        """Accepted, and Steam holds the items for days."""
        return self.offer_state == OfferState.IN_ESCROW

    @property
    def tag(self) -> str:
        """Stands at the end of the offer's message; a send of unknown outcome is found again by it (R3)."""
        return tag_of(self.id)


class OpenOffer(OfferLife, array_like=True):
    """An offer that its bot still has to do with, whatever it is for, and what is needed to send it."""

    purpose: str
    """'sale' or 'delivery'."""
    partner: str
    """SteamID64 of the account that the bot trades with."""
    tradelink: str
    """The partner's, sealed."""
    message: str

    @property
    def gives(self) -> bool:
        return self.purpose == DELIVERY

    @property
    def began_at(self) -> int:
        return delivery_began_at(self) if self.gives else self.created_at


DELIVERY: Final = "delivery"


_NOT_YET: Final = 1 << 62


def waits_for_a_slot(life: OfferLife) -> bool:
    """Of a delivery: it found none of the bot's slots, or of those with its partner, free. Only then has `doubt_at` a place at this stage."""
    return life.stage is Stage.SEND and life.doubt_at is not None


def delivery_began_at(life: OfferLife) -> int:
    """A delivery that waits for a slot has all its time before it (settled 24); one that waits for Steam's date too."""
    if waits_for_a_slot(life):
        return _NOT_YET
    return life.verified_at if life.verified_at is not None else life.created_at


def tag_of(owner_id: str) -> str:
    return f"#{owner_id.replace('-', '')[-8:]}"


class OfferItem(Protocol):
    """One asset of an offer. assetid and contextid as they were named; Steam's later ids stand beside them."""

    contextid: str
    assetid: str
    classid: str | None
    new_assetid: str | None
    new_contextid: str | None
