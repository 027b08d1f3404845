"""The switches: Steam's moods, thrown on purpose. They don't survive a restart."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

FAULTS: dict[str, str] = {
    # Sending (protocol §6, §9 no. 1–4).
    "send_created_then_reset": "A send creates the offer, then the connection drops without an answer.",
    "send_created_then_500": "A send creates the offer, then answers 500 without strError.",
    "send_created_then_502": "A send creates the offer, then answers 502 with an HTML page.",
    "send_created_then_error": "A send creates the offer, then answers the strError text of `eresult` (16 if not given).",
    "send_reset": "A send drops the connection; no offer is created.",
    "send_500": "A send answers 500 without strError; no offer is created.",
    "send_502": "A send answers 502 with an HTML page; no offer is created.",
    "send_error": "A send answers HTTP 500 with the strError text of `eresult`, or with `text` before it; no offer is created.",
    "send_answers_late": "A send creates the offer at once and answers only after `seconds` of the machine's time.",
    "send_needs_confirmation": "A send's offer needs the sender's own confirmation first (state 9), though it gives nothing.",
    "acknowledge_forgotten": "Steam wants the trade-protection notice acknowledged again before a send.",
    "item_server_down": "Sends of `game` answer that its item server can't be reached (20).",
    "give_refused": "A send that gives items answers the strError text of `eresult` (15 if not given), or with `text` before it; no offer is created.",
    "own_escrow": "Steam would hold what this account gives for 15 days, as it does with a young authenticator.",
    "inventory_full": "Sends of `game` answer that the sender's inventory holds the maximum number of items (15).",
    # Lists and single offers (§9 no. 6–9, 31).
    "poll_500": "GetTradeOffers answers 500.",
    "poll_empty": "GetTradeOffers answers 200 with no offers at all.",
    "poll_malformed": "GetTradeOffers lacks fields that every real answer has.",
    "poll_late": "GetTradeOffers shows an offer only `seconds` after it was created.",
    "poll_backdated": "GetTradeOffers dates every update half an hour back.",
    "poll_pages": "GetTradeOffers answers one offer a page, with next_cursor.",
    "poll_hides": "GetTradeOffers leaves out offers that are no longer open; GetTradeOffer shows them.",
    "poll_no_items": "GetTradeOffers shows offers without their items.",
    "poll_eresult_2": "GetTradeOffers answers with x-eresult 2 and a whole body, which counts as success.",
    "state_flaps": "GetTradeOffers shows an accepted offer active once more.",
    "unknown_state": "Active offers are shown in a state that nobody knows yet (99).",
    "offer_without_tradeid": "Accepted offers are shown without their tradeid.",
    "escrow_end_zero": "Held offers are shown with an escrow_end_date of 0.",
    # Exchanges (§9 no. 9–16).
    "trade_status_empty": "GetTradeStatus has no entry yet.",
    "trade_status_pending": "GetTradeStatus shows an exchange in `status` (1 if not given) instead of 3.",
    "trade_status_shows": "GetTradeStatus shows `status`, whatever happened (4–9: support's rollbacks; 99: unknown).",
    "exchange_no_assets": "GetTradeStatus and GetTradeHistory show trades without their assets.",
    "exchange_other_items": "GetTradeStatus shows other items than were offered: every classid differs.",
    "exchange_loses_items": "GetTradeStatus shows an exchange without the first of its items.",
    "no_new_assetid": "GetTradeStatus and GetTradeHistory name no new_assetid.",
    "history_500": "GetTradeHistory answers 500.",
    "history_empty": "GetTradeHistory answers 200 with no trades.",
    "reversal_on_offer": "Reversed offers are shown in state 12 instead of 3.",
    "reversal_unsaid": "A reversed exchange stays complete (3); only the counter-exchange in the history names it (rollback_trade).",
    "reversal_bans": "Whoever reverses is banned from trading for 30 days, as at Steam.",
    "reversal_new_assetid": "A reversal gives the items back under new asset ids, as before May 2026.",
    "protection_new_assetid": "Items get a new asset id when their protection ends.",
    # Cancelling and confirming (§9 no. 18–22).
    "cancel_500": "A cancel is carried out, then answers 500.",
    "cancel_ignored": "A cancel answers as if it had been carried out; the offer stays.",
    "cancel_refused": "A cancel answers 200 with `success`: `eresult` (11 if not given), and does nothing.",
    "cancel_loses_race": "The recipient accepts in the moment of the cancel, which answers 11.",
    "accept_error": "Accepting answers the strError text of `eresult` (28 if not given); nothing is accepted.",
    "phone_empty": "The list of mobile confirmations is empty.",
    "phone_fails": "A mobile confirmation answers success: false; nothing is confirmed.",
    # The seller's side (§5.5, §9 no. 12, 26–28).
    "hold": "This seller's items go into a 15-day trade hold (offer state 11).",
    "hold_rolls_back": "A trade hold ends without an exchange (trade status 11).",
    "hold_unknown": "GetTradeHoldDurations answers AccessDenied; the trade page still tells.",
    "own_inventory_500": "The page of one's own inventory answers 500.",
    "own_inventory_empty": "The page of one's own inventory shows nothing.",
    "inventory_private": "This seller's inventory is private: 403 with the body null.",
    "inventory_500": "partnerinventory answers 500.",
    "inventory_no_descriptions": "This seller's items are shown without their descriptions.",
    "inventory_locked": "This seller's items are shown as not tradable.",
    # Sessions (§7, §9 no. 23, 32).
    "session_expired": "401, 403 and login redirects until the bot logs in or refreshes, or `times` is used up.",
    "login_refused": "BeginAuthSessionViaCredentials answers `eresult` (5, wrong password, if not given).",
    "login_without_access": "A login gives a refresh token and no access token, as in September 2023.",
    "rsa_stale": "The password was encrypted for an RSA key that is no longer in use (eresult 5).",
    "renew_refused": "GenerateAccessTokenForApp answers `eresult` (15 if not given).",
    "clock_skew": "Steam's time, as QueryTime tells it and guard codes need it, is `seconds` ahead.",
    # Traffic (§7, §9 no. 24, 30).
    "rate_limited": "Every call answers 429.",
    "buckets": "Calls beyond Steam's measured limits answer 429 with x-eresult 84.",
    "header_filter": "Calls without Accept-Language answer 429 for ever, as Steam does since July 2026.",
    "user_agent_filter": "Mobile confirmations without an okhttp user agent answer 429 for ever.",
    "address_blocked": "Every call answers 403, as for an address that Steam has blocked.",
    "maintenance": "Every call answers 503 with an HTML page.",
    "slow": "Every answer takes `seconds`.",
}


NOBODYS = frozenset({"clock_skew"})
"""Switches that can't be for one account: nobody says who they are when they ask for the time."""
WITHOUT_PARTNER = frozenset(
    {
        "login_refused",
        "login_without_access",
        "rsa_stale",
        "renew_refused",
        "session_expired",
        "rate_limited",
        "buckets",
        "header_filter",
    }
    | {"user_agent_filter", "address_blocked", "maintenance", "slow", "phone_empty", "phone_fails"}
)
"""Switches that strike a call before it is known whom or what it is about: they take no `seller` and no `game`."""
_YEAR_SECONDS = 31_536_000


class FaultRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One switch. `bot`: the account that calls; `seller`: the partner it is about; None: everybody."""

    fault: str
    times: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    for_seconds: Annotated[float, Meta(gt=0, le=_YEAR_SECONDS)] | None = None
    seconds: Annotated[float, Meta(ge=-_YEAR_SECONDS, le=_YEAR_SECONDS)] | None = None
    bot: str | None = None
    seller: str | None = None
    eresult: int | None = None
    game: int | None = None
    status: int | None = None
    text: str | None = None


class ActiveFault:
    def __init__(self, request: FaultRequest, now_us: int) -> None:
        self.request = request
        self.times_left = request.times
        self.until_us = None if request.for_seconds is None else now_us + int(request.for_seconds * 1_000_000)
        self.over_for: set[str] = set()
        """Bots that logged in since (session_expired)."""

    def is_over(self, now_us: int) -> bool:
        return (self.times_left is not None and self.times_left <= 0) or (self.until_us is not None and now_us >= self.until_us)

    def concerns(self, now_us: int, bot: str | None, seller: str | None, game: int | None) -> bool:
        request = self.request
        for_bot = request.bot is None or request.bot == bot
        for_seller = request.seller is None or request.seller == seller
        for_game = request.game is None or request.game == game
        return not self.is_over(now_us) and for_bot and for_seller and for_game and bot not in self.over_for


class Moods:
    """The switches that strike one call. Each counts once a call, however many offers or trades of the answer it touches."""

    def __init__(self, faults: "Faults", now_us: int, bot: str) -> None:
        self._faults = faults
        self._now_us = now_us
        self._bot = bot
        self._struck: dict[str, ActiveFault] = {}
        self._names = faults.names_on(now_us)
        """Of those switches that might strike: most calls of `on` end here, and an answer may ask for every offer of a long life."""

    def may_strike(self, fault: str) -> bool:
        """Whether it is on for anybody: whoever would ask for many offers asks this first."""
        return fault in self._names

    def on(self, fault: str, partner: str | None = None, game: int | None = None) -> FaultRequest | None:
        """Whether it strikes what is with this partner and of this game; None: the call as a whole."""
        if fault not in self._names:
            return None
        active = self._faults.find(fault, self._now_us, self._bot, partner, game)
        if active is None:
            return None
        self._struck[fault] = active
        return active.request

    def settle(self) -> None:
        """The call is answered: what struck is used up."""
        for fault, active in self._struck.items():
            self._faults.use(fault, active)


class Faults:
    """What is switched on, newest last. `hit` asks and uses up, `is_on` only asks."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []
        self.hits: dict[str, int] = {}
        """How often each switch struck."""

    def switch_on(self, request: FaultRequest, now_us: int) -> None:
        # Everything that is listed asks for each of them: those that are over would slow a long life.
        self._active = [active for active in self._active if not active.is_over(now_us)]
        self._active.append(ActiveFault(request, now_us))

    def switch_off(self, fault: str | None) -> int:
        before = len(self._active)
        self._active = [] if fault is None else [active for active in self._active if active.request.fault != fault]
        return before - len(self._active)

    def names_on(self, now_us: int) -> set[str]:
        """The switches that are on for somebody."""
        return {active.request.fault for active in self._active if not active.is_over(now_us)}

    def find(self, fault: str, now_us: int, bot: str | None, seller: str | None, game: int | None) -> ActiveFault | None:
        for active in self._active:
            if active.request.fault == fault and active.concerns(now_us, bot, seller, game):
                return active
        return None

    def is_on(
        self, fault: str, now_us: int, bot: str | None = None, seller: str | None = None, game: int | None = None
    ) -> FaultRequest | None:
        active = self.find(fault, now_us, bot, seller, game)
        return active.request if active is not None else None

    def use(self, fault: str, active: ActiveFault) -> None:
        """It struck once."""
        self.hits[fault] = self.hits.get(fault, 0) + 1
        if active.times_left is not None:
            active.times_left -= 1

    def hit(
        self, fault: str, now_us: int, bot: str | None = None, seller: str | None = None, game: int | None = None
    ) -> FaultRequest | None:
        active = self.find(fault, now_us, bot, seller, game)
        if active is None:
            return None
        self.use(fault, active)
        return active.request

    def logged_in(self, bot: str) -> None:
        for active in self._active:
            if active.request.fault == "session_expired" and active.request.times is None:
                active.over_for.add(bot)

    def listing(self, now_us: int) -> dict[str, Any]:
        active = [
            {**{k: v for k, v in msgspec.to_builtins(a.request).items() if v is not None}, "times_left": a.times_left}
            for a in self._active
            if not a.is_over(now_us)
        ]
        faults = [{"fault": name, "does": text, "struck": self.hits.get(name, 0)} for name, text in FAULTS.items()]
        return {"faults": faults, "active": active}
