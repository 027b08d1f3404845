"""What every field and parameter of the API means, with an example: the words that the OpenAPI document and /docs lay over the types.

One name, one meaning. Where a name means several things, the word of one struct (`Struct.field`), of one place in a path
(`users/id`: the part before it) or of a query (`?name`, or `sellers?name`: the last part of the path) comes before the plain name.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from selldesk.alerts.kinds import KINDS, RETIRED
from selldesk.bots.rooms import BotState
from selldesk.catalog.games import CS2, GAMES
from selldesk.events.types import TYPES
from selldesk.kernel.limits import CUSTOM_ID_CHARS_MAX, MONEY_MAX, ORDER_AMOUNT_MAX, PAGE_MAX, PRICE_MAX
from selldesk.ledger.ledger import Kind
from selldesk.offers.stages import OFFER_STATES, Stage
from selldesk.people.roles import Role
from selldesk.store.lists import SORT_FIELDS
from selldesk.trades.status import SUMMARIES, Status
from selldesk.trades.views import MARKET

FROM_PARTS: Final = object()
"""The example is put together from the examples of the parts: objects, and lists and maps of them."""


class Word(NamedTuple):
    """`more` is further JSON schema for the value itself: of a list for each entry, of a value that may be null for the rest. What the
    type already says stays."""

    meaning: str
    example: Any = FROM_PARTS
    more: Mapping[str, Any] = MappingProxyType({})


def _one_of(values: Iterable[Any]) -> dict[str, Any]:
    return {"enum": [value.value if isinstance(value, Enum) else value for value in values]}


_TIME: Final = {"format": "date-time"}
_UUID: Final = {"format": "uuid"}
_COUNT: Final = {"minimum": 0}
_MONEY: Final = {"minimum": 0, "maximum": MONEY_MAX}
_SIGNED_MONEY: Final = {"minimum": -MONEY_MAX, "maximum": MONEY_MAX}
_PRICE: Final = {"minimum": 0, "maximum": PRICE_MAX}
_SHARE: Final = {"minimum": 0, "maximum": 100}
_STATUS: Final = _one_of(Status)
_GAME: Final = _one_of(GAMES)
_GAME_TEXT: Final = {"propertyNames": _one_of(str(game) for game in GAMES)}
_IN_WALLETS: Final = _one_of(kind for kind in Kind if kind not in (Kind.CAPTURE, Kind.FEE))
_MOVED_BY_OPERATORS: Final = _one_of((Kind.DEPOSIT, Kind.WITHDRAWAL, Kind.ADJUSTMENT))

_AT: Final = "2026-03-13T10:00:00Z"
_LATER: Final = "2026-03-13T10:05:00Z"
_WEEK_LATER: Final = "2026-03-20T10:05:00Z"
_TRADE: Final = "019ce6a1-5f00-7a1e-860e-062c7e194c24"
_USER: Final = "019cb8d2-1c80-7c3b-9d54-3f0a6b1e2d77"
_EVENT: Final = "019ce6a5-f3e0-7c31-8000-000049ac4003"
_DELIVERY: Final = "019ce6ab-2f00-7a44-8c1d-0e9f8a7b6c5d"
_ENDPOINT: Final = "019ce6a9-0b00-7d0e-a1b2-5c6d7e8f9a0b"
_CURSOR: Final = "000000004711-0003"
_ALERT: Final = "019ce6b0-9a40-7f02-8b6e-51d0c2a4e913"
_BUYER: Final = "76561198012345678"
_SELLER: Final = "76561198000000321"
_BOT: Final = "76561198999999999"
_ASSET: Final = "38291847562"
_NEW_ASSET: Final = "40110293847"
_ITEM: Final = "AK-47 | Redline (Field-Tested)"
_PICTURE: Final = "http://127.0.0.1:8000/assets/bot.svg"
_LINK: Final = "https://steamcommunity.com/tradeoffer/new/?partner=39734593&token=a1B2c3D4"
_SECRET: Final = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="  # noqa: S105 — base64 of twenty digits

WORDS: Final[dict[str, Word]] = {
    # -- answers that say no
    "ErrorBody.success": Word("False for every refusal.", False, {"const": False}),
    "ErrorBody.error": Word("What went wrong, for people.", "Invalid request body"),
    "code": Word("What went wrong, for programs: a stable name.", "invalid_body"),
    "details": Word("Where a body is wrong, or how to go on; only where there is more to say."),
    "path": Word("The place in the body: `$` is the whole.", "$.items[0].price"),
    "ErrorDetail.message": Word("What is wrong there.", "Expected `int`, got `str`"),
    # -- pages of lists
    "total": Word("How many there are in all, on this page or not.", 1, _COUNT),
    "limit": Word("The most entries on this page.", 20, {"minimum": 1, "maximum": PAGE_MAX}),
    "offset": Word("How many entries come before this page.", 0, _MONEY),
    "sort_by": Word("The field to sort by; `purchase_price` is the trade's value.", "created_at", _one_of(SORT_FIELDS)),
    "sort_direction": Word("Descending or ascending.", "desc", _one_of(("asc", "desc"))),
    # -- filters of trade lists
    "SearchRequest.limit": Word("The most entries on a page; 20 if left out.", 20, {"minimum": 1, "maximum": PAGE_MAX}),
    "SearchRequest.offset": Word("How many entries to skip.", 0, _MONEY),
    "SearchRequest.status": Word("Only trades in these statuses: a list, or a text with commas between them.", ["accepted"], _STATUS),
    "SearchRequest.custom_id": Word(
        "Part of the custom_id, upper and lower case alike.", "sell-0", {"minLength": 1, "maxLength": CUSTOM_ID_CHARS_MAX}
    ),
    "SearchRequest.game_id": Word("Only trades of this game.", CS2, _GAME),
    "date_from": Word("Created at or after this time; a date alone is its midnight UTC.", _AT, _TIME),
    "date_to": Word("Created before this time.", _WEEK_LATER, _TIME),
    "updated_from": Word("Last changed at or after this time.", _AT, _TIME),
    "updated_to": Word("Last changed before this time.", _WEEK_LATER, _TIME),
    "price_min": Word("Lowest value of a trade, in mills.", 1_000, _MONEY),
    "price_max": Word("Highest value of a trade, in mills.", 50_000, _MONEY),
    "custom_ids": Word("Only trades with one of these custom ids.", ["sell-001", "sell-002"]),
    "trade_ids": Word("Only trades with one of these ids.", [_TRADE]),
    "steam_trade_offer_ids": Word("Only trades with one of these Steam trade offers.", ["5234567890"]),
    "steam_trade_ids": Word("Only trades with one of these Steam trades, with or without the seller's suffix.", ["4012345678"]),
    "?status": Word("Only trades in one of these statuses.", ["processing", "accepted"], _STATUS),
    "?start_date": Word("Created at or after this time.", _AT, _TIME),
    "?end_date": Word("Created before this time.", _WEEK_LATER, _TIME),
    "?custom_id": Word("Part of the custom_id.", "sell-0", {"minLength": 1, "maxLength": CUSTOM_ID_CHARS_MAX}),
    "sellers?status": Word("Only sellers of this standing.", "blocked"),
    "sellers?sort_by": Word("The figure to sort by, highest first.", "last_trade_at"),
    "items?state": Word("Only items in this state.", "held"),
    "?login": Word("Only the user with this login.", "demo-shop", {"minLength": 1}),
    "?market_hash_name": Word("Only the order on this item.", _ITEM, {"minLength": 1}),
    "?surplus": Word("Only what no sale brought.", True),
    "?open": Word("Only open alerts.", True),
    "?full": Word("Everything anew; today every audit is, with or without it (settled 17).", True),
    # -- places in paths
    "by-id/id": Word("The trade's id.", _TRADE, _UUID),
    "trades/id": Word("The trade's id.", _TRADE, _UUID),
    "users/id": Word("The user's id.", _USER, _UUID),
    "alerts/id": Word("The alert's id.", _ALERT, _UUID),
    "rooms/id": Word("The room's number.", 1, {"type": "integer", "minimum": 0}),
    "by-custom-id/custom_id": Word("The custom_id that the trade was created with; percent-encoded.", "sell-001"),
    "by-steam-trade-id/trade_id": Word("Steam's id of the exchange, with or without `_` and the seller's SteamID64.", "4012345678"),
    "games/game_id": Word("The game: Steam's appid.", CS2, {"type": "integer", **_GAME}),
    # -- games, items, assets
    "game_id": Word("The game: Steam's appid.", CS2, _GAME),
    "RoomRequest.game_id": Word("Only sales of this game; null or left out: any game.", CS2, _GAME),
    "RoomView.game_id": Word("Only sales of this game; null: any game.", CS2, _GAME),
    "appid": Word("The game: Steam's appid.", CS2, _GAME),
    "market_hash_name": Word("Steam's market name of the item; names compare exactly.", _ITEM),
    "BotItem.market_hash_name": Word("Steam's market name of the item; null: Steam gave none.", _ITEM),
    "market_hash_names": Word("The items whose orders are withdrawn; left out or null: all of the game.", [_ITEM]),
    "contextid": Word("Steam's context of the inventory; items of games are in `2`.", "2"),
    "assetid": Word("Steam's id of the asset: digits without leading zeros.", _ASSET),
    "HeldItem.assetid": Word("The asset in the bot's inventory; null until known.", _NEW_ASSET),
    "HeldItem.contextid": Word("Its context in the bot's inventory; null until known.", "2"),
    "ReceivedItem.assetid": Word("The asset as the seller sent it.", _ASSET),
    "ReceivedItem.contextid": Word("The context as the seller sent it.", "2"),
    "new_assetid": Word("The asset's id in the bot's inventory; null until Steam tells it.", _NEW_ASSET),
    "new_contextid": Word("The context in the bot's inventory; null until Steam tells it.", "2"),
    "seller_assetid": Word("The asset as it was in the seller's inventory.", _ASSET),
    "classid": Word("Steam's class of the asset; null: Steam gave none.", "310776560"),
    "instanceid": Word("Steam's instance within the class.", "302028390"),
    "tradable": Word("Whether Steam lets it be traded now.", True),
    "item_id": Word("The item's stable id: the trade's id, `-`, its place in the trade.", f"{_TRADE}-0"),
    "BotItem.item_id": Word("The buyer's item that this asset is; null: surplus, no sale brought it.", f"{_TRADE}-0"),
    # -- match, prices, create
    "MatchRequest.items": Word("What you want to sell, one line for each item name."),
    "MatchLine.amount": Word("How many of it.", 2),
    "MatchAnswer.items": Word("One line for each line of the request, in its order."),
    "MatchedLine.price": Word("What the buyer pays for one, in mills; 0: no match.", 14_500, _PRICE),
    "MatchedLine.amount": Word("How many the buyer takes; 0: no match.", 2, _COUNT),
    "MatchedLine.error": Word("Only if the catalog does not know the name.", "Item not found: No Such Thing"),
    "buyer_id": Word("The buyer's SteamID64.", _BUYER),
    "CreateRequest.buyer_id": Word("The `buyer_id` of the match.", _BUYER),
    "MatchAnswer.buyer_id": Word("The SteamID64 of the buyer who pays the most for all lines; null: nothing matches.", _BUYER),
    "MatchAnswer.total_value": Word("Sum of price × amount, in mills.", 29_000, _COUNT),
    "quote_id": Word(
        "The quote of a match: with it the buyer stays the right one until it expires. It reserves nothing.", "q83vEjRWeJCrze8SNFZ4kA"
    ),
    "MatchAnswer.quote_id": Word("Send it with the create to keep this buyer; null: nothing matches.", "q83vEjRWeJCrze8SNFZ4kA"),
    "quote_expires_at": Word("Until when the quote counts; null: nothing matches.", "2026-03-13T10:00:30Z", _TIME),
    "Prices.items": Word("Every item of the game that somebody buys."),
    "as_of": Word("When the list was built.", _AT, _TIME),
    "PriceLine.price": Word("The highest price that somebody can pay for one, in mills.", 14_500, {"minimum": 1, "maximum": PRICE_MAX}),
    "PriceLine.amount": Word("How many are taken at that price.", 7, {"minimum": 1}),
    "custom_id": Word("Your own id of the trade. It is unique: a second create with it is refused (409).", "sell-001"),
    "TradeData.custom_id": Word("The seller's own id of the trade; null in a buyer's view.", "sell-001"),
    "tradelink": Word("The seller's Steam trade link. It is read, never fetched.", _LINK),
    "CreateRequest.items": Word("The assets to sell, one entry for each."),
    "SellItem.price": Word("What you ask for it, in mills; not more than the matched price. 0 is allowed if the total is positive.", 14_500),
    "CreateRequest.message": Word("A text for the trade offer; as much of its beginning as fits is sent.", "Thank you"),
    # -- trades
    "trade_id": Word("The trade's id, a UUID.", _TRADE, _UUID),
    "HeldItem.trade_id": Word("The trade that brought it.", _TRADE, _UUID),
    "Movement.trade_id": Word("The trade that it belongs to; only where there is one.", _TRADE, _UUID),
    "AdjustmentRequest.trade_id": Word("The trade that the correction is about; it must exist.", _TRADE, _UUID),
    "AlertView.trade_id": Word("The trade that it is about; null: about none.", _TRADE, _UUID),
    "AlertView.delivery_id": Word("The delivery that it is about; null: about none.", None, _UUID),
    "ProcessedTrade.trade_id": Word(
        "Steam's id of the exchange, `_`, the seller's SteamID64; without the suffix in a buyer's view. Null before Steam gives one.",
        f"4012345678_{_SELLER}",
    ),
    "tradeoffer_id": Word("Steam's id of the trade offer; null until it is out.", "5234567890"),
    "request_id": Word("The trade's id again.", _TRADE, _UUID),
    "market": Word("Always the same.", MARKET, {"const": MARKET}),
    "partner_id": Word("The seller's trade link; null in a buyer's view.", _LINK),
    "items_to_give": Word("What the bot gives: always empty.", []),
    "items_to_receive": Word("What the bot receives, in the order of the create."),
    "ReceivedItem.amount": Word("Always `1`: one entry is one asset.", "1", {"const": "1"}),
    "ReceivedItem.price": Word("What the buyer pays for it, in mills.", 14_500, _PRICE),
    "ProcessedTrade.status": Word(
        "Steam's state of the offer: "
        + ", ".join(f"{number} {name}" for number, name in OFFER_STATES.items())
        + ". Null before Steam gives one.",
        3,
        _one_of(OFFER_STATES),
    ),
    "trade_status": Word("The name of that state; null before Steam gives one.", "Accepted", _one_of(OFFER_STATES.values())),
    "settlement": Word(
        "Steam's own date after which the exchange can't be reversed; null before acceptance and where Steam names none.", _WEEK_LATER, _TIME
    ),
    "status": Word("Where the sale stands.", "accepted", _STATUS),
    "CreatedTrade.status": Word("A new trade is `processing`.", "processing", _STATUS),
    "CreateAnswer.status": Word("A new trade is `processing`.", "processing", _STATUS),
    "HistoryLine.status": Word("The status after this step.", "accepted", _STATUS),
    "ActionAnswer.status": Word("The trade's status after the action.", "processing", _STATUS),
    "StatusSum.status": Word("The status that the sums are of.", "accepted", _STATUS),
    "TradeData.summary": Word("The status in the wording of summaries.", "Accepted", _one_of(SUMMARIES.values())),
    "CreateAnswer.summary": Word("Items and value of the trade."),
    "items_count": Word("How many items the trade has.", 1, {"minimum": 1}),
    "total_value": Word("What the buyer pays for all items, in mills.", 14_500, {"minimum": 1}),
    "fee": Word("The platform's share of it, in mills, fixed at the create; taken when the trade completes.", 0, _COUNT),
    "CreatedTrade.id": Word("The trade's id.", _TRADE, _UUID),
    "CreateAnswer.processed_trade": Word("The new trade in short."),
    "TradeData.processed_trade": Word("The offer and the exchange on Steam."),
    "selected_bot": Word("The bot that trades with the seller. It may change until an offer is out."),
    "SelectedBot.avatar": Word("Address of the bot's picture.", _PICTURE),
    "profile_name": Word("The bot's name on Steam, as sellers see it.", "Bot #12"),
    "TradeData.error": Word("Why the trade ended without a sale; null: it did not.", None),
    "expires_at": Word("When the offer (or Steam's hold of it) ends; null until the offer is out.", "2026-03-13T10:15:00Z", _TIME),
    "offer_url": Word(
        "Where the seller accepts the offer; null until it is out, and in a buyer's view.", "https://steamcommunity.com/tradeoffer/5234567890/"
    ),
    "version": Word("Counts the trade's visible changes.", 3, {"minimum": 1}),
    "history": Word("Every step of the trade, the first one first; only when one trade is asked for."),
    "note": Word("What happened.", "Steam exchanged the items"),
    "TradePage.trades": Word("The trades of this page."),
    "created_at": Word("When it was created.", _AT, _TIME),
    "updated_at": Word("When it last changed.", _LATER, _TIME),
    # -- the dashboard
    "total_transactions": Word("All trades, whatever became of them.", 150, _COUNT),
    "total_volume": Word("Value of the accepted and completed trades, in mills.", 6_750_000, _COUNT),
    "total_revenue": Word("The same as the volume, in mills.", 6_750_000, _COUNT),
    "avg_transaction": Word("Volume ÷ all trades, in mills, rounded half up.", 45_000, _COUNT),
    "success_rate": Word("Accepted and completed trades ÷ all × 100, two places.", 80.0, _SHARE),
    "accepted_count": Word("Trades that are accepted and not yet completed.", 100, _COUNT),
    "completed_count": Word("Trades that are completed.", 20, _COUNT),
    "processing_count": Word("Trades that are processing.", 5, _COUNT),
    "error_count": Word("Trades that ended in error.", 3, _COUNT),
    "cancelled_count": Word("Trades that ended cancelled: failures on the seller's side.", 7, _COUNT),
    "declined_count": Word("Trades that ended declined: failures on the buyer's side.", 5, _COUNT),
    "rolled_back_by_user_count": Word("Trades that the seller reversed after acceptance.", 8, _COUNT),
    "rolled_back_by_bot_count": Word("Trades that were reversed on the bot's side.", 2, _COUNT),
    # -- sellers
    "SelectedBot.steamid64": Word("The bot's SteamID64.", _BOT),
    "BotView.steamid64": Word("The bot's SteamID64.", _BOT),
    "StocktakeAsked.steamid64": Word("The bot's SteamID64.", _BOT),
    "SellerView.steamid64": Word("The seller's SteamID64.", _SELLER),
    "bots/steamid64": Word("The bot's SteamID64.", _BOT),
    "sellers/steamid64": Word("The seller's SteamID64.", _SELLER),
    "may_sell": Word("Whether a create would pass the checks of the seller.", True),
    "MaySell.reason": Word("The code of the refusal that a create would get; null: none.", None),
    "retry_at": Word("When to try again; null: not known, or no need.", None, _TIME),
    "days_7": Word("Figures of the last 7 days, today included."),
    "days_30": Word("Figures of the last 30 days, today included."),
    "ever": Word("Figures of all time."),
    "opened": Word("Sales that began.", 40, _COUNT),
    "accepted": Word("Sales that were accepted.", 36, _COUNT),
    "completed": Word("Sales that were completed.", 30, _COUNT),
    "refused": Word("Sales that ended cancelled, declined or in error.", 4, _COUNT),
    "reversed": Word("Sales that were rolled back.", 0, _COUNT),
    "volume": Word("Value of the accepted sales, in mills.", 522_000, _COUNT),
    "acceptance_rate": Word("Accepted ÷ (accepted + refused) × 100, two places; 0 without any.", 90.0, _SHARE),
    "reversal_rate": Word(
        "Reversed ÷ accepted × 100, two places; 0 without any. Over 100 where sales of an earlier period were reversed.", 0.0, _COUNT
    ),
    "SellerView.status": Word("How the seller stands.", "normal"),
    "SellerRequest.status": Word("How the seller shall stand.", "blocked"),
    "SellerView.reason": Word("Why an operator gave that standing; null: none did.", None),
    "SellerView.until": Word("When the block ends by itself; null: when an operator lifts it, or there is none.", None, _TIME),
    "SellerRequest.until": Word("When a block ends by itself, in the future; only with `blocked`. Left out or null: when it is lifted.", _WEEK_LATER, _TIME),
    "strikes": Word("Sales in a row that the seller let go to waste, all projects together.", 0, _COUNT),
    "cooldown_until": Word("Until when the seller must wait, with the project where it is longest; null: no wait.", None, _TIME),
    "live": Word("Processing sales of the seller."),
    "LiveSales.trades": Word("How many.", 2, _COUNT),
    "LiveSales.value": Word("Their value, in mills.", 29_000, _COUNT),
    "last_trade_at": Word("When the seller's last sale began; null: never.", _AT, _TIME),
    "sellers": Word("The sellers of this page."),
    # -- accounts, keys, money
    "login": Word("The account's name on this market, unique.", "demo-shop"),
    "first_name": Word("First name; null: not given.", "Ada"),
    "last_name": Word("Last name; null: not given.", "Lovelace"),
    "avatar": Word("Address of a picture; null: none.", _PICTURE),
    "User.steamid64": Word("SteamID64; a buyer's is their `buyer_id`. Null: none.", _BUYER),
    "UserRequest.steamid64": Word("SteamID64; a buyer needs one.", _BUYER),
    "UserChange.steamid64": Word("A new SteamID64; left out or null: no change.", _BUYER),
    "UserChange.first_name": Word("A new first name; left out or null: no change.", "Ada"),
    "UserChange.last_name": Word("A new last name; left out or null: no change.", "Lovelace"),
    "UserChange.avatar": Word("A new picture; left out or null: no change.", _PICTURE),
    "UserChange.roles": Word("All roles from now on; left out or null: no change.", ["buyer"]),
    "UserChange.disabled": Word("True: no key of the account works. Left out or null: no change.", False),
    "UserChange.frozen": Word("True: no creates, and a buyer's orders are not for sale. Left out or null: no change.", False),
    "Me.id": Word("Your account's id.", _USER, _UUID),
    "User.id": Word("The account's id.", _USER, _UUID),
    "role": Word("The first of your roles; empty without any.", "project", _one_of(("", *Role))),
    "roles": Word("What the account may do.", ["project"], _one_of(Role)),
    "disabled": Word("Whether the account is shut: no key works.", False),
    "frozen": Word("Whether creates are refused and a buyer's orders are not for sale.", False),
    "wallet": Word("The account's money; only when one user is asked for."),
    "User.limits": Word("What this project has of its own; only when one user is asked for."),
    "users": Word("The users of this page."),
    "KeyRequest.name": Word("The key's name, unique in the account; no control characters.", "shop server"),
    "NewKey.name": Word("The key's name.", "shop server"),
    "KeyLine.name": Word("The key's name.", "shop server"),
    "KeyNamed.name": Word("The name of the key that was revoked.", "shop server"),
    "api_key": Word("The key itself. It is shown here and never again.", "selldesk_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde"),
    "last_used_at": Word("When it was last used, to the minute; null: never.", _LATER, _TIME),
    "balance": Word("Money that can be spent or paid out, in mills.", 250_000, _MONEY),
    "frozen_balance": Word("Money held for processing purchases and, of sales, in escrow, in mills.", 14_500, _MONEY),
    "Movement.id": Word("The movement's number.", "1042"),
    "MoneyMoved.id": Word("The movement's number.", "1042"),
    "Movement.kind": Word("Why money moved.", "freeze", _IN_WALLETS),
    "MoneyMoved.kind": Word("What the operator did.", "deposit", _MOVED_BY_OPERATORS),
    "Movement.amount": Word("What it changed, in mills; negative: money went out.", -14_500, _SIGNED_MONEY),
    "MoneyRequest.amount": Word("How much, in mills.", 500_000),
    "AdjustmentRequest.amount": Word("How much, in mills; negative takes money out. Not 0.", -1_500),
    "MoneyMoved.amount": Word("The amount of the request, in mills; only an adjustment's may be negative.", 500_000, _SIGNED_MONEY),
    "balance_after": Word("The balance that it left, in mills.", 235_500, _MONEY),
    "reference": Word("Your own name of the movement, unique for the account and the kind.", "bank transfer 2026-0313"),
    "Movement.reference": Word("The operator's name of the movement; only where there is one.", "bank transfer 2026-0313"),
    "transactions": Word("The movements of this page, newest first."),
    # -- buyers
    "mode": Word("`merge` creates and changes what is listed; `replace` also withdraws what is not.", "merge"),
    "PutOrdersRequest.orders": Word("The orders, one line for each item."),
    # A line out of range is no fault of the body, so the schema must not call it one: the range is told in words.
    "OrderRequestLine.price": Word(
        f"What you pay for one, in mills: 1 to {PRICE_MAX:,}. A line out of range is rejected; the others are taken.", 14_500
    ),
    "OrderRequestLine.amount": Word(
        f"How many you want from now on: 1 to {ORDER_AMOUNT_MAX:,}. A line out of range is rejected; the others are taken.", 10
    ),
    "PutOrdersAnswer.created": Word("Orders that are new.", 1, _COUNT),
    "PutOrdersAnswer.updated": Word("Orders that changed.", 0, _COUNT),
    "PutOrdersAnswer.unchanged": Word("Orders that already were as listed.", 0, _COUNT),
    "withdrawn": Word("Orders that were withdrawn.", 0, _COUNT),
    "rejected": Word("Lines that were not taken, and why."),
    "RejectedLine.index": Word("The line's place in the request, counted from 0.", 3, _COUNT),
    "RejectedLine.error": Word("Why it was not taken.", "Item not found: No Such Thing"),
    "OrderView.price": Word("What you pay for one, in mills.", 14_500, {"minimum": 1, "maximum": PRICE_MAX}),
    "OrderView.amount": Word("How many you wanted when the order last changed.", 10, {"minimum": 1, "maximum": ORDER_AMOUNT_MAX}),
    "remaining": Word("How many of them are still wanted.", 8, {"minimum": 0, "maximum": ORDER_AMOUNT_MAX}),
    "OrderPage.orders": Word("The orders of this page."),
    "HeldItemPage.items": Word("The items of this page."),
    "HeldItem.price": Word("What you paid for it, in mills.", 14_500, _PRICE),
    "HeldItem.bot": Word("SteamID64 of the bot that holds it.", _BOT),
    "tradable_at": Word("When Steam lets it be traded again; null: Steam names no date.", _WEEK_LATER, _TIME),
    "HeldItem.state": Word("Where the item stands.", "protected"),
    "HeldItem.delivery_id": Word("The delivery that takes it to you; null: none.", None),
    # -- operators: trades, alerts, log
    "OperatorTrade.trade": Word("The trade as its seller sees it."),
    "project": Word("Login of the project that sells.", "demo-shop"),
    "OperatorTrade.buyer": Word("Login of the buyer.", "vip-1"),
    "stage": Word("Where the bot's work on it stands.", "settling", _one_of(Stage)),
    "due_at": Word("When the next step is due; null: no step is.", _WEEK_LATER, _TIME),
    "steam_trade_status": Word("Steam's ETradeStatus of the exchange; null before there is one.", 3, _COUNT),
    "evidence": Word("What Steam answered whenever it told something new, the oldest first."),
    "at": Word("When it happened.", _LATER, _TIME),
    "Evidence.kind": Word("What Steam was asked about: the offer or the exchange.", "offer"),
    "Evidence.body": Word("Steam's answer as it came.", {"tradeofferid": "5234567890", "trade_offer_state": 3}),
    "reason": Word("Why; kept in the operators' log.", "The seller asked for it"),
    "ActionRequest.force": Word("Declare against or without Steam's fresh word.", False),
    "ResumeRequest.force": Word("Go on although bots or offers were not looked at.", False),
    "ActionRequest.by": Word("Who reversed it; only `declare-rolled-back` uses it, and needs it.", "user"),
    "checked_at": Word("When the store was read.", _LATER, _TIME),
    "checks": Word("Every check that ran."),
    "Check.name": Word("The check's name.", "accounts_sum_to_zero"),
    "rows": Word("How many rows broke it.", 0, _COUNT),
    "violations": Word(
        "The first rows that broke a check, as they stand in the store.", [{"check": "accounts_sum_to_zero", "row": ["5"]}]
    ),
    "alerts": Word("The alerts of this page, newest first."),
    "AlertView.id": Word("The alert's id.", _ALERT, _UUID),
    "AlertClosed.id": Word("The alert's id.", _ALERT, _UUID),
    "AlertView.kind": Word("What kind of trouble it is.", "trade_overdue", _one_of((*KINDS, *RETIRED))),
    "AlertView.bot": Word("SteamID64 of the bot that it is about; null: about none.", _BOT),
    "text": Word("What happened, for people.", "In stage send for 11 minutes"),
    "since": Word("Since when.", _AT, _TIME),
    "closed_at": Word("When it was closed; null: it is open.", None, _TIME),
    "closed_by": Word("Login of the operator who closed it, or `selldesk`; null: it is open.", None),
    "close_reason": Word("Why it was closed; null: it is open.", None),
    "LogLine.id": Word("The entry's id.", _ALERT, _UUID),
    "operator": Word("Login of the operator; `shell`: the command line.", "operator"),
    "action": Word("What was done.", "bot.stocktake"),
    "target": Word("What it was done to.", "1"),
    "LogLine.body": Word("What it was done with; never a secret.", {"reason": "The seller asked for it"}),
    "entries": Word("The entries of this page, newest first."),
    # -- operators: stops and the overview
    "history_lost": Word("Whether the database lost what it had committed.", False),
    "StopRequest.history_lost": Word("Say so after a backup was put back: Steam may know more than the store.", False),
    "stopped": Word("Whether trading stands still now.", True),
    "trading_stopped": Word("Since when and why all trading stands still; null: it does not."),
    "TradingStop.reason": Word("Why.", "Maintenance"),
    "now": Word("The market's time now.", _LATER, _TIME),
    "Overview.trades": Word("Trades by status."),
    "StatusSum.trades": Word("How many.", 100, _COUNT),
    "StatusSum.value": Word("Their value, in mills.", 4_500_000, _COUNT),
    "Overview.bots": Word("All bots."),
    "paused_games": Word("Games in which no bot sends for a while, since Steam can't reach their item servers."),
    "PausedGame.until": Word("When bots try again.", _LATER, _TIME),
    "PausedGame.reason": Word("What Steam said.", "Steam can't reach the game's item server"),
    "stopped_games": Word("Games whose trading an operator stopped."),
    "StoppedGame.reason": Word("Why.", "A game update today"),
    "StoppedGame.by": Word("Login of the operator.", "operator"),
    "open_alerts": Word("Alerts that nobody has closed.", 0, _COUNT),
    "feed_seq": Word("Number of the last change that this process has seen.", 5_121, {"minimum": -1}),
    # -- operators: rooms
    "RoomRequest.name": Word("The room's name, unique.", "everything up to 50 dollars"),
    "RoomView.name": Word("The room's name.", "everything up to 50 dollars"),
    "RoomView.id": Word("The room's number.", 1, _COUNT),
    "RoomDeleted.id": Word("The room's number.", 1, _COUNT),
    "min_value": Word("The lowest value of a trade here, in mills; null: no bound.", 10, _MONEY),
    "max_value": Word("The highest value of a trade here, in mills; null: no bound.", 50_000, _MONEY),
    "buyers": Word("The buyers that it serves, by SteamID64 or user id; null: all.", [_BUYER]),
    "RoomRequest.bots": Word("The bots that serve it, by SteamID64; null, left out or empty: all.", [_BOT]),
    "RoomView.bots": Word("The bots that serve it, by SteamID64; null or empty: all.", [_BOT]),
    "priority": Word("Of the rooms that admit a trade the one with the lowest number takes it.", 100, {"minimum": 0, "maximum": 1_000_000}),
    "enabled": Word("Whether it takes new trades.", True),
    "BotChange.enabled": Word("False: no new trades, what runs is finished. Left out or null: no change.", True),
    # -- operators: bots
    "account_name": Word("The bot's login name on Steam; clients never see it.", "selldesk_bot_12"),
    "shared_secret": Word("The authenticator's secret for login codes: base64 of 20 bytes.", _SECRET),
    "identity_secret": Word("The authenticator's secret for confirmations: base64 of 20 bytes.", _SECRET),
    "steamid": Word("The bot's SteamID64.", _BOT),
    "password": Word("The bot's password on Steam.", "correct horse battery staple"),
    "refresh_token": Word("A refresh token of Steam, in place of a login.", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"),
    "BotView.avatar": Word("Address of the bot's picture.", _PICTURE),
    "games": Word("The games that it trades; null: all.", [CS2], _GAME),
    "BotChange.games": Word("The games that it trades; null: all. Left out: no change.", [CS2], _GAME),
    "max_live_offers": Word("The most processing trades at a time.", 30, {"minimum": 1}),
    "max_offers_per_seller": Word("The most processing trades with one seller at a time.", 5, {"minimum": 1}),
    "max_items": Word("The most items of one game in its inventory.", 1_000, {"minimum": 1}),
    "BotView.state": Word("The bot's health.", "ok", _one_of(BotState)),
    "BotView.reason": Word("Why it is in that state; null: nothing to say.", None),
    "healthy": Word("Whether it takes new trades now: enabled, state `ok`, heard of lately.", True),
    "live_offers": Word("Its processing trades, whether the offer is out or not.", 3, _COUNT),
    "items_held": Word("Items of buyers that it holds or expects, all games together.", 212, _COUNT),
    "quarantined_until": Word("When a restriction or quarantine ends by itself; null: when an operator enables it, or there is none.", None, _TIME),
    "blocked_games": Word("Games that it can't take now, since its inventory there was full.", [], _GAME),
    "BotView.items": Word("What it holds, by game.", FROM_PARTS, _GAME_TEXT),
    "reserved": Word("Items of processing sales.", 12, _COUNT),
    "protected": Word("Items that Steam can still give back.", 40, _COUNT),
    "held": Word("Items that are held for their buyers.", 160, _COUNT),
    "in_delivery": Word("Items on their way to their buyers.", 0, _COUNT),
    "max": Word("The most that it may hold of this game.", 1_000, {"minimum": 1}),
    "BotItemPage.items": Word("The assets of this page."),
    "BotItem.amount": Word("How many are stacked in this asset.", 1, _COUNT),
    "taken_at": Word("When the inventory was last read whole; null: never.", _LATER, _TIME),
    "is_asked_for": Word("Whether a new stocktake is asked for and not yet done.", False),
    "BotItemPage.missing": Word("Buyers' items that were not there.", 0, _COUNT),
    "surplus": Word("Assets that no sale brought.", 4, _COUNT),
    # -- operators: catalog
    "CatalogRequest.items": Word("The item names."),
    "CatalogLine.price": Word("A reference price, in mills; null or left out: none, or as it was.", 14_500),
    "CatalogAnswer.created": Word("Names that are new.", 120, _COUNT),
    "CatalogAnswer.updated": Word("Names whose price changed.", 3, _COUNT),
    "CatalogAnswer.unchanged": Word("Names that were already known.", 877, _COUNT),
    "CatalogCount.name": Word("The game's name.", GAMES[CS2], _one_of(GAMES.values())),
    "CatalogCount.items": Word("How many item names are known.", 1_000, _COUNT),
    # -- operators: limits
    "seller_processing_max": Word("Processing sales of one seller, all bots and projects together; null: no limit.", 20),
    "seller_processing_value_max": Word("Their value, in mills; null: no limit.", 5_000_000),
    "seller_unsettled_value_max": Word("Value of a seller's accepted sales that can still be reversed, in mills; null: no limit.", 10_000_000),
    "project_processing_max": Word("Processing sales of one project; null: no limit.", 1_000),
    "project_processing_value_max": Word("Their value, in mills; null: no limit.", 50_000_000),
    "project_processing_percent": Word("The most of all slots that one project may take, once there is a second one; null: no limit.", 50),
    "strikes_free": Word("Sales that a seller may let go to waste before the first cool-down; null: no strikes count.", 2),
    "cooldown_seconds": Word("How long a seller waits after each further strike, the last value from then on; null: never.", [900, 3_600, 86_400]),
    "reversal_block_days": Word("How long a reversal blocks a seller; null: not at all.", 30),
    "reversals_max": Word("So many reversals within a year block a seller until an operator lifts it; null: never.", 2),
    "min_order_price": Word("The lowest price of a buy order's line, in mills, by game.", {str(CS2): 30}, _GAME_TEXT),
    # -- events
    "Event.id": Word("The event's id: the same in every delivery of it.", _EVENT, _UUID),
    "events/id": Word("The event's id.", _EVENT, _UUID),
    "Event.type": Word("What happened.", "trade.accepted", _one_of(TYPES)),
    "timestamp": Word("When it happened.", _LATER, _TIME),
    "cursor": Word("Its place in the order of the commits: compares as text.", _CURSOR),
    "Event.role": Word("In whose view; null: there is but one.", "project", _one_of(Role)),
    "Event.version": Word("Version of what it tells about; null: that has none.", 4, {"minimum": 1}),
    "Event.data": Word("What it tells about, as it stood then: TradeData for `trade.*`, the alert for `operator.alert`, the movement for `wallet.*`.", {}),
    "EventPage.events": Word("The events of this page, oldest first."),
    "next": Word("Where to go on: the cursor for the next `after`.", _CURSOR),
    "has_more": Word("Whether there are more events already.", False),
    "?after": Word("Events after this cursor.", _CURSOR),
    "?types": Word("Only these types, comma-separated.", ["trade.*", "wallet.deposited"]),
    "events?limit": Word("Events per page.", 100),
    "?wait": Word("So many seconds it waits for the first event.", 25),
    # -- deliveries
    "delivery_id": Word("The delivery's id.", _DELIVERY, _UUID),
    "deliveries/id": Word("The delivery's id.", _DELIVERY, _UUID),
    "DeliveryRequest.custom_id": Word("Your own id of this request; used once.", "my-items-7", {"minLength": 1}),
    "DeliveryData.custom_id": Word("The id that the buyer gave to the request.", "my-items-7"),
    "DeliveryRequest.items": Word("The items, by `item_id`.", [f"{_TRADE}-0"]),
    "DeliveryRequest.tradelink": Word("Where they go; null or left out: to the link of your settings.", None),
    "DeliveryRequest.message": Word("Stands in the offer.", "enjoy"),
    "BuyerSettings.tradelink": Word("Where your deliveries go; null: nowhere yet.", _LINK),
    "SettingsRequest.tradelink": Word("Where your deliveries go; null: nowhere.", _LINK),
    "DeliveriesMade.deliveries": Word("One part for each bot, game and hundred items."),
    "DeliveryPage.deliveries": Word("The deliveries of this page, the latest first."),
    "part": Word("Which part of the request it is.", 1, {"minimum": 1}),
    "parts": Word("How many parts the request has.", 1, {"minimum": 1}),
    "DeliveryData.items": Word("What is handed over."),
    "DeliveredItem.item_id": Word("The item's stable handle.", f"{_TRADE}-0"),
    "DeliveredItem.trade_id": Word("The trade that brought it.", _TRADE, _UUID),
    "DeliveryData.summary": Word("The status in one word, as the document writes it.", "Processing", _one_of(SUMMARIES.values())),
    "DeliveryData.error": Word("Why it ended; null: it has not, or well.", None),
    "DeliveryData.processed_trade": Word("Its Steam trade. `items_to_give` is what the bot gives."),
    "DeliveryData.status": Word("Where it stands.", "processing", _STATUS),
    "deliveries?status": Word("Only deliveries in this status.", "processing"),
    "deliveries?custom_id": Word("Only the parts of this request.", "my-items-7"),
    "items?delivery_id": Word("Only items that are in this delivery.", _DELIVERY),
    "OperatorDelivery.delivery": Word("The delivery as its buyer sees it."),
    "OperatorDelivery.buyer": Word("The buyer's login.", "vip"),
    "deliver_to": Word("Accounts besides their own that this buyer's deliveries may go to.", [_SELLER]),
    # -- webhooks
    "Endpoint.id": Word("The endpoint's id.", _ENDPOINT, _UUID),
    "NewEndpoint.id": Word("The endpoint's id.", _ENDPOINT, _UUID),
    "EndpointNamed.id": Word("The endpoint's id.", _ENDPOINT, _UUID),
    "webhooks/id": Word("The endpoint's id.", _ENDPOINT, _UUID),
    "url": Word("Where events are sent: https, a name with a dot, port 443 or one from 1024 on.", "https://shop.example/selldesk"),
    "EndpointRequest.events": Word("What is sent: types, all of a kind (`trade.*`), or everything (`*`).", ["trade.*"]),
    "EndpointChange.events": Word("What is sent: types, all of a kind (`trade.*`), or everything (`*`).", ["trade.*"]),
    "Endpoint.events": Word("What is sent: types, all of a kind, or everything.", ["trade.*"]),
    "NewEndpoint.events": Word("What is sent: types, all of a kind, or everything.", ["trade.*"]),
    "description": Word("Your own words about it; null: none.", "the shop's backend"),
    "EndpointRequest.enabled": Word("Whether it is sent anything.", True),
    "EndpointChange.enabled": Word("Whether it is sent anything. Enabled again, it goes on with what is still in its schedule.", True),
    "Endpoint.enabled": Word("Whether it is sent anything.", True),
    "NewEndpoint.enabled": Word("Whether it is sent anything.", True),
    "disabled_reason": Word("`gone` (it answered 410), `failing` (no success for days), `owner`; null: it is enabled.", None),
    "disabled_at": Word("When it was disabled; null: it is enabled.", None, _TIME),
    "failing_since": Word("The first failure since the last success; null: the last one succeeded.", None, _TIME),
    "last_success_at": Word("When it last took an event; null: never.", _LATER, _TIME),
    "previous_secret_until": Word("Until when the former secret signs too; null: it does not.", None, _TIME),
    "secret": Word("Signs what is sent, by the Standard Webhooks specification. Shown here and never again.", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="),
    "EndpointPage.endpoints": Word("The endpoints of this page, oldest first."),
    "overlap_seconds": Word("So long the former secret signs too; 0: no more, and every older one ends.", 86_400),
    "RecoverRequest.since": Word("Events that happened at or after this moment.", _AT, _TIME),
    "RecoverRequest.types": Word("Only these types; null or left out: those of the endpoint.", None),
    "Recovered.queued": Word("Events that are on their way now.", 12, _COUNT),
    "delivered": Word("Whether it answered 2xx.", True),
    "status_code": Word("What it answered; null: nothing.", 204, {"minimum": 100, "maximum": 999}),
    "duration_ms": Word("How long it took, in milliseconds.", 38, _COUNT),
    "TestResult.error": Word("Why there was no answer; null: there was one.", None),
    "AttemptView.error": Word("Why there was no answer; null: there was one.", None),
    "AttemptView.at": Word("When it was tried.", _LATER, _TIME),
    "response": Word("The beginning of its answer; null: there was none.", "ok"),
    "EntryPage.entries": Word("The entries of this page, newest first."),
    "EntryPage.next": Word("`cursor` of the next page; null: there is none.", None),
    "EntryView.id": Word("The entry's id.", _EVENT, _UUID),
    "EntryNamed.id": Word("The entry's id.", _EVENT, _UUID),
    "log/entry": Word("The entry's id.", _EVENT, _UUID),
    "event_id": Word("The event's id, the `webhook-id`.", _EVENT, _UUID),
    "EntryView.type": Word("What happened.", "trade.accepted", _one_of(TYPES)),
    "EntryView.state": Word("Whether it was taken, is on its way, or was given up.", "delivered"),
    "next_attempt_at": Word("When it is tried next; null: no more.", None, _TIME),
    "attempts": Word("Each try, oldest first."),
    "log?limit": Word("Entries per page.", 20),
    "log?state": Word("Only entries in this state.", "failed"),
    "log?type": Word("Only events of this type.", "trade.accepted"),
    "log?cursor": Word("`next` of the page before.", _CURSOR),
    # -- service and sandbox
    "Alive.status": Word("`ok`: the process is alive; `ready`: the market is.", "ok"),
    "advance_seconds": Word("How far to move the clock forward.", 604_800),
}  # fmt: skip


def field_key(struct: str, field: str) -> str | None:
    """The word of a struct's field; None: it has none."""
    return _first(f"{struct}.{field}", field)


def path_key(path: str, name: str) -> str | None:
    """The word of a path's parameter, by the part before it."""
    before = path.partition(f"/{{{name}}}")[0].rpartition("/")[2]
    return _first(f"{before}/{name}", name)


def query_key(path: str, name: str) -> str | None:
    """The word of a query parameter, by the last part of the path."""
    return _first(f"{path.rpartition('/')[2]}?{name}", f"?{name}", name)


def _first(*keys: str) -> str | None:
    return next((key for key in keys if key in WORDS), None)
