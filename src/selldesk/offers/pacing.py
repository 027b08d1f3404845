"""When an offer is looked at again, and when someone is told that Steam keeps silent. Pure."""

from selldesk.kernel.times import HOUR_US, MINUTE_US
from selldesk.offers.life import OfferLife
from selldesk.offers.outcomes import Heard, Outcome, ended
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage


def retry(life: OfferLife, now: int, rules: Rules) -> None:
    life.due_at = now + rules.retry_after_us(life.attempts)
    life.attempts += 1


def retry_if_due(life: OfferLife, now: int, rules: Rules) -> None:
    if life.due_at is None or life.due_at <= now:
        retry(life, now, rules)


def retry_rarely(life: OfferLife, now: int, rules: Rules) -> None:
    """What Steam says won't change soon: the longest back-off."""
    life.attempts = max(life.attempts, 6)
    retry(life, now, rules)


def wait_for_hold(life: OfferLife, now: int) -> None:
    """The offer's polls tell how the hold ends; at its end, and every hour if that is unknown, the trade itself is asked."""
    ends_at = life.expires_at if life.expires_at is not None and life.expires_at > now else now + HOUR_US
    life.due_at = ends_at if life.cancel_by is None else now + MINUTE_US


def alert_if_late(life: OfferLife, now: int, rules: Rules, heard: Heard) -> None:
    if life.exchanged_at is not None and now >= life.exchanged_at + rules.alert_after_us:
        minutes = (now - life.exchanged_at) // MINUTE_US
        heard.alerts.append(
            ("exchange_unconfirmed", f"Steam has shown the offer accepted for {minutes} minutes, but not the trade")
        )


def may_end(life: OfferLife, looked_at: int | None) -> bool:
    """The gate of all endings: nothing with a doubted send ends before a last look at the bot's history and its complete list of offers,
    which began at `looked_at`, after the send, and showed nothing of it (R5: no ending without Steam's last word)."""
    if not life.is_doubted:
        return True
    moments = [moment for moment in (life.send_started_at, life.unknown_since) if moment is not None]
    return looked_at is not None and life.stage is not Stage.SENDING and looked_at >= max(moments, default=0)


def end_after_look(life: OfferLife, outcome: Outcome, text: str, looked_at: int | None, now: int, rules: Rules) -> Heard:
    """The ending, or nothing yet: the bot looks first and says the same again."""
    if may_end(life, looked_at):
        return ended(outcome, text)
    retry(life, now, rules)
    return Heard()
