"""Every bound of the wire contract, in one place (readings R1–R6, contract C2 and C8)."""

MONEY_MAX = 2**53 - 1
"""No balance, in mills, may pass this: beyond it JSON numbers stop being exact in JavaScript."""

PRICE_MAX = 10**9
ORDER_AMOUNT_MAX = 10**6

MATCH_LINES_MAX = 1_000
MATCH_AMOUNT_MAX = 10_000
TRADE_ITEMS_MAX = 200
CUSTOM_ID_CHARS_MAX = 128
MESSAGE_CHARS_MAX = 128
OFFER_MESSAGE_BYTES_MAX = 128
"""Of an offer's message in UTF-8, our tag included (protocol §11)."""
NAME_CHARS_MAX = 256
QUOTE_CHARS_MAX = 65_536

ORDERS_PER_CALL_MAX = 50_000
ORDERS_PER_TRANSACTION = 500
CATALOG_ITEMS_PER_CALL_MAX = 200_000

KEYS_MAX = 50
DELIVERY_REQUEST_ITEMS_MAX = 1_000
DELIVER_TO_MAX = 20
"""Accounts besides the buyer's own that their deliveries may go to."""
ENDPOINTS_MAX = 10
"""Webhook endpoints of an account."""
"""API keys of one account (people P1)."""

PAGE_DEFAULT = 20
PAGE_MAX = 2_000
BATCH_IDS_MAX = 2_000

BODY_BYTES_MAX = 1024 * 1024
LARGE_BODY_BYTES_MAX = 16 * 1024 * 1024

CLOCK_ADVANCE_SECONDS_MAX = 31_536_000
