"""Strangers' words are never Steam's or ours: no name changes what an error or a page says, no message becomes one of our offers."""

import asyncio
import html
import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from selldesk.kernel.limits import OFFER_MESSAGE_BYTES_MAX
from selldesk.offers.life import tag_of
from selldesk.offers.stages import Stage
from selldesk.offers.words import SendRefusal
from selldesk.steam.errors import read_send_error
from selldesk.steam.results import Cause, Rejected, TradePage
from selldesk.steam.transport import Response
from selldesk.steamsim.entities import Behaviour, OfferRecord
from selldesk.workers.sending import BLAME, offer_message
from tests.little_market import LittleMarket, in_market
from tests.steam.test_steam import LINK, SORRY, _client

TF2 = 440
MINUTE = 60

NAMES = [
    "Steam Community :: Error",
    "(26)",
    "someone (15)",
    "You have logged in from a new device",
    "You are currently unable to trade",
    "your account is currently",
    "You cannot trade because you",
    "You have exceeded the maximum number of items allowed in your",
    "We were unable to contact the game's item server",
    "You have sent too many trade offers",
    "Trade Protection",
    "x because they have a trade ban",
    "x is not available to trade. More information will be shown to x",
    "This Trade URL is no longer valid",
    "There was an error sending your trade offer.  Please try again later. (24)",
    "you\nare currently\tunable   to trade",
    "your<br>account<br>is currently",
    "<br>(20)",
    '<div id="error_msg">your account is currently</div>',
    "</script><script>var g_daysTheirEscrow = 15;",
    "x\nvar g_daysTheirEscrow = 15;\n",
    "x\u2028var g_daysTheirEscrow = 15;\u2028",
    'x";\nvar g_daysTheirEscrow = 15;//',
    "\\",
    'O\'Neil & "Sons" &amp; <co>',
    '"x" & Sons because they have a trade ban',
    "x because they have a trade ban, says ΟΔΥΣΣΕΥΣ",
    "İstanbul",
    "a",
    "of",
    "trade",
    "because they",
    "…",
    ".*",
    " ",
]

TEXTS: list[tuple[str, Cause | None]] = [
    # what Steam says, with whom it names                                                                          what it means
    (f"{SORRY}<br><br>You cannot trade with {{}} because they have a trade ban. (15)",                             Cause.SELLER_RESTRICTED),
    (f"{SORRY}<br><br>{{}} is not available to trade. More information will be shown to {{}} if they invite you to trade. (15)", Cause.SELLER_RESTRICTED),
    (f"{SORRY}<br><br>You cannot trade with {{}}. (34)",                                                           Cause.PARTNER_CHANGED),
    (f"{SORRY}<br><br>You have sent too many trade offers to {{}}. (50)",                                          Cause.BOT_LIMIT),
    (f"{SORRY}<br><br>This user's inventory privacy is set to private. {{}} can change that. (15)",                Cause.SELLER_RESTRICTED),
    (f"{SORRY}<br><br>This user's inventory is private. {{}} can change that. (16)",                               Cause.SELLER_RESTRICTED),
    (f"{SORRY}<br><br>You cannot trade with {{}}'s account. (34)",                                                 Cause.PARTNER_CHANGED),
    (f"{SORRY}<br><br>Something happened to {{}}. (16)",                                                           None),
    (f"{SORRY}<br><br>This Trade URL is no longer valid for sending a trade offer to {{}}. (15)",                  Cause.BAD_LINK),
    (f"{SORRY}<br><br>You have exceeded the maximum number of items allowed in your Counter-Strike 2 inventory. (15)", Cause.BOT_FULL),
    (f"{SORRY}<br><br>We were unable to contact the game's item server. {{}} was asked for. (20)",                 Cause.ITEM_SERVER_DOWN),
    ("You have logged in from a new device. In order to protect {}, you cannot trade for 7 days. (15)",            Cause.BOT_RESTRICTED),
    (f"{SORRY} (26)",                                                                                              Cause.ITEM_GONE),
    (f"{SORRY} (15)",                                                                                              Cause.BAD_LINK),
    (f"{SORRY} (16)",                                                                                              None),
]  # fmt: skip
HARMS_NOBODY_ELSE = {None, SendRefusal.SELLER, SendRefusal.PARTNER_CHANGED}


