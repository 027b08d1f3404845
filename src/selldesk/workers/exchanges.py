"""Exchanges of one bot: Steam's word on what changed hands, settlement, reversals, and exchanges of lost offers."""

import msgspec

from selldesk.desk import commands
from selldesk.kernel.times import SECOND_US
from selldesk.steam.results import Exchange
from selldesk.steamwire.enums import TradeStatus
from selldesk.trades.news import AssetWord, TradeWord
from selldesk.trades.status import Stage
from selldesk.trades.trade import Trade
from selldesk.workers.context import BotContext

_HISTORY_PAGES_MAX = 50
_CLOCK_TRUSTED_US = 60 * SECOND_US
_EXCHANGED = frozenset({TradeStatus.COMMITTED, TradeStatus.COMPLETE, TradeStatus.IN_ESCROW, TradeStatus.TRADE_PROTECTION_ROLLBACK})
_REVERSED = int(TradeStatus.TRADE_PROTECTION_ROLLBACK)
_REVERSAL_TRIES = 6
"""So often the readings of a reversal are asked for until what is known must do."""


class _Search(msgspec.Struct):
    """A walk through the history, from the newest back to `floor` (seconds)."""

    floor: int
    before: Exchange | None = None
    began: int = 0


class _Sweep(msgspec.Struct):
    before: Exchange | None = None
    seen: set[str] = set()
    pages: int = 0


