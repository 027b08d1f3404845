"""Buyers' orders: large lists in portions, each a transaction of its own with creates in between (contract C2).

Of two lists of one buyer and game the one that began later counts. One desk works them off one after the other; between the desks of
several machines the record of the latest list decides.
"""

from collections import deque
from collections.abc import Iterable

from selldesk.book.orders import Order
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases.people import check_actor
from selldesk.desk.commands import (
    BeginOrders,
    ChangeOrders,
    OrderLine,
    OrderListBegun,
    OrdersChanged,
    PutOrders,
    WithdrawOrders,
)
from selldesk.kernel import refusals
from selldesk.kernel.limits import ORDERS_PER_TRANSACTION
from selldesk.people.roles import Role, pack_roles
from selldesk.store.store import Reader


class Portions:
    """The portions of one big command: its beginning, withdrawals, then lines in order. Sums their answers."""

    def __init__(self, command: PutOrders | WithdrawOrders, store: Reader) -> None:
        self.command = command
        self.counts = OrdersChanged()
        self._store = store
        whole = self._whole()
        self._waiting = None if whole is None else deque([whole])

    def next(self) -> BeginOrders | ChangeOrders | None:
        if self._waiting is None:
            return BeginOrders(buyer=self.command.buyer, game=self.command.game)
        return self._waiting[0] if self._waiting else None

    def done(self, reply: OrderListBegun | OrdersChanged) -> None:
        """The portion that `next` showed is committed. Raises what the store says if it can't be asked for what stands."""
        if isinstance(reply, OrderListBegun):
            # Not before nobody else adds any more.
            self._waiting = deque(self._cut(self._store, reply.list))
            return
        assert self._waiting is not None
        self._waiting.popleft()
        counts = self.counts
        counts.created, counts.updated = counts.created + reply.created, counts.updated + reply.updated
        counts.unchanged, counts.withdrawn = counts.unchanged + reply.unchanged, counts.withdrawn + reply.withdrawn

    def _whole(self) -> ChangeOrders | None:
        """All of it as one portion, if that fits and what else stands doesn't matter to it: a commit less for the most usual change."""
        command = self.command
        if isinstance(command, WithdrawOrders):
            withdraw, put = command.items, []
        else:
            withdraw, put = None if command.replace else [], command.lines
        if withdraw is None or len(withdraw) + len(put) > ORDERS_PER_TRANSACTION:
            return None
        return ChangeOrders(buyer=command.buyer, game=command.game, withdraw=withdraw, put=put, begins=True)

    def _cut(self, store: Reader, list_seq: int) -> Iterable[ChangeOrders]:
        command = self.command
        mine = {order.item for order in store.fetch_as(Order, "orders_of_game", buyer=command.buyer, game=command.game)}
        put: list[OrderLine] = []
        if isinstance(command, WithdrawOrders):
            withdraw = sorted(mine) if command.items is None else [item for item in command.items if item in mine]
        else:
            put = command.lines
            listed = {line.item for line in put} | set(command.keep)
            withdraw = sorted(mine - listed) if command.replace else []
        for start in range(0, len(withdraw), ORDERS_PER_TRANSACTION):
            yield ChangeOrders(
                buyer=command.buyer,
                game=command.game,
                withdraw=withdraw[start : start + ORDERS_PER_TRANSACTION],
                put=[],
                list_seq=list_seq,
            )
        for start in range(0, len(put), ORDERS_PER_TRANSACTION):
            yield ChangeOrders(
                buyer=command.buyer,
                game=command.game,
                withdraw=[],
                put=put[start : start + ORDERS_PER_TRANSACTION],
                list_seq=list_seq,
            )


def _check_buyer(buyer: int, batch: Batch) -> None:
    """A frozen buyer may change orders, which stay not for sale (settled 10). Refuses INVALID_API_KEY, FORBIDDEN."""
    check_actor(buyer, pack_roles([Role.BUYER]), batch)


def begin_orders(command: BeginOrders | ChangeOrders, batch: Batch) -> OrderListBegun:
    _check_buyer(command.buyer, batch)
    batch.store.put("begin_order_list", buyer=command.buyer, game=command.game, seq=batch.seq)
    batch.wrote_directly = True
    return OrderListBegun(list=batch.seq)


def change_orders(command: ChangeOrders, batch: Batch) -> OrdersChanged:
    """One portion. A line sets amount and remaining: what the buyer wants from now on; running trades come on top. Refuses
    LIST_SUPERSEDED, INVALID_API_KEY, FORBIDDEN."""
    _check_buyer(command.buyer, batch)
    if command.begins:
        begin_orders(command, batch)
    elif command.list_seq is not None:
        latest = batch.store.fetch("order_list_of", buyer=command.buyer, game=command.game)
        if latest != [(command.list_seq,)]:
            raise refusals.LIST_SUPERSEDED()
    load = BatchLoad()
    load.orders.update((command.buyer, item) for item in command.withdraw)
    load.orders.update((command.buyer, line.item) for line in command.put)
    batch.load(load)
    counts = OrdersChanged()
    for item in command.withdraw:
        order = batch.orders.get((command.buyer, item))
        if order is not None and order.game == command.game:
            _close(order, batch)
            batch.dropped_orders.add((order.buyer, order.item))
            counts.withdrawn += 1
    for line in command.put:
        order = batch.orders.get((command.buyer, line.item))
        if order is None:
            counts.created += 1
        elif order.price == line.price and order.amount == line.amount and order.remaining == line.amount:
            counts.unchanged += 1
            continue
        else:
            _close(order, batch)
            counts.updated += 1
        batch.orders[command.buyer, line.item] = Order(
            buyer=command.buyer, item=line.item, game=command.game, price=line.price, amount=line.amount, remaining=line.amount,
            reserved=0, sold=0, generation=batch.next_generation(), updated_at=batch.now,
        )  # fmt: skip
        batch.orders.changed.add((command.buyer, line.item))
    return counts


def _close(order: Order, batch: Batch) -> None:
    """The old generation is kept as long as trades remember it."""
    if not order.untouched:
        key = (order.buyer, order.item, order.generation)
        batch.closed_orders[key] = order
        batch.closed_orders.changed.add(key)
