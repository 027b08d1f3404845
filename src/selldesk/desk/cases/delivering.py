"""A delivery on its way: Steam's word, brought by a bot, becomes status, items and stock (people P4). The life of the offer is that of any
offer (offers/); what is here is what it means to what buyers own."""

from collections.abc import Callable
from typing import Any

import msgspec

from selldesk.alerts.kinds import Closes, closing
from selldesk.bots.stock import OwnAsset
from selldesk.deliveries.delivery import Delivery, DeliveryItem
from selldesk.deliveries.endings import EXCHANGED, event_of, of_delivery
from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.cases.declaring import declare
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.kernel.times import MINUTE_US, wire_time_or_none
from selldesk.offers import exchange, offered, sending
from selldesk.offers.life import waits_for_a_slot
from selldesk.offers.outcomes import Heard, Outcome, Step, note
from selldesk.offers.rules import Rules
from selldesk.offers.stages import BEFORE_AN_OFFER, MISSING_ITEMS, OFFER_STATES, Stage
from selldesk.offers.words import SendRefusal
from selldesk.steamwire.enums import OfferState, TradeStatus
from selldesk.store.rows import DeliverySlotsRow
from selldesk.trades.endings import Effects, Move
from selldesk.trades.reversals import Reversal
from selldesk.trades.status import RELEASED, ROLLED_BACK, Status, may_follow

_PROTECTED_CONTEXT = "16"
_SLOT_AGAIN_US = 5 * 1_000_000


class ImpossibleStep(Exception):
    """A rule asked for a transition that the status table lacks. It means a bug: the command fails, nothing is written."""


def decide(command: commands.TradeCommand, delivery: Delivery, batch: Batch) -> commands.TradeReply:
    """News about one delivery; news that no longer matters changes nothing."""
    before = Before(delivery, batch)
    granted = False
    effects = Effects()
    if isinstance(command, commands.IntendSend):
        granted = _may_be_sent(delivery, batch)
    elif isinstance(command, commands.IntendCancel):
        granted = offered.intend_to_cancel(delivery, batch.now, _rules(batch))
    elif type(command) in _HEARD:
        effects = _HEARD[type(command)](command, delivery, batch)
    apply(effects, delivery, batch)
    before.finish(delivery, batch)
    return commands.TradeReply(granted=granted, status=delivery.status)


def _rules(batch: Batch) -> Rules:
    return batch.settings.rules.of_deliveries


def _may_be_sent(delivery: Delivery, batch: Batch) -> bool:
    """A slot must be free: of the bot's own, of those that deliveries may have, and of those with this partner. While it waits for one
    its time does not run (settled 24)."""
    if batch.is_stopped or delivery.game in batch.stopped_games:
        return False
    bot = batch.bots[delivery.bot]
    (taken,) = batch.store.fetch_as(DeliverySlotsRow, "delivery_slots", bot=bot.number, partner=delivery.partner)
    is_full = (
        bot.live_offers >= bot.live_offers_max
        or taken.deliveries >= batch.settings.rules.delivery_offers_per_bot
        or taken.to_partner + taken.sales >= bot.seller_offers_max
    )
    if is_full:
        if delivery.stage is Stage.SEND and delivery.cancel_by is None:
            delivery.doubt_at, delivery.due_at = delivery.doubt_at or batch.now, batch.now + _SLOT_AGAIN_US
        return False
    if waits_for_a_slot(delivery):
        delivery.doubt_at, delivery.verified_at = None, batch.now
    granted = sending.intend_to_send(delivery, batch.now, _rules(batch))
    if granted:
        batch.steam_objects.add(("tag", f"{delivery.tag}/{delivery.partner}", delivery.id))
    return granted


# -- one kind of news each ---------------------------------------------------------------------------------------------


def _offer_made(command: commands.OfferMade, delivery: Delivery, batch: Batch) -> Effects:
    delivery.refused_text = None
    return of_delivery(sending.offer_made(delivery, command.offer_id, command.needs_confirmation, batch.now))


