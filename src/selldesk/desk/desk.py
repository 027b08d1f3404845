"""The desk: takes what is waiting as one batch, decides it in order, commits it once (group commit, design in docs/decisions).

`process` is the whole write path. The desk's own process, the command line, tests and the simulation call the same function.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases import (
    advancing,
    alerts,
    bots,
    catalog,
    deliveries,
    leases,
    limits,
    marks,
    opening,
    orders,
    people,
    rooms,
    stock,
    trading_stop,
    watching,
    webhooks,
)
from selldesk.desk.commands import Answer, BatchResult, Command, Feed, OpenTrade, OrderListBegun, OrdersChanged, R, TradeCommand
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.chance import SYSTEM_CHANCE, Chance
from selldesk.kernel.clock import Clock
from selldesk.kernel.outages import Outage
from selldesk.kernel.refusals import INTERNAL_ERROR, UNAVAILABLE, Kind, Refusal
from selldesk.store.store import CommitUnknown, Row, StoreConflict, StoreUnavailable, Writer

logger = logging.getLogger(__name__)

_CONFLICTS_MAX = 4
"""So often a batch runs again when another transaction undid it (serialization failures of distributed engines)."""
_EVENTS_UNTIL_END = 1_000
"""A batch that has told so much ends; what else was asked comes in the next one. The largest command tells less than what is left to
`LAST_PLACE`."""
FEED_KEPT = 20_000
"""Batches that a follower may lag behind before it must read the book anew."""

_DECIDED_ALONE: dict[type[Command[Any]], Callable[[Any, Batch], msgspec.Struct]] = {
    commands.BeginOrders: orders.begin_orders,
    commands.ChangeOrders: orders.change_orders,
    commands.CreatePerson: people.create_person,
    commands.ChangePerson: people.change_person,
    commands.CreateKey: people.create_key,
    commands.DeleteKey: people.delete_key,
    commands.MoveMoney: people.move_money,
    commands.PutRoom: rooms.put_room,
    commands.DropRoom: rooms.drop_room,
    commands.AddBot: bots.add_bot,
    commands.ReplaceBotSecrets: bots.replace_bot_secrets,
    commands.Reseal: bots.reseal,
    commands.ChangeBot: bots.change_bot,
    commands.BotReport: bots.report_bot,
    commands.ImportItems: catalog.import_items,
    commands.SetMark: marks.set_mark,
    commands.ForgetEvents: marks.forget_events,
    commands.AddEndpoint: webhooks.add_endpoint,
    commands.ChangeEndpoint: webhooks.change_endpoint,
    commands.DropEndpoint: webhooks.drop_endpoint,
    commands.RotateSecret: webhooks.rotate_secret,
    commands.DisableEndpoint: webhooks.disable_endpoint,
    commands.Redeliver: webhooks.redeliver,
    commands.Recover: webhooks.recover,
    commands.ResealEndpoint: webhooks.reseal_endpoint,
    commands.OpenDelivery: deliveries.open_delivery,
    commands.CancelDelivery: deliveries.cancel_delivery,
    commands.SetTradeLink: deliveries.set_trade_link,
    commands.SetDeliverTo: deliveries.set_deliver_to,
    commands.CloseAlert: alerts.close_alert,
    commands.RaiseAlert: alerts.raise_alert,
    commands.Watch: watching.watch,
    commands.SetLimits: limits.set_limits,
    commands.SetProjectLimits: limits.set_project_limits,
    commands.SetSeller: limits.set_seller,
    commands.StopGame: limits.stop_game,
    commands.ResumeGame: limits.resume_game,
    commands.StopTrading: trading_stop.stop,
    commands.ResumeTrading: trading_stop.resume,
    commands.BotLooked: trading_stop.note_look,
    commands.KeepLeases: leases.keep_leases,
    commands.MoveWaiting: advancing.move_waiting,
    commands.UnexplainedExchange: stock.unexplained_exchange,
    commands.StockRead: stock.take_stock,
    commands.AskStocktake: stock.ask_for_stocktake,
    commands.DeclareItem: stock.declare_item,
}


class _HistoryLost(Exception):
    """The store no longer holds a batch that was committed."""

    def __init__(self, known_seq: int, found_seq: int) -> None:
        super().__init__(f"batch {known_seq} was committed; the store's last one is {found_seq}")
        self.known_seq = known_seq


class Desk:
    """Decides commands on one store connection. Not for several threads."""

    def __init__(self, store: Writer, clock: Clock, settings: DeskSettings, chance: Chance = SYSTEM_CHANCE) -> None:
        self._store = store
        self._chance = chance
        self._clock = clock
        self._settings = settings
        self._encoder = msgspec.msgpack.Encoder()
        self._last: tuple[int, int] | None = None
        """Feed number and stamp of the last batch that was surely committed: what the store must still hold."""
        self._connections = store.connections
        self._watcher = watching.Watcher(settings)
        self._outage = Outage("the store can't be written")

    @property
    def store(self) -> Writer:
        return self._store

    def process(self, asked: Sequence[Command[Any]]) -> list[BatchResult]:
        """Decides the commands in order. Usually one transaction, so one result; one for each command if the whole could not be
        written. The answers of all results together stand in the commands' order. Never raises."""
        if len(asked) > 1 and any(commands.runs_alone(command) for command in asked):
            return [result for command in asked for result in self.process([command])]
        try:
            result = self._transact_again(asked)
            rest = asked[len(result.answers) :]
            return [result, *self.process(rest)] if rest else [result]
        except (StoreUnavailable, StoreConflict) as error:
            self._outage.note(error)
            return [BatchResult(None, [_refused(UNAVAILABLE)] * len(asked))]
        except CommitUnknown as error:
            self._outage.note(f"the outcome of a commit is unknown: {error}")
            return [BatchResult(None, [_refused(UNAVAILABLE)] * len(asked))]
        except Exception:
            if len(asked) > 1:
                logger.exception("a batch of %d failed; deciding its commands one by one", len(asked))
                return [result for command in asked for result in self.process([command])]
            logger.exception("%s failed", type(asked[0]).__name__)
            return [BatchResult(None, [_refused(INTERNAL_ERROR)])]

    def ask(self, command: Command[R]) -> R:
        """One command, in line: for the command line, set-up and tests. Raises the refusal."""
        answer = self.process([command])[-1].answers[-1]
        if answer.value is None:
            raise Refusal(answer.status, answer.code, answer.text, answer.details, answer.cause)
        reply: R = answer.value
        return reply

    def watch(self) -> list[BatchResult]:
        """One look around (desk/watching.py); what is to be done goes through a batch of its own. Raises what the store says."""
        now, real_us = self._clock.now_us(), self._clock.real_us()
        plan = self._watcher.plan(self._store, now, real_us)
        done = [] if plan.is_empty else self.process([commands.Watch(**plan._asdict())])
        old = self._watcher.old_events(self._store, now, real_us)
        return done if old is None else done + self.process([old])

    def work_off(self, command: commands.PutOrders | commands.WithdrawOrders) -> OrdersChanged:
        """A big command in line, portion by portion."""
        portions = orders.Portions(command, self._store)
        while (portion := portions.next()) is not None:
            reply: OrderListBegun | OrdersChanged = self.ask(portion)  # type: ignore[misc]
            portions.done(reply)
        return portions.counts

    def _transact_again(self, asked: Sequence[Command[Any]]) -> BatchResult:
        """The same batch once more while others are in its way. Raises StoreConflict if they stay there."""
        for _ in range(_CONFLICTS_MAX):
            try:
                return self._transact(asked)
            except StoreConflict as conflict:
                logger.info("a batch of %d commands conflicted with another writer and runs again: %s", len(asked), conflict)
            except _HistoryLost as lost:
                logger.critical("%s; trading stops", lost)
                known, self._last = self._last, None
                try:
                    self._transact(
                        [
                            commands.StopTrading(
                                operator="selldesk", reason="The database lost what was committed", known_seq=lost.known_seq
                            )
                        ]
                    )
                except BaseException:
                    # Not on record yet: the next batch must notice it again.
                    self._last = known
                    raise
        return self._transact(asked)

    def _transact(self, asked: Sequence[Command[Any]]) -> BatchResult:
        store = self._store
        load = BatchLoad()
        for command in asked:
            _collect(command, load)
        batch = Batch(store, self._clock, self._settings, self._chance)
        batch.begin(load)
        try:
            self._check_history(batch)
            answers: list[Answer] = []
            for command in asked:
                if len(batch.events) >= _EVENTS_UNTIL_END:
                    break
                answers.append(_decide(command, batch))
            if not batch.write():
                store.rollback()
                return BatchResult(None, answers)
            stamp = batch.feed.stamp
            store.put("add_feed", seq=batch.seq, body=self._encoder.encode(batch.feed), stamp=stamp)
            store.ring(batch.seq)
            if batch.seq % 1_000 == 0:
                store.put("prune_feed", before=batch.seq - FEED_KEPT)
            self._commit(batch.seq, stamp)
        except BaseException:
            store.rollback()
            raise
        return BatchResult(batch.feed, answers)

    def _check_history(self, batch: Batch) -> None:
        """What this desk saw committed must still be there: a primary that fell over to a replica may have lost its last second. Raises
        _HistoryLost."""
        if self._last is None:
            return
        seq, stamp = self._last
        if batch.seq <= seq or batch.last_batch is None or (batch.last_batch[0] == seq and batch.last_batch[1] != stamp):
            raise _HistoryLost(seq, batch.seq - 1)
        if self._store.connections != self._connections:
            # Another server, perhaps, on which others have written since.
            if batch.seq - seq < FEED_KEPT and self._store.fetch("stamp_of", seq=seq) != [(stamp,)]:
                raise _HistoryLost(seq, batch.seq - 1)
            self._connections = self._store.connections

    def _commit(self, seq: int, stamp: int) -> None:
        """Commits; if the answer is lost, reads the truth back under the lock."""
        store = self._store
        try:
            store.commit()
            self._last = (seq, stamp)
            self._outage.over()
            return
        except CommitUnknown as unknown:
            store.rollback()
            try:
                store.begin()
                found: list[Row] = store.fetch("stamp_of", seq=seq)
                store.rollback()
            except Exception as error:
                raise unknown from error
        if found != [(stamp,)]:
            raise StoreUnavailable("the commit did not happen")
        self._last = (seq, stamp)