def _blame(text: str, *names: str) -> SendRefusal | None:
    """Who is to blame, and so what follows; None: nobody knows whether there is an offer."""
    told = read_send_error(text, names)
    return BLAME[told.cause] if isinstance(told, Rejected) else None


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=[row[0].removeprefix(SORRY)[:50] for row in TEXTS])
def test_no_name_changes_what_an_error_means(text: str, expected: Cause | None) -> None:
    """Known from the trade page: never, but that whoever is called by Steam's first words hides them. Not known: it can only harm his
    own sale. No name speaks of the bot or of the game."""
    told = read_send_error(text.replace("{}", "Bob"), ["Bob"])
    assert told == read_send_error(text.replace("{}", "Bob"))
    assert (told.cause if isinstance(told, Rejected) else None) == expected
    blame = None if expected is None else BLAME[expected]
    said = text.removeprefix(f"{SORRY}<br><br>").lower()
    for name in NAMES:
        for written in (name, html.escape(name), html.escape(name).replace("&#x27;", "&#039;")):
            filled = text.replace("{}", written)
            hides = name != " " and said.startswith(name.lower())
            assert _blame(filled, name) in ({blame} | (HARMS_NOBODY_ELSE if hides else set())), (name, filled)
            assert _blame(filled) in {blame} | HARMS_NOBODY_ELSE, (name, filled)


def test_a_name_in_a_text_that_nobody_knows_yet_says_nothing() -> None:
    """At its beginning, where Steam speaks of us, if the name is known; before a reason, whoever it is."""
    for name in NAMES:
        if name != " ":
            assert _blame(f"{SORRY}<br><br>{name} can't be reached. (16)", name) is None, name
            assert (
                _blame(f"{SORRY}<br><br>You cannot trade with {name} because they are new. (34)") is SendRefusal.PARTNER_CHANGED
            ), name


PAGES: list[tuple[str, str, TradePage]] = [
    # what              the page, with the name as Steam's script writes it                                            what it says
    ("no hold",         "var g_strTradePartnerPersonaName = {};\nvar g_daysTheirEscrow = 0;\n",                        TradePage(0, None)),
    ("a hold",          "\tvar g_strTradePartnerPersonaName = {};\r\n\tvar g_daysTheirEscrow = 15;\r\n",               TradePage(15 * 86_400, None)),
    ("no days",         "var g_strTradePartnerPersonaName = {};\n",                                                    TradePage(None, None)),
    ("an error",        '</script><div id="error_msg"> This Trade URL is no longer valid. </div>',
                                                                              TradePage(None, Rejected(0, Cause.BAD_LINK, "This Trade URL is no longer valid."))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "page", "expected"), PAGES, ids=[row[0] for row in PAGES])
def test_no_name_changes_what_a_trade_page_says(what: str, page: str, expected: TradePage) -> None:
    """Whichever side it stands on, in the script and in the title; and afterwards it is known, to be cut out of Steam's texts."""
    for name in NAMES:
        written = json.dumps(name).replace("/", "\\/")
        title = f"<html><head><title>Trade offer with {html.escape(name)}</title></head>\n<body><script>\n"
        yours = f"var g_strYourPersonaName = {written};\n"
        client, _ = _client(Response(200, {}, f"{title}{yours}{page.replace('{}', written)}</script></body></html>".encode()))
        assert asyncio.run(client.trade_page(LINK)) == expected, name
        assert client._names_of(LINK.steamid64) == ((name,) if "{}" in page else ())
        assert client._names_of("76561197960265729") == ()


# -- messages ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
@example("")
@example("ä" * 128)
@example("😀" * 40)
@example("x" * 117 + "😀")
@example("x" * 118 + "ä")
@example("x" * 200)
def test_a_message_and_our_tag_fit_what_steam_takes(message: str) -> None:
    """Cut between characters, the tag whole and last, and nothing of the message is lost that would have fitted."""
    tag = tag_of("019ce6a3-7d00-71ac-860a-694a5c5417f0")
    try:
        message.encode()
    except UnicodeEncodeError:
        return
    sent = offer_message(message, tag)
    assert len(sent.encode()) <= OFFER_MESSAGE_BYTES_MAX
    assert sent.endswith(tag)
    kept = sent.removesuffix(tag).strip()
    assert message.strip().startswith(kept)
    if len(kept) < len(message.strip()):
        following = message[message.index(kept) + len(kept) :].lstrip()[:1]
        assert len(f"{message[: message.rindex(following) + 1]} {tag}".encode()) > OFFER_MESSAGE_BYTES_MAX or following.isspace()


# -- stories -----------------------------------------------------------------------------------------------------------

STORIES = [
    # the seller's name                             Steam's number, its text                                                           the sale ends as
    ("Your account is currently",                   15, "{} is not available to trade. More information will be shown to {} if they invite you to trade.", "cancelled"),
    ("You have logged in from a new device",        15, "You cannot trade with {} because they have a trade ban.",                     "cancelled"),
    ("x because they have a trade ban",             34, "You cannot trade with {}.",                                                   "completed"),
    ("a",                                           20, "We were unable to contact the game's item server.",                           "completed"),
    ("(26)",                                        16, "{} could not be reached",                                                     "completed"),
]  # fmt: skip


