"""Every refusal that a client can read, declared once: HTTP status, stable code, text (readings R1, contract).

Raise one anywhere (`raise ITEM_NOT_ORDERED(name=…)`) and the edge gives the right answer. A refusal is an expected answer,
not a fault: it is counted, never logged as an error.
"""

from typing import Any, NamedTuple


class Refusal(Exception):
    """An answer that says no. `details` is a list of `{path, message}` for a bad body."""

    def __init__(
        self, status: int, code: str, text: str, details: list[dict[str, str]] | None = None, cause: str | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.details = details
        self.retry_after: int | None = None
        """Seconds, where it is known."""
        self.cause = cause
        """Counted, never shown: which of several reasons it was."""


class Kind(NamedTuple):
    """One declared refusal. `text` may hold `{fields}` that the caller fills in."""

    status: int
    code: str
    text: str

    def __call__(
        self,
        *,
        details: list[dict[str, str]] | None = None,
        cause: str | None = None,
        retry_after: int | None = None,
        **fields: Any,
    ) -> Refusal:
        refusal = Refusal(self.status, self.code, self.text.format(**fields) if fields else self.text, details, cause)
        refusal.retry_after = retry_after
        return refusal


# The envelope's own (R1).
INVALID_BODY = Kind(400, "invalid_body", "Invalid request body")
INVALID_QUERY = Kind(400, "invalid_query", "Invalid query parameter: {name}")
INVALID_API_KEY = Kind(401, "invalid_api_key", "Invalid API key")
FORBIDDEN = Kind(403, "forbidden", "Forbidden")
NOT_FOUND = Kind(404, "not_found", "Not found")
METHOD_NOT_ALLOWED = Kind(405, "method_not_allowed", "Method not allowed")
REQUEST_TIMEOUT = Kind(408, "request_timeout", "Request timeout")
BAD_REQUEST = Kind(400, "bad_request", "Bad request")
BODY_TOO_LARGE = Kind(413, "body_too_large", "Request body too large")
URI_TOO_LONG = Kind(414, "uri_too_long", "URI too long")
HEADER_TOO_LARGE = Kind(431, "header_too_large", "Request header too large")
TOO_MANY_REQUESTS = Kind(429, "too_many_requests", "Too many requests")
INTERNAL_ERROR = Kind(500, "internal_error", "Internal error")
UNAVAILABLE = Kind(503, "unavailable", "Service unavailable")

# Selling (the document's "Create Trade Errors", in the order in which they are checked, R3).
CUSTOM_ID_EXISTS = Kind(409, "custom_id_exists", "A trade with this custom_id already exists")
ACCOUNT_FROZEN = Kind(403, "account_frozen", "Account frozen")
TRADING_STOPPED = Kind(503, "trading_stopped", "Trading is stopped")
GAME_NOT_SUPPORTED = Kind(400, "game_not_supported", "Game not supported")
GAME_STOPPED = Kind(503, "game_stopped", "Trading of this game is stopped")
SELLER_BLOCKED = Kind(400, "seller_blocked", "Seller is blocked")
SELLER_COOLDOWN = Kind(400, "seller_cooldown", "Seller must wait until {time}")
SELLER_LIMIT = Kind(400, "seller_limit", "Seller has too many open trades")
PROJECT_LIMIT = Kind(400, "project_limit", "Project has too many open trades")
BUYER_MISMATCH = Kind(400, "buyer_mismatch", "Buyer mismatch")
NO_BUY_ORDER = Kind(400, "no_buy_order", "No buy order found for item: {name}")
PRICE_EXCEEDS_ORDER = Kind(400, "price_exceeds_order", "Item {name} price exceeds buy order price")
VALUE_NOT_POSITIVE = Kind(400, "value_not_positive", "Trade value must be positive")
INSUFFICIENT_BALANCE = Kind(400, "insufficient_balance", "Insufficient balance")
ASSET_IN_TRADE = Kind(400, "asset_in_trade", "Item {name} is already in an active trade")
NO_ROOM = Kind(400, "no_purchase_room", "No suitable purchase room found")
NO_BOT = Kind(400, "no_bot", "No suitable bot found")
DELIVERY_NOT_FOUND = Kind(404, "delivery_not_found", "Delivery not found")
DELIVERY_EXISTS = Kind(409, "custom_id_exists", "A delivery with this custom_id already exists")
NO_TRADELINK = Kind(400, "no_tradelink", "No trade link")
FOREIGN_TRADELINK = Kind(400, "foreign_tradelink", "This trade link is not yours")
ITEM_TO_DELIVER_NOT_FOUND = Kind(400, "item_not_found", "Item not found: {item_id}")
ITEM_PROTECTED = Kind(400, "item_protected", "Item {name} is not tradable until {time}")
ITEM_IN_DELIVERY = Kind(400, "item_in_delivery", "Item {name} is already in a delivery")
ITEM_MISSING = Kind(400, "item_missing", "Item {name} is missing")
DELIVERY_LIMIT = Kind(400, "delivery_limit", "Too many open deliveries")
DELIVERY_COOLDOWN = Kind(400, "delivery_cooldown", "You must wait until {time}")
EVENT_NOT_FOUND = Kind(404, "event_not_found", "Event not found")
ENDPOINT_NOT_FOUND = Kind(404, "endpoint_not_found", "Webhook endpoint not found")
TOO_MANY_ENDPOINTS = Kind(409, "too_many_endpoints", "Too many webhook endpoints")
ROTATION_RUNNING = Kind(409, "rotation_running", "A rotation is already running")
CURSOR_EXPIRED = Kind(410, "cursor_expired", "Events before this cursor are gone")
TRADE_NOT_FOUND = Kind(404, "trade_not_found", "Trade not found")

# Buyers' orders (contract C2).
LIST_SUPERSEDED = Kind(
    409,
    "list_superseded",
    "A later change of your orders for this game replaced this one before it was finished: send it again if you still want it",
)

# People, keys, money (contract C1 and C4).
KEY_NAME_TAKEN = Kind(409, "api_key_name_taken", "An API key with this name already exists")
TOO_MANY_KEYS = Kind(409, "too_many_keys", "Too many API keys")
KEY_NOT_FOUND = Kind(404, "api_key_not_found", "API key not found")
LAST_KEY = Kind(409, "last_api_key", "Only an operator may delete the last API key")
LOGIN_TAKEN = Kind(409, "login_taken", "A user with this login already exists")
STEAMID_TAKEN = Kind(409, "steamid64_taken", "This steamid64 is already in use")
USER_NOT_FOUND = Kind(404, "user_not_found", "User not found")
NO_WALLET = Kind(400, "no_wallet", "This user has no wallet: only projects and buyers have one")
REFERENCE_REUSED = Kind(409, "reference_reused", "This reference was already used with another amount")
BALANCE_TOO_LARGE = Kind(400, "balance_too_large", "The balance would be too large")

# Rooms, bots, catalog, trades in an operator's hands (contract C4).
ROOM_NOT_FOUND = Kind(404, "room_not_found", "Room not found")
ROOM_NAME_TAKEN = Kind(409, "room_name_taken", "A room with this name already exists")
BOT_NOT_FOUND = Kind(404, "bot_not_found", "Bot not found")
OLDER_RELEASE = Kind(
    409,
    "older_release",
    "A worker of an earlier release is still running and can't read the new seals: stop it, and every older API process, first",
)
BOT_SECRETS_UNREADABLE = Kind(
    409,
    "secrets_unreadable",
    "The stored secrets can't be opened with SELLDESK_SECRET_KEY: send all of them again, with the password or a refresh token",
)
BOT_EXISTS = Kind(409, "bot_exists", "This bot already exists")
WRONG_STATUS = Kind(409, "wrong_status", "The trade is not in a status that allows this")
FORCE_REQUIRED = Kind(409, "force_required", "Say force to declare against or without Steam's word")
LEASE_LOST = Kind(409, "lease_lost", "Another worker has taken this bot over")
GAME_NOT_STOPPED = Kind(409, "not_stopped", "Trading of this game is not stopped")
NOT_A_PROJECT = Kind(400, "not_a_project", "Only a project has limits of its own")
NOT_STOPPED = Kind(409, "not_stopped", "Trading is not stopped")
BOTS_NOT_LOOKED_AT = Kind(
    409, "bots_not_looked_at", "The offers of these bots were not compared with the store since trading stopped: {names}"
)
OFFERS_UNDECIDED = Kind(
    409, "offers_undecided", "{count} alerts about offers that the store doesn't know are open: close each one first"
)
SELLER_NOT_FOUND = Kind(404, "seller_not_found", "Seller not found")
ITEM_NOT_FOUND = Kind(404, "item_not_found", "Item not found: {item_id}")
ITEM_WRONG_STATUS = Kind(409, "wrong_status", "Not in a status that allows this")
ALERT_NOT_FOUND = Kind(404, "alert_not_found", "Alert not found")


def bad_body(path: str, message: str) -> Refusal:
    """INVALID_BODY for a fault that types can't express."""
    return INVALID_BODY(details=[{"path": path, "message": message}])
