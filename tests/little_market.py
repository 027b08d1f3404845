"""The in-line market of `selldesk.simulation` with a store of this test's own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from selldesk.desk.settings import DeskSettings
from selldesk.simulation.market import (
    AK,
    BUYER,
    GAME_ITEM,
    MONEY,
    ORDER_AMOUNT,
    ORDER_PRICE,
    SHOP,
    ClosingStore,
    Crash,
    CrashAt,
    InlineMarket,
    lend_rsa_key,
)
from tests.stores import lend_database, take_back

__all__ = [
    "AK",
    "BUYER",
    "GAME_ITEM",
    "MONEY",
    "ORDER_AMOUNT",
    "ORDER_PRICE",
    "SHOP",
    "ClosingStore",
    "Crash",
    "CrashAt",
    "LittleMarket",
    "in_market",
    "lend_rsa_key",
]


class LittleMarket(InlineMarket):
    def __init__(self, folder: Path, settings: DeskSettings | None = None, bots: int = 1, **more: Any) -> None:
        self.database_url = lend_database(folder)
        super().__init__(folder, self.database_url, settings, bots, **more)

    async def __aexit__(self, *failure: object) -> None:
        await super().__aexit__(*failure)
        take_back(self.database_url)


def in_market(
    folder: Path, story: Callable[[LittleMarket], Awaitable[None]], settings: DeskSettings | None = None, bots: int = 1
) -> None:
    """Tells a story in a market of its own; at its end every audit question must be answered well."""

    async def tell() -> None:
        async with LittleMarket(folder, settings, bots) as market:
            await story(market)
            market.assert_clean()
            market.assert_struck()

    asyncio.run(tell())
