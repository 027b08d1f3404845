"""A sale: what a reversal makes of it, what comes after its end, and how its readers see it (readings R5, R6)."""

from copy import copy
from typing import Any

import pytest

from selldesk.offers.stages import Stage
from selldesk.offers.words import OfferWord
from selldesk.trades.afterwards import exchange_shown, offer_shown
from selldesk.trades.endings import Effects
from selldesk.trades.reversals import Reversal, is_reversible, rolled_back
from selldesk.trades.trade import TradeItem
from selldesk.trades.views import Dashboard, ReceivedItem, SelectedBot, dashboard, trade_data
from tests.rooms.sales import DAY, MINUTE, NOW, S, changes, items, offer, trade

VERIFY, OFFERED, EXCHANGED, OPERATOR = Stage.VERIFY, Stage.OFFERED, Stage.EXCHANGED, Stage.OPERATOR
SETTLING, DONE = Stage.SETTLING, Stage.DONE


def _told(effects: Effects) -> list[str]:
    """Statuses, notes in brackets, kinds of alerts."""
    moves = [f"({move.note})" if move.status is None else move.status.value for move in effects.moves]
    return moves + [f"! {kind}" for kind, _ in effects.alerts]


ROLLED_BACK: list[tuple[str, Stage, str, Reversal, list[str]]] = [
    # what                          stage      status        who            what becomes of the sale
    ("by the seller",               SETTLING,  "accepted",   Reversal.USER, ["rolled_back_by_user"]),
    ("by the bot",                  SETTLING,  "accepted",   Reversal.BOT,  ["rolled_back_by_bot", "! bot_reversed"]),
    ("before it was read",          EXCHANGED, "processing", Reversal.USER, ["accepted", "rolled_back_by_user"]),
    ("before it was seen accepted", OFFERED,   "processing", Reversal.BOT,  ["accepted", "rolled_back_by_bot", "! bot_reversed"]),
    ("while a human decides",       OPERATOR,  "processing", Reversal.USER, ["accepted", "rolled_back_by_user"]),
    ("before an offer was out",     VERIFY,    "processing", Reversal.USER, []),
    ("after it was paid",           DONE,      "completed",  Reversal.USER, []),
    ("after it had ended",          DONE,      "cancelled",  Reversal.BOT,  []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "status", "who", "expected"), ROLLED_BACK, ids=[row[0] for row in ROLLED_BACK])
def test_a_reversal(what: str, stage: Stage, status: str, who: Reversal, expected: list[str]) -> None:
    one = trade(stage, status=status)
    was = copy(one)
    assert _told(rolled_back(one, who)) == expected
    assert changes(was, one) == ({"steam_status": 12} if expected else {})


