"""The clock in the desk: what needs no bot happens without one, and nothing waits in silence (promise I11).

Once in a while the desk looks, without its lock, at the live sales that are old enough, at bots and rooms, and at the open alerts. Only
if something is to be done does a command go through a batch, and that looks again, at its own rows.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from selldesk.alerts.kinds import Closes, closing
from selldesk.bots.rooms import Bot, BotState, Room, bot_of, room_of, why_no_bot
from selldesk.catalog.games import GAMES
from selldesk.deliveries.delivery import Delivery
from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases import advancing, delivering
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.times import DAY_US, MINUTE_US, SECOND_US
from selldesk.offers.life import OfferLife
from selldesk.offers.overdue import ends_without_steam, is_overdue
from selldesk.offers.rules import Rules
from selldesk.store.rows import AlertEndRow, OldEventRow
from selldesk.store.store import Reader
from selldesk.trades.trade import Trade

_JUMP_US = 60 * SECOND_US
_AFTER_JUMP_US = 10 * SECOND_US
"""Real time: so long at most is everybody given to catch up with a clock that has jumped (settled 6)."""
_HOLDS_FOR_US = 30 * SECOND_US
"""A state of the market must last so long before it is worth an alert."""
_FULL_PERCENT = 90
_SLOTS_PERCENT = 40
_ENDED_LOOKED_AT = 200
_ENDED_MIN = 20
_ACCEPTED_PERCENT = 20
_ACCEPTANCE_EVERY_US = MINUTE_US
_OF_CAPACITY = frozenset({"no_bot_free", "bot_nearly_full", "project_holds_slots", "project_low_acceptance"})
"""Kinds of alerts that close when what they tell is no longer so."""

Key = tuple[str, int | None, str]
"""(kind, bot, text) of an alert without a sale."""


class Plan(NamedTuple):
    """What is to be done now."""

    end: list[str]
    """Sales for which nothing was sent in time."""
    overdue: list[str]
    close: list[tuple[str, str]]
    """(alert, why) that are no longer so."""
    open: list[Key]
    stocktakes: list[int]

    @property
    def is_empty(self) -> bool:
        return not any(self)


class Watcher:
    """What one desk remembers between its looks. Nothing in it needs to survive a restart."""

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._shift_us: int | None = None
        self._jumped_at_real_us: int | None = None
        self._seen_since: dict[Key, int] = {}
        self._acceptance_looked_at = 0
        self._events_looked_at = 0
        self._low_acceptance: set[Key] = set()

    def plan(self, reader: Reader, now: int, real_us: int) -> Plan:
        """Looks; changes nothing in the store."""
        bots = {number: (number, *rest) for number, *rest in reader.fetch("load_bots")}
        if self._lets_others_catch_up(bots.values(), now, real_us):
            return Plan([], [], [], [], [])
        alerts = reader.fetch("open_alerts")
        told = {trade_id: alert_id for alert_id, kind, _, trade_id, _ in alerts if kind == "trade_overdue"}
        end, overdue = self._late(reader, now)
        close = [(told[trade_id], "The sale has moved on") for trade_id in told if trade_id not in overdue]
        wanted = self._lasting(self._capacity(reader, bots, now, real_us), now)
        known = {(kind, bot, text): alert_id for alert_id, kind, bot, trade_id, text in alerts if trade_id is None}
        close += self._no_longer_so(known)
        close += self._closed_by_bots(alerts, bots, reader, now)
        fresh = sorted(set(wanted) - known.keys(), key=str)
        return Plan(end, [one for one in overdue if one not in told], close, fresh, self._due_stocktakes(reader, now))

    def old_events(self, reader: Reader, now: int, real_us: int) -> commands.ForgetEvents | None:
        """A portion of what is kept no longer; looked for once a minute, and on and on while there is some."""
        if real_us < self._events_looked_at + MINUTE_US:
            return None
        before = now - self._settings.event_us
        people = [oldest.person for oldest in reader.fetch_as(OldEventRow, "oldest_events") if oldest.at < before]
        if not people:
            self._events_looked_at = real_us
            return None
        return commands.ForgetEvents(people=people, before=before)

    def _no_longer_so(self, known: dict[Key, str]) -> list[tuple[str, str]]:
        return [(known[key], "The cause is gone") for key in known if key[0] in _OF_CAPACITY and key not in self._seen_since]

    def _late(self, reader: Reader, now: int) -> tuple[list[str], list[str]]:
        """Sales and deliveries that end without Steam, and those whose stage is overdue."""
        rules = self._settings.rules
        youngest = min([rules.offer_out_within_us, rules.overdue_default_us, *rules.overdue_us.values()])
        settled = now - min(rules.overdue_us.get("settling", rules.overdue_default_us), rules.overdue_default_us)
        old = reader.fetch_as(Trade, "old_processing", before=now - youngest)
        old += reader.fetch_as(Trade, "old_settling", before=settled, most=1_000)
        end = [trade.id for trade in old if ends_without_steam(trade, now, rules)]
        overdue = [trade.id for trade in old if not ends_without_steam(trade, now, rules) and is_overdue(trade, now, rules)]
        later = rules.of_deliveries
        for delivery in reader.fetch_as(Delivery, "old_deliveries", before=now - rules.overdue_default_us):
            if ends_without_steam(delivery, now, later):
                end.append(delivery.id)
            elif is_overdue(delivery, now, later):
                overdue.append(delivery.id)
        return end, overdue

    def _lets_others_catch_up(self, bots: Iterable[Any], now: int, real_us: int) -> bool:
        """After a jump of the market's clock, or a start, everybody has a moment before anything is called overdue: until each healthy
        bot has made a call, ten real seconds at most."""
        shift = now - real_us
        if self._shift_us is None or abs(shift - self._shift_us) > _JUMP_US:
            self._jumped_at_real_us = real_us
        self._shift_us = shift
        if self._jumped_at_real_us is None:
            return False
        waited = real_us - self._jumped_at_real_us
        seen = [bot_of(row) for row in bots]
        silent = [bot for bot in seen if bot.is_healthy(real_us) and bot.last_good_real_us <= self._jumped_at_real_us]
        if 0 <= waited < _AFTER_JUMP_US and silent:
            return True
        self._jumped_at_real_us = None
        return False

    # -- the market as a whole -----------------------------------------------------------------------------------------

    def _lasting(self, seen: set[Key], now: int) -> list[Key]:
        """What has been so for a while."""
        self._seen_since = {key: min(now, self._seen_since.get(key, now)) for key in seen}
        return [key for key, since in self._seen_since.items() if now - since >= _HOLDS_FOR_US]

    def _capacity(self, reader: Reader, rows: dict[int, Any], now: int, real_us: int) -> set[Key]:
        """No bot free, nearly full ones, projects that take too much: capacity is no silence."""
        found: set[Key] = set()
        blocked: dict[int, list[int]] = {}
        for number, game in reader.fetch("standing_blocks", now=now, furthest=now + self._settings.rules.bot_full_us):
            blocked.setdefault(number, []).append(game)
        stock: dict[int, dict[int, int]] = {}
        for number, game, items in reader.fetch("load_stock"):
            stock.setdefault(number, {})[game] = int(items)
        bots = {number: bot_of(row, blocked.get(number, ()), stock.get(number, {})) for number, row in rows.items()}
        for room in (room_of(row) for row in reader.fetch("load_rooms")):
            if room.enabled:
                found |= _without_bot(room, bots.values(), real_us)
        for bot in bots.values():
            for game, items in bot.stock.items():
                if bot.enabled and items * 100 > bot.items_max * _FULL_PERCENT:
                    text = f"It holds more than {_FULL_PERCENT} % of the items of game {game} that it may hold"
                    found.add(("bot_nearly_full", bot.number, text))
        return found | self._projects(reader, bots.values(), now)

    def _projects(self, reader: Reader, bots: Iterable[Bot], now: int) -> set[Key]:
        slots = sum(bot.live_offers_max for bot in bots if bot.enabled)
        found: set[Key] = set()
        for login, sales in reader.fetch("slots_by_project"):
            if slots and sales * 100 > slots * _SLOTS_PERCENT:
                text = f"Project {login} holds more than {_SLOTS_PERCENT} % of all slots with its processing sales"
                found.add(("project_holds_slots", None, text))
        if not self._acceptance_looked_at <= now < self._acceptance_looked_at + _ACCEPTANCE_EVERY_US:
            self._acceptance_looked_at = now
            self._low_acceptance = set()
            for number, login in reader.fetch("selling_projects"):
                ended, accepted = reader.fetch("acceptance_of_project", project=number, most=_ENDED_LOOKED_AT)[0]
                if ended >= _ENDED_MIN and accepted * 100 < ended * _ACCEPTED_PERCENT:
                    text = f"Less than {_ACCEPTED_PERCENT} % of the last ended sales of project {login} were accepted"
                    self._low_acceptance.add(("project_low_acceptance", None, text))
        return found | self._low_acceptance

    def _closed_by_bots(self, alerts: Iterable[Any], bots: dict[int, Any], reader: Reader, now: int) -> list[tuple[str, str]]:
        """Alerts whose cause was the bot's state."""
        well = {number for number, row in bots.items() if bot_of(row).state == BotState.OK}
        blocks = {number for number, _ in reader.fetch("standing_blocks", now=now, furthest=now + self._settings.rules.bot_full_us)}
        by_state = set(closing(Closes.BOT_OK))
        return [
            (alert_id, "The bot is well again")
            for alert_id, kind, bot, trade_id, _ in alerts
            if trade_id is None and ((kind in by_state and bot in well) or (kind == "bot_full" and bot not in blocks))
        ]

    def _due_stocktakes(self, reader: Reader, now: int) -> list[int]:
        """Bots whose inventory was not compared since today's hour for it."""
        at = self._settings.stocktake_at_us
        if at is None:
            return []
        moment = now // DAY_US * DAY_US + at
        if now < moment:
            moment -= DAY_US
        return reader.column("bots_to_take_stock_of", before=moment)


