"""One process's view of the market: book, catalog, people and rooms in memory, following the feed in commit order.

It may be milliseconds behind. It proposes; the desk decides on rows.
"""

import logging
from collections import Counter
from collections.abc import Callable

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM, Book, Line, Match
from selldesk.book.quotes import Quote, QuoteSigner
from selldesk.bots.rooms import room_of
from selldesk.catalog.games import GAMES
from selldesk.catalog.names import Catalog
from selldesk.desk.commands import Feed
from selldesk.desk.desk import FEED_DECODER
from selldesk.people.person import Person
from selldesk.store.store import Reader, Row

logger = logging.getLogger(__name__)

Listener = Callable[[Feed], None]
_FEED_PAGE = 1_000
"""What one reading of the feed table answers at most."""


class MarketView:
    """Built from the store at start, then fed. Not for several threads."""

    def __init__(self, reader: Reader, signer: QuoteSigner, new_book: Callable[[], Book] = EngineBook) -> None:
        self._reader = reader
        self._signer = signer
        self._new_book = new_book
        self.seq = -1
        self.stamp = 0
        """Of the batch `seq`; 0: not known."""
        self.is_astray = False
        """The store's history is not the one that was followed here: nothing more is taken in until all is read anew."""
        self.catalog = Catalog()
        self.book: Book = new_book()
        self.people: dict[int, Person] = {}
        self._buyers_by_steamid64: dict[str, int] = {}
        self.listeners: list[Listener] = []
        self.reload_listeners: list[Callable[[], None]] = []
        """Called when batches were skipped: whoever remembers anything must forget it."""

    # -- following -----------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Reads everything anew, from one moment of the store."""
        reader = self._reader
        with reader.snapshot():
            self.seq, stamp = reader.fetch("current_batch")[0]
            self.stamp, self.is_astray = stamp or 0, False
            self.catalog = Catalog()
            self.catalog.add((row[0], row[1], row[2]) for row in reader.stream("all_items"))
            self.people = {}
            self._buyers_by_steamid64 = {}
            for row in reader.stream("all_people"):
                self._put_person(Person(*row))
            book = self._new_book()
            for account, balance in reader.stream("all_funds"):
                book.set_funds(account // 4, balance)
            for item, buyer, price, remaining in reader.stream("all_live_orders"):
                book.put_order(item, buyer, price, remaining)
            self.book = book
            self._reload_candidates()

    def has_lost(self, found: int, stamp: int | None) -> bool:
        """Whether the store, whose newest batch is this one, no longer holds what was followed here."""
        is_other = found == self.seq and bool(stamp and self.stamp) and stamp != self.stamp
        return self.is_astray or found < self.seq or is_other

    def apply(self, feed: Feed) -> None:
        """One batch, in seq order. What was applied already is passed over; what is missing in between is read from the store."""
        if feed.seq <= self.seq:
            return
        if feed.seq > self.seq + 1:
            self.catch_up()
            if feed.seq <= self.seq:
                return
        self._apply(feed)

    def catch_up(self) -> None:
        """Reads the batches of others from the feed table."""
        while self.take(self.seq, self._reader.fetch("feed_after", seq=self.seq)):
            pass

    def take(self, after: int, rows: list[Row]) -> bool:
        """Applies what the feed table holds after that number; whether it may hold more. Too far behind: reads the book anew."""
        if rows and rows[0][0] != after + 1:
            logger.warning("the view fell behind the kept feed; reading the book anew")
            self.load()
            for forget in self.reload_listeners:
                forget()
            return False
        for seq, body in rows:
            if seq > self.seq:
                self._apply(FEED_DECODER.decode(body))
        return len(rows) == _FEED_PAGE and not self.is_astray

    def _apply(self, feed: Feed) -> None:
        if self.stamp and feed.after not in (0, self.stamp):
            self.is_astray = True
        if self.is_astray:
            return
        self.seq, self.stamp = feed.seq, feed.stamp
        for item, buyer, price, remaining in feed.orders:
            self.book.put_order(item, buyer, price, remaining)
        for person, available in feed.funds:
            self.book.set_funds(person, available)
        if feed.items:
            self.catalog.add(feed.items)
        for row in feed.people:
            self._put_person(Person(*row))
        if feed.people or feed.rooms:
            self._reload_candidates()
        for listener in self.listeners:
            listener(feed)

    def _put_person(self, person: Person) -> None:
        before = self.people.get(person.number)
        if before is not None and before.steamid64 is not None:
            self._buyers_by_steamid64.pop(before.steamid64, None)
        self.people[person.number] = person
        if person.steamid64 is not None:
            self._buyers_by_steamid64[person.steamid64] = person.number

    def _reload_candidates(self) -> None:
        rooms = [room_of(row) for row in self._reader.fetch("load_rooms")]
        able = [person.number for person in self.people.values() if person.may_buy]
        for game in GAMES:
            admitted = {buyer for buyer in able if any(room.admits_buyer(game, buyer) for room in rooms)}
            self.book.set_candidates(game, admitted)

    # -- asking --------------------------------------------------------------------------------------------------------

    def buyer_number(self, steamid64: str) -> int | None:
        """The person behind a `buyer_id`; None for an unknown one, whatever his state (the desk judges that)."""
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
