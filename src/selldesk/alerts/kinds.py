"""Every kind of alert, declared once. docs/operating.md's runbook is made from this table (a test compares)."""

from enum import StrEnum
from typing import Final, NamedTuple


class Closes(StrEnum):
    """When an alert closes by itself."""

    NEVER = "when an operator closes it"
    BOT_OK = "by itself, when the bot is well again"
    TRADE_MOVES = "by itself, when the sale moves on"
    CAUSE_GONE = "by itself, when the cause is gone"


class AlertKind(NamedTuple):
    name: str
    meaning: str
    remedy: str
    closes: Closes


_KINDS = (
    # Deliveries.
    AlertKind(
        "bot_escrow",
        "Steam would hold what this bot gives for days: its authenticator is younger than seven days, or its password was changed. It delivers nothing.",
        "Nothing but time ends it. Check that nobody else has changed the account.",
        Closes.NEVER,
    ),
    # Webhooks.
    AlertKind(
        "webhook_disabled",
        "An endpoint of somebody's was given up: it answered 410, or nothing succeeded for five days.",
        "Tell its owner, who enables it again and can have the time between recovered. If many endpoints fail, look at DNS and the way out.",
        Closes.NEVER,
    ),
    # Sales.
    AlertKind(
        "trade_overdue",
        "A sale has stood in one stage longer than it should, whatever the cause.",
        "Look at the sale and at its bot. If the bot can't go on, `declare-failed` (nothing was exchanged) or `declare-accepted` (the items"
        " are in the bot's inventory) with `force` ends it; an accepted sale: `declare-completed` or `declare-rolled-back`.",
        Closes.TRADE_MOVES,
    ),
    AlertKind(
        "exchange_unconfirmed",
        "Steam has shown the offer accepted for ten minutes, but not the exchange.",
        "Look into the bot's trade history on Steam. Items there: `declare-accepted`; an exchange that failed: `declare-failed`.",
        Closes.TRADE_MOVES,
    ),
    AlertKind(
        "missing_items",
        "What arrived is not what was verified (status 13).",
        "Compare Steam's evidence on the sale's page with the bot's inventory, then `declare-accepted` or `declare-failed`.",
        Closes.NEVER,
    ),
    AlertKind(
        "steam_trade_trouble",
        "Steam says that the exchange failed or that its support rolled it back (status 4 to 9), or the exchange is in a trade hold: it will not settle.",
        "Ask Steam's support what became of the items; then `declare-failed`, `declare-completed` or `declare-rolled-back`.",
        Closes.NEVER,
    ),
    AlertKind(
        "settlement_doubted",
        "Steam gave a settlement date less than seven days after the exchange. The date is not used, and nobody is paid by it.",
        "Nothing, if a later reading gives a sane date. If it stays, wait out eight days and `declare-completed`.",
        Closes.NEVER,
    ),
    AlertKind(
        "unknown_offer_state",
        "Steam shows an offer in a state that nobody knows yet.",
        "Look at the offer on Steam; update selldesk if Valve has added a state.",
        Closes.TRADE_MOVES,
    ),
    AlertKind(
        "news_not_taken",
        "What Steam says about a sale could not be recorded.",
        "The desk's log holds the reason. Report it; meanwhile a declaration ends the sale.",
        Closes.TRADE_MOVES,
    ),
    AlertKind(
        "items_without_trade",
        "An offer was accepted, or an exchange found, after its sale had ended: the bot has items that nobody was paid for.",
        "Give the items back by hand, or pay the seller by an adjustment with `trade_id`.",
        Closes.NEVER,
    ),
    AlertKind(
        "reversed_after_completion",
        "Steam shows an exchange reversed although its sale was completed and paid.",
        "Take the money back by an adjustment against the project, and refund the buyer.",
        Closes.NEVER,
    ),
    # Items.
    AlertKind(
        "items_left_unasked",
        "Items left a bot by an offer or exchange that no sale explains. Those of buyers are marked missing.",
        "Treat the bot's session as stolen: disable the bot, change its password, revoke its sessions, import new secrets. Then settle"
        " with the buyers of the items that are named.",
        Closes.NEVER,
    ),
    AlertKind(
        "item_missing",
        "A stocktake found items of buyers absent from the bot's inventory.",
        "`GET /api/operator/bots/{steamid64}/items` shows what is there. Handed over by hand: `declare-delivered`. Back again:"
        " `declare-found`.",
        Closes.CAUSE_GONE,
    ),
    AlertKind(
        "unknown_offer",
        "Items came to a bot by an offer or exchange that the store knows nothing of.",
        "After a lost history: find out whose they are, pay for them or give them back, then close the alert. Otherwise somebody sent a gift.",
        Closes.NEVER,
    ),
    AlertKind(
        "foreign_offer",
        "Somebody made an offer with the bot's account by hand or with other software.",
        "If that was not you, treat the session as stolen.",
        Closes.NEVER,
    ),
    AlertKind(
        "session_in_other_hands",
        "An open offer of ours was cancelled from the bot's account, but not by selldesk.",
        "Treat the session as stolen: whoever has it cancels offers and sends look-alikes.",
        Closes.NEVER,
    ),
    # Bots.
    AlertKind(
        "login_refused",
        "Steam refuses the bot's login for good.",
        "Check password, secrets and the account itself; `selldesk bot add --replace` takes new ones.",
        Closes.BOT_OK,
    ),
    AlertKind(
        "rate_limited",
        "Steam has rate-limited the bot's calls for ten minutes: that is a filter or a block, not an ordinary limit.",
        "Ask from another address; update selldesk if Steam filters its headers.",
        Closes.BOT_OK,
    ),
    AlertKind(
        "secrets_unreadable",
        "The bot's secrets can't be opened with SELLDESK_SECRET_KEY, so it has no worker.",
        "Set the right key (or the old one as SELLDESK_SECRET_KEY_OLD), or import the maFile again.",
        Closes.BOT_OK,
    ),
    AlertKind(
        "bot_restricted",
        "Steam refuses the bot's offers whoever the partner is (34), as it does for a day or so after a bot was renamed.",
        "Wait: the bot tries again by itself. Its unsent sales have moved to others.",
        Closes.BOT_OK,
    ),
    AlertKind(
        "bot_quarantined",
        "The bot sends nothing any more: Steam restricts it, or its trades were reversed on its own side.",
        "Find out why; `selldesk bot enable` ends the quarantine.",
        Closes.BOT_OK,
    ),
    AlertKind(
        "bot_reversed",
        "All protected trades of a bot were reversed on its own side.",
        "Treat the account as stolen, as for `items_left_unasked`.",
        Closes.NEVER,
    ),
    AlertKind(
        "bot_full",
        "Steam says that the bot's inventory of a game is full.",
        "Hand items over to their buyers, or add a bot.",
        Closes.CAUSE_GONE,
    ),
    AlertKind(
        "bot_nearly_full",
        "A bot holds more than 90 % of the items of a game that it may hold.",
        "Hand items over to their buyers, or add a bot.",
        Closes.CAUSE_GONE,
    ),
    # The market.
    AlertKind(
        "no_bot_free",
        "No bot of a purchase room can take a sale: none is healthy, has a free slot, or room in its inventory.",
        "Look at the bots; add one, or raise a limit.",
        Closes.CAUSE_GONE,
    ),
    AlertKind(
        "project_holds_slots",
        "One project's processing sales hold more than 40 % of all slots.",
        "Check whether its sellers accept; set `project_processing_percent` or `project_processing_max`.",
        Closes.CAUSE_GONE,
    ),
    AlertKind(
        "project_low_acceptance",
        "Less than 20 % of a project's last 200 ended sales were accepted.",
        "Ask the project; freeze it if it wastes the buyers' money on purpose.",
        Closes.CAUSE_GONE,
    ),
    AlertKind(
        "history_lost",
        "The database lost what had been committed. Trading is stopped.",
        "docs/operating.md, “When the database lost its last second”.",
        Closes.NEVER,
    ),
)

KINDS: Final[dict[str, AlertKind]] = {kind.name: kind for kind in _KINDS}

RETIRED: Final = ("bot_ill",)
"""Raised by an early version and never since: a store may still hold them."""


def closing(how: Closes) -> list[str]:
    """The kinds that close in that way."""
    return [kind.name for kind in _KINDS if kind.closes is how]