def _collect(command: Command[Any], load: BatchLoad) -> None:
    match command:
        case OpenTrade():
            opening.loads(command, load)
        case commands.BotNews():
            load.leases.add(command.bot)
            _collect(command.news, load)
        case commands.OnBehalf():
            load.persons.add(command.person)
            _collect(command.command, load)
        case commands.RolledBack():
            advancing.loads_of_rollback(command, load)
        case TradeCommand():
            advancing.loads(command, load)


def _decide(command: Command[Any], batch: Batch) -> Answer:
    try:
        return Answer(_value(command, batch))
    except Refusal as refusal:
        return Answer(None, refusal.status, refusal.code, refusal.text, refusal.cause, refusal.details)


def _value(command: Command[Any], batch: Batch) -> msgspec.Struct:
    """Raises the command's refusal."""
    match command:
        case OpenTrade():
            return opening.decide(command, batch)
        case commands.BotNews():
            leases.check(command, batch)
            return _value(command.news, batch)
        case commands.OnBehalf():
            people.check_actor(command.person, command.role_bits, batch)
            return _value(command.command, batch)
        case commands.RolledBack():
            return advancing.decide_rollback(command, batch)
        case TradeCommand():
            return advancing.decide(command, batch)
        case _:
            return _DECIDED_ALONE[type(command)](command, batch)


def _refused(kind: Kind) -> Answer:
    return Answer(None, kind.status, kind.code, kind.text)


FEED_DECODER = msgspec.msgpack.Decoder(Feed)
