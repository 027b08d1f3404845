"""Comparing what a seller promised with what Steam shows of their inventory (readings R4). Pure."""

from selldesk.offers.words import Proof
from selldesk.steam.results import Inventory, InventoryItem
from selldesk.trades.trade import TradeItem


def prove(items: list[tuple[TradeItem, str]], inventories: dict[str, Inventory]) -> tuple[Proof, str, list[InventoryItem]]:
    """(proof, text for the seller, what Steam shows of each item). A wrong name outweighs an absent item: it counts at once.

    `inventories` holds every context that the items name.
    """
    seen: list[InventoryItem] = []
    doubt: str | None = None
    for item, name in items:
        inventory = inventories[item.contextid]
        found = inventory.items.get(item.assetid)
        if inventory.private:
            doubt = doubt or f"Item {name} (asset {item.assetid}) can't be seen: the seller's inventory is private"
        elif found is None and item.assetid in inventory.unreadable:
            doubt = doubt or f"Item {name} (asset {item.assetid}) is shown by Steam without a description"
        elif found is None:
            doubt = doubt or f"Item {name} (asset {item.assetid}) is not in the seller's inventory"
        elif found.market_hash_name != name:
            return (
                Proof.OTHER_NAME,
                f"Item {name} (asset {item.assetid}) is called {found.market_hash_name} by Steam",
                [],
            )
        elif not found.tradable:
            doubt = doubt or f"Item {name} (asset {item.assetid}) is locked or protected and can't be traded"
        else:
            seen.append(found)
    if doubt is not None:
        return Proof.NOT_SHOWN, doubt, []
    return Proof.AS_NAMED, "", seen
