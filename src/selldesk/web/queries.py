"""Query parameters: strict, one refusal names the parameter (readings R6)."""

import re
from urllib.parse import unquote_to_bytes

from selldesk.catalog.games import is_supported
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import BATCH_IDS_MAX, CUSTOM_ID_CHARS_MAX, MONEY_MAX, PAGE_DEFAULT, PAGE_MAX
from selldesk.kernel.refusals import INVALID_QUERY
from selldesk.kernel.times import parse_time
from selldesk.store.lists import SORT_FIELDS, TradeFilter
from selldesk.trades.status import Status


def parse_query(raw: bytes) -> dict[str, str]:
    """name → value, the last one of a name. Refuses INVALID_QUERY for NUL or bytes that are no UTF-8."""
    fields: dict[str, str] = {}
    if not raw:
        return fields
    for part in raw.split(b"&"):
        if not part:
            continue
        name_raw, _, value_raw = part.partition(b"=")
        name = unquote_to_bytes(name_raw.replace(b"+", b" ")).decode("utf-8", "replace")
        try:
            unquote_to_bytes(name_raw).decode("utf-8")
            value = unquote_to_bytes(value_raw.replace(b"+", b" ")).decode("utf-8")
        except UnicodeDecodeError:
            raise INVALID_QUERY(name=name) from None
        if "\0" in value or "\0" in name:
            raise INVALID_QUERY(name=name.replace("\0", ""))
        fields[name] = value
    return fields


def whole(query: dict[str, str], name: str, default: int | None, low: int, high: int) -> int | None:
    """An integer between the bounds, or the default if absent. Refuses INVALID_QUERY."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,16}", text) or not text.isascii() or not low <= int(text) <= high:
        raise INVALID_QUERY(name=name)
    return int(text)


def page(query: dict[str, str]) -> tuple[int, int]:
    """(limit, offset)"""
    limit = whole(query, "limit", PAGE_DEFAULT, 1, PAGE_MAX)
    offset = whole(query, "offset", 0, 0, MONEY_MAX)
    assert limit is not None
    assert offset is not None
    return limit, offset


def game(query: dict[str, str]) -> int | None:
    number = whole(query, "game_id", None, 0, MONEY_MAX)
    if number is not None and not is_supported(number):
        raise INVALID_QUERY(name="game_id")
    return number


def text(query: dict[str, str], name: str) -> str | None:
    value = query.get(name)
    if value == "":
        raise INVALID_QUERY(name=name)
    return value


def moment(query: dict[str, str], name: str) -> int | None:
    value = text(query, name)
    if value is None:
        return None
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        raise INVALID_QUERY(name=name) from None


def flag(query: dict[str, str], name: str) -> bool | None:
    value = query.get(name)
    if value is None:
        return None
    if value not in ("true", "false", "1", "0"):
        raise INVALID_QUERY(name=name)
    return value in ("true", "1")


def ids(query: dict[str, str], name: str) -> list[str] | None:
    """Comma-separated ids, up to 2,000."""
    value = text(query, name)
    if value is None:
        return None
    found = [part for part in value.split(",") if part]
    if not found or len(found) > BATCH_IDS_MAX:
        raise INVALID_QUERY(name=name)
    return found


def needle(query: dict[str, str]) -> str | None:
    """A part of a custom_id: what is longer than any is none. Refuses INVALID_QUERY."""
    value = text(query, "custom_id")
    if value is not None and len(value) > CUSTOM_ID_CHARS_MAX:
        raise INVALID_QUERY(name="custom_id")
    return value


def statuses(query: dict[str, str]) -> list[str] | None:
    found = ids(query, "status")
    if found is not None and any(one not in Status._value2member_map_ for one in found):
        raise INVALID_QUERY(name="status")
    return found


def trade_filter(query: dict[str, str], *, seller: bool) -> TradeFilter:
    """The filters, sorting and paging of a trade list (R6). A buyer has no custom ids, and other names for the dates."""
    limit, offset = page(query)
    sort_by = query.get("sort_by", "created_at")
    if sort_by not in SORT_FIELDS or (sort_by == "custom_id" and not seller):
        raise INVALID_QUERY(name="sort_by")
    direction = query.get("sort_direction", "desc")
    if direction not in ("asc", "desc"):
        raise INVALID_QUERY(name="sort_direction")
    date_from, date_to = moment(query, "date_from"), moment(query, "date_to")
    if not seller:
        date_from = date_from if date_from is not None else moment(query, "start_date")
        date_to = date_to if date_to is not None else moment(query, "end_date")
    trade_ids = ids(query, "trade_ids")
    return TradeFilter(
        game=game(query),
        statuses=statuses(query),
        date_from=date_from,
        date_to=date_to,
        updated_from=moment(query, "updated_from"),
        updated_to=moment(query, "updated_to"),
        price_min=whole(query, "price_min", None, 0, MONEY_MAX),
        price_max=whole(query, "price_max", None, 0, MONEY_MAX),
        custom_id=needle(query) if seller else None,
        custom_ids=ids(query, "custom_ids") if seller else None,
        trade_ids=None if trade_ids is None else [canonical_uuid(one) or one for one in trade_ids],
        offer_ids=ids(query, "steam_trade_offer_ids"),
        steam_trade_ids=ids(query, "steam_trade_ids"),
        sort_by=sort_by,
        descending=direction == "desc",
        limit=limit,
        offset=offset,
    )
