"""Trade lists: the filters of readings R6 as SQL clauses, each written once; a list is the AND of those that are asked for."""

import json
import re
from dataclasses import dataclass
from typing import Any

from selldesk.catalog.games import GAMES
from selldesk.store.store import Reader, Row
from selldesk.trades.status import Status

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
    "custom_id": "t.custom_fold LIKE :custom_id ESCAPE '!'",
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


_KINDS = {"project", "buyer", "game", "statuses"}
"""A list that asks for nothing else has kept totals, and an index for each kind of trade."""
_FEW = 10_000
"""So many found trades are sorted; where more are found, an index is walked in the order of the answer until the page is full."""


def list_trades(reader: Reader, wanted: TradeFilter) -> tuple[list[Row], int]:
    """(the page's trades, the exact total), from one snapshot."""
    asked = [name for name in _CLAUSES if getattr(wanted, name) is not None]
    parameters = _parameters(wanted, asked)
    where = _where(reader, asked)
    of_kinds = set(asked) <= _KINDS and not {"project", "buyer"} <= set(asked)
    with reader.snapshot():
        if of_kinds:
            sums = "buyer_sum" if wanted.buyer is not None else "trade_sum"
            count = f"SELECT coalesce(sum(t.trades), 0) FROM {sums} t WHERE {where}"  # noqa: S608 — own clauses only
        else:
            count = f"SELECT count(*) FROM trade t WHERE {where}"  # noqa: S608
        total = int(reader.query(count, parameters)[0][0])
        found = f"SELECT t.id, {_SORTS[wanted.sort_by]} AS sorted_by FROM trade t WHERE {where}"  # noqa: S608
        is_few = total <= _FEW
        if of_kinds and (is_few or wanted.sort_by == "created_at") and (wanted.game is not None or wanted.statuses is not None):
            found, more = _kind_by_kind(wanted)
            parameters |= more
        direction = "DESC" if wanted.descending else "ASC"
        materialized = "AS MATERIALIZED" if is_few and (not of_kinds or wanted.sort_by != "created_at") else "AS NOT MATERIALIZED"
        page = reader.query(
            f"WITH found {materialized} ({found}), "  # noqa: S608
            f"page AS MATERIALIZED (SELECT id, sorted_by FROM found ORDER BY sorted_by {direction}, id {direction}"
            " LIMIT :limit OFFSET :offset) "
            f"SELECT r.* FROM page p JOIN sale r ON r.id = p.id ORDER BY p.sorted_by {direction}, p.id {direction}",
            {**parameters, "limit": wanted.limit, "offset": wanted.offset},
        )
    return page, total


def _where(reader: Reader, asked: list[str]) -> str:
    names = ("statuses", "custom_ids", "trade_ids", "offer_ids", "steam_trade_ids", "bare_trade_ids")
    lists = {name: reader.dialect.one_of.format(name=name) for name in names}
    return " AND ".join(_CLAUSES[name].format(one_of=lists) for name in asked) or "true"


def _parameters(wanted: TradeFilter, asked: list[str]) -> dict[str, Any]:
    values = {name: getattr(wanted, name) for name in asked}
    parameters = {name: json.dumps(value) if isinstance(value, list) else value for name, value in values.items()}
    if wanted.custom_id is not None:
        folded = wanted.custom_id.casefold()
        parameters["custom_id"] = "%" + re.sub(r"([!%_])", r"!\1", folded) + "%"
    if wanted.steam_trade_ids is not None:
        parameters["bare_trade_ids"] = json.dumps([text.partition("_")[0] for text in wanted.steam_trade_ids])
    return parameters


def _kind_by_kind(wanted: TradeFilter) -> tuple[str, dict[str, Any]]:
    """One branch for each game and status, each in the order of an index: the engine merges them and stops when the page is full."""
    owner = " AND ".join(_CLAUSES[name] for name in ("project", "buyer") if getattr(wanted, name) is not None) or "true"
    games = [wanted.game] if wanted.game is not None else list(GAMES)
    statuses = sorted(set(wanted.statuses)) if wanted.statuses is not None else [status.value for status in Status]
    branches: list[str] = []
    parameters: dict[str, Any] = {}
    for number, (game, status) in enumerate((game, status) for game in games for status in statuses):
        branches.append(
            f"SELECT t.id, {_SORTS[wanted.sort_by]} AS sorted_by FROM trade t WHERE {owner} AND t.game = :g{number} AND t.status = :s{number}"  # noqa: S608
        )
        parameters |= {f"g{number}": game, f"s{number}": status}
    return " UNION ALL ".join(branches), parameters
