"""Steam's word → what becomes of a sale (readings R5, protocol §5 and §9). Pure.

Each function changes the bot's side of the given trade (stage, due time, Steam's numbers) and answers `Effects`. How reversals are
told and judged: `reversals.py`.
"""

import msgspec

from selldesk.kernel.times import DAY_US, HOUR_US, MINUTE_US, wire_time
from selldesk.steamwire.enums import OfferState, TradeStatus
from selldesk.trades.effects import Effects, Move, end
from selldesk.trades.news import AssetWord, OfferWord, Proof, Refusal, TradeWord
from selldesk.trades.rules import Rules
from selldesk.trades.status import OFFER_STATES, RELEASED, ROLLED_BACK, Stage, Status
from selldesk.trades.trade import Trade, TradeItem

CS2 = 730
MISSING_ITEMS = 13
"""Our own state of an offer, after Steam's: accepted, but what arrived is not what was verified (R5)."""

TROUBLE = range(TradeStatus.FAILED, TradeStatus.ROLLBACK_ABANDONED + 1)
"""Failed and the support rollbacks: money must not settle, a human must look (protocol §4)."""


ENDINGS: dict[int, tuple[Status, str]] = {
    OfferState.COUNTERED: (Status.CANCELLED, "The seller countered the offer"),
    OfferState.EXPIRED: (Status.CANCELLED, "The offer expired on Steam"),
    OfferState.DECLINED: (Status.CANCELLED, "The seller declined the offer"),
    OfferState.INVALID_ITEMS: (Status.CANCELLED, "Items of the offer are no longer available"),
    OfferState.CANCELED_BY_SECOND_FACTOR: (Status.CANCELLED, "The trade was cancelled at the mobile confirmation"),
}
"""Offer states that end a sale by themselves; 6 depends on who wanted it."""

HOLD_ENDED = "The trade hold ended without an exchange"

CANCELED_BY: dict[str | None, tuple[Status, str]] = {
    "deadline": (Status.CANCELLED, "The seller did not accept the offer in time"),
    "operator": (Status.DECLINED, "The trade was withdrawn by an operator"),
    "unconfirmed": (Status.DECLINED, "The offer could not be confirmed on the bot's side"),
    None: (Status.DECLINED, "The offer was withdrawn on the bot's side"),
}


# -- the gate of all endings -------------------------------------------------------------------------------------------


def may_end(trade: Trade, looked_at: int | None) -> bool:
    """No sale with a doubted send ends before a last look at the bot's history and its complete list of offers, which began at
    `looked_at`, after the send, and showed nothing of it (R5: no ending without Steam's last word)."""
    if not trade.is_doubted:
        return True
    moments = [moment for moment in (trade.send_started_at, trade.unknown_since) if moment is not None]
    return looked_at is not None and trade.work is not Stage.SENDING and looked_at >= max(moments, default=0)


def end_after_look(trade: Trade, status: Status, error: str, looked_at: int | None, now: int, rules: Rules) -> Effects:
    """The ending, or nothing yet: the bot looks first and says the same again."""
    if may_end(trade, looked_at):
        return end(status, error)
    _retry(trade, now, rules)
    return Effects()


# -- before the offer --------------------------------------------------------------------------------------------------


def read_proof(
    trade: Trade, proof: Proof, text: str, began_at: int, now: int, rules: Rules, looked_at: int | None = None
) -> Effects:
    """A reading of the seller's inventory that began at `began_at`. Only a trade that waits for one listens (R4)."""
    if trade.state is not Status.PROCESSING or trade.work is not Stage.VERIFY:
        return Effects()
    if proof in (Proof.OTHER_NAME, Proof.TRADE_HOLD, Proof.NO_TRADE):
        return end_after_look(trade, Status.CANCELLED, text, looked_at, now, rules)
    if proof is Proof.AS_NAMED:
        trade.stage, trade.due_at, trade.attempts = Stage.SEND, now, 0
        if trade.verified_at is None:
            trade.verified_at = now
    elif proof is Proof.NO_WORD:
        _retry(trade, now, rules)
    elif trade.doubt_at is None:
        trade.doubt_at, trade.due_at = began_at, began_at + rules.second_reading_after_us
    elif began_at >= trade.doubt_at + rules.second_reading_after_us:
        return end_after_look(trade, Status.CANCELLED, text, looked_at, now, rules)
    else:
        trade.due_at = trade.doubt_at + rules.second_reading_after_us
    return Effects()


