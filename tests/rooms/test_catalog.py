"""The catalog: files of names, the names that ship, and names in memory."""

import pytest

from selldesk.catalog.games import is_supported
from selldesk.catalog.names import Catalog, CatalogFault, acceptable_name, parse_csv
from selldesk.catalog.shipped import shipped_catalog


def test_the_shipped_catalog_is_readable() -> None:
    catalog = shipped_catalog()
    assert all(len(items) >= 300 for items in catalog.values())
    assert all(acceptable_name(name) for items in catalog.values() for name, _ in items)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("market_hash_name,price\nA,5\nB,\n", [("A", 5), ("B", None)]),
        ("market_hash_name\nA\n\n", [("A", None)]),
        ('\ufeffmarket_hash_name,price\n"A, with comma",7\r\n', [("A, with comma", 7)]),
        ("market_hash_name,price\nA,5\nA,6\n", [("A", 6)]),
    ],
)
def test_catalog_files(text: str, rows: list[tuple[str, int | None]]) -> None:
    assert parse_csv(text) == rows


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1"),
        ("name\nA\n", "line 1"),
        ("market_hash_name,price\nA,1.5\n", "line 2"),
        ("market_hash_name,price\nA,-1\n", "line 2"),
        ("market_hash_name,price\nA,1\n ,2\n", "line 3"),
        ("market_hash_name,price\nA,1,2\n", "line 2"),
        ("market_hash_name,price\nA,99999999999\n", "line 2"),
    ],
)
def test_a_bad_catalog_file_names_the_line(text: str, complaint: str) -> None:
    with pytest.raises(CatalogFault, match=complaint):
        parse_csv(text)


NAMES = [
    # name              acceptable
    ("A",               True),
    ("AK-47 | Redline", True),
    ("★ Bowie Knife",   True),
    ("龍王",              True),
    ("A" * 256,         True),
    ("A" * 257,         False),
    ("",                False),
    (" A",              False),
    ("A ",              False),
    ("A\tB",            False),
    ("A\x00",           False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_an_acceptable_name(name: str, expected: bool) -> None:
    assert acceptable_name(name) is expected


def test_a_price_of_a_catalog_file_is_bounded_and_says_its_line() -> None:
    assert parse_csv(f"market_hash_name,price\nA,{10**9}\n") == [("A", 10**9)]
    for price, complaint in ((10**9 + 1, "line 2: price above 1000000000"), ("x", "line 2: 'x' is not an amount")):
        with pytest.raises(CatalogFault, match=complaint):
            parse_csv(f"market_hash_name,price\nA,{price}\n")


def test_a_header_has_two_columns_at_most() -> None:
    with pytest.raises(CatalogFault, match="line 1: expected the header"):
        parse_csv("market_hash_name,price,more\nA,1,2\n")


def test_names_in_memory_belong_to_one_game() -> None:
    catalog = Catalog()
    catalog.add([(1, 730, "A"), (2, 730, "B"), (3, 440, "A")])
    assert (catalog.game(730), catalog.game(440), catalog.game(570)) == ({"A": 1, "B": 2}, {"A": 3}, {})
    assert [catalog.name(number) for number in (1, 2, 3)] == ["A", "B", "A"]
    assert [catalog.count(game) for game in (730, 440, 570)] == [2, 1, 0]


@pytest.mark.parametrize(("game", "expected"), [(730, True), (570, True), (252490, True), (440, True), (10, False)])
def test_the_games_of_the_market(game: int, expected: bool) -> None:
    assert is_supported(game) is expected
    assert (game in shipped_catalog()) is expected
