"""Trade lists: the filters of readings R6 as SQL clauses, each written once; a list is the AND of those that are asked for."""

import json
from dataclasses import dataclass
from typing import Any

from selldesk.store.store import Reader, Row

_CLAUSES: dict[str, str] = {
    "project": "t.project = :project",
    "buyer": "t.buyer = :buyer",
    "game": "t.game = :game",
    "statuses": "t.status IN {one_of[statuses]}",
    "date_from": "t.created_at >= :date_from",
    "date_to": "t.created_at < :date_to",
    "updated_from": "t.updated_at >= :updated_from",
    "updated_to": "t.updated_at < :updated_to",
    "price_min": "t.value >= :price_min",
    "price_max": "t.value <= :price_max",
    "custom_id": "{contains}",
    "custom_ids": "t.custom_id IN {one_of[custom_ids]}",
    "trade_ids": "t.id IN {one_of[trade_ids]}",
    "offer_ids": "t.offer_id IN {one_of[offer_ids]}",
    "steam_trade_ids": """t.steam_trade_id IN {one_of[bare_trade_ids]}
        AND (t.steam_trade_id IN {one_of[steam_trade_ids]}
             OR t.steam_trade_id || '_' || t.seller IN {one_of[steam_trade_ids]})""",
}

_SORTS: dict[str, str] = {
    "created_at": "t.created_at",
    "updated_at": "t.updated_at",
    "purchase_price": "t.value",
    "status": "t.status",
    "custom_id": "t.custom_id",
}

SORT_FIELDS = tuple(_SORTS)


@dataclass
class TradeFilter:
    """What a list asks for; None: not filtered. Times in microseconds, money in mills."""

    project: int | None = None
    buyer: int | None = None
    game: int | None = None
    statuses: list[str] | None = None
    date_from: int | None = None
    date_to: int | None = None
    updated_from: int | None = None
    updated_to: int | None = None
    price_min: int | None = None
    price_max: int | None = None
    custom_id: str | None = None
    """A substring, compared by casefold."""
    custom_ids: list[str] | None = None
    trade_ids: list[str] | None = None
    offer_ids: list[str] | None = None
    steam_trade_ids: list[str] | None = None
    """With or without the seller's suffix."""
    sort_by: str = "created_at"
    descending: bool = True
    limit: int = 20
    offset: int = 0


def list_trades(reader: Reader, wanted: TradeFilter) -> tuple[list[Row], int]:
    """(the page's trades, the exact total), from one snapshot."""
    asked = {name: getattr(wanted, name) for name in _CLAUSES if getattr(wanted, name) is not None}
    dialect = reader.dialect
    lists = {name: dialect.one_of.format(name=name) for name in ("statuses", "custom_ids", "trade_ids", "offer_ids", "steam_trade_ids", "bare_trade_ids")}  # fmt: skip
    contains = dialect.contains.format(column="t.custom_fold", name="custom_id")
    where = " AND ".join(_CLAUSES[name].format(one_of=lists, contains=contains) for name in asked) or "true"
    parameters: dict[str, Any] = {name: json.dumps(value) if isinstance(value, list) else value for name, value in asked.items()}
    if wanted.custom_id is not None:
        parameters["custom_id"] = wanted.custom_id.casefold()
    if wanted.steam_trade_ids is not None:
        parameters["bare_trade_ids"] = json.dumps([text.partition("_")[0] for text in wanted.steam_trade_ids])
    direction = "DESC" if wanted.descending else "ASC"
    order = f"{_SORTS[wanted.sort_by]} {direction}, t.id {direction}"
    with reader.snapshot():
        total = int(reader.query(f"SELECT count(*) FROM trade t WHERE {where}", parameters)[0][0])  # noqa: S608 — own clauses only
        page = reader.query(
            f"SELECT r.* FROM trade t JOIN trade_row r ON r.id = t.id WHERE {where} ORDER BY {order} LIMIT :limit OFFSET :offset",  # noqa: S608
            {**parameters, "limit": wanted.limit, "offset": wanted.offset},
        )
    return page, total