def wait_for_a_bot(trade: Trade, now: int, rules: Rules) -> None:
    """Verified, but its bot has as many offers with this seller as it may: it is verified again a little later."""
    _retry(trade, now, rules)


def too_late_to_offer(trade: Trade, now: int, rules: Rules) -> bool:
    """No offer is out, none can be on its way, and the time for it has passed or an operator withdrew the trade."""
    if trade.state is not Status.PROCESSING or trade.work not in (Stage.VERIFY, Stage.SEND) or trade.offer_id is not None:
        return False
    return trade.cancel_by is not None or now >= trade.created_at + rules.offer_out_within_us


def give_up(trade: Trade, looked_at: int | None, now: int, rules: Rules) -> Effects:
    """The end of a trade for which `too_late_to_offer` holds: no send was attempted, or each is known to have made no offer."""
    if trade.cancel_by == "operator":
        return end_after_look(trade, *CANCELED_BY["operator"], looked_at, now, rules)
    return end_after_look(trade, Status.DECLINED, "No offer could be sent in time", looked_at, now, rules)


def intend_to_send(trade: Trade, now: int, rules: Rules) -> bool:
    """Puts the intent on record; False if this trade may not be sent (now)."""
    ready = trade.state is Status.PROCESSING and trade.work is Stage.SEND and trade.offer_id is None
    if not ready or too_late_to_offer(trade, now, rules):
        return False
    trade.stage, trade.send_started_at, trade.misses, trade.first_miss_at = Stage.SENDING, now, 0, None
    return True


# -- the answer to a send ----------------------------------------------------------------------------------------------


def offer_made(trade: Trade, offer_id: str, needs_confirmation: bool, now: int) -> Effects:
    """Steam named the offer. Its own times follow with the first reading, which is due at once. Also of a trade whose intent to send is
    no longer on record (a database that lost its last second): the offer exists all the same."""
    sending = trade.work in (Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE)
    if trade.state is not Status.PROCESSING or not sending or trade.offer_id is not None:
        return Effects()
    trade.offer_id, trade.offer_state = offer_id, OfferState.NEEDS_CONFIRMATION if needs_confirmation else OfferState.ACTIVE
    trade.stage, trade.due_at, trade.attempts = Stage.OFFERED, now, 0
    return Effects([Move(f"Offer {offer_id} sent")])


def needs_confirmation(trade: Trade) -> bool:
    """Our own offer waits for the bot's phone; Steam shows it to nobody until then (protocol §9 no. 22)."""
    return trade.state is Status.PROCESSING and trade.work is Stage.OFFERED and trade.offer_state == OfferState.NEEDS_CONFIRMATION


def offer_unconfirmed(trade: Trade, now: int, rules: Rules) -> Effects:
    """The confirmation did not go through: again a little later, until `cancel_due` says that it is enough."""
    if needs_confirmation(trade) and trade.cancel_by is None:
        trade.due_at = now + rules.confirm_after_us(trade.attempts)
        trade.attempts += 1
    return Effects()


def offer_refused(trade: Trade, why: Refusal, text: str, now: int, rules: Rules, looked_at: int | None = None) -> Effects:
    """A certain 'no offer exists'. The seller's faults are final; ours are tried again until the deadline."""
    if trade.state is not Status.PROCESSING or trade.work is not Stage.SENDING:
        return Effects()
    trade.stage, trade.send_started_at = Stage.SEND, None
    if why is Refusal.SELLER:
        return end_after_look(trade, Status.CANCELLED, text, looked_at, now, rules)
    _retry(trade, now, rules)
    return Effects()


