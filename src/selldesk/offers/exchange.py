"""Steam's word on the exchange itself: what arrived, how long it is protected, when it is final (readings R4, R5). Pure.

A reversal is read by what the offer is for (trades/reversals.py): it needs all exchanges of the bot.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from selldesk.kernel.times import DAY_US, MINUTE_US, wire_time
from selldesk.offers.life import OfferItem, OfferLife
from selldesk.offers.outcomes import Heard, Outcome, Step, ended, note
from selldesk.offers.pacing import alert_if_late, retry, retry_rarely, wait_for_hold
from selldesk.offers.rules import Rules
from selldesk.offers.stages import MISSING_ITEMS, Stage
from selldesk.offers.words import AssetWord, TradeWord
from selldesk.steamwire.enums import OfferState, TradeStatus

CS2: Final = 730

PROTECTION_US: Final = 7 * DAY_US
"""How long Steam can take an exchange back (protocol §5.1)."""
_SKEW_US = MINUTE_US

TROUBLE: Final = range(TradeStatus.FAILED, TradeStatus.ROLLBACK_ABANDONED + 1)
"""Failed and the support rollbacks: money must not settle, a human must look (protocol §4)."""
_EXCHANGED = frozenset({TradeStatus.COMMITTED, TradeStatus.COMPLETE})
_NOT_FINAL = frozenset({*TROUBLE, TradeStatus.IN_ESCROW, TradeStatus.ESCROW_ROLLBACK})


def exchange_found(life: OfferLife, steam_trade_id: str, now: int) -> Heard:
    """The bot's trade history holds the exchange of exactly these items with this partner, though no offer of it was known."""
    if not life.is_open or life.stage is Stage.OPERATOR:
        return Heard()
    if life.stage is Stage.EXCHANGED:
        if life.steam_trade_id is None:
            life.steam_trade_id, life.due_at = steam_trade_id, now
        return Heard()
    life.stage, life.due_at, life.attempts = Stage.EXCHANGED, now, 0
    life.steam_trade_id, life.exchanged_at, life.offer_state = steam_trade_id, now, OfferState.ACCEPTED
    return note(f"Exchange {steam_trade_id} found in the bot's history")


def read_trade(
    life: OfferLife,
    items: Sequence[OfferItem],
    word: TradeWord | None,
    began_at: int,
    now: int,
    rules: Rules,
    compare: "Comparison | None" = None,
) -> Heard:
    """Steam's word on the exchange, by a reading that began at `began_at`; None: it has none (yet). `compare`: what it must have moved."""
    compare = compare or what_is_missing
    if life.stage in (Stage.EXCHANGED, Stage.OFFERED):
        return _read_exchange(life, items, word, now, rules, compare)
    if life.stage is Stage.SETTLING:
        return _read_settlement(life, items, word, began_at, now, rules, compare)
    return Heard()


# -- was it exchanged? -------------------------------------------------------------------------------------------------


def _read_exchange(
    life: OfferLife, items: Sequence[OfferItem], word: TradeWord | None, now: int, rules: Rules, compare: "Comparison"
) -> Heard:
    if word is None or (word.status in _EXCHANGED and not word.assets):
        return _not_yet(life, now, rules)
    life.steam_status = word.status
    if word.status in _EXCHANGED:
        return _exchanged(life, items, word, now, rules, compare)
    if word.status == TradeStatus.ESCROW_ROLLBACK:
        life.offer_state = OfferState.CANCELED
        return ended(Outcome.WITHDRAWN if life.cancel_by == "operator" else Outcome.HOLD_ENDED)
    if word.status == TradeStatus.IN_ESCROW:
        life.offer_state, life.stage = OfferState.IN_ESCROW, Stage.OFFERED
        wait_for_hold(life, now)
        return Heard()
    heard = _not_yet(life, now, rules)
    if word.status in TROUBLE:
        heard.alerts.insert(0, ("steam_trade_trouble", f"Steam shows trade {life.steam_trade_id} in status {word.status}"))
    return heard


def _not_yet(life: OfferLife, now: int, rules: Rules) -> Heard:
    heard = Heard()
    retry(life, now, rules)
    alert_if_late(life, now, rules, heard)
    return heard


def _exchanged(
    life: OfferLife, items: Sequence[OfferItem], word: TradeWord, now: int, rules: Rules, compare: "Comparison"
) -> Heard:
    fault = compare(life.game, items, word.assets)
    if fault is not None:
        life.offer_state, life.stage, life.due_at = MISSING_ITEMS, Stage.OPERATOR, None
        return Heard([Step(fault)], [("missing_items", fault)])
    heard = ended(Outcome.EXCHANGED)
    _note_new_ids(items, word.assets)
    if is_too_early(life, word):
        heard.alerts.append(_doubted(word))
        word = msgspec.structs.replace(word, settlement=None, delayed=True)
    _protect(life, word, now, rules)
    life.stage = Stage.SETTLING
    return heard


# -- is it final? ------------------------------------------------------------------------------------------------------


def _read_settlement(
    life: OfferLife,
    items: Sequence[OfferItem],
    word: TradeWord | None,
    began_at: int,
    now: int,
    rules: Rules,
    compare: "Comparison",
) -> Heard:
    if word is None:
        heard = Heard()
        retry(life, now, rules)
        if life.steam_trade_id is None:
            alert_if_late(life, now, rules, heard)
        return heard
    doubt = _why_not_final(life, items, word, compare)
    if doubt is not None:
        retry_rarely(life, now, rules)
        return Heard(alerts=[doubt])
    moved = word.settlement is not None and word.settlement != life.settlement
    if moved or (word.delayed and not life.protected):
        _protect(life, word, now, rules)
    if life.settle_at is not None and word.status == TradeStatus.COMPLETE and began_at >= life.settle_at:
        return ended(Outcome.SETTLED)
    if life.settle_at is not None and now < life.settle_at:
        life.due_at = life.settle_at
    else:
        retry(life, now, rules)
    return Heard()


