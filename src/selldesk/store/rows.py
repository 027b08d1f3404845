"""What a row of a named block is called, column by column. A block says which of these it answers (`-- row: KeyRow`), and a test holds its
columns against the fields on both engines: elsewhere nobody counts columns. Rows that are a room's own entity (`-- row: Trade`) have
their record there. Times are in microseconds UTC, money is in mills, flags are 0 or 1."""

from typing import NamedTuple


class PersonRow(NamedTuple):
    number: int
    id: str
    login: str
    first_name: str | None
    last_name: str | None
    avatar: str | None
    steamid64: str | None
    roles: int
    """Bits, see people/roles.py."""
    disabled: int
    frozen: int
    created_at: int


class KeyRow(NamedTuple):
    name: str
    created_at: int
    last_used_at: int | None


class IdentityRow(NamedTuple):
    """Whose API key it is."""

    person: int
    login: str
    roles: int


class PersonLimitsRow(NamedTuple):
    person: int
    body: str
    """JSON of ProjectLimits."""


class BalanceRow(NamedTuple):
    account: int
    balance: int


class EntryRow(NamedTuple):
    """A line of a wallet."""

    id: int
    kind: str
    amount: int
    balance_after: int
    trade_id: str | None
    reference: str | None
    at: int


class ItemRow(NamedTuple):
    number: int
    game: int
    name: str
    price: int | None


class ItemNameRow(NamedTuple):
    number: int
    game: int
    name: str


class OrderRow(NamedTuple):
    """A buy order as its buyer sees it."""

    game: int
    name: str
    price: int
    amount: int
    remaining: int
    updated_at: int


class BotRow(NamedTuple):
    number: int
    steamid64: str
    account_name: str
    profile_name: str | None
    avatar: str | None
    games: str | None
    """JSON list; None: all."""
    enabled: int
    state: str
    state_reason: str | None
    state_since: int
    live_offers: int
    live_offers_max: int
    seller_offers_max: int
    items_held: int
    items_max: int
    secrets: bytes
    """Sealed, as are the tokens."""
    tokens: bytes | None
    created_at: int
    quarantined_until: int | None


class BotHealthRow(NamedTuple):
    number: int
    steamid64: str
    account_name: str
    profile_name: str | None
    avatar: str | None
    games: str | None
    enabled: int
    state: str
    state_reason: str | None
    state_since: int
    live_offers: int
    live_offers_max: int
    seller_offers_max: int
    items_held: int
    items_max: int
    last_good_real_us: int
    quarantined_until: int | None


class BotFaceRow(NamedTuple):
    number: int
    steamid64: str
    profile_name: str | None
    avatar: str | None


class RoomRow(NamedTuple):
    id: int
    name: str
    game: int | None
    min_value: int | None
    max_value: int | None
    buyers: str | None
    """JSON list, as are the bots; None: all."""
    bots: str | None
    priority: int
    enabled: int


class FoundTradeRow(NamedTuple):
    """Whose trade it is."""

    id: str
    project: int
    buyer: int


class FoundExchangeRow(NamedTuple):
    id: str
    project: int
    buyer: int
    status: str
    seller: str


class ExchangedTradeRow(NamedTuple):
    id: str
    status: str
    steam_status: int | None
    steam_trade_id: str
    bot: int


class OfferedTradeRow(NamedTuple):
    id: str
    status: str
    offer_state: int | None
    offer_id: str | None


class UnsettledRow(NamedTuple):
    id: str
    steam_trade_id: str
    partner: str
    protected: int
    created_at: int
    settlement: int | None


class ItemToDeliverRow(NamedTuple):
    """An item of a sale, as far as a delivery must know it."""

    trade_id: str
    position: int
    buyer: int
    status: str
    game: int
    bot: int
    item: int
    name: str
    classid: str | None
    instanceid: str | None
    settle_at: int | None
    noted: str | None
    """missing or delivered."""
    delivery_id: str | None
    """The running one that it is in."""


