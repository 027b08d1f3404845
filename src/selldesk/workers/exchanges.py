"""Exchanges of one bot: Steam's word on what changed hands, settlement, reversals, and exchanges of lost offers."""

import msgspec

from selldesk.desk import commands
from selldesk.kernel.times import DAY_US, SECOND_US
from selldesk.offers.life import OpenOffer
from selldesk.offers.stages import Stage
from selldesk.offers.words import AssetWord, TradeWord
from selldesk.steam.results import Asset, Exchange, Malformed
from selldesk.steamwire.enums import TradeStatus
from selldesk.store.rows import ExchangedTradeRow, UnsettledRow
from selldesk.trades.status import RELEASED, SUCCESSFUL, Status
from selldesk.workers.context import BotContext

_HISTORY_PAGES_MAX = 50
_WALK_PAGES_MAX = 500
_WALK_GOOD_FOR_US = 15 * SECOND_US
"""Steam gives one look at the history in so long (protocol §7)."""
_CLOCK_TRUSTED_US = 60 * SECOND_US
_EXCHANGED = frozenset({TradeStatus.COMMITTED, TradeStatus.COMPLETE, TradeStatus.IN_ESCROW, TradeStatus.TRADE_PROTECTION_ROLLBACK})
_REVERSED = int(TradeStatus.TRADE_PROTECTION_ROLLBACK)
_REVERSAL_TRIES = 6
"""So often the readings of a reversal are asked for until what is known must do."""


class _Walk(msgspec.Struct):
    """A walk through the history for all doubted sales of the bot, from the newest exchange back to `floor` (seconds)."""

    floor: int
    target: int
    """How far back this pass goes: to the floor at first, later to the beginning of a pass that was stopped."""
    pass_began_us: int = 0
    before: Exchange | None = None
    unbroken: bool = True
    """This pass was not stopped by Steam's limit: nothing can have come unseen."""
    exchanges: dict[str, Exchange] = {}
    pages: int = 0
    done: bool = False

    def serves(self, since: int, not_before_us: int, now: int) -> bool:
        """It reaches back far enough, and goes on or is fresh enough."""
        if self.floor > since:
            return False
        return not self.done or not_before_us <= self.pass_began_us <= now < self.pass_began_us + _WALK_GOOD_FOR_US


class _Sweep(msgspec.Struct):
    before: Exchange | None = None
    seen: set[str] = set()
    pages: int = 0

    def goes_on_after(self, page: list[Exchange]) -> bool:
        """Whether the next page can be asked for: not without an end of this one, and not for ever."""
        oldest = _oldest(page)
        if oldest is None or oldest == self.before or self.pages >= _HISTORY_PAGES_MAX:
            return False
        self.before = oldest
        return True