_CAUSES = {
    "seller": "as many offers with one seller as they may",
    "full": "their inventories are full",
    "slots": "all slots are taken",
    "game": "none takes this game now",
    "unhealthy": "none is healthy",
    "none": "the room has no bots",
}


def _without_bot(room: Room, bots: Collection[Bot], real_us: int) -> set[Key]:
    """One alert a cause, for all games of which no bot of the room can take a sale."""
    causes: dict[str, list[str]] = {}
    for game in [room.game] if room.game is not None else list(GAMES):
        if not any(room.served_by(bot.number) and bot.can_take(game, 1, 0, real_us) for bot in bots):
            cause = why_no_bot(room, bots, game, 1, {}, real_us)
            causes.setdefault(cause.value, []).append(str(game))
    return {
        ("no_bot_free", None, f"Room {room.name!r}: no bot can take a sale of {', '.join(without)} ({_CAUSES[cause]})")
        for cause, without in causes.items()
    }


def _tell_if_overdue(what: str, life: OfferLife | None, rules: Rules, batch: Batch) -> None:
    if life is not None and is_overdue(life, batch.now, rules):
        moment = life.stage_at if life.stage_at is not None else life.created_at
        minutes = max(0, batch.now - moment) // MINUTE_US
        batch.alert("trade_overdue", f"This {what} has stood in stage {life.stage} for {minutes} minutes", life.bot, life.id)