def _offer_refused(command: commands.OfferRefused, delivery: Delivery, batch: Batch) -> Effects:
    """The partner's faults end it, the bot's and Steam's wait: no other bot has the items."""
    was_sending = delivery.stage is Stage.SENDING
    if was_sending and command.why is SendRefusal.OWN_ITEMS_GONE:
        delivery.stage = Stage.SEND
        return of_delivery(_look_again(delivery, batch.now))
    heard = sending.offer_refused(delivery, command.why, command.text, batch.now, _rules(batch), command.looked_at)
    if was_sending:
        delivery.refused_text = command.text if command.why is SendRefusal.PARTNER_CHANGED else None
        _learn(command, delivery, batch)
    return of_delivery(heard)


def _learn(command: commands.OfferRefused, delivery: Delivery, batch: Batch) -> None:
    """What a refused send says about the bot or the game."""
    rules = batch.settings.rules
    if command.why is SendRefusal.BOT_ILL:
        batch.quarantine(delivery.bot, command.text, batch.now + rules.quarantine_us)
    elif command.why is SendRefusal.GAME_DOWN:
        batch.pauses[delivery.game] = (batch.now + rules.game_pause_us, command.text)


def _look_again(delivery: Delivery, now: int) -> Heard:
    """Steam says that the items are gone. The bot's inventory is read: if they are there the offer is made once more, else, or if Steam says
    it again, the delivery ends once the history shows no exchange of it."""
    if delivery.unknown_since is None:
        delivery.unknown_since = delivery.send_started_at if delivery.send_started_at is not None else now
    delivery.stage, delivery.due_at, delivery.attempts, delivery.doubt_at = Stage.VERIFY, now, 0, None
    delivery.offer_id, delivery.expires_at, delivery.send_started_at = None, None, None
    if delivery.resends:
        delivery.cancel_by = delivery.cancel_by or "missing"
        return note("Steam says again that items are not there")
    delivery.resends += 1
    return note("Steam says that items are not there; looking for them")


def _offer_unconfirmed(command: commands.OfferUnconfirmed, delivery: Delivery, batch: Batch) -> Effects:
    return of_delivery(sending.offer_unconfirmed(delivery, batch.now, _rules(batch)))


def _outcome_unknown(command: commands.OutcomeUnknown, delivery: Delivery, batch: Batch) -> Effects:
    return of_delivery(sending.outcome_unknown(delivery, batch.now))


def _not_listed(command: commands.NotListed, delivery: Delivery, batch: Batch) -> Effects:
    return of_delivery(sending.not_listed(delivery, command.began_at, batch.now, _rules(batch)))


def _offer_read(command: commands.OfferRead, delivery: Delivery, batch: Batch) -> Effects:
    seen = _seen(delivery)
    if delivery.status in RELEASED or delivery.status in ROLLED_BACK:
        effects = _shown_after_its_end(command, delivery, batch)
    else:
        heard = offered.read_offer(delivery, command.offer, batch.now, _rules(batch), command.looked_at)
        if any(step.outcome is Outcome.ITEMS_GONE for step in heard.steps):
            batch.steam_objects.add(("offer", command.offer.offer_id, delivery.id))
            heard = _look_again(delivery, batch.now)
        effects = of_delivery(heard)
    if seen != _seen(delivery):
        batch.evidence.append((delivery.id, batch.now, "offer", command.raw))
    return effects


def _shown_after_its_end(command: commands.OfferRead, delivery: Delivery, batch: Batch) -> Effects:
    """An offer of it was accepted after all: the items are out, and a human must look."""
    word = command.offer
    is_told = delivery.offer_state in (OfferState.ACCEPTED, MISSING_ITEMS) and delivery.offer_id == word.offer_id
    if word.state != OfferState.ACCEPTED or is_told or delivery.status in ROLLED_BACK:
        return Effects()
    delivery.offer_id, delivery.offer_state = word.offer_id, OfferState.ACCEPTED
    delivery.steam_trade_id = delivery.steam_trade_id or word.steam_trade_id
    text = f"Offer {word.offer_id} was accepted after its delivery had ended: the buyer has the items"
    for item in batch.delivery_items[delivery.id]:
        if batch.notes.get(item.key) is None:
            batch.note_item(batch.sale_of(item), item.trade_position, "missing", text)
    return Effects([Move(text)], [("items_left_unasked", text)])


def _exchange_found(command: commands.ExchangeFound, delivery: Delivery, batch: Batch) -> Effects:
    effects = of_delivery(exchange.exchange_found(delivery, command.steam_trade_id, batch.now))
    if effects.moves:
        batch.evidence.append((delivery.id, batch.now, "trade", command.raw))
    return effects


