"""Deliveries as buyers ask for them, and where they may go (people P4)."""

from collections.abc import Iterable

from selldesk.catalog.games import is_supported
from selldesk.deliveries.delivery import Delivery, DeliveryItem
from selldesk.deliveries.endings import event_of
from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.cases import delivering
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.kernel.times import HOUR_US, wire_time
from selldesk.offers.stages import Stage
from selldesk.people.person import Person
from selldesk.people.roles import Role, has_role
from selldesk.store.rows import EndedDeliveryRow, ItemToDeliverRow, PersonRow
from selldesk.trades.status import Status

_COOLDOWN_US = HOUR_US
_COOLDOWN_AFTER = 2


def open_delivery(command: commands.OpenDelivery, batch: Batch) -> commands.DeliveriesOpened:
    """One part for each bot, game and hundred items; all of them or none. A refusal leaves no trace.

    Refuses, first failure first: DELIVERY_EXISTS, ACCOUNT_FROZEN, TRADING_STOPPED, NO_TRADELINK, FOREIGN_TRADELINK; per item in order
    ITEM_TO_DELIVER_NOT_FOUND, ITEM_PROTECTED, ITEM_IN_DELIVERY, ITEM_MISSING; GAME_STOPPED, DELIVERY_LIMIT, DELIVERY_COOLDOWN;
    INVALID_API_KEY and FORBIDDEN if the buyer is not (any more) one.
    """
    batch.load(BatchLoad(persons={command.buyer}, rooms_and_bots=True))
    buyer = _check_buyer(command, batch)
    if batch.store.fetch("delivery_with_custom_id", buyer=command.buyer, custom_id=command.custom_id):
        raise refusals.DELIVERY_EXISTS()
    if buyer.frozen:
        raise refusals.ACCOUNT_FROZEN()
    if batch.is_stopped:
        raise refusals.TRADING_STOPPED()
    if command.partner is None:
        raise refusals.NO_TRADELINK()
    check_partner(buyer, command.partner, batch)
    items = _check_items(command, batch)
    if any(one.game in batch.stopped_games or not is_supported(one.game) for one in items):
        raise refusals.GAME_STOPPED()
    parts = list(_parts_of(items, batch.settings.delivery_items_max))
    _check_limits(command.buyer, len(parts), batch)
    ids = [_open_part(command, part, number, len(parts), batch) for number, part in enumerate(parts, start=1)]
    return commands.DeliveriesOpened(ids)


def _check_buyer(command: commands.OpenDelivery, batch: Batch) -> Person:
    buyer = batch.persons.get(command.buyer)
    if buyer is None or buyer.disabled:
        raise refusals.INVALID_API_KEY()
    if not has_role(buyer.roles, Role.BUYER):
        raise refusals.FORBIDDEN()
    return buyer


def check_partner(buyer: Person, partner: str, batch: Batch) -> None:
    """Their own account, or one that an operator has allowed: a stolen key can't ship items away. Refuses FOREIGN_TRADELINK."""
    if partner != buyer.steamid64 and partner not in batch.store.column("deliver_to_of", person=buyer.number):
        raise refusals.FOREIGN_TRADELINK()


def _check_items(command: commands.OpenDelivery, batch: Batch) -> list[ItemToDeliverRow]:
    """In the order asked for."""
    known = {(one.trade_id, one.position): one for one in batch.store.load_as(ItemToDeliverRow, "items_to_deliver", command.items)}
    found: list[ItemToDeliverRow] = []
    for key in command.items:
        item = known.get(key)
        is_theirs = item is not None and item.buyer == command.buyer and item.noted != "delivered"
        if item is None or not is_theirs or item.status not in (Status.ACCEPTED, Status.COMPLETED):
            raise refusals.ITEM_TO_DELIVER_NOT_FOUND(item_id=f"{key[0]}-{key[1]}")
        if item.status == Status.ACCEPTED:
            raise refusals.ITEM_PROTECTED(name=item.name, time=wire_time(item.settle_at or batch.now))
        if item.delivery_id is not None:
            raise refusals.ITEM_IN_DELIVERY(name=item.name)
        if item.noted == "missing":
            raise refusals.ITEM_MISSING(name=item.name)
        found.append(item)
    return found