def outcome_unknown(trade: Trade, now: int) -> Effects:
    """The offer may exist: nothing is sent again before Steam's list has been read."""
    if trade.state is not Status.PROCESSING or trade.work is not Stage.SENDING:
        return Effects()
    trade.stage, trade.due_at, trade.misses, trade.first_miss_at = Stage.RECONCILE, now, 0, None
    if trade.unknown_since is None:
        trade.unknown_since = trade.send_started_at
    return Effects([Move("The answer to the send was lost; looking for the offer")])


def not_listed(trade: Trade, began_at: int, now: int, rules: Rules) -> Effects:
    """A complete list of sent offers that began at `began_at` does not hold ours (protocol §9 no. 1)."""
    if trade.state is not Status.PROCESSING or trade.work is not Stage.RECONCILE or trade.send_started_at is None:
        return Effects()
    if began_at < trade.send_started_at:
        return Effects()
    if trade.first_miss_at is None:
        trade.first_miss_at = began_at
    trade.misses += 1
    spread_until = trade.first_miss_at + rules.reconcile_spread_us
    last_after = trade.send_started_at + rules.reconcile_last_after_us
    if trade.misses >= rules.reconcile_polls_min and began_at >= spread_until and began_at >= last_after:
        # Back to verifying: the items may have gone meanwhile.
        trade.stage, trade.send_started_at, trade.due_at, trade.attempts = Stage.VERIFY, None, now, 0
        trade.doubt_at = None
        return Effects([Move("No offer was created by the lost send")])
    # Look often at first, since most offers show up at once; then when the windows end.
    soon = began_at + (2 * rules.retry_first_us << min(trade.misses, 6))
    trade.due_at = min(soon, spread_until if began_at < spread_until else last_after)
    return Effects()


# -- the offer ---------------------------------------------------------------------------------------------------------


