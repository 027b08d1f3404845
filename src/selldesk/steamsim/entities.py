"""What the simulated world consists of. Times in whole seconds unless a name says otherwise."""

from enum import StrEnum

import msgspec

from selldesk.steamwire.tradelink import STEAMID64_BASE


class Behaviour(StrEnum):
    """What a seller does with an offer."""

    ACCEPT = "accept"
    """Accepts and confirms on the phone."""
    ACCEPT_UNCONFIRMED = "accept_unconfirmed"
    """Accepts on the web, never confirms on the phone: the offer stays active."""
    CANCEL_ON_PHONE = "cancel_on_phone"
    """Accepts on the web and rejects the confirmation on the phone: the offer ends in state 10."""
    DECLINE = "decline"
    COUNTER = "counter"
    """Answers with an offer of their own, which wants something back."""
    IGNORE = "ignore"


class Account(msgspec.Struct):
    steamid64: str
    role: str
    """bot, seller or buyer: only whether it acts by itself."""
    login: str
    password: str
    shared_secret: str
    identity_secret: str
    persona: str
    trade_token: str
    behaviour: Behaviour = Behaviour.ACCEPT
    delay_seconds: float = 1.0
    behaviour_since_us: int = 0
    acknowledged: bool = False
    banned_until: int = 0
    """Can neither send nor receive offers until then."""
    token_generation: int = 0
    """Tokens of older generations are revoked."""

    @property
    def number(self) -> int:
        return int(self.steamid64) - STEAMID64_BASE


class Item(msgspec.Struct):
    """One asset in somebody's inventory."""

    assetid: str
    owner: str
    appid: int
    contextid: str
    classid: str
    instanceid: str
    market_hash_name: str
    protected_until: int = 0
    """Trade protection: context 16 until then, not tradable."""
    on_hold: bool = False
    """In a trade hold: in nobody's inventory."""
    amount: int = 1
    """More than 1: a stack under one asset id."""


class Given(msgspec.Struct):
    """An item inside an offer or a trade, as it was when it was named there."""

    appid: int
    contextid: str
    assetid: str
    classid: str
    instanceid: str
    market_hash_name: str
    new_assetid: str = ""
    new_contextid: str = ""
    rollback_new_assetid: str = ""
    rollback_new_contextid: str = ""
    """Where a reversal put it (protocol §5.2)."""
    amount: int = 1
    """So many of the stack."""


class OfferRecord(msgspec.Struct):
    tradeofferid: str
    sender: str
    recipient: str
    state: int
    give: list[Given]
    """What the sender gives."""
    receive: list[Given]
    """What the sender asks for."""
    message: str
    created_us: int
    time_updated: int
    tradeid: str = ""
    escrow_end: int = 0
    answered: bool = False
    """The seller has done what they do with offers."""
    flapped: bool = False
    accepted_on_web: bool = False
    """The recipient accepted in the browser and must still confirm on their phone."""


class TradeRecord(msgspec.Struct):
    tradeid: str
    initiator: str
    partner: str
    status: int
    given: list[Given]
    """From initiator to partner."""
    received: list[Given]
    """From partner to initiator."""
    time_init: int
    time_settlement: int = 0
    escrow_end: int = 0
    rollback_trade: str = ""
    time_mod: int = 0


class Counters(msgspec.Struct):
    """The next ids: deterministic, so that a test can be repeated."""

    account: int = 1_000_001
    asset: int = 30_000_000_001
    offer: int = 5_200_000_001
    trade: int = 4_012_300_001
    client: int = 7_000_001