def _check_limits(buyer: int, parts: int, batch: Batch) -> None:
    if int(batch.store.value("running_deliveries_of", buyer=buyer)) + parts > batch.settings.deliveries_per_buyer:
        raise refusals.DELIVERY_LIMIT()
    ended = batch.store.fetch_as(EndedDeliveryRow, "last_ended_deliveries", buyer=buyer)
    if len(ended) == _COOLDOWN_AFTER and all(one.status == Status.CANCELLED for one in ended):
        until = ended[0].updated_at + _COOLDOWN_US
        if batch.now < until:
            raise refusals.DELIVERY_COOLDOWN(time=wire_time(until))


def _parts_of(items: Iterable[ItemToDeliverRow], most: int) -> Iterable[list[ItemToDeliverRow]]:
    """By bot and game, in the order of their first items."""
    groups: dict[tuple[int, int], list[ItemToDeliverRow]] = {}
    for item in items:
        groups.setdefault((item.bot, item.game), []).append(item)
    for group in groups.values():
        for begin in range(0, len(group), most):
            yield group[begin : begin + most]


def _open_part(command: commands.OpenDelivery, items: list[ItemToDeliverRow], part: int, parts: int, batch: Batch) -> str:
    first = items[0]
    assert command.partner is not None
    delivery = Delivery(
        id=batch.new_id(), game=first.game, bot=first.bot, created_at=batch.now, stage=Stage.VERIFY, stage_at=batch.now,
        due_at=batch.now, attempts=0, offer_id=None, offer_state=None, expires_at=None, send_started_at=None, unknown_since=None,
        misses=0, first_miss_at=None, doubt_at=None, verified_at=None, cancel_by=None, steam_trade_id=None, steam_status=None,
        exchanged_at=None, settlement=None, protected=0, settle_at=None, buyer=command.buyer, custom_id=command.custom_id, part=part,
        parts=parts, partner=command.partner, tradelink=command.tradelink, message=command.message, items_count=len(items),
        status=Status.PROCESSING, updated_at=batch.now, version=0, error=None, resends=0, refused_text=None,
    )  # fmt: skip
    batch.deliveries[delivery.id] = delivery
    batch.delivery_items[delivery.id] = [
        DeliveryItem(delivery.id, place, one.trade_id, one.position, one.item, "", "", one.classid, one.instanceid, None, None)
        for place, one in enumerate(items)
    ]
    batch.new_deliveries.append(delivery)
    text = f"Asked for: {len(items)} items" if parts == 1 else f"Asked for: part {part} of {parts}, {len(items)} items"
    batch.note_delivery(delivery, text, event_of(delivery.status))
    batch.feed.bots.append(delivery.bot)
    return delivery.id


def cancel_delivery(command: commands.CancelDelivery, batch: Batch) -> commands.Done:
    """Refuses DELIVERY_NOT_FOUND, ITEM_WRONG_STATUS."""
    batch.load(BatchLoad(trades={command.delivery_id}, rooms_and_bots=True))
    delivery = batch.deliveries.get(command.delivery_id)
    if delivery is None or delivery.buyer != command.buyer:
        raise refusals.DELIVERY_NOT_FOUND()
    delivering.cancel_by_buyer(delivery, batch)
    return commands.Done()


def set_trade_link(command: commands.SetTradeLink, batch: Batch) -> commands.Done:
    """Refuses FOREIGN_TRADELINK."""
    batch.load(BatchLoad(persons={command.buyer}))
    if command.partner is not None:
        check_partner(batch.persons[command.buyer], command.partner, batch)
    batch.store.execute("put_buyer_settings", person=command.buyer, tradelink=command.tradelink)
    batch.wrote_directly = True
    return commands.Done()


def set_deliver_to(command: commands.SetDeliverTo, batch: Batch) -> commands.Done:
    """Refuses USER_NOT_FOUND."""
    found = batch.store.fetch_as(PersonRow, "person_by_id", id=command.person_id)
    if not found:
        raise refusals.USER_NOT_FOUND()
    person = found[0].number
    batch.store.execute("drop_deliver_to", person=person)
    batch.store.write("add_deliver_to", [(person, one) for one in sorted(set(command.steamid64s))])
    log(batch, command.operator, "user.deliver_to", command.person_id, {"steamid64s": command.steamid64s})
    batch.wrote_directly = True
    return commands.Done()
