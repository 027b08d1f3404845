"""The simulated world and its laws: offers, exchanges, trade protection, holds, reversals (protocol §5)."""

import base64
import hashlib
import heapq
import hmac
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from selldesk.steamsim.entities import Account, Behaviour, Counters, Given, Item, OfferRecord, TradeRecord
from selldesk.steamsim.journal import Journal
from selldesk.steamwire.enums import EResult, OfferState, TradeStatus
from selldesk.steamwire.tradelink import STEAMID64_BASE

CS2 = 730
PROTECTED_CONTEXT = "16"
PROTECTION_SECONDS = 7 * 86_400
HOLD_SECONDS = 15 * 86_400
OFFER_LIFE_SECONDS = 14 * 86_400

REVERSAL_BAN_SECONDS = 30 * 86_400
MESSAGE_BYTES_MAX = 128
"""A longer message is dropped whole (protocol §11)."""

Asset = tuple[int, str, str] | tuple[int, str, str, int]
"""(appid, contextid, assetid) or, of a stack, with how many of it."""

T = TypeVar("T", bound=msgspec.Struct)


class Refused(Exception):
    """A send that Steam refuses, with its result number and the detail of the text."""

    def __init__(self, eresult: int, detail: str = "") -> None:
        super().__init__(f"{detail} ({eresult})")
        self.eresult = eresult
        self.detail = detail


class OfferLimits(msgspec.Struct):
    """Steam's limits on open offers (protocol §6). Numbers of 2015 that nobody has restated since: they can be changed."""

    offers: Annotated[int, msgspec.Meta(ge=0)] = 30
    offers_per_partner: Annotated[int, msgspec.Meta(ge=0)] = 5
    items_per_offer: Annotated[int, msgspec.Meta(ge=1)] = 255