def watch(command: commands.Watch, batch: Batch) -> commands.Watched:
    """Carries the plan out, as far as it is still true on the rows of this transaction."""
    batch.load(BatchLoad(trades={*command.end, *command.overdue}, rooms_and_bots=True))
    rules = batch.settings.rules
    ended = 0
    for one in command.end:
        trade, delivery = batch.trades.get(one), batch.deliveries.get(one)
        if trade is not None and ends_without_steam(trade, batch.now, rules):
            advancing.give_up_unsent(trade, batch)
            ended += 1
        elif delivery is not None and ends_without_steam(delivery, batch.now, rules.of_deliveries):
            delivering.give_up_unsent(delivery, batch)
            ended += 1
    for one in command.overdue:
        _tell_if_overdue("sale", batch.trades.get(one), rules, batch)
        _tell_if_overdue("delivery", batch.deliveries.get(one), rules.of_deliveries, batch)
    for alert_id, reason in command.close:
        known = batch.store.fetch_as(AlertEndRow, "alert_by_id", id=alert_id)
        if known and known[0].closed_at is None:
            batch.close_alert(alert_id, "selldesk", reason)
    for kind, bot, text in command.open:
        batch.alert(kind, text, bot, None)
    for bot in command.stocktakes:
        batch.store.put("ask_stocktake", bot=bot, at=batch.now)
        batch.feed.bots.append(bot)
        batch.wrote_directly = True
    return commands.Watched(ended=ended)
