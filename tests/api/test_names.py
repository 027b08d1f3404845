"""10,000 real item names: imported, ordered and matched, each exactly itself."""

import csv
from pathlib import Path

from tests.support import SandboxProcess


def _names() -> dict[int, list[str]]:
    with open(Path(__file__).parent.parent / "data" / "names.csv", newline="") as file:
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
