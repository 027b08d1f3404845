"""The switches: Steam's moods, thrown on purpose. They don't survive a restart."""

from typing import Any

import msgspec

FAULTS: dict[str, str] = {
    "send_created_then_reset": "A send creates the offer, then the connection drops without an answer.",
    "send_created_then_500": "A send creates the offer, then answers 500 without strError.",
    "send_reset": "A send drops the connection; no offer is created.",
    "send_500": "A send answers 500 without strError; no offer is created.",
    "send_error": "A send answers HTTP 500 with the strError text of `eresult`; no offer is created.",
    "poll_500": "GetTradeOffers answers 500.",
    "poll_empty": "GetTradeOffers answers 200 with no offers at all.",
    "poll_malformed": "GetTradeOffers lacks fields that every real answer has.",
    "poll_late": "GetTradeOffers shows an offer only `seconds` after it was created.",
    "state_flaps": "GetTradeOffers shows an accepted offer active once more.",
    "trade_status_empty": "GetTradeStatus has no entry yet.",
    "session_expired": "401, 403 and login redirects until the bot logs in or refreshes, or `times` is used up.",
    "rate_limited": "Every call answers 429.",
    "header_filter": "Calls without Accept-Language answer 429 for ever, as Steam does since July 2026.",
    "maintenance": "Every call answers 503 with an HTML page.",
    "slow": "Every answer takes `seconds`.",
    "hold": "This seller's items go into a 15-day trade hold (offer state 11).",
}


class FaultRequest(msgspec.Struct):
    fault: str
    times: int | None = None
    for_seconds: float | None = None
    seconds: float | None = None
    bot: str | None = None
    seller: str | None = None
    eresult: int | None = None


class ActiveFault:
    def __init__(self, request: FaultRequest, now_us: int) -> None:
        self.request = request
        self.times_left = request.times
        self.until_us = None if request.for_seconds is None else now_us + int(request.for_seconds * 1_000_000)
        self.over_for: set[str] = set()
        """Bots that logged in since (session_expired)."""

    def concerns(self, bot: str | None, seller: str | None, now_us: int) -> bool:
        request = self.request
        alive = (self.times_left is None or self.times_left > 0) and (self.until_us is None or now_us < self.until_us)
        for_bot = request.bot is None or request.bot == bot
        for_seller = request.seller is None or request.seller == seller
        return alive and for_bot and for_seller and bot not in self.over_for


class Faults:
    """What is switched on, newest last. `hit` asks and uses up, `is_on` only asks."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []

    def switch_on(self, request: FaultRequest, now_us: int) -> None:
        self._active.append(ActiveFault(request, now_us))

    def switch_off(self, fault: str | None) -> int:
        before = len(self._active)
        self._active = [] if fault is None else [active for active in self._active if active.request.fault != fault]
        return before - len(self._active)

    def is_on(self, fault: str, now_us: int, bot: str | None = None, seller: str | None = None) -> FaultRequest | None:
        for active in self._active:
            if active.request.fault == fault and active.concerns(bot, seller, now_us):
                return active.request
        return None

    def hit(self, fault: str, now_us: int, bot: str | None = None, seller: str | None = None) -> FaultRequest | None:
        for active in self._active:
            if active.request.fault == fault and active.concerns(bot, seller, now_us):
                if active.times_left is not None:
                    active.times_left -= 1
                return active.request
        return None

    def logged_in(self, bot: str) -> None:
        for active in self._active:
            if active.request.fault == "session_expired" and active.request.times is None:
                active.over_for.add(bot)

    def listing(self, now_us: int) -> dict[str, Any]:
        active = [
            {**{k: v for k, v in msgspec.to_builtins(a.request).items() if v is not None}, "times_left": a.times_left}
            for a in self._active
            if (a.times_left is None or a.times_left > 0) and (a.until_us is None or now_us < a.until_us)
        ]
        return {"faults": [{"fault": name, "does": text} for name, text in FAULTS.items()], "active": active}
