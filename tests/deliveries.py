"""A buyer's side of the in-line market: what is theirs, what they ask for, what became of it."""

from selldesk.deliveries.delivery import Delivery, link_place
from selldesk.desk import commands
from selldesk.steamsim.entities import Account, OfferRecord
from selldesk.workers.bot import BotWorker
from tests.little_market import BUYER, LittleMarket

CS2, TF2 = 730, 440
DAY = 86_400
VIP = "76561197960300001"


def vip(market: LittleMarket) -> Account:
    """The buyer's own account on Steam."""
    return market.steam.world.add_account("vip", "buyer", steamid64=VIP)


async def bought(
    market: LittleMarket,
    worker: BotWorker | list[BotWorker],
    count: int = 1,
    game: int = TF2,
    sales: int = 1,
    buyers: tuple[int, ...] = (BUYER,),
) -> list[tuple[str, int]]:
    """Items of completed sales, which are the buyer's now; of several buyers in turns."""
    now = market.clock.now_us()
    ids = [
        market.open_trade(f"sale {game} {number} {buyer} {now}", game, count, buyer=buyer)
        for number in range(sales)
        for buyer in buyers
    ]
    done = "accepted" if game == CS2 else "completed"
    await market.run(worker, lambda: all(market.trade(one).status == done for one in ids))
    if game == CS2:
        market.clock.advance(8 * DAY)
        await market.run(worker, lambda: all(market.trade(one).status == "completed" for one in ids))
    return [(one, position) for one in ids for position in range(count)]


def ask_for(
    market: LittleMarket, items: list[tuple[str, int]], custom_id: str = "mine", partner: Account | None = None, buyer: int = BUYER
) -> list[str]:
    """The request of a buyer; the ids of its parts. Raises its refusal."""
    account = partner or vip(market)
    market.steam.world.commit()
    market.beat()
    link = f"https://steamcommunity.com/tradeoffer/new/?partner={account.number}&token={account.trade_token}"
    opened = market.desk.ask(
        commands.OpenDelivery(
            buyer=buyer,
            custom_id=custom_id,
            items=items,
            partner=account.steamid64,
            tradelink=market.box.seal_link(link, link_place(buyer, custom_id)),
            message="enjoy",
        )
    )
    for worker in market._running:
        worker.alarm.ring()
    return opened.ids


def delivery(market: LittleMarket, delivery_id: str) -> Delivery:
    (found,) = market.desk.store.load_as(Delivery, "load_deliveries", [(delivery_id,)])
    return found


def steps(market: LittleMarket, delivery_id: str) -> list[str]:
    return [note for _, _, note in market.desk.store.fetch("steps_of_delivery", delivery_id=delivery_id)]


def shown(market: LittleMarket, buyer: int = BUYER) -> list[str]:
    """States of a buyer's items, oldest sale first. Page and count agree for each state."""
    reader = market.store.reader()
    states: dict[tuple[str, int], str] = {}
    for state in ("protected", "held", "in_delivery", "missing"):
        wanted = {"buyer": buyer, "game": None, "state": state}
        rows = reader.fetch("held_items_page", **wanted, delivery=None, limit=1000, offset=0)
        assert reader.value("held_items_count", **wanted) == len(rows), state
        states |= {(trade_id, position): state for trade_id, position, *_ in rows}
    assert reader.value("held_items_count", buyer=buyer, game=None, state=None) == len(states)
    return [states[key] for key in sorted(states)]


def stock(market: LittleMarket) -> dict[int, int]:
    return {game: int(items) for _, game, items in market.desk.store.fetch("load_stock") if items}


def has(market: LittleMarket, account: Account, game: int = TF2) -> int:
    """Items that an account has on Steam."""
    return sum(len(market.steam.world.inventory(account.steamid64, game, context)) for context in ("2", "16"))


def offers_to(market: LittleMarket, account: Account) -> list[OfferRecord]:
    return [offer for offer in market.offers() if offer.recipient == account.steamid64]


def told(market: LittleMarket, delivery_id: str) -> list[str]:
    rows = market.store.reader().query(
        "SELECT type FROM event WHERE subject = :id AND person = :buyer ORDER BY seq, place", {"id": delivery_id, "buyer": BUYER}
    )
    return [kind.removeprefix("delivery.") for (kind,) in rows]


async def until_completed(market: LittleMarket, worker: BotWorker, one: str) -> None:
    await market.run(worker, lambda: delivery(market, one).status == "completed")


def held(market: LittleMarket, buyer: int = BUYER) -> list[tuple[str, int]]:
    """What a buyer may ask for."""
    rows = market.store.reader().fetch("held_items_page", buyer=buyer, game=None, state="held", delivery=None, limit=1000, offset=0)
    return [(trade_id, position) for trade_id, position, *_ in rows]