REVERSIBLE: list[tuple[str, dict[str, Any], bool]] = [
    # what               the sale                                 reversible
    ("protected",        {"protected": 1, "settlement": NOW + 1}, True),
    ("… until its date", {"protected": 1, "settlement": NOW},     False),
    ("… without a date", {"protected": 1},                        True),
    ("not protected",    {"protected": 0, "settlement": NOW + 1}, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sale", "expected"), REVERSIBLE, ids=[row[0] for row in REVERSIBLE])
def test_what_can_be_reversed(what: str, sale: dict[str, Any], expected: bool) -> None:
    assert is_reversible(trade(SETTLING, **sale), NOW) is expected


FIVE = "Offer 5 was accepted after its trade ended: items without a trade"
SIX = "Offer 6 was accepted after its trade ended: items without a trade"
AFTERWARDS: list[tuple[str, dict[str, Any], OfferWord, dict[str, Any], str | None]] = [
    # what                                 the sale                                                                  what Steam shows                            what changes        what is told
    ("declined, as it ended",              {"status": "cancelled", "offer_id": "5", "offer_state": 7},               offer(7),                                   {},                 None),
    ("accepted after its end",             {"status": "cancelled", "offer_id": "5", "offer_state": 6},               offer(3, steam_trade_id="8"),               {"offer_state": 3, "steam_trade_id": "8"}, FIVE),
    ("… in error",                         {"status": "error", "offer_id": "5", "offer_state": 6},                   offer(3),                                   {"offer_state": 3}, FIVE),
    ("… nobody knew the offer",            {"status": "declined"},                                                   offer(3, steam_trade_id="8"),               {"offer_id": "5", "offer_state": 3, "steam_trade_id": "8"}, FIVE),
    ("… its exchange is known",            {"status": "declined", "steam_trade_id": "4"},                            offer(3, steam_trade_id="8"),               {"offer_id": "5", "offer_state": 3}, FIVE),
    ("… told already",                     {"status": "cancelled", "offer_id": "5", "offer_state": 3},               offer(3, steam_trade_id="8"),               {},                 None),
    ("… declared to have brought nothing", {"status": "error", "offer_id": "5", "offer_state": 13},                  offer(3, steam_trade_id="8"),               {},                 None),
    ("… another of its offers",            {"status": "cancelled", "offer_id": "5", "offer_state": 3},               offer(3, offer_id="6", steam_trade_id="8"), {"steam_trade_id": "8"}, SIX),
    ("reversed: its own offer",            {"status": "rolled_back_by_user", "offer_id": "5", "offer_state": 12},    offer(3, steam_trade_id="8"),               {},                 None),
    ("… another one of its exchange",      {"status": "rolled_back_by_bot", "offer_id": "5", "steam_trade_id": "4"}, offer(3, offer_id="6", steam_trade_id="4"), {},                 None),
    ("… another one",                      {"status": "rolled_back_by_bot", "offer_id": "5", "steam_trade_id": "4"}, offer(3, offer_id="6", steam_trade_id="8"), {},                 SIX),
    ("… another one, of no exchange yet",  {"status": "rolled_back_by_user", "offer_id": "5"},                       offer(3, offer_id="6"),                     {},                 SIX),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sale", "word", "changed", "expected"), AFTERWARDS, ids=[row[0] for row in AFTERWARDS])
def test_an_offer_after_the_end_of_its_sale(
    what: str, sale: dict[str, Any], word: OfferWord, changed: dict[str, Any], expected: str | None
) -> None:
    one = trade(DONE, **sale)
    was = copy(one)
    effects = offer_shown(one, word)
    assert _told(effects) == ([f"({expected})", "! items_without_trade"] if expected else [])
    assert changes(was, one) == changed


EXCHANGES: list[tuple[str, dict[str, Any], bool]] = [
    # what                  the sale                                        is told
    ("of a released sale",  {"status": "cancelled"},                        True),
    ("… another exchange",  {"status": "error", "steam_trade_id": "4"},     True),
    ("… known",             {"status": "declined", "steam_trade_id": "8"},  False),
    ("of a completed sale", {"status": "completed", "steam_trade_id": "4"}, False),
    ("of a reversed sale",  {"status": "rolled_back_by_user"},              False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sale", "is_told"), EXCHANGES, ids=[row[0] for row in EXCHANGES])
def test_an_exchange_after_the_end_of_its_sale(what: str, sale: dict[str, Any], is_told: bool) -> None:
    one = trade(DONE, **sale)
    was = copy(one)
    assert _told(exchange_shown(one, "8", "text")) == (["(text)", "! items_without_trade"] if is_told else [])
    assert changes(was, one) == ({"steam_trade_id": "8", "offer_state": 3} if is_told else {})


# -- views -------------------------------------------------------------------------------------------------------------

BOT = SelectedBot("76561197960265729", "avatar", "bot")
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1&token=x"
VIEWS: list[tuple[str, str, dict[str, Any], Any, Any]] = [
    # what                          field                            the sale                           for its seller          for its buyer
    ("the seller's own number",     "custom_id",                     {},                                "c",                    None),
    ("the seller's link",           "processed_trade.partner_id",    {},                                LINK,                   None),
    ("the exchange and its seller", "processed_trade.trade_id",      {"steam_trade_id": "4"},           "4_7",                  "4"),
    ("… not known yet",             "processed_trade.trade_id",      {"steam_trade_id": None},          None,                   None),
    ("the offer's page",            "offer_url",                     {},                                "https://steamcommunity.com/tradeoffer/5/", None),
    ("… no offer",                  "offer_url",                     {"offer_id": None},                None,                   None),
    ("the offer",                   "processed_trade.tradeoffer_id", {},                                "5",                    "5"),
    ("its state",                   "processed_trade.status",        {},                                2,                      2),
    ("… by name",                   "processed_trade.trade_status",  {},                                "Active",               "Active"),
    ("… none yet",                  "processed_trade.trade_status",  {"offer_state": None},             None,                   None),
    ("… our own",                   "processed_trade.trade_status",  {"offer_state": 13},               "MissingItems",         "MissingItems"),
    ("the status",                  "status",                        {"status": "rolled_back_by_user"}, "rolled_back_by_user",  "rolled_back_by_user"),
    ("… in words",                  "summary",                       {"status": "rolled_back_by_user"}, "RolledBackByUser",     "RolledBackByUser"),
    ("the settlement",              "processed_trade.settlement",    {"settlement": NOW + 7 * DAY},     "2026-03-20T10:00:00Z", "2026-03-20T10:00:00Z"),
    ("… none yet",                  "processed_trade.settlement",    {},                                None,                   None),
    ("its time on Steam",           "expires_at",                    {},                                "2026-03-13T10:15:00Z", "2026-03-13T10:15:00Z"),
    ("created",                     "created_at",                    {"created_at": NOW - MINUTE},      "2026-03-13T09:59:00Z", "2026-03-13T09:59:00Z"),
    ("updated",                     "updated_at",                    {"updated_at": NOW + S},           "2026-03-13T10:00:01Z", "2026-03-13T10:00:01Z"),
    ("why it ended",                "error",                         {"error": "why"},                  "why",                  "why"),
    ("money",                       "total_value",                   {"value": 1_000},                  1_000,                  1_000),
    ("the fee",                     "fee",                           {"fee": 25},                       25,                     25),
    ("the version",                 "version",                       {"version": 7},                    7,                      7),
    ("the game",                    "processed_trade.game_id",       {"game": 440},                     440,                    440),
    ("the buyer",                   "buyer_id",                      {},                                "b",                    "b"),
    ("the bot",                     "selected_bot",                  {},                                BOT,                    BOT),
    ("what the bot gives: nothing", "processed_trade.items_to_give", {},                                [],                     []),
    ("the document's constant",     "processed_trade.market",        {},                                "market-vpsbot",        "market-vpsbot"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "field", "sale", "for_seller", "for_buyer"), VIEWS, ids=[row[0] for row in VIEWS])
def test_how_its_readers_see_a_sale(what: str, field: str, sale: dict[str, Any], for_seller: Any, for_buyer: Any) -> None:
    one = trade(OFFERED, **sale)
    for shown, expected in (
        (trade_data(one, [], BOT, "b", LINK), for_seller),
        (trade_data(one, [], BOT, "b", LINK, "buyer"), for_buyer),
    ):
        value: Any = shown
        for name in field.split("."):
            value = getattr(value, name)
        assert value == expected
        assert (shown.trade_id, shown.processed_trade.request_id) == (one.id, one.id)


def test_items_are_shown_in_order_under_the_ids_that_were_sent() -> None:
    second = TradeItem("t", 1, 2, "2", "8", 50, 1, "class", "0", "77", "16")
    shown = trade_data(trade(), [(items()[0], "Hat"), (second, "Coat")], BOT, "b", None)
    assert shown.processed_trade.items_to_receive == [
        ReceivedItem(730, "2", "9", "Hat", "1", 100, None, None),
        ReceivedItem(730, "2", "8", "Coat", "1", 50, "77", "16"),
    ]


SUMS: list[tuple[str, list[tuple[str, int, int]], dict[str, Any]]] = [
    # what                       (status, trades, value)                                                            what is not 0
    ("none",                     [],                                                                                {}),
    ("none that was successful", [("cancelled", 3, 900)],                                                           {"total_transactions": 3, "cancelled_count": 3}),
    ("accepted and completed",   [("accepted", 1, 10), ("completed", 2, 25)],                                       {"total_transactions": 3, "total_volume": 35, "total_revenue": 35, "avg_transaction": 12, "success_rate": 100.0, "accepted_count": 1, "completed_count": 2}),
    ("a third of them",          [("completed", 1, 10), ("error", 2, 99)],                                          {"total_transactions": 3, "total_volume": 10, "total_revenue": 10, "avg_transaction": 3, "success_rate": 33.33, "completed_count": 1, "error_count": 2}),
    ("a status in two rows",     [("processing", 1, 5), ("processing", 2, 5)],                                      {"total_transactions": 3, "processing_count": 3}),
    ("the others",               [("declined", 1, 1), ("rolled_back_by_user", 2, 1), ("rolled_back_by_bot", 3, 1)], {"total_transactions": 6, "declined_count": 1, "rolled_back_by_user_count": 2, "rolled_back_by_bot_count": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sums", "expected"), SUMS, ids=[row[0] for row in SUMS])
def test_a_projects_dashboard(what: str, sums: list[tuple[str, int, int]], expected: dict[str, Any]) -> None:
    shown = dashboard(sums)
    assert {name: getattr(shown, name) for name in Dashboard.__struct_fields__ if getattr(shown, name)} == expected


def test_a_custom_id_is_found_whatever_its_case() -> None:
    assert trade(custom_id="Straße-A").custom_fold == "strasse-a"
