"""Which asset of a bot is whose, and whose items left (people P4)."""

import pytest

from selldesk.bots.stock import HeldItem, Key, OwnAsset, find_assets, gone_with


def _held(
    letter: str,
    assetid: str | None = None,
    properties: str | None = None,
    classid: str | None = "9",
    instanceid: str = "0",
    at: int = 0,
    was_missed: bool = False,
) -> HeldItem:
    """An item of sale `letter`, in the context of what is protected."""
    return HeldItem(
        letter, 0, "Hat", "accepted", at, classid, instanceid, assetid, "16" if assetid else None, properties, was_missed
    )


def _own(assetid: str, properties: str | None = None, classid: str = "9", instanceid: str = "0", contextid: str = "16") -> OwnAsset:
    return OwnAsset(contextid, assetid, classid, instanceid, "Hat", properties=properties)


WHOSE: list[tuple[str, list[HeldItem], list[OwnAsset], str]] = [
    # what                              the items of sales A, B, C                     the bot's inventory                              who has which asset
    ("nothing held",                    [],                                            [_own("1")],                                     ""),
    ("nothing there",                   [_held("A"), _held("B", "7")],                 [],                                              ""),
    ("one",                             [_held("A")],                                  [_own("1")],                                     "A1"),
    ("by its id, whatever is lower",    [_held("A", "7")],                             [_own("1"), _own("7")],                          "A7"),
    ("its id before another's class",   [_held("A"), _held("B", "1")],                 [_own("1"), _own("2")],                          "A2 B1"),
    ("equal: lowest id first",          [_held("A"), _held("B")],                      [_own("10"), _own("9")],                         "A9 B10"),
    ("equal: the older sale first",     [_held("A", at=2), _held("B", at=1)],          [_own("1"), _own("2")],                          "A2 B1"),
    ("equal, one is gone",              [_held("A"), _held("B")],                      [_own("1")],                                     "A1"),
    ("equal, one surplus",              [_held("A")],                                  [_own("2"), _own("1"), _own("3")],               "A1"),
    ("equal, one is known to be gone",  [_held("A", was_missed=True), _held("B")],     [_own("1")],                                     "B1"),
    ("known to be gone, and back",      [_held("A", "1", was_missed=True), _held("B")], [_own("1"), _own("2")],                         "A1 B2"),
    ("another class",                   [_held("A")],                                  [_own("1", classid="8")],                        ""),
    ("its id, but of another class",    [_held("A", "1")],                             [_own("1", classid="8"), _own("2")],             "A2"),
    ("its class was never read",        [_held("A", classid=None)],                    [_own("1")],                                     ""),
    ("its id alone is known",           [_held("A", "1", classid=None)],               [_own("1")],                                     "A1"),
    ("protection ended",                [_held("A", "1")],                             [_own("1", contextid="2")],                      "A1"),
    ("protection ended, its id stayed", [_held("A", "7")],                             [_own("1", contextid="2"), _own("7", contextid="2")], "A7"),
    ("protection ended, a new id",      [_held("A", "1")],                             [_own("5", contextid="2")],                      "A5"),
    ("another instance since",          [_held("A", instanceid="3")],                  [_own("1", instanceid="4")],                     "A1"),
    ("its own instance before others",  [_held("A", instanceid="3"), _held("B", instanceid="4")], [_own("1", instanceid="4"), _own("2", instanceid="3")], "A2 B1"),
    ("by float",                        [_held("A", None, "0.2"), _held("B", None, "0.1")], [_own("1", "0.1"), _own("2", "0.2")],       "A2 B1"),
    ("by float, though instances differ", [_held("A", None, "0.2"), _held("B", None, "0.1")], [_own("1", "0.1", instanceid="5"), _own("2", "0.2", instanceid="5")], "A2 B1"),
    ("a float outweighs age",           [_held("A"), _held("B", None, "0.1", at=5)],   [_own("1", "0.1"), _own("2", "0.3")],            "A2 B1"),
    ("the other with that float is gone", [_held("A", None, "0.1"), _held("B", None, "0.2")], [_own("1", "0.2")],                       "B1"),
    ("equal floats",                    [_held("A", None, "0.1"), _held("B", None, "0.1")], [_own("1", "0.1"), _own("2", "0.1"), _own("3", "0.3")], "A1 B2"),
    ("Steam tells no float now",        [_held("A", None, "0.1")],                     [_own("1")],                                     "A1"),
    ("a nametag since",                 [_held("A", None, "0.1")],                     [_own("1", "0.1 and a nametag")],                "A1"),
    ("a shown asset that nobody can read", [_held("A", "1"), _held("B")],              [_own("1", classid="9"), _own("2", classid="")], "A1"),
    ("an id that is no number",         [_held("A")],                                  [_own("x"), _own("1")],                          "Ax"),
]  # fmt: skip


def _whose(found: dict[Key, OwnAsset]) -> str:
    return " ".join(f"{trade}{asset.assetid}" for (trade, _), asset in sorted(found.items()))


@pytest.mark.parametrize(("what", "held", "assets", "expected"), WHOSE, ids=[row[0] for row in WHOSE])
def test_which_asset_of_the_bot_is_whose(what: str, held: list[HeldItem], assets: list[OwnAsset], expected: str) -> None:
    """The order in which Steam or the store lists them changes nothing, and no asset is given twice."""
    for items in (held, held[::-1]):
        for listed in (assets, assets[::-1]):
            found = find_assets(items, listed)
            assert _whose(found) == expected
            assert len({(asset.contextid, asset.assetid) for asset in found.values()}) == len(found)


GONE: list[tuple[str, list[HeldItem], list[OwnAsset], str]] = [
    # what                              the items of sales                             what left                                        who lost something
    ("by its id",                       [_held("A", "1"), _held("B", "2")],            [_own("2")],                                     "B"),
    ("its id stayed",                   [_held("A", "1")],                             [_own("2")],                                     ""),
    ("whose id nobody knows",           [_held("A", "1"), _held("B")],                 [_own("2")],                                     "B"),
    ("one that is gone can't go again", [_held("A", was_missed=True), _held("B")],     [_own("2")],                                     "B"),
    ("all of them",                     [_held("A", "1"), _held("B")],                 [_own("1"), _own("2")],                          "A B"),
    ("nobody's",                        [_held("A", "1")],                             [_own("3", classid="8")],                        ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "held", "left", "expected"), GONE, ids=[row[0] for row in GONE])
def test_whose_items_left(what: str, held: list[HeldItem], left: list[OwnAsset], expected: str) -> None:
    assert " ".join(item.trade_id for item, _ in gone_with(left, held)) == expected


def test_an_item_is_called_by_its_sale_and_place() -> None:
    assert HeldItem("t", 3, "Hat", "accepted", 0, "9", "0", None, None, None).item_id == "t-3"