class World:
    """Everything the simulator knows. Changes are marked and written by `commit`, before any answer leaves."""

    def __init__(self, path: Path, now_us: Callable[[], int]) -> None:
        self._journal = Journal(path)
        self._now_us = now_us
        self._dirty: dict[tuple[str, str], msgspec.Struct | None] = {}
        self.accounts: dict[str, Account] = {account.steamid64: account for account in self._read("account", Account)}
        self.items: dict[str, Item] = {item.assetid: item for item in self._read("item", Item)}
        self.offers: dict[str, OfferRecord] = {offer.tradeofferid: offer for offer in self._read("offer", OfferRecord)}
        self.trades: dict[str, TradeRecord] = {trade.tradeid: trade for trade in self._read("trade", TradeRecord)}
        counters = self._read("counters", Counters)
        self.counters = counters[0] if counters else Counters()
        self._owned: dict[str, set[str]] = {}
        for item in self.items.values():
            self._owned.setdefault(item.owner, set()).add(item.assetid)
        self._open: set[str] = {offer.tradeofferid for offer in self.offers.values() if offer.state in OPEN}
        self._by_account: dict[str, list[str]] = {}
        for offer in self.offers.values():
            self._index(offer)
        self._protected = [(item.protected_until, item.assetid) for item in self.items.values() if item.protected_until]
        """A heap: whose protection ends first, also of items that have moved on since."""
        heapq.heapify(self._protected)
        self.held_sellers: Callable[[str], bool] = lambda steamid64: False
        """Set by the fault switches: whose items would go into a trade hold."""
        self.hold_strikes: Callable[[OfferRecord], bool] = lambda offer: False
        """Set by the fault switches: whether this acceptance leads into a trade hold."""
        self.mood: Callable[[str, str], bool] = lambda fault, steamid64: False
        """Set by the fault switches: whether a mood of the world's own strikes now, for this account."""
        self.limits = OfferLimits()
        self._trades_of: dict[str, list[str]] = {}
        for trade in self.trades.values():
            self._index_trade(trade)

    def _read(self, kind: str, entity: type[T]) -> list[T]:
        return [msgspec.json.decode(body, type=entity) for _, body in self._journal.read(kind)]

    # -- time and storage ----------------------------------------------------------------------------------------------

    def now_us(self) -> int:
        return self._now_us()

    def now(self) -> int:
        return self._now_us() // 1_000_000

    def commit(self) -> None:
        """Makes all changes durable."""
        if self._dirty:
            changes = [
                (kind, entity_id, None if entity is None else msgspec.json.encode(entity))
                for (kind, entity_id), entity in self._dirty.items()
            ]
            self._journal.write(changes)
            self._dirty = {}

    def close(self) -> None:
        self.commit()
        self._journal.close()

    def touch(self, entity: Account | Item | OfferRecord | TradeRecord) -> None:
        match entity:
            case Account():
                self._dirty["account", entity.steamid64] = entity
            case Item():
                self._dirty["item", entity.assetid] = entity
            case OfferRecord():
                self._dirty["offer", entity.tradeofferid] = entity
            case TradeRecord():
                self._dirty["trade", entity.tradeid] = entity

    def take_id(self, counter: str) -> str:
        number: int = getattr(self.counters, counter)
        setattr(self.counters, counter, number + 1)
        self._dirty["counters", "1"] = self.counters
        return str(number)

    def _index(self, offer: OfferRecord) -> None:
        for steamid64 in (offer.sender, offer.recipient):
            self._by_account.setdefault(steamid64, []).append(offer.tradeofferid)

    # -- accounts and items --------------------------------------------------------------------------------------------

    def account_by_login(self, login: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.login == login), None)

    def account_by_number(self, number: str) -> Account | None:
        """By the `partner` of a trade link."""
        return self.accounts.get(str(STEAMID64_BASE + int(number))) if number.isascii() and number.isdigit() else None

    def name_of_class(self, appid: str, classid: str) -> str | None:
        """What an item class is called: of any item that is or was in the world."""
        for item in self.items.values():
            if (str(item.appid), item.classid) == (appid, classid):
                return item.market_hash_name
        for offer in self.offers.values():
            for given in (*offer.give, *offer.receive):
                if (str(given.appid), given.classid) == (appid, classid):
                    return given.market_hash_name
        return None

    def add_account(self, login: str, role: str, persona: str | None = None, steamid64: str | None = None) -> Account:
        """A new account with secrets that follow from its login, so that a fresh world is always the same one."""
        known = self.account_by_login(login)
        if known is not None:
            return known

        def secret(purpose: str) -> bytes:
            return hmac.digest(b"steam simulator", f"{login}/{purpose}".encode(), "sha1")

        account = Account(
            steamid64=steamid64 or str(STEAMID64_BASE + int(self.take_id("account"))),
            role=role,
            login=login,
            password=secret("password").hex()[:16],
            shared_secret=base64.b64encode(secret("shared")).decode(),
            identity_secret=base64.b64encode(secret("identity")).decode(),
            persona=persona or login,
            trade_token=base64.urlsafe_b64encode(secret("token")).decode()[:8].replace("-", "a").replace("_", "b"),
        )
        self.accounts[account.steamid64] = account
        self.touch(account)
        return account

    def rotate_trade_token(self, account: Account) -> None:
        """A new trade token, which follows from the old one."""
        digest = hashlib.sha256(f"after {account.trade_token}".encode()).digest()
        account.trade_token = base64.urlsafe_b64encode(digest).decode()[:8].replace("-", "a").replace("_", "b")
        self.touch(account)

    def add_item(self, owner: str, appid: int, market_hash_name: str, amount: int = 1) -> Item:
        digest = hashlib.sha1(f"{appid}/{market_hash_name}".encode(), usedforsecurity=False).digest()
        item = Item(
            assetid=self.take_id("asset"),
            owner=owner,
            appid=appid,
            contextid="2",
            classid=str(int.from_bytes(digest[:5], "big") % 9_000_000_000 + 310_000_000),
            instanceid=str(int.from_bytes(digest[5:8], "big")) if appid != CS2 else "188530139",
            market_hash_name=market_hash_name,
            amount=amount,
        )
        self._put(item)
        return item

    def remove_item(self, assetid: str) -> bool:
        item = self.items.pop(assetid, None)
        if item is None:
            return False
        self._owned[item.owner].discard(assetid)
        self._dirty["item", assetid] = None
        self._spoil_offers({assetid})
        return True

    def inventory(self, steamid64: str, appid: int, contextid: str) -> list[Item]:
        self.unprotect()
        found = [self.items[assetid] for assetid in self._owned.get(steamid64, ())]
        shown = [item for item in found if item.appid == appid and item.contextid == contextid and not item.on_hold]
        return sorted(shown, key=lambda item: int(item.assetid))

    def _put(self, item: Item) -> None:
        self.items[item.assetid] = item
        self._owned.setdefault(item.owner, set()).add(item.assetid)
        self.touch(item)

    def _move(
        self, given: Given, owner: str, assetid: str, contextid: str, protected_until: int = 0, on_hold: bool = False
    ) -> None:
        """The item leaves its place and appears under another id in another inventory. Of a stack the rest stays where it is."""
        old = self.items.get(given.assetid)
        if old is not None and old.amount > given.amount and old.assetid != assetid:
            old.amount -= given.amount
            self.touch(old)
        elif old is not None:
            del self.items[given.assetid]
            self._owned[old.owner].discard(old.assetid)
            if old.assetid != assetid:
                self._dirty["item", old.assetid] = None
        rest = self.items.get(assetid)
        if rest is not None:
            # Back to the stack that it was taken from.
            rest.amount += given.amount
            self.touch(rest)
            return
        self._put(
            Item(
                assetid,
                owner,
                given.appid,
                contextid,
                given.classid,
                given.instanceid,
                given.market_hash_name,
                protected_until,
                on_hold,
                given.amount,
            )
        )
        if protected_until:
            heapq.heappush(self._protected, (protected_until, assetid))

    def unprotect(self) -> None:
        """Items whose protection is over move to the ordinary context."""
        now = self.now()
        while self._protected and self._protected[0][0] <= now:
            _, assetid = heapq.heappop(self._protected)
            item = self.items.get(assetid)
            if item is not None and 0 < item.protected_until <= now:
                item.contextid, item.protected_until = "2", 0
                if self.mood("protection_new_assetid", item.owner):
                    self._rename(item)
                self.touch(item)

    def _rename(self, item: Item) -> None:
        """The same item under a new asset id."""
        self._dirty["item", item.assetid] = None
        self.items.pop(item.assetid)
        self._owned[item.owner].discard(item.assetid)
        item.assetid = self.take_id("asset")
        self._put(item)

    # -- offers --------------------------------------------------------------------------------------------------------

    def offers_of(self, steamid64: str) -> list[OfferRecord]:
        return [self.offers[offer_id] for offer_id in self._by_account.get(steamid64, ())]

    def trades_of(self, steamid64: str) -> list[TradeRecord]:
        """Newest first."""
        return [self.trades[tradeid] for tradeid in reversed(self._trades_of.get(steamid64, ())) if tradeid in self.trades]

    def _index_trade(self, trade: TradeRecord) -> None:
        for steamid64 in (trade.initiator, trade.partner):
            self._trades_of.setdefault(steamid64, []).append(trade.tradeid)

    def open_offers(self) -> list[OfferRecord]:
        return [self.offers[offer_id] for offer_id in sorted(self._open, key=int)]

    def create_offer(
        self,
        sender: Account,
        recipient: Account,
        token: str,
        give: Sequence[Asset],
        receive: Sequence[Asset],
        message: str,
        countered: OfferRecord | None = None,
    ) -> OfferRecord:
        """Assets are (appid, contextid, assetid) or, of a stack, with how many of it. `countered`: the received offer that this one answers; it needs no token.
        Raises Refused as Steam does (protocol §6)."""
        self._check_assets([*give, *receive])
        self._check_partners(sender, recipient)
        if len({asset[0] == CS2 for asset in (*give, *receive)}) > 1:
            raise Refused(15, "Trade protected and other items can't be in one trade offer.")
        self.unprotect()
        if countered is not None and (countered.recipient, countered.state) != (sender.steamid64, OfferState.ACTIVE):
            raise Refused(EResult.INVALID_STATE)
        if countered is None and token != recipient.trade_token:
            raise Refused(15, "This Trade URL is no longer valid for sending a trade offer.")
        self._check_limits(sender, recipient, len(give) + len(receive))
        gives = self._named(give, sender.steamid64)
        receives = self._named(receive, recipient.steamid64)
        offer = OfferRecord(
            self.take_id("offer"), sender.steamid64, recipient.steamid64, OfferState.ACTIVE, gives, receives, message if len(message.encode()) <= MESSAGE_BYTES_MAX else "", self.now_us(), self.now()
        )  # fmt: skip
        if gives:
            # What the sender gives, they must confirm on their phone before the recipient sees anything.
            offer.state = OfferState.NEEDS_CONFIRMATION
        self.offers[offer.tradeofferid] = offer
        self._index(offer)
        self._open.add(offer.tradeofferid)
        self.touch(offer)
        if countered is not None:
            self.set_state(countered, OfferState.COUNTERED)
        return offer

    def _check_assets(self, everything: Sequence[Asset]) -> None:
        if not everything:
            raise Refused(2)
        if len({asset[:3] for asset in everything}) < len(everything):
            raise Refused(EResult.INVALID_PARAM)

    def _check_partners(self, sender: Account, recipient: Account) -> None:
        if sender is recipient:
            raise Refused(15, "You cannot trade with yourself.")
        if sender.banned_until > self.now():
            raise Refused(15, "You are currently unable to trade.")
        if recipient.banned_until > self.now():
            raise Refused(15, unavailable_text(recipient))

    def _check_limits(self, sender: Account, recipient: Account, items: int) -> None:
        mine = [
            offer
            for offer in self.offers_of(sender.steamid64)
            if offer.sender == sender.steamid64 and offer.tradeofferid in self._open
        ]
        if len(mine) >= self.limits.offers:
            raise Refused(25, "You have sent too many trade offers.")
        if items > self.limits.items_per_offer:
            raise Refused(25, "There are too many items in this trade offer.")
        if sum(offer.recipient == recipient.steamid64 for offer in mine) >= self.limits.offers_per_partner:
            raise Refused(50, f"You have sent too many trade offers to {recipient.persona}.")

    def _named(self, assets: Sequence[Asset], owner: str) -> list[Given]:
        named = []
        for appid, contextid, assetid, amount in ((*asset[:3], asset[3] if len(asset) == 4 else 1) for asset in assets):
            item = self.items.get(assetid)
            there = item is not None and item.owner == owner and (item.appid, item.contextid) == (appid, contextid)
            if item is None or not there or item.on_hold or not 1 <= amount <= item.amount:
                raise Refused(26)
            if item.protected_until:
                raise Refused(15)
            named.append(Given(appid, contextid, assetid, item.classid, item.instanceid, item.market_hash_name, amount=amount))
        return named

    def set_state(self, offer: OfferRecord, state: int) -> None:
        offer.state, offer.time_updated = state, self.now()
        (self._open.add if state in OPEN else self._open.discard)(offer.tradeofferid)
        self.touch(offer)

    def accept(self, offer: OfferRecord) -> None:
        """The recipient accepts (and, if needed, confirmed): items change hands, or go into a hold."""
        everything = [*offer.give, *offer.receive]
        if any(given.assetid not in self.items or self.items[given.assetid].on_hold for given in everything):
            self.set_state(offer, OfferState.INVALID_ITEMS)
            return
        trade = TradeRecord(
            self.take_id("trade"), offer.sender, offer.recipient, TradeStatus.COMPLETE, offer.give, offer.receive, self.now(), time_mod=self.now()
        )  # fmt: skip
        offer.tradeid = trade.tradeid
        self.trades[trade.tradeid] = trade
        self._index_trade(trade)
        if self.hold_strikes(offer):
            trade.status, trade.escrow_end = TradeStatus.IN_ESCROW, self.now() + HOLD_SECONDS
            offer.escrow_end = trade.escrow_end
            for given in everything:
                self.items[given.assetid].on_hold = True
                self.touch(self.items[given.assetid])
            self.set_state(offer, OfferState.IN_ESCROW)
        else:
            self._exchange(trade)
            self.set_state(offer, OfferState.ACCEPTED)
        self.touch(trade)
        self._spoil_offers({given.assetid for given in everything}, besides=offer.tradeofferid)

    def _exchange(self, trade: TradeRecord) -> None:
        if any(given.appid == CS2 for given in [*trade.given, *trade.received]):
            trade.time_settlement = self.now() + PROTECTION_SECONDS
        for given, owner in [(g, trade.partner) for g in trade.given] + [(g, trade.initiator) for g in trade.received]:
            given.new_assetid = self.take_id("asset")
            given.new_contextid = PROTECTED_CONTEXT if given.appid == CS2 else given.contextid
            self._move(given, owner, given.new_assetid, given.new_contextid, trade.time_settlement if given.appid == CS2 else 0)

    def _spoil_offers(self, assetids: set[str], besides: str = "") -> None:
        """Other offers that name these assets can't be accepted any more."""
        for offer in self.open_offers():
            is_other = offer.tradeofferid != besides and offer.state != OfferState.IN_ESCROW
            if is_other and any(given.assetid in assetids for given in [*offer.give, *offer.receive]):
                self.set_state(offer, OfferState.INVALID_ITEMS)

    # -- what happens by itself ----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Sellers act, offers expire, holds end: everything that is due by now."""
        now_us = self.now_us()
        now = now_us // 1_000_000
        for offer in self.open_offers():
            if now >= offer.created_us // 1_000_000 + OFFER_LIFE_SECONDS and offer.state != OfferState.IN_ESCROW:
                self.set_state(offer, OfferState.EXPIRED)
            elif offer.state == OfferState.IN_ESCROW:
                if now >= offer.escrow_end:
                    self._end_hold(offer)
            elif not offer.answered and offer.state == OfferState.ACTIVE:
                self._let_seller_act(offer, now_us)
        self.commit()

    def _end_hold(self, offer: OfferRecord) -> None:
        if self.mood("hold_rolls_back", offer.recipient):
            self.abandon_hold(offer)
            return
        trade = self.trades[offer.tradeid]
        for given in [*trade.given, *trade.received]:
            self.items[given.assetid].on_hold = False
        self._exchange(trade)
        trade.status, trade.time_mod = TradeStatus.COMPLETE, self.now()
        self.touch(trade)
        self.set_state(offer, OfferState.ACCEPTED)

    def abandon_hold(self, offer: OfferRecord) -> None:
        """One side cancels a held trade: the items go back where they came from."""
        trade = self.trades[offer.tradeid]
        for given in [*trade.given, *trade.received]:
            self.items[given.assetid].on_hold = False
            self.touch(self.items[given.assetid])
        trade.status, trade.time_mod = TradeStatus.ESCROW_ROLLBACK, self.now()
        self.touch(trade)
        self.set_state(offer, OfferState.CANCELED)

    def _let_seller_act(self, offer: OfferRecord, now_us: int) -> None:
        seller = self.accounts[offer.recipient]
        if seller.role not in ("seller", "buyer") or seller.behaviour is Behaviour.IGNORE:
            return
        if now_us < max(offer.created_us, seller.behaviour_since_us) + int(seller.delay_seconds * 1_000_000):
            return
        match seller.behaviour:
            case Behaviour.ACCEPT:
                offer.answered = True
                self.accept(offer)
            case Behaviour.ACCEPT_UNCONFIRMED:
                offer.answered = offer.accepted_on_web = True
                self.touch(offer)
            case Behaviour.CANCEL_ON_PHONE:
                offer.answered = True
                self.set_state(offer, OfferState.CANCELED_BY_SECOND_FACTOR)
            case Behaviour.DECLINE:
                offer.answered = True
                self.set_state(offer, OfferState.DECLINED)
            case Behaviour.COUNTER:
                offer.answered = True
                self.set_state(offer, OfferState.COUNTERED)
                self._counter(offer)

    def _counter(self, offer: OfferRecord) -> None:
        """The seller's own offer: the same items, for something of the bot's, if it has anything."""
        wanted = [
            item for item in self.items.values() if item.owner == offer.sender and not item.protected_until and not item.on_hold
        ]
        asks = [
            Given(i.appid, i.contextid, i.assetid, i.classid, i.instanceid, i.market_hash_name, amount=i.amount) for i in wanted[:1]
        ]
        counter = OfferRecord(
            self.take_id("offer"), offer.recipient, offer.sender, OfferState.ACTIVE, offer.receive, asks, "", self.now_us(), self.now()
        )  # fmt: skip
        self.offers[counter.tradeofferid] = counter
        self._index(counter)
        self._open.add(counter.tradeofferid)
        self.touch(counter)

    def reverse(self, steamid64: str) -> list[str]:
        """The account presses 'reverse': all its protected trades of the last 7 days are undone (protocol §5.3)."""
        undone = []
        for trade in list(self.trades.values()):
            protected = trade.status == TradeStatus.COMPLETE and trade.time_settlement > self.now()
            if steamid64 not in (trade.initiator, trade.partner) or not protected or trade.rollback_trade:
                continue
            back = TradeRecord(
                self.take_id("trade"), trade.initiator, trade.partner, TradeStatus.COMPLETE, [], [], self.now(), time_mod=self.now(), rollback_trade=trade.tradeid
            )  # fmt: skip
            for given, owner, side in [(g, trade.initiator, back.received) for g in trade.given] + [
                (g, trade.partner, back.given) for g in trade.received
            ]:
                moved = Given(
                    given.appid, given.new_contextid, given.new_assetid, given.classid, given.instanceid, given.market_hash_name, given.assetid, given.contextid
                )  # fmt: skip
                # Since about May 2026 an item comes back under its old asset id.
                returned = self.take_id("asset") if self.mood("reversal_new_assetid", owner) else given.assetid
                self._move(moved, owner, returned, given.contextid)
                moved.new_assetid, moved.amount = returned, given.amount
                side.append(moved)
                given.rollback_new_assetid, given.rollback_new_contextid = returned, given.contextid
            trade.status, trade.time_mod = TradeStatus.TRADE_PROTECTION_ROLLBACK, self.now()
            self.trades[back.tradeid] = back
            self._index_trade(back)
            self.touch(trade)
            self.touch(back)
            undone.append(trade.tradeid)
        if undone and self.mood("reversal_bans", steamid64):
            account = self.accounts[steamid64]
            account.banned_until = self.now() + REVERSAL_BAN_SECONDS
            self.touch(account)
        return undone


def unavailable_text(account: Account) -> str:
    """What Steam says of an account that is banned from trading, to whoever would send it an offer: its name, as it wrote it, twice."""
    name = account.persona
    return f"{name} is not available to trade. More information will be shown to {name} if they invite you to trade."


OPEN = (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION, OfferState.IN_ESCROW)