class Exchanges:
    def __init__(self, bot: BotContext) -> None:
        self._bot = bot
        self._clock_measured_at = 0
        self._searches: dict[str, _Search] = {}
        """Trade → how far the look for its exchange has come."""
        self._sweep: _Sweep | None = None

    async def find(self, trade: Trade) -> bool:
        """Looks in the bot's own trade history for an exchange of exactly these items, and tells the desk of it.

        When Steam's limit stops it between two pages, the next call goes on from there; and since new exchanges may have come
        meanwhile, a search that was stopped looks once more at what is newer than its beginning. Raises Throttled.
        """
        if trade.unknown_since is None and trade.send_started_at is None:
            return False
        since = min(moment for moment in (trade.unknown_since, trade.send_started_at) if moment is not None) // SECOND_US - 60
        search = self._searches.setdefault(trade.id, _Search(since))
        wanted = {(trade.game, item.contextid, item.assetid) for item, _ in self._bot.items(trade.id)}
        in_one_go = search.before is None
        while True:
            if search.before is None:
                search.began = self._bot.clock.now_us() // SECOND_US
            page, more = await self._bot.client.trade_history(search.before)
            found = self._exchange_of(trade, wanted, since, page)
            if found is not None:
                del self._searches[trade.id]
                raw = msgspec.json.encode(found.raw).decode()
                await self._bot.desk.ask(commands.ExchangeFound(trade.id, found.trade_id, raw))
                return True
            if more and page[-1].time_init >= search.floor:
                search.before = page[-1]
            elif in_one_go:
                del self._searches[trade.id]
                return False
            else:
                search.floor, search.before, in_one_go = search.began - 60, None, True

    def _exchange_of(self, trade: Trade, wanted: set[tuple[int, str, str]], since: int, page: list[Exchange]) -> Exchange | None:
        taken = self._taken_by_others(trade, page)
        for exchange in page:
            received = {(asset.appid, asset.contextid, asset.assetid) for asset in exchange.received}
            if (
                exchange.status in _EXCHANGED
                and exchange.trade_id not in taken
                and exchange.partner == trade.seller
                and received == wanted
                and exchange.time_init >= since
                and not exchange.rollback_of
            ):
                return exchange
        return None

    def _taken_by_others(self, trade: Trade, page: list[Exchange]) -> set[str]:
        """Exchanges that belong to other trades: an asset may come back after a reversal and be sold again (protocol §5.3)."""
        rows = self._bot.reader.load("trades_by_steam_trade", [(exchange.trade_id,) for exchange in page])
        return {row[3] for row in rows if row[0] != trade.id}

    async def read_trade(self, trade: Trade) -> None:
        assert trade.steam_trade_id is not None
        began_at = await self._steam_time() if trade.work is Stage.SETTLING else self._bot.clock.now_us()
        exchange = await self._bot.client.trade_status(trade.steam_trade_id)
        if exchange is not None and exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK:
            self._suspect(trade.id)
            memory = self._bot.memory
            memory.defer(trade.id, max(memory.suspects_not_before, self._bot.clock.now_us() + 2 * SECOND_US))
            return
        heard, raw = (None, "") if exchange is None else (_trade_word(exchange), msgspec.json.encode(exchange.raw).decode())
        await self._bot.desk.ask(commands.TradeRead(trade.id, heard, began_at, raw))

    async def _steam_time(self) -> int:
        """The earlier of our clock and Steam's: a clock of ours that runs ahead must pay nobody (protocol §9 no. 32)."""
        now = self._bot.clock.now_us()
        if not self._clock_measured_at <= now < self._clock_measured_at + _CLOCK_TRUSTED_US:
            await self._bot.client.session.measure_clock()
            self._clock_measured_at = now
        return min(now, now + (self._bot.client.session.clock_offset_seconds + 1) * SECOND_US)

    async def sweep(self) -> None:
        """Reversals show in the trade history while the offer may still say Accepted (protocol §5.3). One page a call: what was
        read stays read when Steam's limit comes between. Raises Throttled."""
        memory = self._bot.memory
        if not memory.is_sweeping or self._sweep is None:
            self._sweep = _Sweep()
            memory.is_sweeping = True
        progress = self._sweep
        unsettled = {row[1] for row in self._bot.reader.fetch("unsettled_of_bot", bot=self._bot.number)}
        page, more = await self._bot.client.trade_history(progress.before)
        progress.pages += 1
        progress.seen |= {exchange.trade_id for exchange in page}
        gone = {exchange.trade_id for exchange in page if exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK}
        gone |= {exchange.rollback_of for exchange in page if exchange.rollback_of is not None}
        if not more or unsettled <= progress.seen or progress.pages >= _HISTORY_PAGES_MAX:
            self._sweep, memory.is_sweeping, memory.last_sweep_at = None, False, self._bot.clock.now_us()
        else:
            progress.before = page[-1]
        for trade_id, status, steam_status, *_ in self._bot.reader.load(
            "trades_by_steam_trade", [(tradeid,) for tradeid in sorted(gone)]
        ):
            if status in ("accepted", "processing"):
                self._suspect(trade_id)
            elif status == "completed" and steam_status != TradeStatus.TRADE_PROTECTION_ROLLBACK:
                await self._bot.desk.ask(
                    commands.RolledBack(self._bot.number, [(trade_id, int(TradeStatus.TRADE_PROTECTION_ROLLBACK))], False)
                )

    def _suspect(self, trade_id: str) -> None:
        self._bot.memory.suspects = tuple({*self._bot.memory.suspects, trade_id})

    async def decide_reversal(self, trades: dict[str, Trade]) -> None:
        """One trade was seen reversed: all unsettled trades of this bot are read again at once, the suspects' sellers first.

        As soon as one protected trade still stands, it was no reversal of the bot, and the rest may wait for its own turn.
        """
        now, suspects = self._bot.clock.now_us(), self._bot.memory.suspects
        rows = {
            row[0]: (row[1], row[2])
            for row in self._bot.reader.fetch("unsettled_of_bot", bot=self._bot.number)
            if row[0] in suspects or (row[3] and (row[5] is None or row[5] > now))
        }
        rows |= {
            trade.id: (trade.steam_trade_id, trade.seller)
            for trade in trades.values()
            if trade.id in suspects and trade.steam_trade_id is not None
        }
        sellers = {rows[trade_id][1] for trade_id in suspects if trade_id in rows}
        readings: list[tuple[str, int]] = []
        unread: list[str] = []
        some_stand = False
        for trade_id in sorted(rows, key=lambda trade_id: (rows[trade_id][1] not in sellers, trade_id)):
            steam_trade_id, seller = rows[trade_id]
            if some_stand and seller not in sellers:
                break
            status = await self._reading(trade_id, steam_trade_id)
            if status is None:
                unread.append(trade_id)
                continue
            readings.append((trade_id, status))
            some_stand = some_stand or status != TradeStatus.TRADE_PROTECTION_ROLLBACK
        memory = self._bot.memory
        memory.suspects_tries += 1
        # The round is over: the next one asks again for what had no entry, and for what stood.
        memory.readings = {trade_id: status for trade_id, status in memory.readings.items() if status == _REVERSED}
        if unread and not some_stand and memory.suspects_tries < _REVERSAL_TRIES:
            # Whether the bot's account was reversed can't be told yet: wait for the missing words, for a while.
            self._ask_again(memory.suspects)
            return
        await self._bot.desk.ask(commands.RolledBack(self._bot.number, readings, not unread and not some_stand))
        self._ask_again(tuple(trade_id for trade_id in suspects if trade_id in unread))

    async def _reading(self, trade_id: str, steam_trade_id: str) -> int | None:
        """Steam's status of one trade, asked for once a round: when Steam's limit stops us in the middle of many, the next try goes
        on from there. Raises Throttled."""
        readings = self._bot.memory.readings
        if trade_id not in readings:
            exchange = await self._bot.client.trade_status(steam_trade_id)
            readings[trade_id] = None if exchange is None else exchange.status
        return readings[trade_id]

    def _ask_again(self, suspects: tuple[str, ...]) -> None:
        memory = self._bot.memory
        memory.suspects = suspects
        if not suspects:
            memory.suspects_tries, memory.readings = 0, {}
        memory.suspects_not_before = self._bot.clock.now_us() + (SECOND_US << min(memory.suspects_tries, 6))


def _trade_word(exchange: Exchange) -> TradeWord:
    assets = [
        AssetWord(asset.appid, asset.contextid, asset.assetid, asset.classid, asset.new_assetid, asset.new_contextid)
        for asset in exchange.received
    ]
    return TradeWord(exchange.status, exchange.settlement * SECOND_US or None, exchange.delayed, assets)
