"""What buyers want handed over."""

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import DeliveriesOpened, Done


class OpenDelivery(Command[DeliveriesOpened], frozen=True, kw_only=True):
    """`POST /api/buy/deliveries`, its body checked. Refusals: people P4's list, in its order."""

    buyer: int
    custom_id: str
    items: list[tuple[str, int]]
    """(sale, position there)"""
    partner: str | None
    """SteamID64 of the trade link; None: there is no link."""
    tradelink: str
    """Sealed for this request (deliveries/delivery.py)."""
    message: str


class CancelDelivery(Command[Done], frozen=True, kw_only=True):
    """Its buyer wants it no more."""

    buyer: int
    delivery_id: str


class SetTradeLink(Command[Done], frozen=True, kw_only=True):
    """Where a buyer's deliveries go, unless they say otherwise. None: nowhere."""

    buyer: int
    partner: str | None
    tradelink: str | None


class SetDeliverTo(Command[Done], frozen=True, kw_only=True):
    """Accounts besides the buyer's own that their deliveries may go to."""

    operator: str
    person_id: str
    steamid64s: list[str]