def read_offer(trade: Trade, word: OfferWord, now: int, rules: Rules, looked_at: int | None = None) -> Effects:
    """Steam shows our offer. Only explicit states count; an exchange once seen is never forgotten (protocol §9 no. 8)."""
    if trade.state in RELEASED or trade.state in ROLLED_BACK:
        return _accepted_after_the_end(trade, word)
    if (
        trade.state in (Status.ACCEPTED, Status.COMPLETED)
        and trade.offer_id is None
        and word.steam_trade_id == trade.steam_trade_id
    ):
        # Its exchange was found in the history before the list showed the offer.
        trade.offer_id = word.offer_id
        return Effects()
    if trade.state is Status.ACCEPTED and trade.steam_trade_id is None and word.offer_id == trade.offer_id:
        return _note_exchange(trade, word.steam_trade_id, now, rules)
    listening = {Stage.OFFERED, Stage.EXCHANGED, Stage.RECONCILE, Stage.SENDING}
    if trade.unknown_since is not None:
        listening |= {Stage.VERIFY, Stage.SEND}
    if trade.state is not Status.PROCESSING or trade.work not in listening:
        return Effects()
    if trade.offer_id is not None and word.offer_id != trade.offer_id:
        # A second offer of the same trade (a send that was thought lost): only its acceptance matters.
        if word.state != OfferState.ACCEPTED or trade.work is Stage.EXCHANGED:
            return Effects()
        trade.offer_id = None
    if trade.work is Stage.EXCHANGED and word.state != OfferState.ACCEPTED:
        effects = Effects()
        trade.steam_trade_id = trade.steam_trade_id or word.steam_trade_id
        _retry_if_due(trade, now, rules)
        _alert_if_late(trade, now, rules, effects)
        return effects
    if (word.state in ENDINGS or word.state == OfferState.CANCELED) and not may_end(trade, looked_at):
        _retry(trade, now, rules)
        return Effects()
    effects = Effects()
    if trade.offer_id is None:
        trade.offer_id = word.offer_id
        effects.moves.append(Move(f"Offer {word.offer_id} found"))
    was_held = trade.offer_state == OfferState.IN_ESCROW
    if word.state in OFFER_STATES and word.state <= OfferState.REVERTED:
        trade.offer_state = word.state
    if word.steam_trade_id:
        trade.steam_trade_id = word.steam_trade_id

    if word.state in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION):
        trade.stage = Stage.OFFERED
        if word.state == OfferState.ACTIVE and trade.expires_at is None:
            # `version` moves with everything that a reader sees (settled 22).
            effects.moves.append(Move(f"Offer {word.offer_id} is open"))
        trade.expires_at = word.time_created + rules.offer_open_for_us
        if word.state == OfferState.NEEDS_CONFIRMATION and trade.cancel_by is None:
            if trade.due_at is None or trade.due_at > now + rules.confirm_after_us(trade.attempts):
                trade.due_at = now
        elif trade.cancel_by is None:
            trade.due_at = trade.expires_at
        else:
            _retry_if_due(trade, now, rules)
    elif word.state in (OfferState.ACCEPTED, OfferState.REVERTED):
        if trade.work is not Stage.EXCHANGED:
            trade.stage, trade.attempts, trade.exchanged_at = Stage.EXCHANGED, 0, now
            trade.due_at = now
            if trade.expires_at is None:
                trade.expires_at = word.time_created + rules.offer_open_for_us
        elif not word.steam_trade_id:
            _retry_if_due(trade, now, rules)
            _alert_if_late(trade, now, rules, effects)
    elif word.state == OfferState.IN_ESCROW:
        trade.stage = Stage.OFFERED
        if word.escrow_end:
            trade.expires_at = word.escrow_end
        if trade.cancel_by == "deadline":
            # He accepted in time after all: we don't cancel a held trade ourselves.
            trade.cancel_by = None
        _wait_for_hold(trade, now)
        if not was_held:
            effects.moves.append(Move("Steam holds the items (trade hold)"))
    elif was_held and word.state in (*ENDINGS, OfferState.CANCELED) and trade.cancel_by != "operator":
        effects.moves.extend(end(Status.CANCELLED, HOLD_ENDED).moves)
    elif word.state in ENDINGS:
        effects.moves.extend(end(*ENDINGS[word.state]).moves)
    elif word.state == OfferState.CANCELED:
        if trade.cancel_by is None and not was_held:
            text = f"Offer {word.offer_id} was cancelled from the bot's account, but not by selldesk: somebody else has its session"
            effects.alerts.append(("session_in_other_hands", text))
        effects.moves.extend(end(*CANCELED_BY.get(trade.cancel_by, CANCELED_BY[None])).moves)
    else:
        trade.stage = Stage.OFFERED
        _retry_if_due(trade, now, rules)
        effects.alerts.append(("unknown_offer_state", f"Steam shows offer {word.offer_id} in state {word.state}"))
    return effects


def _accepted_after_the_end(trade: Trade, word: OfferWord) -> Effects:
    """An offer of a sale that was released or rolled back, accepted all the same: nothing is credited, a human is told."""
    known = trade.offer_state in (OfferState.ACCEPTED, MISSING_ITEMS) or trade.state in ROLLED_BACK
    if word.state != OfferState.ACCEPTED or (known and word.offer_id == trade.offer_id):
        return Effects()
    if trade.state in ROLLED_BACK and word.steam_trade_id is not None and word.steam_trade_id == trade.steam_trade_id:
        return Effects()
    text = f"Offer {word.offer_id} was accepted after its trade ended: items without a trade"
    if trade.state in RELEASED:
        trade.offer_id = trade.offer_id or word.offer_id
        trade.offer_state = OfferState.ACCEPTED
        trade.steam_trade_id = trade.steam_trade_id or word.steam_trade_id
    return Effects([Move(text)], [("items_without_trade", text)])


def exchanged_after_the_end(trade: Trade, steam_trade_id: str, text: str) -> Effects:
    """The bot's history holds an exchange of a released sale's items: nothing is credited, a human is told. Once."""
    if trade.state not in RELEASED or trade.steam_trade_id == steam_trade_id:
        return Effects()
    trade.steam_trade_id, trade.offer_state = steam_trade_id, OfferState.ACCEPTED
    return Effects([Move(text)], [("items_without_trade", text)])


