"""Which asset of a bot's inventory is which buyer's item (people P4 "Finding the asset"). Pure.

Steam often names no new asset id, ids may change when protection ends, several equal items lie in one inventory.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec


class HeldItem(msgspec.Struct, array_like=True, frozen=True):
    """An item of a sale that a bot should have. `assetid`: its id there, as far as it is known."""

    trade_id: str
    position: int
    name: str
    status: str
    accepted_at: int
    classid: str | None
    instanceid: str | None
    assetid: str | None
    contextid: str | None
    properties: str | None
    was_missed: bool = False
    """It is missing, or was absent at the last reading: of equal items it stays the one that is."""

    @property
    def item_id(self) -> str:
        return f"{self.trade_id}-{self.position}"


class OwnAsset(msgspec.Struct, array_like=True, frozen=True):
    """An asset in a bot's own inventory."""

    contextid: str
    assetid: str
    classid: str
    instanceid: str
    name: str = ""
    tradable: bool = True
    amount: int = 1
    properties: str | None = None


Key = tuple[str, int]


def find_assets(held: Iterable[HeldItem], assets: Iterable[OwnAsset]) -> dict[Key, OwnAsset]:
    """(trade, position) → its asset. By the id that is known; else one of the same class and instance that no other item owns, by
    float, seed and the like where they were read; what is then still equal is interchangeable: lowest id first. A class whose instance
    changed (it does when an item is traded) is found by its class and name alone, last."""
    held, free = list(held), {(one.contextid, one.assetid): one for one in assets}
    found: dict[Key, OwnAsset] = {}
    for item in held:
        if item.assetid is None:
            continue
        for contextid in (item.contextid or "", "2", "16"):
            asset = free.get((contextid, item.assetid))
            if asset is not None and (item.classid is None or asset.classid == item.classid):
                found[item.trade_id, item.position] = free.pop((contextid, item.assetid))
                break
    for same in (_class_instance_properties, _class_and_properties, _class_and_instance, _class_alone):
        waiting: defaultdict[object, list[HeldItem]] = defaultdict(list)
        for item in sorted(held, key=lambda one: (one.was_missed, one.accepted_at, one.trade_id, one.position)):
            key = same(item)
            if key is not None and (item.trade_id, item.position) not in found:
                waiting[key].append(item)
        for asset in sorted(free.values(), key=_by_id):
            queue = waiting.get(same(asset))
            if queue:
                item = queue.pop(0)
                found[item.trade_id, item.position] = free.pop((asset.contextid, asset.assetid))
    return found


def gone_with(left: Sequence[OwnAsset], held: Sequence[HeldItem]) -> list[tuple[HeldItem, OwnAsset]]:
    """Whose items left, when these assets did: as above, but an item whose asset is known and did not leave is nobody's loss."""
    ids = {asset.assetid for asset in left}
    known = [item for item in held if item.assetid in ids]
    unknown = [item for item in held if item.assetid is None]
    found = find_assets([*known, *unknown], left)
    return [(item, found[item.trade_id, item.position]) for item in held if (item.trade_id, item.position) in found]


def _by_id(asset: OwnAsset) -> tuple[int, str]:
    return (int(asset.assetid) if asset.assetid.isascii() and asset.assetid.isdigit() else 0, asset.assetid)


def _class_instance_properties(one: HeldItem | OwnAsset) -> object:
    return None if one.classid is None or one.properties is None else (one.classid, one.instanceid, one.properties)


def _class_and_properties(one: HeldItem | OwnAsset) -> object:
    return None if one.classid is None or one.properties is None else (one.classid, one.properties)


def _class_and_instance(one: HeldItem | OwnAsset) -> object:
    return None if one.classid is None else (one.classid, one.instanceid)


def _class_alone(one: HeldItem | OwnAsset) -> object:
    return one.classid
