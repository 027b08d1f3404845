"""The demo world: who is in it, what they own, what they want. The same on every machine."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

from selldesk.catalog.games import CS2, DOTA2, RUST, TF2
from selldesk.catalog.shipped import shipped_catalog
from selldesk.steamsim.process import FirstAccount
from selldesk.steamwire.tradelink import STEAMID64_BASE

OPERATOR = "operator"
PROJECTS = ("demo-shop", "demo-arcade")
BUYERS = ("vip-1", "vip-2", "vip-3", "vip-4", "vip-5")
BOTS = ("bot1", "bot2", "bot3", "bot4", "bot5", "bot6")
SELLERS = ("alice", "boris", "chloe", "dmitri", "elena")

BUYER_MONEY_MILLS = 100_000_000
ORDERS_PER_GAME = 250
FAMOUS = ("AK-47 | Redline (Field-Tested)", "AWP | Asiimov (Field-Tested)")
ITEMS_PER_SELLER = {CS2: 20, DOTA2: 12, RUST: 12, TF2: 12}
FAMOUS_PER_SELLER = 4

ROOMS: tuple[tuple[str, int | None, int | None, int], ...] = (
    ("Small change", 10, 9_999, 10),
    ("Everyday", 10_000, 99_999, 20),
    ("High value", 100_000, None, 30),
)
"""(name, lowest value, highest value, priority): from 0.01 $ up."""


def demo_key(secret: bytes, login: str) -> str:
    """A demo account's API key follows from the sandbox's own secret, so a second start can show it again."""
    digest = hmac.digest(secret, f"sandbox api key {login}".encode(), "sha256")
    return "selldesk_" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def buyer_steamid64(index: int) -> str:
    """Buyers are known by a SteamID64, and have a Steam account of that number."""
    return str(STEAMID64_BASE + 500_001 + index)


def reference_price(name: str, price: int | None) -> int:
    """The catalog's price, or for games without one a made-up price between 0.20 and 40 dollars that follows from the name."""
    if price is not None:
        return price
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return 200 + number % 40 * 10 + number % 397 * 100


def demo_orders(buyer: int) -> Iterator[tuple[int, list[tuple[str, int, int]]]]:
    """(game, (name, price, amount) …) of one buyer. Each wants another part of the catalog, at another share of its price."""
    for game, items in shipped_catalog().items():
        wanted = []
        for place, (name, price) in enumerate(items):
            famous = name in FAMOUS
            if not famous and (place + 3 * buyer) % 8 >= 5:
                continue
            share = 88 + (place * 7 + buyer * 5) % 11
            wanted.append((name, max(10, reference_price(name, price) * share // 100), 5 + (place + buyer) % 20))
        famous_first = sorted(wanted, key=lambda line: line[0] not in FAMOUS)
        yield game, famous_first[:ORDERS_PER_GAME]


def first_accounts() -> list[FirstAccount]:
    """The simulator's accounts: bots with empty pockets, sellers with items of all games that have any."""
    accounts = [FirstAccount(login, "bot", f"selldesk {login}", []) for login in BOTS]
    catalog = shipped_catalog()
    for index, login in enumerate(SELLERS):
        items: list[tuple[int, str]] = [(CS2, name) for name in FAMOUS for _ in range(FAMOUS_PER_SELLER)]
        for game, count in ITEMS_PER_SELLER.items():
            names = [name for name, _ in catalog[game] if name not in FAMOUS]
            items += [(game, names[(index * 37 + place * 11) % len(names)]) for place in range(count)]
        accounts.append(FirstAccount(login, "seller", login.capitalize(), items))
    accounts += [FirstAccount(login, "buyer", login.upper(), [], buyer_steamid64(index)) for index, login in enumerate(BUYERS)]
    return accounts