def _trade_read(command: commands.TradeRead, delivery: Delivery, batch: Batch) -> Effects:
    status_before, items = delivery.steam_status, batch.delivery_items[delivery.id]
    heard = exchange.read_trade(
        delivery, items, command.word, command.began_at, batch.now, _rules(batch), exchange.what_did_not_leave
    )
    batch.changed_delivery_items.add(delivery.id)
    if status_before != delivery.steam_status or heard.steps:
        batch.evidence.append((delivery.id, batch.now, "trade", command.raw))
    return of_delivery(heard)


def _give_up(command: commands.GiveUp, delivery: Delivery, batch: Batch) -> Effects:
    if not sending.too_late_to_offer(delivery, batch.now, _rules(batch)):
        return Effects()
    return _given_up(delivery, command.looked_at, batch)


def _given_up(delivery: Delivery, looked_at: int | None, batch: Batch) -> Effects:
    """What Steam or the bot's inventory said last is the reason, where there is one."""
    heard = sending.give_up(delivery, looked_at, batch.now, _rules(batch))
    return of_delivery(Heard([_with_reason(step, delivery) for step in heard.steps], heard.alerts))


def _with_reason(step: Step, delivery: Delivery) -> Step:
    if delivery.refused_text is None or step.outcome not in (Outcome.NOT_SENT, Outcome.ITEMS_GONE):
        return step
    return Step(delivery.refused_text, Outcome.REFUSED if step.outcome is Outcome.NOT_SENT else step.outcome)


def give_up_unsent(delivery: Delivery, batch: Batch) -> None:
    """Nothing was sent in time, and nothing can be out: the desk's own clock ends it, whatever its bot does."""
    before = Before(delivery, batch)
    apply(_given_up(delivery, None, batch), delivery, batch)
    before.finish(delivery, batch)
    batch.feed.bots.append(delivery.bot)


# -- where its items are -----------------------------------------------------------------------------------------------


def look_for_items(delivery: Delivery, found: dict[tuple[str, int], OwnAsset], batch: Batch) -> None:
    """A whole reading of the bot's inventory of its game, which began after the delivery did: what was found goes into the offer."""
    before = Before(delivery, batch)
    items = batch.delivery_items[delivery.id]
    gone = [item for item in items if item.key not in found]
    locked = [item for item in items if item.key in found and not _can_be_given(found[item.key])]
    effects = Effects()
    if gone:
        effects = _items_not_seen(delivery, gone, batch)
    elif locked:
        # Steam's own date has to come; until then its time does not run.
        delivery.verified_at, delivery.due_at = batch.now, batch.now + MINUTE_US
    elif delivery.cancel_by is None:
        for item in items:
            asset = found[item.key]
            item.contextid, item.assetid, item.classid, item.instanceid = (
                asset.contextid,
                asset.assetid,
                asset.classid,
                asset.instanceid,
            )
        batch.changed_delivery_items.add(delivery.id)
        delivery.stage, delivery.due_at, delivery.attempts, delivery.doubt_at = Stage.SEND, batch.now, 0, None
    apply(effects, delivery, batch)
    before.finish(delivery, batch)
    batch.feed.bots.append(delivery.bot)


def _can_be_given(asset: OwnAsset) -> bool:
    return asset.tradable and asset.contextid != _PROTECTED_CONTEXT


def _items_not_seen(delivery: Delivery, gone: list[DeliveryItem], batch: Batch) -> Effects:
    """Absent at two readings (then they are noted as missing): the end. Absent once: another look."""
    missing = [item for item in gone if batch.notes.get(item.key) == "missing"]
    if not missing:
        delivery.doubt_at = delivery.doubt_at or batch.now
        delivery.due_at = batch.now + batch.settings.rules.second_reading_after_us
        return Effects()
    delivery.cancel_by = delivery.cancel_by or "missing"
    delivery.refused_text = f"Item {batch.item_name(missing[0].item)} is not in the bot's inventory"
    delivery.due_at = batch.now
    return Effects() if delivery.is_doubted else _given_up(delivery, None, batch)


# -- reversals ---------------------------------------------------------------------------------------------------------