def _why_not_final(life: OfferLife, items: Sequence[OfferItem], word: TradeWord, compare: "Comparison") -> tuple[str, str] | None:
    """What Steam says that must not settle by itself, as the alert that tells of it. What it says is noted."""
    if life.steam_status not in _EXCHANGED and word.status in _EXCHANGED and word.assets:
        # An operator declared it exchanged before Steam's word on it: what arrived is compared all the same (R5).
        fault = compare(life.game, items, word.assets)
        if fault is not None:
            return "missing_items", f"{fault}; it was declared accepted and will not settle by itself"
    life.steam_status = word.status
    if word.status in _NOT_FINAL:
        return "steam_trade_trouble", f"Steam shows trade {life.steam_trade_id} in status {word.status}; it will not settle"
    _note_new_ids(items, word.assets)
    return _doubted(word) if is_too_early(life, word) else None


def is_too_early(life: OfferLife, word: TradeWord) -> bool:
    """A settlement date before the exchange and seven days is garbage, and makes nothing final. The exchange itself lies between the
    offer's creation and the moment when it was seen; Steam says when, if that is plausible."""
    if word.settlement is None:
        return False
    seen_at = life.exchanged_at if life.exchanged_at is not None else word.settlement
    began = word.began if word.began is not None and life.created_at <= word.began <= seen_at else life.created_at
    return word.settlement < began + PROTECTION_US - _SKEW_US


def _doubted(word: TradeWord) -> tuple[str, str]:
    assert word.settlement is not None
    date = wire_time(word.settlement)
    return "settlement_doubted", f"Steam's settlement date {date} is less than seven days after the exchange: it is not used"


# -- items and protection ----------------------------------------------------------------------------------------------


Comparison = Callable[[int, Sequence[OfferItem], list[AssetWord]], str | None]
"""(game, items of the offer, what Steam says was moved) → what is wrong; None: nothing."""


def what_did_not_leave(game: int, items: Sequence[OfferItem], assets: list[AssetWord]) -> str | None:
    """Compares what was given with what was to be given; it must be exactly that (people P4)."""
    left = {(asset.appid, asset.contextid, asset.assetid) for asset in assets}
    wanted = {(game, item.contextid, item.assetid) for item in items}
    missing, too_many = sorted(wanted - left), sorted(left - wanted)
    if missing:
        return "Assets that should have left did not: " + ", ".join(assetid for _, _, assetid in missing)
    return "Assets left that should not have: " + ", ".join(assetid for _, _, assetid in too_many) if too_many else None


def what_is_missing(game: int, items: Sequence[OfferItem], assets: list[AssetWord]) -> str | None:
    """Compares what arrived with what was verified; None if nothing is wrong (R4, R5)."""
    arrived = {(asset.appid, asset.contextid, asset.assetid): asset for asset in assets}
    for item in items:
        asset = arrived.get((game, item.contextid, item.assetid))
        if asset is None:
            return f"Asset {item.assetid} did not arrive"
        if asset.classid is not None and item.classid is not None and asset.classid != item.classid:
            return f"Asset {item.assetid} arrived as another item (class {asset.classid} instead of {item.classid})"
    return None


def _note_new_ids(items: Sequence[OfferItem], assets: list[AssetWord]) -> None:
    by_old_id = {(asset.contextid, asset.assetid): asset for asset in assets}
    for item in items:
        asset = by_old_id.get((item.contextid, item.assetid))
        if asset is not None and asset.new_assetid is not None:
            item.new_assetid, item.new_contextid = asset.new_assetid, asset.new_contextid


def _protect(life: OfferLife, word: TradeWord, now: int, rules: Rules) -> None:
    """Protection is Steam's word, whatever the game; CS2 without a date waits 8 days (R5)."""
    if life.exchanged_at is None:
        life.exchanged_at = now
    if word.settlement is not None:
        life.settlement, life.protected = word.settlement, 1
        life.settle_at = word.settlement + rules.settlement_margin_us
    elif word.delayed or life.game == CS2:
        life.protected, life.settle_at = 1, life.exchanged_at + rules.dateless_protection_us
    else:
        life.protected, life.settle_at = 0, now
    life.due_at, life.attempts = max(life.settle_at, now), 0


# -- what an operator declares -----------------------------------------------------------------------------------------


def declare_failed(life: OfferLife) -> None:
    """An operator says that nothing was exchanged. An offer that Steam calls accepted, without an exchange, brought no items: 13. One
    that is still open keeps its state: if it is accepted later, that is told then (settled 5)."""
    if life.offer_state in (OfferState.ACCEPTED, OfferState.REVERTED):
        life.offer_state = MISSING_ITEMS


def declare_exchanged(life: OfferLife, now: int, rules: Rules) -> None:
    """An operator says that the items were exchanged: they are protected as any others (R5)."""
    life.stage, life.exchanged_at = Stage.SETTLING, life.exchanged_at or now
    if life.settle_at is None:
        life.protected = int(life.game == CS2)
        life.settle_at = life.exchanged_at + rules.dateless_protection_us if life.protected else now
    life.due_at = max(life.settle_at, now)