# His name unknown, nothing tells his words from Steam's reason: only his own sale is concerned.
_SEEN = [(page, *row) for row in STORIES for page in ("seen", "not seen") if page == "seen" or "because" not in row[0]]


@pytest.mark.parametrize(("page", "name", "number", "text", "ending"), _SEEN, ids=[f"{row[1]}, page {row[0]}" for row in _SEEN])
def test_a_sellers_name_never_stops_the_bot(tmp_path: Path, page: str, name: str, number: int, text: str, ending: str) -> None:
    """Steam refuses the first offer to him and names him. What becomes of his sale Steam's words decide; the bot goes on selling."""

    async def story(market: LittleMarket) -> None:
        hostile = market.steam.world.add_account("hostile", "seller", name)
        worker = market.worker()
        if page == "seen":
            market.fault("hold_unknown")
        market.fault("send_error", seller=hostile.steamid64, eresult=number, text=text.replace("{}", name), times=1)
        trade_id = market.open_trade("named", TF2, seller=hostile)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing" or len(market.history(trade_id)) > 3)
        market.wait_at_least_seconds = lambda: 5.0
        await market.run(worker, lambda: market.trade(trade_id).status == ending)
        assert (market.bot_state(), market.alerts()) == ("ok", [])
        other = market.open_trade("another seller's", TF2)
        await market.run(worker, lambda: market.trade(other).status == "completed")

    in_market(tmp_path, story)


@pytest.mark.parametrize("message", ["ä" * 64, "😀" * 32, "x" * 128, f"see {'#0badcafe'}", "#order 20261126", ""])
def test_a_lost_offer_is_found_whatever_message_it_carries(tmp_path: Path, message: str) -> None:
    """Steam drops a message that is too long, and our tag with it: then nobody finds the offer again."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("send_created_then_reset", times=1)
        trade_id = market.open_trade("lost", TF2, message=message)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None)
        (offer,) = market.offers()
        assert market.trade(trade_id).offer_id == offer.tradeofferid
        assert offer.message.endswith(market.trade(trade_id).tag)
        assert message.startswith(offer.message.removesuffix(market.trade(trade_id).tag).strip())

    in_market(tmp_path, story)


def _from_partner(market: LittleMarket, assetid: str, tag: str) -> OfferRecord:
    """The seller's own offer: exactly the items of the sale, for nothing, under our tag."""
    world, bot = market.steam.world, market.bot_account
    offer = world.create_offer(market.seller, bot, bot.trade_token, [(TF2, "2", assetid)], [], f"as agreed {tag}")
    world.set_state(offer, 2)
    return offer


def test_a_tag_of_ours_in_an_offer_that_a_partner_wrote_is_not_believed(tmp_path: Path) -> None:
    """While we look for a lost offer, its seller sends one with its tag. It is declined like any other, and is not the sale's."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("send_reset", times=1)
        assets = market.give(market.seller, TF2)
        trade_id = market.open_trade("lost", TF2, assets=assets)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
        copy = _from_partner(market, assets[0], market.trade(trade_id).tag)
        await market.run(worker, lambda: copy.state != 2)
        assert (copy.state, market.trade(trade_id).offer_id) == (7, None)
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None)
        assert market.trade(trade_id).offer_id != copy.tradeofferid
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert market.alerts() == []

    in_market(tmp_path, story)


def test_the_tag_of_another_sale_in_a_message_leads_nowhere(tmp_path: Path) -> None:
    """A shop writes another sale's tag into its message. That one's send made no offer: the other's lost offer is not taken for it."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("send_reset", times=1)
        first = market.open_trade("first", TF2)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(first).stage is Stage.RECONCILE)
        market.fault("send_created_then_reset", times=1)
        second = market.open_trade("second", TF2, message=f"like {market.trade(first).tag}")
        await market.run(worker, lambda: all(market.trade(one).offer_id is not None for one in (first, second)))
        by_id = {offer.tradeofferid: offer for offer in market.offers()}
        for trade_id in (first, second):
            trade = market.trade(trade_id)
            ((_, _, _, _, assetid, *_),) = market.desk.store.fetch("items_of_trade", trade_id=trade_id)
            assert [given.assetid for given in by_id[str(trade.offer_id)].receive] == [assetid]
        await market.pass_time(worker, 5 * MINUTE)
        assert ([offer.state for offer in market.offers()], market.alerts()) == ([2, 2], [])

    in_market(tmp_path, story)
