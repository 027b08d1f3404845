"""A market to measure on: buyers with orders, bots that are always well, and the prepared requests of sellers. Seeded."""

import random
from typing import Any

import msgspec

from selldesk.desk import commands
from selldesk.desk.commands import OpenItem, OpenTrade, OrderLine
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash, new_uuid7
from selldesk.kernel.secretbox import SecretBox
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS
from selldesk.steamwire.tradelink import STEAMID64_BASE
from selldesk.store.store import Store

GAME = 730
KEY = "selldesk_" + "b" * 43
SECRET = "a-secret-of-at-least-32-characters-here"
BOT_SECRETS = SecretBox(SECRET.encode(), binds=False).seal(b"{}", "")
"""Nobody logs in with them."""
MONEY = 2**50
PRICE = 40_000
FIRST_BUYER = 2
"""Person 1 is the project."""
AHEAD_US = 50_000_000
"""A bot counts as alive for two minutes after its last sign of life; as much more as a clock may have gone back."""


def item_name(number: int) -> str:
    return f"Item {number:05d} | Bench (Field-Tested)"


def zipf_items(chance: random.Random, items: int, count: int) -> list[int]:
    """`count` different items, the popular ones more likely (Zipf, exponent 1)."""
    found: set[int] = set()
    while len(found) < count:
        found.add(min(items - 1, int(items ** chance.random()) - 1))
    return sorted(found)


def seed(store: Store, buyers: int, items: int, orders_each: int, bots: int = 0, amount: int = 1_000_000) -> None:
    """People, money, names and orders through the desk; bots that never tire."""
    clock = SystemClock()
    desk = Desk(store.writer(), clock, DeskSettings())
    desk.ask(commands.CreatePerson(operator="bench", id=new_uuid7(clock.now_us()), login="shop", roles=pack_roles([Role.PROJECT])))
    desk.ask(commands.CreateKey(person=1, name="bench", key_hash=api_key_hash(KEY), operator="bench"))
    desk.ask(
        commands.PutRoom(
            operator="bench",
            id=None,
            name="all",
            game=None,
            min_value=None,
            max_value=None,
            buyers=None,
            bots=None,
            priority=1,
            enabled=True,
        )
    )
    # What is measured is the road, not its speed limits.
    desk.ask(commands.SetLimits(operator="bench", limits=NO_LIMITS))
    for start in range(0, items, 1_000):
        names: list[tuple[str, int | None]] = [(item_name(number), None) for number in range(start, min(items, start + 1_000))]
        desk.ask(commands.ImportItems(operator="bench", game=GAME, items=names))
    chance = random.Random(1)
    for buyer in range(buyers):
        number = FIRST_BUYER + buyer
        steamid64 = str(STEAMID64_BASE + 5_000_000 + buyer)
        person = commands.CreatePerson(
            operator="bench",
            id=new_uuid7(clock.now_us()),
            login=f"vip-{buyer}",
            roles=pack_roles([Role.BUYER]),
            steamid64=steamid64,
        )
        desk.ask(person)
        desk.ask(
            commands.MoveMoney(
                operator="bench", person=number, direction="deposit", amount=MONEY // max(1, buyers), reference="bench"
            )
        )
        wanted = zipf_items(chance, items, orders_each)
        lines = [OrderLine(item + 1, PRICE - chance.randrange(0, 20_000, 10), amount) for item in wanted]
        desk.work_off(commands.PutOrders(buyer=number, game=GAME, replace=False, lines=lines, keep=[]))
    for bot in range(bots):
        desk.ask(
            commands.AddBot(
                operator="bench",
                steamid64=str(STEAMID64_BASE + bot + 1),
                account_name=f"bot{bot}",
                secrets=BOT_SECRETS,
                tokens=None,
                profile_name=None,
                avatar=None,
                games=None,
                live_offers_max=10**9,
                seller_offers_max=10**9,
                items_max=10**9,
            )
        )
        desk.ask(commands.BotReport(bot=bot + 1, state="ok"))
        writer = store.writer()
        writer.begin()
        writer.execute("beat", bot=bot + 1, real_us=clock.real_us() + AHEAD_US)
        writer.commit()
        writer.close()
    desk.store.close()


def http_request(path: str, body: Any, key: str = KEY) -> str:
    content = msgspec.json.encode(body).decode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content.encode())}\r\n\r\n{content}"
    )


def match_requests(items: int, lines: int, count: int) -> list[str]:
    """Baskets of popular items."""
    chance = random.Random(2)
    return [
        http_request(
            "/api/sell/match",
            {"game_id": GAME, "items": [{"market_hash_name": item_name(item)} for item in zipf_items(chance, items, lines)]},
        )
        for _ in range(count)
    ]


def create_requests(buyers: int, items: int, count: int, first: int = 0) -> list[str]:
    """One-item sales of ever new assets; the buyers take turns, each bids on items of his own."""
    requests = []
    for number in range(first, first + count):
        buyer = number % buyers
        requests.append(
            http_request(
                "/api/sell/trades/create",
                {
                    "custom_id": f"bench-{number}",
                    "buyer_id": str(STEAMID64_BASE + 5_000_000 + buyer),
                    "tradelink": f"https://steamcommunity.com/tradeoffer/new/?partner={1_000_000 + number % 5_000}&token=abcdefgh",
                    "game_id": GAME,
                    "items": [{"assetid": str(10**10 + number), "market_hash_name": item_name(buyer % items), "price": 1_000}],
                },
            )
        )
    return requests


def create_commands(buyers: int, count: int) -> list[OpenTrade]:
    """The same sales as they reach the desk."""
    clock = SystemClock()
    found = []
    for number in range(count):
        buyer, seller = number % buyers, str(STEAMID64_BASE + 1_000_000 + number % 5_000)
        link = f"https://steamcommunity.com/tradeoffer/new/?partner={1_000_000 + number % 5_000}&token=abcdefgh"
        line = OpenItem(buyer + 1, item_name(buyer), "2", str(10**10 + number), 1_000)
        found.append(
            OpenTrade(
                trade_id=new_uuid7(clock.now_us()),
                project=1,
                custom_id=f"bench-{number}",
                game=GAME,
                buyer=FIRST_BUYER + buyer,
                mismatch=False,
                seller=seller,
                tradelink=link,
                message="",
                items=[line],
            )
        )
    return found


def seed_sales(store: Store, buyers: int, bots: int = 20) -> None:
    """A market for creates: buyer n bids on item n alone, without end."""
    clock = SystemClock()
    seed(store, 0, max(buyers, 1), 0, bots)
    desk = Desk(store.writer(), clock, DeskSettings())
    for buyer in range(buyers):
        steamid64 = str(STEAMID64_BASE + 5_000_000 + buyer)
        desk.ask(
            commands.CreatePerson(
                operator="bench",
                id=new_uuid7(clock.now_us()),
                login=f"vip-{buyer}",
                roles=pack_roles([Role.BUYER]),
                steamid64=steamid64,
            )
        )
        desk.ask(
            commands.MoveMoney(
                operator="bench", person=FIRST_BUYER + buyer, direction="deposit", amount=MONEY // buyers, reference="bench"
            )
        )
        desk.work_off(
            commands.PutOrders(
                buyer=FIRST_BUYER + buyer, game=GAME, replace=False, lines=[OrderLine(buyer + 1, PRICE, 1_000_000)], keep=[]
            )
        )
    desk.store.close()
