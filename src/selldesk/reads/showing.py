"""What views need beside the store: who people are, where pictures are, and the key of trade links."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selldesk.kernel.secretbox import CannotOpen, SecretBox, link_place
from selldesk.people.person import Person
from selldesk.store.store import Reader
from selldesk.trades.trade import Trade
from selldesk.trades.views import SelectedBot

Face = Callable[[int, str, str | None, str | None], SelectedBot]
"""(number, SteamID64, profile name, avatar) → a bot as clients see it."""


@dataclass(frozen=True)
class Showing:
    public_url: str
    """Where clients reach the API: for links and the default avatar of bots."""
    known_people: Callable[[], Mapping[int, Person]]
    """By number, as they are known now."""
    box: SecretBox

    @property
    def people(self) -> Mapping[int, Person]:
        return self.known_people()

    def face(self, number: int, steamid64: str, profile_name: str | None, avatar: str | None) -> SelectedBot:
        """Never its account name (R7)."""
        return SelectedBot(steamid64, avatar or f"{self.public_url}/assets/bot.svg", profile_name or f"Bot #{number}")

    def link(self, trade: Trade) -> str | None:
        """The seller's trade link; None if its seal can't be opened."""
        try:
            return self.box.open_link(trade.tradelink, link_place(trade.id))
        except CannotOpen:
            return None


def people_in(reader: Reader) -> dict[int, Person]:
    """Everybody, for who has no view."""
    return {person.number: person for person in (Person(*row) for row in reader.fetch("all_people"))}