class LiveItemRow(NamedTuple):
    """An item that is in a running delivery."""

    trade_id: str
    position: int
    delivery_id: str


class EndedDeliveryRow(NamedTuple):
    status: str
    updated_at: int


class DeliverySlotsRow(NamedTuple):
    """What of a bot's slots is taken now."""

    deliveries: int
    to_partner: int
    sales: int
    """Verified ones of this partner's."""


class WaitingRow(NamedTuple):
    """A sale whose offer was never attempted."""

    id: str
    seller: str


class StatusSumRow(NamedTuple):
    status: str
    trades: int
    value: int


class AlertRow(NamedTuple):
    id: str
    kind: str
    steamid64: str | None
    """The bot's."""
    trade_id: str | None
    """What it is about: a sale, or a delivery."""
    is_delivery: int
    text: str
    since: int
    closed_at: int | None
    closed_by: str | None
    close_reason: str | None


class CursorRow(NamedTuple):
    """A place among the events."""

    seq: int
    place: int


class EventRow(NamedTuple):
    """What one reader is told."""

    person: int
    seq: int
    place: int
    id: str
    type: str
    role: str | None
    at: int
    version: int | None
    subject: str
    """The id of what it tells about."""
    body: str
    """JSON: of a trade the snapshot (trades/views.py), else the whole."""


class EndpointRow(NamedTuple):
    """An endpoint, whole."""

    id: str
    person: int
    url: str
    events: str
    """JSON list of types, families or `*`."""
    description: str | None
    enabled: int
    disabled_reason: str | None
    disabled_at: int | None
    created_at: int
    secret: bytes
    """Sealed, as is the one before."""
    old_secret: bytes | None
    old_until: int | None
    seq: int
    place: int
    """Every event up to here is queued, or not wanted."""
    failing_since: int | None
    failures: int
    """Failed attempts since then."""
    in_a_row: int
    last_success_at: int | None


class EntryOfEndpointRow(NamedTuple):
    """One event to one endpoint."""

    seq: int
    place: int
    event_id: str
    type: str
    state: str
    made: int
    next_attempt_at: int | None
    attempts: str
    """JSON list."""


class DueEntryRow(NamedTuple):
    seq: int
    place: int
    made: int
    next_attempt_at: int
    attempts: str


class NextEntryRow(NamedTuple):
    """When an endpoint's next attempt is due."""

    endpoint: str
    at: int


class UndeliveredRow(NamedTuple):
    seq: int
    place: int
    event_id: str
    type: str


class CourierLeaseRow(NamedTuple):
    endpoint: str
    courier: str
    until_us: int


class OldEventRow(NamedTuple):
    """When the oldest event of a person that is kept happened."""

    person: int
    at: int


class OpenAlertRow(NamedTuple):
    """An open alert of a sale."""

    kind: str
    trade_id: str


class AlertEndRow(NamedTuple):
    id: str
    closed_at: int | None


class LogRow(NamedTuple):
    id: str
    at: int
    operator: str
    action: str
    target: str
    body: str
    """JSON."""


class StopRow(NamedTuple):
    """The stop of trading that stands."""

    since: int
    reason: str
    history_lost: int


class BatchRow(NamedTuple):
    seq: int
    stamp: int | None
    """None: an older version wrote it, or the feed no longer holds it."""


class FeedRow(NamedTuple):
    seq: int
    body: bytes


class MissRow(NamedTuple):
    trade_id: str
    position: int
    at: int


class StandingRow(NamedTuple):
    """How a bot stands on record."""

    state: str
    state_reason: str | None
    quarantined_until: int | None
    secrets: bytes
    tokens: bytes | None
    stock_asked_at: int | None


class StockCountRow(NamedTuple):
    missing: int
    surplus: int


class LinkRow(NamedTuple):
    """A sealed trade link."""

    trade_id: str
    tradelink: str