def roll_back(delivery: Delivery, by: Reversal, batch: Batch) -> None:
    """Steam shows its exchange undone: the items are back with the bot. What was never seen accepted passes through it."""
    before = Before(delivery, batch)
    if delivery.status is Status.COMPLETED:
        effects = _reversed_after_completion(delivery)
    else:
        effects = _rolled_back(delivery, by)
    apply(effects, delivery, batch)
    before.finish(delivery, batch)


def _rolled_back(delivery: Delivery, by: Reversal) -> Effects:
    moves: list[Move] = []
    if delivery.status is Status.PROCESSING and delivery.stage in (Stage.EXCHANGED, Stage.OFFERED, Stage.OPERATOR):
        moves.append(EXCHANGED)
    elif delivery.status is not Status.ACCEPTED:
        return Effects()
    delivery.steam_status = TradeStatus.TRADE_PROTECTION_ROLLBACK
    if by is Reversal.BOT:
        moves.append(Move("Reversed from the bot's side", Status.ROLLED_BACK_BY_BOT, offer_state=OfferState.REVERTED))
        return Effects(moves, [("bot_reversed", "All protected trades of this bot were reversed")])
    moves.append(Move("The buyer reversed the trade on Steam", Status.ROLLED_BACK_BY_USER, offer_state=OfferState.REVERTED))
    return Effects(moves)


def _reversed_after_completion(delivery: Delivery) -> Effects:
    if delivery.steam_status == TradeStatus.TRADE_PROTECTION_ROLLBACK:
        return Effects()
    delivery.steam_status = TradeStatus.TRADE_PROTECTION_ROLLBACK
    text = "Steam shows this delivery reversed after it was completed; nothing was moved"
    return Effects([Move(text)], [("reversed_after_completion", text)])


# -- by hand -----------------------------------------------------------------------------------------------------------


def cancel_by_buyer(delivery: Delivery, batch: Batch) -> None:
    """Refuses ITEM_WRONG_STATUS once Steam has exchanged, or while Steam holds the items."""
    before = Before(delivery, batch)
    if delivery.status is not Status.PROCESSING or delivery.is_held or delivery.stage in (Stage.EXCHANGED, Stage.OPERATOR):
        raise refusals.ITEM_WRONG_STATUS()
    if delivery.cancel_by is None:
        heard = offered.withdraw(delivery, batch.now, "owner", "The buyer cancels the delivery")
        apply(of_delivery(heard), delivery, batch)
        before.finish(delivery, batch)
        batch.feed.bots.append(delivery.bot)


def _operate(command: commands.OperateTrade, delivery: Delivery, batch: Batch) -> Effects:
    """An operator's action, logged. Refuses ITEM_WRONG_STATUS, FORCE_REQUIRED (as C4 says for trades)."""
    operation = _OPERATIONS.get((command.action, delivery.status))
    if operation is not None:
        effects = operation(command, delivery, batch)
    else:
        effects = declare(command, delivery, delivery.status, batch.now, _rules(batch))
    if effects is None:
        raise refusals.ITEM_WRONG_STATUS()
    body = {"reason": command.reason, "force": command.force, "by": command.by}
    log(batch, command.operator, f"delivery.{command.action}", delivery.id, body)
    batch.feed.bots.append(delivery.bot)
    return effects


def _cancel(command: commands.OperateTrade, delivery: Delivery, batch: Batch) -> Effects | None:
    if delivery.stage in (Stage.EXCHANGED, Stage.OPERATOR):
        return None
    return of_delivery(offered.withdraw(delivery, batch.now, text="An operator withdrew the delivery"))


def _retry(command: commands.OperateTrade, delivery: Delivery, batch: Batch) -> Effects | None:
    if delivery.stage is Stage.OPERATOR:
        return None
    delivery.attempts, delivery.due_at = 0, batch.now
    return Effects()


# -- carrying out ------------------------------------------------------------------------------------------------------


def apply(effects: Effects, delivery: Delivery, batch: Batch) -> None:
    """Carries out moves, notes and alerts: the one place where a delivery's status and its items change."""
    for move in effects.moves:
        if move.status is not None:
            _move(delivery, move.status, move.error, batch)
        if move.offer_state is not None:
            delivery.offer_state = move.offer_state
        batch.note_delivery(delivery, move.note, event_of(move.status) if move.status is not None else move.event)
    for kind, text in effects.alerts:
        batch.alert(kind, text, delivery.bot, delivery.id)


