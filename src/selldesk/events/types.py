"""Every type of event there is (people P2), and how a reader names those it wants."""

from typing import Final

OFFER_SENT: Final = "offer_sent"

STEPS: Final = (
    "processing", "accepted", "completed", "declined", "cancelled", "rolled_back_by_user", "rolled_back_by_bot", "error",
)  # fmt: skip
"""A sale's and a delivery's statuses: each step makes an event of that name."""

TYPES: Final = (
    *(f"trade.{step}" for step in (*STEPS, OFFER_SENT)),
    *(f"delivery.{step}" for step in (*STEPS, OFFER_SENT)),
    *(f"payout.{step}" for step in ("requested", "approved", "paid", "refused", "cancelled")),
    "wallet.deposited", "wallet.withdrawn", "wallet.adjusted",
    "orders.expired",
    "webhook.disabled",
    "operator.alert", "operator.alert_closed", "operator.payout_requested", "operator.trading_stopped", "operator.trading_resumed",
)  # fmt: skip
"""Known from the start, also those whose cause does not exist yet."""

FAMILIES: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in TYPES))


def chosen(names: list[str]) -> frozenset[str] | None:
    """The types that these names stand for: a type, or all of a family (`trade.*`). None: one of them is none."""
    found: set[str] = set()
    for name in names:
        if name in FAMILIES:
            found.update(one for one in TYPES if one.startswith(name.removesuffix("*")))
        elif name in TYPES:
            found.add(name)
        else:
            return None
    return frozenset(found)


def subscribed(names: list[str]) -> frozenset[str] | None:
    """The same for an endpoint, which may have everything (`*`)."""
    return frozenset(TYPES) if "*" in names and chosen([one for one in names if one != "*"]) is not None else chosen(names)
