"""The times that govern a sale. All are settings; the defaults are the contract's."""

import msgspec

from selldesk.kernel.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US


class Rules(msgspec.Struct, frozen=True):
    """Durations in microseconds."""

    offer_out_within_us: int = 15 * MINUTE_US
    """From create to an offer that is out; later it is `declined` (R5)."""
    offer_open_for_us: int = 15 * MINUTE_US
    """From Steam's time_created until we cancel the offer (R5)."""
    settlement_margin_us: int = 15 * MINUTE_US
    """No payment before settlement + this (R5)."""
    dateless_protection_us: int = 8 * DAY_US
    """A CS2 exchange without a settlement date waits this long (R5)."""
    second_reading_after_us: int = 5 * SECOND_US
    """Between two readings that miss an item (R4)."""
    reconcile_polls_min: int = 2
    reconcile_spread_us: int = 60 * SECOND_US
    """The polls that miss an offer must span this much time …"""
    reconcile_last_after_us: int = 5 * MINUTE_US
    """… and the last of them must begin this long after the send (protocol §9 no. 1)."""
    confirm_first_us: int = 5 * SECOND_US
    """Between tries to confirm an offer of ours on the bot's phone: 5, 10, 15, 20 seconds (protocol §9 no. 22)."""
    confirm_within_us: int = 3 * MINUTE_US
    """An offer that is still unconfirmed so long after its send is cancelled."""
    game_pause_us: int = 60 * SECOND_US
    """A game whose item server is down rests this long before the next try (protocol §6)."""
    bot_full_us: int = 60 * MINUTE_US
    """A bot whose inventory of a game is full is left out for that game this long."""
    quarantine_us: int = 7 * DAY_US
    """A bot that Steam restricts (24, new device) sends nothing this long."""
    retry_first_us: int = 1 * SECOND_US
    retry_max_us: int = 60 * SECOND_US
    alert_after_us: int = 10 * MINUTE_US
    """Accepted, but Steam shows no trade for so long: someone should look (protocol §9 no. 9)."""

    restricted_us: int = 60 * MINUTE_US
    """A bot that Steam refuses with everybody (34) tries again after so long."""
    overdue_default_us: int = 10 * MINUTE_US
    """A stage that should have been over for so long opens an alert (promise I11) …"""
    overdue_us: dict[str, int] = {}
    """… or for so long, by stage."""

    delivery_out_within_us: int = HOUR_US
    """The first two of these for deliveries: from create to an offer that is out …"""
    delivery_open_for_us: int = HOUR_US
    """… and from then until we cancel it (people P4)."""
    delivery_offers_per_bot: int = 10
    """So many of a bot's live offers are deliveries at most."""

    @property
    def of_deliveries(self) -> "Rules":
        return msgspec.structs.replace(
            self, offer_out_within_us=self.delivery_out_within_us, offer_open_for_us=self.delivery_open_for_us
        )

    def confirm_after_us(self, attempts: int) -> int:
        return self.confirm_first_us * min(4, attempts + 1)

    def retry_after_us(self, attempts: int) -> int:
        """Exponential back-off: 1, 2, 4 … seconds, bounded."""
        return min(self.retry_max_us, self.retry_first_us << min(attempts, 20))
