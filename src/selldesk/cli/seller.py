"""A seller's client: match, create, follow to the end (contract C7)."""

import asyncio
import json
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import typer
from rich.console import Console
from yarl import URL

from selldesk.cli.app import app
from selldesk.cli.exits import NotReached, Refused
from selldesk.config import BadSetting
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.money import dollars

Url = Annotated[str, typer.Option("--url", envvar="SELLDESK_URL", help="The market.")]
Key = Annotated[str, typer.Option("--key", envvar="SELLDESK_API_KEY", help="A project's API key.")]

_FINAL = ("completed", "declined", "cancelled", "rolled_back_by_user", "rolled_back_by_bot", "error")
_LOOK_SECONDS = 1.0


class NotFound(Refused):
    """The market knows no such trade of this project."""


console = Console(highlight=False)


@app.command()
def sell(
    items: Annotated[Path, typer.Option(help='JSON: {"game_id", "tradelink", "items": [{"assetid", "market_hash_name"}]}.')],
    key: Key,
    url: Url = "http://127.0.0.1:8000",
    custom_id: Annotated[str | None, typer.Option(help="Your id for the sale; made up if absent.")] = None,
    until: Annotated[str, typer.Option(help="Follow until this status (or an end).")] = "accepted",
) -> None:
    """Sells the items of a file to the best buyer, and follows the sale."""
    try:
        wanted = json.loads(items.read_text())
        wanted_items, game, tradelink = wanted["items"], wanted["game_id"], wanted["tradelink"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSetting(f"{items}: {type(error).__name__} {error}") from None
    asyncio.run(_sell(url, key, custom_id or f"shell-{secrets.token_hex(6)}", game, tradelink, wanted_items, until))


@app.command()
def watch(
    trade: Annotated[str, typer.Argument(help="A trade's UUID or your custom_id.")],
    key: Key,
    url: Url = "http://127.0.0.1:8000",
    until: Annotated[str, typer.Option(help="Follow until this status (or an end).")] = "completed",
) -> None:
    """Follows a sale and prints every change."""
    asyncio.run(_watch(url, key, trade, until))


async def _sell(url: str, key: str, custom_id: str, game: int, tradelink: str, items: list[dict[str, Any]], until: str) -> None:
    async with aiohttp.ClientSession(headers={"x-api-key": key}) as session:
        names = [{"market_hash_name": item["market_hash_name"]} for item in items]
        matched = await _call(session, "POST", f"{url}/api/sell/match", {"game_id": game, "items": names})
        if matched["buyer_id"] is None:
            raise Refused("nobody buys any of these items")
        sold = []
        for item, line in zip(items, matched["items"], strict=True):
            price = dollars(line["price"]) if line["price"] else "no buyer, left out"
            console.print(f"  {line['market_hash_name']}: {price}")
            if line["price"]:
                sold.append({**item, "price": line["price"]})
        body = {
            "custom_id": custom_id, "buyer_id": matched["buyer_id"], "tradelink": tradelink, "game_id": game, "items": sold,
            "quote_id": matched["quote_id"],
        }  # fmt: skip
        created = await _call(session, "POST", f"{url}/api/sell/trades/create", body)
        summary = created["summary"]
        console.print(f"{custom_id}: {summary['items_count']} item(s) for {dollars(summary['total_value'])}, {created['trade_id']}")
        await _follow(session, url, created["trade_id"], until)


async def _watch(url: str, key: str, trade: str, until: str) -> None:
    async with aiohttp.ClientSession(headers={"x-api-key": key}) as session:
        await _follow(session, url, trade, until)


async def _follow(session: aiohttp.ClientSession, url: str, trade: str, until: str) -> None:
    path = await _path_of(session, url, trade)
    shown = 0
    while True:
        data = await _call(session, "GET", path, None)
        for step in data["history"][shown:]:
            console.print(f"  {step['at']} {step['status']}: {step['note']}")
        shown = len(data["history"])
        if data["status"] == until or data["status"] in _FINAL:
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _path_of(session: aiohttp.ClientSession, url: str, trade: str) -> str:
    """By its UUID, or by a custom_id, which may be anything, a UUID too."""
    by_custom_id = f"{url}/api/sell/trades/by-custom-id/{quote(trade, safe='')}"
    if canonical_uuid(trade) is None:
        return by_custom_id
    by_id = f"{url}/api/sell/trades/by-id/{trade}"
    try:
        await _call(session, "GET", by_id, None)
    except NotFound:
        return by_custom_id
    return by_id


async def _call(session: aiohttp.ClientSession, method: str, url: str, body: Any) -> Any:
    try:
        async with session.request(method, URL(url, encoded=True), json=body) as response:
            answer = await response.json()
    except (aiohttp.ClientError, ValueError) as error:
        raise NotReached(f"{url}: {error}") from None
    if not answer["success"] and response.status == HTTPStatus.NOT_FOUND:
        raise NotFound(f"{answer['error']} ({answer['code']})")
    if not answer["success"]:
        raise Refused(f"{answer['error']} ({answer['code']})")
    return answer["data"]