def _note_exchange(trade: Trade, steam_trade_id: str | None, now: int, rules: Rules) -> Effects:
    """Which exchange it was, of a sale that an operator declared accepted before Steam told; without it nothing can be settled."""
    effects = Effects()
    if steam_trade_id:
        trade.steam_trade_id = steam_trade_id
    else:
        _retry_if_due(trade, now, rules)
        _alert_if_late(trade, now, rules, effects)
    return effects


def exchange_found(trade: Trade, steam_trade_id: str, now: int) -> Effects:
    """The bot's trade history holds the exchange of exactly these items with this seller, though no offer of it was known."""
    if trade.state is not Status.PROCESSING or trade.work is Stage.OPERATOR:
        return Effects()
    if trade.work is Stage.EXCHANGED:
        if trade.steam_trade_id is None:
            trade.steam_trade_id, trade.due_at = steam_trade_id, now
        return Effects()
    trade.stage, trade.steam_trade_id, trade.due_at, trade.attempts, trade.exchanged_at = (
        Stage.EXCHANGED,
        steam_trade_id,
        now,
        0,
        now,
    )
    trade.offer_state = OfferState.ACCEPTED
    return Effects([Move(f"Exchange {steam_trade_id} found in the bot's history")])


def declare_failed(trade: Trade) -> None:
    """An operator says that nothing was exchanged. An offer that Steam calls accepted, without an exchange, brought no items: 13. One
    that is still open keeps its state: if it is accepted later, that is told then (settled 5)."""
    if trade.offer_state in (OfferState.ACCEPTED, OfferState.REVERTED):
        trade.offer_state = MISSING_ITEMS


def declare_accepted(trade: Trade, now: int, rules: Rules) -> None:
    """An operator says that the items were exchanged: they are protected as any others (R5)."""
    trade.stage, trade.exchanged_at = Stage.SETTLING, trade.exchanged_at or now
    if trade.settle_at is None:
        trade.protected = int(trade.game == CS2)
        trade.settle_at = trade.exchanged_at + rules.dateless_protection_us if trade.protected else now
    trade.due_at = max(trade.settle_at, now)


def _is_unconfirmed_for_long(trade: Trade, now: int, rules: Rules) -> bool:
    return (
        needs_confirmation(trade)
        and trade.expires_at is not None
        and now >= trade.expires_at - rules.offer_open_for_us + rules.confirm_within_us
    )


def cancel_due(trade: Trade, now: int, rules: Rules) -> bool:
    """The seller had his time, or our own confirmation had, or an operator withdrew the trade; and the offer is still open."""
    return (
        trade.state is Status.PROCESSING
        and trade.work is Stage.OFFERED
        and (trade.offer_state != OfferState.IN_ESCROW or trade.cancel_by == "operator")
        and trade.due_at is not None
        and now >= trade.due_at
        and (
            trade.cancel_by is not None
            or (trade.expires_at is not None and now >= trade.expires_at)
            or _is_unconfirmed_for_long(trade, now, rules)
        )
    )


def intend_to_cancel(trade: Trade, now: int, rules: Rules) -> bool:
    """Puts the cancellation on record before Steam is asked. Not final until Steam shows the state (R5)."""
    if not cancel_due(trade, now, rules):
        return False
    if trade.cancel_by is None:
        trade.cancel_by = "unconfirmed" if needs_confirmation(trade) else "deadline"
        trade.attempts = 0
    _retry(trade, now, rules)
    return True


def withdraw(trade: Trade, now: int) -> Effects:
    """An operator's cancel: at once if no offer can exist, else it starts the cancellation (contract C4)."""
    trade.cancel_by, trade.due_at, trade.attempts = "operator", now, 0
    if trade.work in (Stage.VERIFY, Stage.SEND) and may_end(trade, None):
        return end(*CANCELED_BY["operator"])
    return Effects([Move("An operator withdrew the trade")])


# -- the exchange ------------------------------------------------------------------------------------------------------


