"""Leases of bots: who may speak for a bot, checked in the transaction of every piece of its news (I13)."""

from typing import Any

from selldesk.bots.leases import LEASE_US, Lease, WorkerProcess, alive_workers, keep, leave
from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.kernel import refusals
from selldesk.kernel.processes import is_gone


def keep_leases(command: commands.KeepLeases, batch: Batch) -> commands.LeasesKept:
    """Refuses nothing: a worker whose bots were taken over learns it from what it no longer holds."""
    store = batch.store
    bots = store.column("bot_numbers")
    load = BatchLoad()
    load.leases.update(bots)
    batch.load(load)
    batch.wrote_directly = True
    if command.leaves:
        store.write("put_leases", [_row(lease) for lease in leave(command.worker, batch.leases)])
        store.execute("drop_worker", name=command.worker)
        return commands.LeasesKept(held=[], let_go=[], bots=bots)
    store.execute("put_worker", name=command.worker, until_us=batch.lease_us + LEASE_US, seal_format=command.seal_format)
    workers = [WorkerProcess(*row) for row in store.fetch("all_workers")]
    alive = alive_workers(workers, is_gone, batch.lease_us)
    for worker in workers:
        if worker.name not in alive:
            store.execute("drop_worker", name=worker.name)
    keeping = keep(command.worker, alive, bots, batch.leases, command.released, batch.lease_us)
    store.write("put_leases", [_row(lease) for lease in keeping.changed])
    return commands.LeasesKept(held=[(lease.bot, lease.fence) for lease in keeping.held], let_go=keeping.let_go, bots=bots)


def check(command: commands.BotNews, batch: Batch) -> None:
    """Refuses LEASE_LOST: for news under an older fence, for an intent whose lease would not outlive it, and for news about a
    trade that another bot serves now."""
    lease = batch.leases.get(command.bot)
    if lease is None or lease.fence != command.fence or lease.worker is None:
        raise refusals.LEASE_LOST()
    news = command.news
    if isinstance(news, commands.IntendSend | commands.IntendCancel) and not lease.outlives_a_send(batch.lease_us):
        raise refusals.LEASE_LOST()
    if getattr(news, "bot", command.bot) != command.bot:
        raise refusals.LEASE_LOST()
    if isinstance(news, commands.TradeCommand):
        trade = batch.trades.get(news.trade_id)
        if trade is not None and trade.bot != command.bot:
            raise refusals.LEASE_LOST()


def _row(lease: Lease) -> tuple[Any, ...]:
    return (lease.bot, lease.worker, lease.fence, lease.until_us)
