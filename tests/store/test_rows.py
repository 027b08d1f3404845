"""A row by its number is read in the store alone: everywhere else a column has a name, and the names are those of the SQL."""

import ast
import re
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

import selldesk
from selldesk.book.orders import Order
from selldesk.bots.leases import Lease
from selldesk.deliveries.delivery import Delivery, DeliveryItem
from selldesk.ledger.ledger import Hold
from selldesk.offers.life import OpenOffer
from selldesk.people.person import Person
from selldesk.sellers.standing import Seller, SellerLoad, Strikes
from selldesk.store import rows as records
from selldesk.store.blocks import Block, all_blocks
from selldesk.store.open import open_store
from selldesk.store.postgres import render as render_postgres
from selldesk.store.postgres import render_rows
from selldesk.store.sqlite import render
from selldesk.trades.trade import Trade, TradeItem
from tests.stores import new_database

ENTITIES = {
    one.__name__: one
    for one in (Trade, OpenOffer, TradeItem, Hold, Order, Person, Lease, Seller, SellerLoad, Strikes, Delivery, DeliveryItem)
}
NAMED = {name: block for name, block in all_blocks().items() if block.record is not None}
RAW = {"fetch", "load", "load_all", "execute", "query"}


def fields_of(record: str) -> list[str]:
    if record in ENTITIES:
        return [field.name for field in msgspec.structs.fields(ENTITIES[record])]
    return list(getattr(records, record)._fields)


def parameters_of(block: Block) -> dict[str, Any]:
    names = set(re.findall(r"(?<!:):(\w+)", block.sql))
    return {name: 0 if name in ("limit", "offset", "most") else None for name in names}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, engine: str) -> str:
    url = new_database(tmp_path_factory.mktemp("rows"))
    open_store(url).migrate()
    return url


def columns_of(database: str, block: Block) -> list[str]:
    """As the engine itself names them."""
    if database.startswith("sqlite"):
        connection = sqlite3.connect(database.removeprefix("sqlite:///"))
        values: Any = [None] * len(block.columns) if block.columns else parameters_of(block)
        cursor = connection.execute(render(block, 1) if block.columns else block.sql, values)
        found = [column[0] for column in cursor.description]
        connection.close()
        return found
    with psycopg.connect(database) as server:
        if block.columns:
            answer = server.execute(render_rows(block.name), [[] for _ in block.columns])
        else:
            answer = server.execute(render_postgres(block.sql), parameters_of(block))
        assert answer.description is not None
        return [column.name for column in answer.description]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_columns_of_a_block_are_the_fields_of_its_record(database: str, name: str) -> None:
    block = NAMED[name]
    assert columns_of(database, block) == fields_of(block.record or ""), name


def test_a_call_names_the_record_that_the_block_answers(tmp_path: Path) -> None:
    store = open_store(new_database(tmp_path))
    store.migrate()
    with pytest.raises(TypeError, match="block keys_of answers KeyRow, not RoomRow"):
        store.reader().fetch_as(records.RoomRow, "keys_of", person=1)


def counted_columns(source: str) -> list[int]:
    """Lines that take a column by its number from a row of `fetch`, `load` and the like, or from anything that is called row or rows."""
    tree = ast.parse(source)
    rows, row = {"rows"}, {"row"}

    def is_rows(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in rows
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RAW

    def is_row(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in row
        return is_number(node) and is_rows(node.value)  # type: ignore[attr-defined]

    def is_number(node: ast.AST) -> bool:
        if not isinstance(node, ast.Subscript):
            return False
        index = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
        return isinstance(index, ast.Slice) or (isinstance(index, ast.Constant) and isinstance(index.value, int))

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_rows(node.value):
            rows |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension) and is_rows(node.iter) and isinstance(node.target, ast.Name):
            row.add(node.target.id)
    return sorted(
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Subscript) and is_number(node) and is_row(node.value)
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('number = reader.fetch("x")[0][0]', 1),
        ('found = reader.fetch("x")\nprint(found[0][2])', 1),
        ("names = [row[1] for row in them]", 1),
        ('names = [one[1] for one in reader.load("x", keys)]', 1),
        ("trade = Trade(*row[:11])", 1),
        ("last = rows[-1][0]", 1),
        ("first = rows[0]", 0),
        ('name = reader.fetch_as(KeyRow, "keys_of", person=1)[0].name', 0),
        ("for number, name in reader.fetch('x'): pass", 0),
    ],
)
def test_the_rule_finds_what_it_forbids(source: str, found: int) -> None:
    assert len(counted_columns(source)) == found


def test_nobody_counts_columns_outside_the_store() -> None:
    home = Path(selldesk.__file__).parent
    files = [file for file in home.rglob("*.py") if file.relative_to(home).parts[0] != "store"]
    assert len(files) > 100
    counted = [f"{file.relative_to(home)}:{line}" for file in files for line in counted_columns(file.read_text())]
    assert counted == []


def test_no_block_is_dead() -> None:
    """Every block is asked by its name somewhere; those of the audit by their prefix."""
    source = "".join(path.read_text() for path in (Path(__file__).parent.parent.parent / "src" / "selldesk").rglob("*.py"))
    dead = [name for name in all_blocks() if f'"{name}"' not in source and not name.startswith("audit_")]
    assert dead == []
