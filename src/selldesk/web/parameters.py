"""Query parameters as the OpenAPI document shows them."""

from dataclasses import replace

from selldesk.catalog.games import GAMES
from selldesk.kernel.limits import BATCH_IDS_MAX, MONEY_MAX, PAGE_DEFAULT, PAGE_MAX
from selldesk.store.lists import SORT_FIELDS
from selldesk.trades.status import Status
from selldesk.web.routes import Parameter

_TEXT = {"type": "string"}
_MILLS = {"type": "integer", "minimum": 0, "maximum": MONEY_MAX}
_IDS_TEXT = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": BATCH_IDS_MAX}

GAME = Parameter("game_id", {"type": "integer", "enum": list(GAMES)}, "Only this game")
THIS_GAME = replace(GAME, text="Of this game", required=True)
LIMIT = Parameter("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT}, "Results per page")
OFFSET = Parameter("offset", {"type": "integer", "minimum": 0, "maximum": MONEY_MAX, "default": 0}, "Results to skip")
PAGE = (LIMIT, OFFSET)

STATUS = Parameter(
    "status",
    {"type": "array", "items": {"type": "string", "enum": [one.value for one in Status]}, "minItems": 1},
    "One or several, comma-separated",
)
DATES = (
    Parameter("date_from", _TEXT, "Created at or after (ISO 8601; UTC if it names no zone)"),
    Parameter("date_to", _TEXT, "Created before"),
    Parameter("updated_from", _TEXT, "Changed at or after"),
    Parameter("updated_to", _TEXT, "Changed before"),
)
_PRICES = (
    Parameter("price_min", _MILLS, "Lowest trade value, thousandths of a dollar"),
    Parameter("price_max", _MILLS, "Highest trade value"),
)
_CUSTOM = (
    Parameter("custom_id", _TEXT, "Part of your custom_id, upper and lower case alike"),
    Parameter("custom_ids", _IDS_TEXT, "Up to 2,000 custom ids, comma-separated"),
)
_IDS = (
    Parameter("trade_ids", _IDS_TEXT, "Up to 2,000 market trade UUIDs, comma-separated"),
    Parameter("steam_trade_offer_ids", _IDS_TEXT, "Up to 2,000 Steam trade offer ids, comma-separated"),
    Parameter("steam_trade_ids", _IDS_TEXT, "Up to 2,000 Steam trade ids, comma-separated, with or without suffix"),
)


def _sorting(fields: list[str]) -> tuple[Parameter, ...]:
    return (
        Parameter(
            "sort_by",
            {"type": "string", "enum": fields, "default": "created_at"},
            "Sort field; `purchase_price` is the trade's value",
        ),
        Parameter("sort_direction", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "Sort direction"),
    )


TRADE_FILTERS = (GAME, STATUS, *DATES, *_PRICES, *_CUSTOM, *_IDS, *_sorting(list(SORT_FIELDS)), *PAGE)
BUYER_TRADE_FILTERS = (
    GAME,
    STATUS,
    *DATES,
    Parameter("start_date", _TEXT, "Another name of date_from"),
    Parameter("end_date", _TEXT, "Another name of date_to"),
    *_PRICES,
    *_IDS,
    *_sorting([field for field in SORT_FIELDS if field != "custom_id"]),
    *PAGE,
)