def read_trade(trade: Trade, items: list[TradeItem], word: TradeWord | None, began_at: int, now: int, rules: Rules) -> Effects:
    """Steam's word on the exchange itself; None: it has none (yet). A reversal is read by `reversals.rolled_back`."""
    if trade.state is Status.PROCESSING and trade.work in (Stage.EXCHANGED, Stage.OFFERED):
        return _read_exchange(trade, items, word, now, rules)
    if trade.state is Status.ACCEPTED:
        return _read_settlement(trade, items, word, began_at, now, rules)
    return Effects()


def _read_exchange(trade: Trade, items: list[TradeItem], word: TradeWord | None, now: int, rules: Rules) -> Effects:
    effects = Effects()
    if word is None or (word.status in (TradeStatus.COMMITTED, TradeStatus.COMPLETE) and not word.assets):
        _retry(trade, now, rules)
        _alert_if_late(trade, now, rules, effects)
        return effects
    trade.steam_status = word.status
    if word.status in (TradeStatus.COMMITTED, TradeStatus.COMPLETE):
        fault = what_is_missing(trade.game, items, word.assets)
        if fault is not None:
            trade.offer_state, trade.stage, trade.due_at = MISSING_ITEMS, Stage.OPERATOR, None
            return Effects([Move(fault)], [("missing_items", fault)])
        _note_new_ids(items, word.assets)
        if is_too_early(trade, word):
            effects.alerts.append(_doubted(word))
            word = msgspec.structs.replace(word, settlement=None, delayed=True)
        _protect(trade, word, now, rules)
        trade.stage = Stage.SETTLING
        effects.moves.append(Move("Steam exchanged the items", Status.ACCEPTED))
        return effects
    if word.status == TradeStatus.ESCROW_ROLLBACK:
        trade.offer_state = OfferState.CANCELED
        return end(*CANCELED_BY["operator"]) if trade.cancel_by == "operator" else end(Status.CANCELLED, HOLD_ENDED)
    if word.status == TradeStatus.IN_ESCROW:
        trade.offer_state, trade.stage = OfferState.IN_ESCROW, Stage.OFFERED
        _wait_for_hold(trade, now)
        return Effects()
    if word.status in TROUBLE:
        effects.alerts.append(("steam_trade_trouble", f"Steam shows trade {trade.steam_trade_id} in status {word.status}"))
    _retry(trade, now, rules)
    _alert_if_late(trade, now, rules, effects)
    return effects


def _read_settlement(
    trade: Trade, items: list[TradeItem], word: TradeWord | None, began_at: int, now: int, rules: Rules
) -> Effects:
    if word is None:
        effects = Effects()
        _retry(trade, now, rules)
        if trade.steam_trade_id is None:
            _alert_if_late(trade, now, rules, effects)
        return effects
    exchanged = (TradeStatus.COMMITTED, TradeStatus.COMPLETE)
    if trade.steam_status not in exchanged and word.status in exchanged and word.assets:
        # An operator declared it accepted before Steam's word on the exchange: what arrived is compared all the same (R5).
        fault = what_is_missing(trade.game, items, word.assets)
        if fault is not None:
            trade.attempts = max(trade.attempts, 6)
            _retry(trade, now, rules)
            return Effects(alerts=[("missing_items", f"{fault}; it was declared accepted and will not settle by itself")])
    trade.steam_status = word.status
    if word.status in (*TROUBLE, TradeStatus.IN_ESCROW, TradeStatus.ESCROW_ROLLBACK):
        trade.attempts = max(trade.attempts, 6)
        _retry(trade, now, rules)
        return Effects(
            alerts=[
                (
                    "steam_trade_trouble",
                    f"Steam shows trade {trade.steam_trade_id} in status {word.status}; it will not settle",
                )
            ]
        )
    _note_new_ids(items, word.assets)
    moved = word.settlement is not None and word.settlement != trade.settlement
    if is_too_early(trade, word):
        trade.attempts = max(trade.attempts, 6)
        _retry(trade, now, rules)
        return Effects(alerts=[_doubted(word)])
    if moved or (word.delayed and not trade.protected):
        _protect(trade, word, now, rules)
    if word.status == TradeStatus.COMPLETE and trade.settle_at is not None and began_at >= trade.settle_at:
        return Effects([Move("Settled", Status.COMPLETED)])
    if trade.settle_at is not None and now < trade.settle_at:
        trade.due_at = trade.settle_at
    else:
        _retry(trade, now, rules)
    return Effects()