def _move(delivery: Delivery, status: Status, error: str | None, batch: Batch) -> None:
    if not may_follow(delivery.status, status):
        raise ImpossibleStep(f"delivery {delivery.id}: {delivery.status} → {status}")
    items = batch.delivery_items[delivery.id]
    if status is Status.ACCEPTED:
        for item in items:
            batch.note_item(batch.sale_of(item), item.trade_position, "delivered", f"Delivery {delivery.id}")
    elif status in ROLLED_BACK:
        for item in items:
            _give_back(item, batch)
    if status is not Status.ACCEPTED:
        delivery.stage, delivery.due_at = Stage.DONE, None
    batch.freed_deliveries.add(delivery.id)
    delivery.status, delivery.error = status, error
    for kind in closing(Closes.TRADE_MOVES):
        batch.close_alert_of(kind, delivery.id, "The delivery has moved on")


def _give_back(item: DeliveryItem, batch: Batch) -> None:
    """It is in the bot's inventory again, under an id that the next reading tells."""
    sale = batch.sale_of(item)
    batch.note_item(sale, item.trade_position, None, "")
    held = batch.items[sale.id][item.trade_position]
    held.new_assetid = held.new_contextid = None
    batch.changed_items.add(sale.id)


def _seen(delivery: Delivery) -> tuple[object, ...]:
    """What a reader sees: `version` and `updated_at` move with it."""
    return (
        delivery.status, delivery.error, delivery.offer_id, delivery.offer_state, delivery.steam_trade_id, delivery.settlement,
        delivery.expires_at,
    )  # fmt: skip


def _takes_a_slot(delivery: Delivery) -> bool:
    """Of its bot's live offers: from the intent to send on."""
    return delivery.status is Status.PROCESSING and delivery.stage not in BEFORE_AN_OFFER


class Before:
    """A delivery as it was before a command, to see afterwards what changed."""

    def __init__(self, delivery: Delivery, batch: Batch) -> None:
        self.whole = msgspec.structs.astuple(delivery)
        self.stage, self.version, self.offer_id = delivery.stage, delivery.version, delivery.offer_id
        self.seen, self.took_a_slot = _seen(delivery), _takes_a_slot(delivery)

    def finish(self, delivery: Delivery, batch: Batch) -> None:
        """A row is written only if it changed; everything that a reader sees moves with a step."""
        if delivery.stage != self.stage:
            delivery.stage_at = batch.now
        if self.offer_id is not None and delivery.offer_id != self.offer_id:
            batch.steam_objects.add(("offer", self.offer_id, delivery.id))
        if delivery.version == self.version and _seen(delivery) != self.seen:
            batch.note_delivery(delivery, _what_is_new(delivery))
        slots = _takes_a_slot(delivery) - self.took_a_slot
        if slots:
            batch.bots[delivery.bot].live_offers += slots
            batch.bots.changed.add(delivery.bot)
        if msgspec.structs.astuple(delivery) != self.whole:
            batch.changed_deliveries.add(delivery.id)


def _what_is_new(delivery: Delivery) -> str:
    if delivery.offer_state is not None:
        return f"Steam shows the offer as {OFFER_STATES.get(delivery.offer_state, f'state {delivery.offer_state}')}"
    return f"The offer is open until {wire_time_or_none(delivery.expires_at)}"


_OPERATIONS: dict[tuple[str, Status], Callable[[commands.OperateTrade, Delivery, Batch], Effects | None]] = {
    ("cancel", Status.PROCESSING): _cancel,
    ("retry", Status.PROCESSING): _retry,
}

_HEARD: dict[type[commands.TradeCommand], Callable[[Any, Delivery, Batch], Effects]] = {
    commands.OfferMade: _offer_made,
    commands.OfferRefused: _offer_refused,
    commands.OfferUnconfirmed: _offer_unconfirmed,
    commands.OutcomeUnknown: _outcome_unknown,
    commands.NotListed: _not_listed,
    commands.OfferRead: _offer_read,
    commands.ExchangeFound: _exchange_found,
    commands.TradeRead: _trade_read,
    commands.GiveUp: _give_up,
    commands.OperateTrade: _operate,
}
