"""A bot's own inventory, compared with what the store says it holds (people P4 "Stock"): at a stocktake all games, and after a sale's
acceptance that game, since Steam often names no new asset id."""

from selldesk.bots.stock import OwnAsset
from selldesk.catalog.games import GAMES
from selldesk.desk import commands
from selldesk.steam.results import Inventory, InventoryItem
from selldesk.workers.context import BotContext

_USABLE, _PROTECTED = "2", "16"
CONTEXTS = (_USABLE, _PROTECTED)
"""Where a bot's items lie: what is under trade protection has a context of its own (protocol §5.4)."""


class Stocktaking:
    def __init__(self, bot: BotContext) -> None:
        self._bot = bot
        self._read: dict[tuple[int, str], Inventory] = {}
        """(game, context) → what was read of this game so far."""
        self._began_at = 0
        self._free_at: dict[str, int] = {}
        """Context → when it may be read next."""

    def note_standing(self, asked: bool) -> None:
        """Somebody wants a stocktake: every game is read."""
        memory = self._bot.memory
        if asked and not memory.is_taking_stock:
            memory.is_taking_stock = True
            memory.stock_games = tuple(GAMES)

    def wants(self, game: int) -> None:
        """Items of this game have come, and nobody knows their ids yet."""
        memory = self._bot.memory
        if game not in memory.stock_games:
            memory.stock_games = (*memory.stock_games, game)

    async def read_next(self) -> None:
        """One context of one game: Steam limits these pages more tightly than any other. When a game is read to its end the desk is
        told. Raises SteamFault."""
        memory, now = self._bot.memory, self._bot.clock.now_us()
        game = memory.stock_games[0]
        context = next(one for one in CONTEXTS if (game, one) not in self._read)
        self._free_at[context] = now + self._bot.pace.own_inventory_us
        # The other context may be read at once: the limit is one of each.
        memory.stock_not_before = self._free_at.get(_PROTECTED if context == _USABLE else _USABLE, now)
        if not any(key[0] == game for key in self._read):
            self._read, self._began_at = {}, now
        self._read[game, context] = await self._bot.client.own_inventory(game, context)
        if any((game, one) not in self._read for one in CONTEXTS):
            return
        inventories = [(context, self._read[game, context]) for context in CONTEXTS]
        self._read = {}
        memory.stock_games = memory.stock_games[1:]
        if any(inventory.private for _, inventory in inventories):
            return
        assets = {(one.assetid, one.contextid): one for context, inventory in inventories for one in _assets_in(inventory, context)}
        is_last = memory.is_taking_stock and not memory.stock_games
        await self._bot.desk.ask(
            commands.StockRead(
                bot=self._bot.number, game=game, assets=list(assets.values()), began_at=self._began_at, is_last=is_last
            )
        )
        if is_last:
            memory.is_taking_stock = False


def _assets_in(inventory: Inventory, context: str) -> list[OwnAsset]:
    """All there are, those without a description too."""
    shown = [_own(item, context) for item in inventory.items.values()]
    return shown + [OwnAsset(context, assetid, "", "0") for assetid in inventory.unreadable]


def _own(item: InventoryItem, context: str) -> OwnAsset:
    return OwnAsset(
        context, item.assetid, item.classid, item.instanceid, item.market_hash_name, item.tradable, item.amount, item.properties
    )
