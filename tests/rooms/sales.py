"""Sales and words of Steam's, as the tables of several files write them."""

import msgspec

from selldesk.kernel.ids import new_uuid7
from selldesk.offers.outcomes import Heard
from selldesk.offers.stages import Stage
from selldesk.offers.words import AssetWord, OfferWord
from selldesk.trades.trade import Trade, TradeItem

S = 1_000_000
NOW = 1_773_396_000 * S
MINUTE, DAY = 60 * S, 86_400 * S


def trade(stage: Stage = Stage.OFFERED, **changed: object) -> Trade:
    """One sale in a stage, with what that stage brings along."""
    fields: dict[str, object] = dict.fromkeys(Trade.__struct_fields__)
    fields |= {
        "id": new_uuid7(NOW), "project": 1, "buyer": 2, "custom_id": "c", "game": 730, "value": 100, "fee": 0, "items_count": 1, "room": 1,
        "seller": "7", "tradelink": "", "message": "", "created_at": NOW, "bot": 1, "status": "processing", "updated_at": NOW, "version": 1,
        "stage": stage.value, "due_at": NOW, "attempts": 0, "misses": 0, "protected": 0,
    }  # fmt: skip
    if stage in (Stage.OFFERED, Stage.EXCHANGED, Stage.SETTLING):
        fields |= {"offer_id": "5", "offer_state": 2, "expires_at": NOW + 900 * S}
    if stage in (Stage.EXCHANGED, Stage.SETTLING):
        fields |= {"steam_trade_id": "4", "exchanged_at": NOW}
    whole = fields | changed
    return msgspec.convert([whole[name] for name in Trade.__struct_fields__], Trade)


def items() -> list[TradeItem]:
    return [TradeItem("t", 0, 1, "2", "9", 100, 1, "class", "0", None, None)]


def offer(state: int, **changed: object) -> OfferWord:
    fields: dict[str, object] = {"offer_id": "5", "state": state, "time_created": NOW}
    return OfferWord(**(fields | changed))  # type: ignore[arg-type]


def received(**changed: object) -> AssetWord:
    fields: dict[str, object] = {"appid": 730, "contextid": "2", "assetid": "9", "classid": "class"}
    return AssetWord(**(fields | changed))  # type: ignore[arg-type]


def changes(before: Trade, now: Trade) -> dict[str, object]:
    """What differs, and what it is now."""
    names = Trade.__struct_fields__
    return {name: getattr(now, name) for name in names if getattr(now, name) != getattr(before, name)}


def said(heard: Heard) -> list[str]:
    """Notes, outcomes with their reasons, and kinds of alerts."""
    steps = [step.text if step.outcome is None else f"{step.outcome.value} {step.text}".strip() for step in heard.steps]
    return steps + [f"! {kind}" for kind, _ in heard.alerts]
