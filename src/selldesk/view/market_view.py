"""One process's view of the market: book, catalog, people and rooms in memory, following the feed in commit order.

It may be milliseconds behind. It proposes; the desk decides on rows.
"""

import logging
from collections import Counter
from collections.abc import Callable

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM, Book, Line, Match
from selldesk.book.quotes import Quote, QuoteSigner
from selldesk.bots.rooms import Room, room_of
from selldesk.catalog.games import GAMES
from selldesk.catalog.names import Catalog
from selldesk.desk.commands import Feed
from selldesk.desk.desk import FEED_DECODER
from selldesk.ledger import accounts
from selldesk.people.person import Person
from selldesk.store.rows import FeedRow
from selldesk.store.store import Reader

logger = logging.getLogger(__name__)

Listener = Callable[[Feed], None]
_FEED_PAGE = 1_000
"""What one reading of the feed table answers at most."""
_EARLY_MAX = 10_000


def _set_candidates(book: Book, people: dict[int, Person], rooms: list[Room]) -> None:
    """Who may be matched with (R2): active, unfrozen buyers whom some enabled room admits."""
    able = [person.number for person in people.values() if person.may_buy]
    for game in GAMES:
        book.set_candidates(game, {buyer for buyer in able if any(room.admits_buyer(game, buyer) for room in rooms)})


class State:
    """Everything that a view holds, as it was at one moment of the store: built whole, then taken as a whole."""

    def __init__(self, reader: Reader, book: Book) -> None:
        with reader.snapshot():
            self.seq, stamp = reader.fetch("current_batch")[0]
            self.stamp = stamp or 0
            self.catalog = Catalog()
            self.catalog.add((number, game, name) for number, game, name in reader.stream("all_items"))
            self.people = {person.number: person for person in (Person(*row) for row in reader.stream("all_people"))}
            self.rooms = [room_of(row) for row in reader.fetch("load_rooms")]
            self.book = book
            for account, balance in reader.stream("all_funds"):
                book.set_funds(accounts.owner_of(account), balance)
            for item, buyer, price, remaining in reader.stream("all_live_orders"):
                book.put_order(item, buyer, price, remaining)
        _set_candidates(book, self.people, self.rooms)


