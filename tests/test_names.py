"""10,000 real item names: imported, ordered and matched, each exactly itself."""

import csv
from pathlib import Path

import pytest

from selldesk.catalog.names import CatalogFault, acceptable_name, parse_csv
from selldesk.catalog.shipped import shipped_catalog
from tests.support import SandboxProcess


def _names() -> dict[int, list[str]]:
    with open(Path(__file__).parent / "data" / "names.csv", newline="") as file:
        found: dict[int, list[str]] = {}
        for game, name in list(csv.reader(file))[1:]:
            found.setdefault(int(game), []).append(name)
        return found


def test_ten_thousand_real_names(own_sandbox: SandboxProcess) -> None:
    sandbox = own_sandbox.start()
    buyer = sandbox.buyers[0]
    names = _names()
    assert sum(map(len, names.values())) == 10_000
    lower = [name.lower() for name in names[730]]
    assert len(set(lower)) < len(lower), "the sample holds names that differ only by case"
    for game, mine in names.items():
        items = [{"market_hash_name": name} for name in mine]
        imported = sandbox.operator.do("POST", "/api/operator/catalog", {"game_id": game, "items": items})
        assert imported["created"] + imported["unchanged"] == len(mine)
        again = sandbox.operator.do("POST", "/api/operator/catalog", {"game_id": game, "items": items})
        assert again == {"created": 0, "updated": 0, "unchanged": len(mine)}
        for other in sandbox.buyers[1:]:
            other.do("DELETE", "/api/buy/orders", {"game_id": game})
        lines = [{"market_hash_name": name, "price": 1_000 + place, "amount": 2} for place, name in enumerate(mine)]
        put = buyer.do("PUT", "/api/buy/orders", {"game_id": game, "mode": "replace", "orders": lines})
        assert (put["rejected"], put["created"] + put["updated"]) == ([], len(mine))
        prices: dict[str, int] = {}
        for start in range(0, len(mine), 1000):
            asked = items[start : start + 1000]
            matched = sandbox.shop.do("POST", "/api/sell/match", {"game_id": game, "items": asked})
            prices |= {line["market_hash_name"]: line["price"] for line in matched["items"]}
        assert prices == {line["market_hash_name"]: line["price"] for line in lines}
    listed = buyer.get("/api/buy/orders?limit=2000&offset=9000")
    assert (listed["total"], len(listed["orders"])) == (10_000, 1_000)
    sandbox.assert_clean()
    sandbox.stop()


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
