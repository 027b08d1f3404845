"""A sale as the store keeps it."""

import msgspec

from selldesk.trades.status import Stage, Status


class TradeItem(msgspec.Struct, array_like=True):
    """One asset of a sale. assetid and contextid stay as the seller sent them; Steam's later ids stand beside them."""

    trade_id: str
    position: int
    item: int
    contextid: str
    assetid: str
    price: int
    generation: int
    """The generation of the buy order that the unit was taken from (contract C2)."""
    classid: str | None
    instanceid: str | None
    new_assetid: str | None
    new_contextid: str | None


class Trade(msgspec.Struct, array_like=True):
    """One sale. Money in mills, times in microseconds UTC, people, bots, rooms and items by number."""

    id: str
    project: int
    buyer: int
    custom_id: str
    game: int
    value: int
    fee: int
    items_count: int
    room: int
    seller: str
    """SteamID64 from the trade link."""
    tradelink: str
    message: str
    created_at: int

    # What changes.
    bot: int
    status: str
    updated_at: int
    version: int
    """Counts the history; moves with every change of what a reader sees."""
    error: str | None
    offer_id: str | None
    offer_state: int | None
    steam_trade_id: str | None
    steam_status: int | None
    settlement: int | None
    expires_at: int | None
    stage: str
    due_at: int | None
    """When the bot should next do something about it; None: nothing by itself."""
    attempts: int
    send_started_at: int | None
    """When the last send began whose outcome isn't known to be 'no offer'."""
    misses: int
    first_miss_at: int | None
    doubt_at: int | None
    """When the first reading began that could not show the seller's items as promised."""
    cancel_by: str | None
    """Who wants the offer cancelled: 'deadline' or 'operator'."""
    exchanged_at: int | None
    protected: int
    settle_at: int | None
    """No payment before this moment, nor on a reading that began before it."""
    unknown_since: int | None
    """When the first send began whose answer was lost. Stays: from then on an ending is believed only after a look at the
    exchanges, for an offer that nobody knows of may have been accepted."""
    verified_at: int | None = None
    """When Steam answered for the seller's items with this very token; None: his claim is his word alone (R3)."""
    stage_at: int | None = None
    """When the present stage began; None: an older version wrote it."""

    @property
    def state(self) -> Status:
        return Status(self.status)

    @property
    def work(self) -> Stage:
        return Stage(self.stage)

    @property
    def is_doubted(self) -> bool:
        """A send of it may have made an offer that nobody knows of."""
        return self.unknown_since is not None or self.work in (Stage.SENDING, Stage.RECONCILE)

    @property
    def tag(self) -> str:
        """Stands at the end of the offer's message; a send of unknown outcome is found again by it (R3)."""
        return tag_of(self.id)


def tag_of(trade_id: str) -> str:
    return f"#{trade_id.replace('-', '')[-8:]}"


class HistoryEntry(msgspec.Struct, array_like=True, frozen=True):
    """One step of a trade's life, append-only and gapless by version (I10)."""

    trade_id: str
    version: int
    status: str
    at: int
    note: str