class Exchanges:
    def __init__(self, bot: BotContext) -> None:
        self._bot = bot
        self._clock_measured_at = 0
        self._walk: _Walk | None = None
        self._told: set[str] = set()
        """Exchanges that no sale explains, and that were told."""
        self._taken_back: set[str] = set()
        """Exchanges that a complete counter-exchange names."""
        self._sweep: _Sweep | None = None

    async def look_for(self, trade: OpenOffer) -> int | None:
        """Looks in the bot's own trade history for an exchange of exactly these items. None: there is one, and the desk was told of it;
        else when the look began that shows none. One reading serves all doubted sales for a while. Raises Throttled."""
        moments = [moment for moment in (trade.unknown_since, trade.send_started_at) if moment is not None]
        if not moments:
            return self._bot.clock.now_us()
        since = min(moments) // SECOND_US - 60
        walk = await self._walk_back_to(since, max(moments))
        found = self._exchange_of(trade, self._bot.assets(trade), since, list(walk.exchanges.values()))
        if found is None:
            return walk.pass_began_us
        await self._bot.desk.ask(
            commands.ExchangeFound(trade_id=trade.id, steam_trade_id=found.trade_id, raw=msgspec.json.encode(found.raw).decode())
        )
        return None

    async def _walk_back_to(self, since: int, not_before_us: int) -> _Walk:
        """The history back to `since`, as it was at some moment after `not_before_us`.

        When Steam's limit stops it between two pages, the next call goes on from there; and since new exchanges may have come
        meanwhile, a walk that was stopped looks once more at what is newer than its beginning. Raises Throttled.
        """
        walk = self._walk
        if walk is None or not walk.serves(since, not_before_us, self._bot.clock.now_us()):
            rows = self._bot.reader.fetch("doubted_since", bot=self._bot.number)
            floor = min([since, *(moment // SECOND_US - 60 for (moment,) in rows if moment is not None)])
            walk = self._walk = _Walk(floor, floor)
        while not walk.done:
            await self._walk_on(walk)
        return walk

    async def _walk_on(self, walk: _Walk) -> None:
        """One page more. Raises Throttled; Malformed for a history that never ends."""
        if walk.before is None:
            walk.pass_began_us = self._bot.clock.now_us()
        try:
            page, more = await self._bot.client.trade_history(walk.before)
        except BaseException:
            # Before the first page nothing was read that could grow old.
            walk.unbroken = walk.before is None
            raise
        walk.pages += 1
        walk.exchanges |= {exchange.trade_id: exchange for exchange in page}
        oldest = _oldest(page)
        if walk.pages > _WALK_PAGES_MAX or (more and (oldest is None or oldest == walk.before)):
            self._walk = None
            raise Malformed("a trade history without end")
        if more and oldest is not None and oldest.time_init >= walk.target:
            walk.before = oldest
        elif walk.unbroken:
            walk.done = True
        else:
            walk.target, walk.before, walk.unbroken = walk.pass_began_us // SECOND_US - 60, None, True

    def _exchange_of(
        self, trade: OpenOffer, wanted: set[tuple[int, str, str]], since: int, page: list[Exchange]
    ) -> Exchange | None:
        taken = self._taken_by_others(trade, page)
        for exchange in page:
            moved = _keys(exchange.given if trade.gives else exchange.received)
            if (
                exchange.status in _EXCHANGED
                and exchange.trade_id not in taken
                and exchange.partner == trade.partner
                and moved == wanted
                and exchange.time_init >= since
                and not exchange.rollback_of
            ):
                return exchange
        return None

    def _taken_by_others(self, trade: OpenOffer, page: list[Exchange]) -> set[str]:
        """Exchanges that belong to other trades: an asset may come back after a reversal and be sold again (protocol §5.3)."""
        keys = [(exchange.trade_id,) for exchange in page]
        owned = self._bot.reader.load_as(ExchangedTradeRow, "trades_by_steam_trade", keys)
        owned += self._bot.reader.load_as(ExchangedTradeRow, "deliveries_by_exchange", keys)
        return {one.steam_trade_id for one in owned if one.id != trade.id}

    async def read_trade(self, trade: OpenOffer) -> bool:
        """Whether items have come to the bot of which Steam names no new ids, or may have moved to another context."""
        assert trade.steam_trade_id is not None
        began_at = await self._steam_time() if trade.stage is Stage.SETTLING else self._bot.clock.now_us()
        exchange = await self._bot.client.trade_status(trade.steam_trade_id)
        if exchange is not None and exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK:
            self._suspect(trade.id)
            memory = self._bot.memory
            memory.defer(trade.id, max(memory.suspects_not_before, self._bot.clock.now_us() + 2 * SECOND_US))
            return False
        heard, raw = (
            (None, "") if exchange is None else (_trade_word(exchange, trade.gives), msgspec.json.encode(exchange.raw).decode())
        )
        answer = await self._bot.desk.ask(commands.TradeRead(trade_id=trade.id, word=heard, began_at=began_at, raw=raw))
        has_come = trade.is_open and answer.status in SUCCESSFUL and not trade.gives
        names_ids = exchange is not None and all(asset.new_assetid for asset in exchange.received)
        return has_come and not names_ids

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
        unsettled = {
            one.steam_trade_id for one in self._bot.reader.fetch_as(UnsettledRow, "unsettled_of_bot", bot=self._bot.number)
        }
        page, more = await self._bot.client.trade_history(progress.before)
        progress.pages += 1
        progress.seen |= {exchange.trade_id for exchange in page}
        await self._explain(page)
        gone = {exchange.trade_id for exchange in page if exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK}
        undone = [(exchange.rollback_of, exchange.status) for exchange in page if exchange.rollback_of is not None]
        gone |= {trade_id for trade_id, _ in undone}
        # The counter-exchange is complete: the items went back, whatever the first exchange says of itself.
        self._taken_back |= {trade_id for trade_id, status in undone if status == TradeStatus.COMPLETE}
        if not more or unsettled <= progress.seen or not progress.goes_on_after(page):
            self._sweep, memory.is_sweeping, memory.last_sweep_at = None, False, self._bot.clock.now_us()
        await self._hear_of_reversed(gone)

    async def _hear_of_reversed(self, gone: set[str]) -> None:
        """Exchanges that were undone: a live sale is read again, a completed one is told at once."""
        keys = [(tradeid,) for tradeid in sorted(gone)]
        owned = self._bot.reader.load_as(ExchangedTradeRow, "trades_by_steam_trade", keys)
        owned += self._bot.reader.load_as(ExchangedTradeRow, "deliveries_by_exchange", keys)
        for trade_id, status, steam_status, *_ in owned:
            if status in ("accepted", "processing"):
                self._suspect(trade_id)
            elif status == "completed" and steam_status != TradeStatus.TRADE_PROTECTION_ROLLBACK:
                await self._bot.desk.ask(
                    commands.RolledBack(
                        bot=self._bot.number, readings=[(trade_id, int(TradeStatus.TRADE_PROTECTION_ROLLBACK))], complete=False
                    )
                )

    async def _explain(self, page: list[Exchange]) -> None:
        """Every exchange of the bot is one of a sale of ours, or a human is told at once (promise I18)."""
        moved = [exchange for exchange in page if self._moved_something(exchange) and exchange.trade_id not in self._told]
        keys = [(exchange.trade_id,) for exchange in moved]
        known = {steam_trade_id for (steam_trade_id,) in self._bot.reader.load("known_exchanges", keys)}
        for exchange in moved:
            if exchange.trade_id in known or exchange.rollback_of is not None:
                continue
            if await (self._belongs_to_a_sale(exchange) if not exchange.given else self._belongs_to_a_delivery(exchange)):
                continue
            self._told.add(exchange.trade_id)
            what = f"Exchange {exchange.trade_id} with {exchange.partner}"
            await self._bot.tell_unexplained(what, None, exchange.trade_id, exchange.given, exchange.received)

    def _moved_something(self, exchange: Exchange) -> bool:
        """Items changed hands since the bot works for this market: what it did before is nobody's concern."""
        is_over = exchange.status in (TradeStatus.COMMITTED, TradeStatus.COMPLETE, TradeStatus.IN_ESCROW)
        return is_over and bool(exchange.given or exchange.received) and exchange.time_init * SECOND_US >= self._bot.since_us

    async def _belongs_to_a_delivery(self, exchange: Exchange) -> bool:
        """A running one that hears of its exchange by itself."""
        given = _keys(exchange.given)
        return not exchange.received and any(
            offer.gives and offer.partner == exchange.partner and self._bot.assets(offer) == given
            for offer in self._bot.open_offers().values()
        )

    async def _belongs_to_a_sale(self, exchange: Exchange) -> bool:
        """A running sale learns it by itself. One that was ended without it has items too many: told as that."""
        since = exchange.time_init * SECOND_US - DAY_US
        received = {(asset.contextid, asset.assetid) for asset in exchange.received}
        rows = self._bot.reader.fetch("sales_with_seller", bot=self._bot.number, seller=exchange.partner or "", since=since)
        for trade_id, status in rows:
            if {(item.contextid, item.assetid) for item, _ in self._bot.items(trade_id)} != received:
                continue
            if Status(status) in RELEASED:
                text = f"Exchange {exchange.trade_id} of exactly its items was found after it had ended: items without a trade"
                await self._bot.desk.ask(commands.ExchangeAfterEnd(trade_id=trade_id, steam_trade_id=exchange.trade_id, text=text))
            return True
        return False

    def _suspect(self, trade_id: str) -> None:
        self._bot.memory.suspects = tuple({*self._bot.memory.suspects, trade_id})

    async def decide_reversal(self, trades: dict[str, OpenOffer]) -> None:
        """One trade was seen reversed: all unsettled trades of this bot are read again at once, the suspects' sellers first.

        As soon as one protected trade still stands, it was no reversal of the bot, and the rest may wait for its own turn.
        """
        memory, suspects = self._bot.memory, self._bot.memory.suspects
        readings, unread = await self._read_protected(trades)
        some_stand = any(status != TradeStatus.TRADE_PROTECTION_ROLLBACK for _, status in readings)
        memory.suspects_tries += 1
        # The round is over: the next one asks again for what had no entry, and for what stood.
        memory.readings = {trade_id: status for trade_id, status in memory.readings.items() if status == _REVERSED}
        if unread and not some_stand and memory.suspects_tries < _REVERSAL_TRIES:
            # Whether the bot's account was reversed can't be told yet: wait for the missing words, for a while.
            self._ask_again(memory.suspects)
            return
        await self._bot.desk.ask(
            commands.RolledBack(bot=self._bot.number, readings=readings, complete=not unread and not some_stand)
        )
        self._ask_again(tuple(trade_id for trade_id in suspects if trade_id in unread))

    async def _read_protected(self, trades: dict[str, OpenOffer]) -> tuple[list[tuple[str, int]], list[str]]:
        """Steam's statuses of what may have been reversed, until one still stands; and what Steam has no entry of. Raises Throttled."""
        rows = self._may_be_reversed(trades)
        partners = {rows[trade_id][1] for trade_id in self._bot.memory.suspects if trade_id in rows}
        readings: list[tuple[str, int]] = []
        unread: list[str] = []
        some_stand = False
        for trade_id in sorted(rows, key=lambda trade_id: (rows[trade_id][1] not in partners, trade_id)):
            steam_trade_id, partner = rows[trade_id]
            if some_stand and partner not in partners:
                break
            status = await self._reading(trade_id, steam_trade_id)
            if status is None:
                unread.append(trade_id)
                continue
            readings.append((trade_id, status))
            some_stand = some_stand or status != TradeStatus.TRADE_PROTECTION_ROLLBACK
        return readings, unread

    def _may_be_reversed(self, trades: dict[str, OpenOffer]) -> dict[str, tuple[str, str]]:
        """Trade → (Steam's trade id, partner): the suspects, and all that is still protected."""
        now, suspects = self._bot.clock.now_us(), self._bot.memory.suspects
        rows = {
            one.id: (one.steam_trade_id, one.partner)
            for one in self._bot.reader.fetch_as(UnsettledRow, "unsettled_of_bot", bot=self._bot.number)
            if one.id in suspects or (one.protected and (one.settlement is None or one.settlement > now))
        }
        for trade_id in suspects:
            trade = trades.get(trade_id)
            if trade is not None and trade.steam_trade_id is not None:
                rows[trade_id] = (trade.steam_trade_id, trade.partner)
        return rows

    async def _reading(self, trade_id: str, steam_trade_id: str) -> int | None:
        """Steam's status of one trade, asked for once a round: when Steam's limit stops us in the middle of many, the next try goes
        on from there. Raises Throttled."""
        readings = self._bot.memory.readings
        if trade_id not in readings:
            exchange = await self._bot.client.trade_status(steam_trade_id)
            is_taken_back = exchange is not None and exchange.status == TradeStatus.COMPLETE and steam_trade_id in self._taken_back
            readings[trade_id] = None if exchange is None else _REVERSED if is_taken_back else exchange.status
        return readings[trade_id]

    def _ask_again(self, suspects: tuple[str, ...]) -> None:
        memory = self._bot.memory
        memory.suspects = suspects
        if not suspects:
            memory.suspects_tries, memory.readings = 0, {}
        memory.suspects_not_before = self._bot.clock.now_us() + (SECOND_US << min(memory.suspects_tries, 6))


def _oldest(page: list[Exchange]) -> Exchange | None:
    """Where a page ends, newest first. One without a readable date is no end: what follows would never be looked at."""
    return next((exchange for exchange in reversed(page) if exchange.time_init), None)


def _keys(assets: list[Asset]) -> set[tuple[int, str, str]]:
    return {(asset.appid, asset.contextid, asset.assetid) for asset in assets}


def _trade_word(exchange: Exchange, gives: bool) -> TradeWord:
    assets = [
        AssetWord(asset.appid, asset.contextid, asset.assetid, asset.classid, asset.new_assetid, asset.new_contextid)
        for asset in (exchange.given if gives else exchange.received)
    ]
    began = exchange.time_init * SECOND_US or None
    return TradeWord(exchange.status, exchange.settlement * SECOND_US or None, exchange.delayed, assets, began)