class MarketView:
    """Built from the store at start, then fed. Not for several threads.

    Following is transactional: a batch is taken whole, with its number behind it, or not at all; whatever goes wrong on the way, all is
    read anew (`needs_reload`), and whoever remembers anything forgets it. Feeding never asks the store.
    """

    def __init__(self, reader: Reader, signer: QuoteSigner, new_book: Callable[[], Book] = EngineBook) -> None:
        self._reader = reader
        self._signer = signer
        self._new_book = new_book
        self.seq = -1
        self.stamp = 0
        """Of the batch `seq`; 0: not known."""
        self.is_astray = False
        """The store's history is not the one that was followed here: nothing more is taken in until all is read anew."""
        self.needs_reload = False
        """Something went wrong, or a batch of an older version did not say what it changed: nothing more is taken in until then."""
        self.catalog = Catalog()
        self.book: Book = new_book()
        self.people: dict[int, Person] = {}
        self.rooms: list[Room] = []
        self._buyers_by_steamid64: dict[str, int] = {}
        self._early: dict[int, Feed] = {}
        """Batches that came before an older one of somebody else's was read."""
        self.listeners: list[Listener] = []
        self.reload_listeners: list[Callable[[], None]] = []
        """Called when batches were skipped: whoever remembers anything must forget it."""

    # -- following -----------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Reads everything anew, in line."""
        self.adopt(self.read(self._reader))

    def read(self, reader: Reader) -> State:
        """Everything, from one moment of the store. Changes nothing here: may run in another thread."""
        return State(reader, self._new_book())

    def adopt(self, state: State) -> None:
        """From now on the market is as it was then."""
        self.catalog, self.book, self.people, self.rooms = state.catalog, state.book, state.people, state.rooms
        self._buyers_by_steamid64 = {
            person.steamid64: person.number for person in state.people.values() if person.steamid64 is not None
        }
        self.seq, self.stamp = state.seq, state.stamp
        self.is_astray = self.needs_reload = False
        self._early.clear()
        for forget in self.reload_listeners:
            forget()

    @property
    def has_early(self) -> bool:
        """Batches wait for what is missing before them."""
        return bool(self._early)

    def has_lost(self, found: int, stamp: int | None) -> bool:
        """Whether the store, whose newest batch is this one, no longer holds what was followed here."""
        is_other = found == self.seq and bool(stamp and self.stamp) and stamp != self.stamp
        return self.is_astray or found < self.seq or is_other

    def apply(self, feed: Feed) -> bool:
        """One batch, in seq order; whether it is in. What was applied already is passed over; what comes early waits until somebody has
        read what is missing (`take`)."""
        if feed.seq > self.seq + 1 or self.needs_reload:
            if len(self._early) < _EARLY_MAX:
                self._early[feed.seq] = feed
            return False
        if feed.seq == self.seq + 1:
            self._apply(feed)
            self._apply_early()
        return not self.needs_reload

    def catch_up(self) -> None:
        """Reads the batches of others from the feed table, and everything anew if that is needed, in line."""
        while True:
            if self.needs_reload:
                self.load()
            if not self.take(self.seq, self._reader.fetch_as(FeedRow, "feed_after", seq=self.seq)) and not self.needs_reload:
                return

    def take(self, after: int, rows: list[FeedRow]) -> bool:
        """Applies what the feed table holds after that number; whether it may hold more. Too far behind: wants all to be read anew."""
        if self.needs_reload:
            return False
        if rows and rows[0].seq != after + 1:
            logger.warning("the view fell behind the feed that the store keeps; reading the whole book again")
            self.needs_reload = True
            return False
        for row in rows:
            if row.seq > self.seq:
                self._apply(FEED_DECODER.decode(row.body))
        self._apply_early()
        return len(rows) == _FEED_PAGE and not self.is_astray and not self.needs_reload

    def _apply_early(self) -> None:
        while not self.needs_reload and (feed := self._early.pop(self.seq + 1, None)) is not None:
            self._apply(feed)
        for seq in [seq for seq in self._early if seq <= self.seq]:
            del self._early[seq]

    def _apply(self, feed: Feed) -> None:
        if self.stamp and feed.after not in (0, self.stamp):
            self.is_astray = True
        if self.is_astray or self.needs_reload:
            return
        if feed.rooms and feed.room_list is None:
            # An older version's desk says only that rooms have changed.
            self.needs_reload = True
            return
        try:
            self._take_in(feed)
            for listener in self.listeners:
                listener(feed)
        except Exception:
            logger.exception("batch %d could not be applied; reading everything again", feed.seq)
            self.needs_reload = True
            for forget in self.reload_listeners:
                forget()
            return
        self.seq, self.stamp = feed.seq, feed.stamp

    def _take_in(self, feed: Feed) -> None:
        for item, buyer, price, remaining in feed.orders:
            self.book.put_order(item, buyer, price, remaining)
        for person, available in feed.funds:
            self.book.set_funds(person, available)
        if feed.items:
            self.catalog.add(feed.items)
        for row in feed.people:
            self._put_person(Person(*row))
        if feed.room_list is not None:
            self.rooms = feed.room_list
        if feed.people or feed.rooms:
            _set_candidates(self.book, self.people, self.rooms)

    def _put_person(self, person: Person) -> None:
        before = self.people.get(person.number)
        if before is not None and before.steamid64 is not None:
            self._buyers_by_steamid64.pop(before.steamid64, None)
        self.people[person.number] = person
        if person.steamid64 is not None:
            self._buyers_by_steamid64[person.steamid64] = person.number

    # -- asking --------------------------------------------------------------------------------------------------------

    def buyer_number(self, steamid64: str) -> int | None:
        """The person behind a `buyer_id`; None for an unknown one, whatever their state (the desk judges that)."""
        return self._buyers_by_steamid64.get(steamid64)

    def match(self, project: int, game: int, lines: list[Line]) -> Match | None:
        """The best buyer for the lines (R2); None if nobody pays anything."""
        return self.book.best(game, lines, exclude=project)

    def quote(self, project: int, game: int, match: Match, lines: list[Line], expires_at: int) -> str:
        units: dict[int, int] = {}
        for (item, _), (_, taken) in zip(lines, match.fills, strict=True):
            if taken:
                units[item] = units.get(item, 0) + taken
        return self._signer.sign(Quote(project, game, match.buyer, expires_at, units))

    def payouts(self, project: int, game: int, buyer: int, items: list[int]) -> tuple[int, int]:
        """(what the best candidate pays for exactly these items, what this buyer pays): helps whoever named the wrong one."""
        lines = [(item, 1) for item in items]
        best = self.book.best(game, lines, exclude=project)
        return best.payout if best is not None else 0, self.book.payout(buyer, lines)

    def is_mismatch(self, project: int, game: int, buyer: int | None, items: list[int], quote_id: str | None, now: int) -> bool:
        """R3's `Buyer mismatch`, by this process's book: some other candidate's payout for exactly these items (one unit per
        asset, order prices) is strictly higher than the named buyer's, and no quote covers it."""
        if buyer is None or buyer == project:
            return True
        if quote_id is not None and UNKNOWN_ITEM not in items:
            units = dict(Counter(items))
            if self._signer.covers(quote_id, project, game, buyer, units, now):
                return False
        return self.book.is_outbid(buyer, game, [(item, 1) for item in items], exclude=project)