PROTECTION_US = 7 * DAY_US


"""How long Steam can take an exchange back (protocol §5.1)."""
_SKEW_US = MINUTE_US


def is_too_early(trade: Trade, word: TradeWord) -> bool:
    """A settlement date before the exchange and seven days is garbage, and pays nobody. The exchange itself lies between the sale's
    creation and the moment when it was seen; Steam says when, if that is plausible."""
    if word.settlement is None:
        return False
    seen_at = trade.exchanged_at if trade.exchanged_at is not None else word.settlement
    began = word.began if word.began is not None and trade.created_at <= word.began <= seen_at else trade.created_at
    return word.settlement < began + PROTECTION_US - _SKEW_US


def _doubted(word: TradeWord) -> tuple[str, str]:
    assert word.settlement is not None
    date = wire_time(word.settlement)
    return "settlement_doubted", f"Steam's settlement date {date} is earlier than the exchange and seven days: it is not believed"


def what_is_missing(game: int, items: list[TradeItem], assets: list[AssetWord]) -> str | None:
    """Compares what arrived with what was verified; None if nothing is wrong (R4, R5)."""
    arrived = {(asset.appid, asset.contextid, asset.assetid): asset for asset in assets}
    for item in items:
        asset = arrived.get((game, item.contextid, item.assetid))
        if asset is None:
            return f"Asset {item.assetid} did not arrive"
        if asset.classid is not None and item.classid is not None and asset.classid != item.classid:
            return f"Asset {item.assetid} arrived as another item (class {asset.classid} instead of {item.classid})"
    return None


def _note_new_ids(items: list[TradeItem], assets: list[AssetWord]) -> None:
    by_old_id = {(asset.contextid, asset.assetid): asset for asset in assets}
    for item in items:
        asset = by_old_id.get((item.contextid, item.assetid))
        if asset is not None and asset.new_assetid is not None:
            item.new_assetid, item.new_contextid = asset.new_assetid, asset.new_contextid


def _protect(trade: Trade, word: TradeWord, now: int, rules: Rules) -> None:
    """Protection is Steam's word, whatever the game; CS2 without a date waits 8 days (R5)."""
    if trade.exchanged_at is None:
        trade.exchanged_at = now
    if word.settlement is not None:
        trade.settlement, trade.protected = word.settlement, 1
        trade.settle_at = word.settlement + rules.settlement_margin_us
    elif word.delayed or trade.game == CS2:
        trade.protected, trade.settle_at = 1, trade.exchanged_at + rules.dateless_protection_us
    else:
        trade.protected, trade.settle_at = 0, now
    trade.due_at, trade.attempts = max(trade.settle_at, now), 0


def _wait_for_hold(trade: Trade, now: int) -> None:
    """The offer's polls tell how the hold ends; at its end, and every hour if that is unknown, the trade itself is asked."""
    ends_at = trade.expires_at if trade.expires_at is not None and trade.expires_at > now else now + HOUR_US
    trade.due_at = ends_at if trade.cancel_by is None else now + MINUTE_US


def _retry(trade: Trade, now: int, rules: Rules) -> None:
    trade.due_at = now + rules.retry_after_us(trade.attempts)
    trade.attempts += 1


def _retry_if_due(trade: Trade, now: int, rules: Rules) -> None:
    if trade.due_at is None or trade.due_at <= now:
        _retry(trade, now, rules)


def _alert_if_late(trade: Trade, now: int, rules: Rules, effects: Effects) -> None:
    if trade.exchanged_at is not None and now >= trade.exchanged_at + rules.alert_after_us:
        minutes = (now - trade.exchanged_at) // MINUTE_US
        effects.alerts.append(
            ("exchange_unconfirmed", f"Steam has shown the offer accepted for {minutes} minutes, but not the trade")
        )
