"""A delivery as its buyer and operators see it (people P4)."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from selldesk.deliveries.delivery import Delivery, DeliveryItem
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.offers.stages import OFFER_STATES
from selldesk.trades.status import SUMMARIES, Status
from selldesk.trades.views import MARKET, HistoryLine, ProcessedTrade, ReceivedItem, SelectedBot


class DeliveredItem(msgspec.Struct):
    item_id: str
    trade_id: str
    market_hash_name: str


class DeliveryData(msgspec.Struct):
    """One delivery: one offer of one bot. `history` only on single lookups."""

    delivery_id: str
    custom_id: str
    part: int
    parts: int
    status: str
    summary: str
    game_id: int
    processed_trade: ProcessedTrade
    selected_bot: SelectedBot
    items: list[DeliveredItem]
    created_at: str
    updated_at: str
    expires_at: str | None
    offer_url: str | None
    error: str | None
    version: int
    history: list[HistoryLine] | UnsetType = UNSET


class DeliveryPage(msgspec.Struct):
    deliveries: list[DeliveryData]
    total: int
    limit: int
    offset: int


class DeliverySnapshot(msgspec.Struct, array_like=True, frozen=True):
    """What may change of a delivery, as it stood after one step."""

    status: Status
    error: str | None
    version: int
    updated_at: int
    offer_id: str | None
    offer_state: int | None
    expires_at: int | None
    steam_trade_id: str | None
    settlement: int | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliverySnapshot":
        return cls(*(getattr(delivery, name) for name in cls.__struct_fields__))

    def laid_over(self, delivery: Delivery) -> Delivery:
        return msgspec.structs.replace(delivery, **msgspec.structs.asdict(self))


def delivery_data(
    delivery: Delivery, items: Sequence[tuple[DeliveryItem, str]], bot: SelectedBot, tradelink: str | None
) -> DeliveryData:
    """`items` with their names, in order."""
    given = [
        ReceivedItem(delivery.game, item.contextid, item.assetid, name, "1", 0, item.new_assetid, item.new_contextid)
        for item, name in items
    ]
    status = Status(delivery.status)
    steam_trade_id = None if delivery.steam_trade_id is None else f"{delivery.steam_trade_id}_{delivery.partner}"
    return DeliveryData(
        delivery_id=delivery.id,
        custom_id=delivery.custom_id,
        part=delivery.part,
        parts=delivery.parts,
        status=status.value,
        summary=SUMMARIES[status],
        game_id=delivery.game,
        processed_trade=ProcessedTrade(
            market=MARKET,
            trade_id=steam_trade_id,
            tradeoffer_id=delivery.offer_id,
            request_id=delivery.id,
            partner_id=tradelink,
            items_to_give=given,
            items_to_receive=[],
            status=delivery.offer_state,
            trade_status=OFFER_STATES.get(delivery.offer_state) if delivery.offer_state is not None else None,
            game_id=delivery.game,
            settlement=wire_time_or_none(delivery.settlement),
        ),
        selected_bot=bot,
        items=[DeliveredItem(f"{item.trade_id}-{item.trade_position}", item.trade_id, name) for item, name in items],
        created_at=wire_time(delivery.created_at),
        updated_at=wire_time(delivery.updated_at),
        expires_at=wire_time_or_none(delivery.expires_at),
        offer_url=f"https://steamcommunity.com/tradeoffer/{delivery.offer_id}/" if delivery.offer_id else None,
        error=delivery.error,
        version=delivery.version,
    )
