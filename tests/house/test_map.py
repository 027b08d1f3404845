"""docs/map.md is true: its folders are those of the code and import no more than it says, and a sale's way leads from file to file."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from selldesk.store.blocks import parse

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "selldesk"
MAP = ROOT / "docs" / "map.md"
ROOMS = {"alerts", "book", "bots", "catalog", "deliveries", "events", "ledger", "offers", "people", "sellers", "trades", "webhooks"}
BETWEEN_MAX = 2
"""So many modules may stand between two files that are tied."""


class Step(NamedTuple):
    file: str
    function: str
    way: str


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that begins with this heading, without the backticks of cells that are one name."""
    found: list[list[str]] = []
    lines = iter(MAP.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return found
                found.append([re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in row.strip("|").split("|")])
    return found


def steps() -> list[Step]:
    return [Step(file, function, way) for _, file, function, way, _ in rows("step")]


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> dict[str, set[str]]:
    """Module → the modules of selldesk that its syntax tree imports."""
    paths = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
    return {name: set(_imported(path)) & paths.keys() - {"selldesk"} for name, path in paths.items()}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: imports are absolute in this project"
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def reaches(start: str, end: str) -> bool:
    """Whether `start` imports `end`, directly or through at most two modules."""
    found = {start}
    for _ in range(BETWEEN_MAX + 1):
        found = {target for module in found for target in imports()[module]}
        if end in found:
            return True
    return False


def blocks(file: str) -> set[str]:
    return set(parse((SOURCE / file).read_text(encoding="utf-8")))


def texts(file: str) -> set[str]:
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def defined(file: str) -> set[str]:
    """Functions, classes and methods of a Python file; the blocks of a file of SQL."""
    if file.endswith(".sql"):
        return blocks(file)
    found: set[str] = set()
    for node in ast.parse((SOURCE / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


def faults(way: list[Step]) -> list[str]:
    """What is wrong with a sale's way, one line each."""
    wrong: list[str] = []
    before: str | None = None
    """The last Python file."""
    for step in way:
        if not (SOURCE / step.file).is_file():
            wrong.append(f"{step.file}: no such file")
            continue
        if step.function not in defined(step.file):
            wrong.append(f"{step.file}: no {step.function}")
        if before is not None and not _is_tied(before, step):
            wrong.append(f"{step.file}: not '{step.way}' after {before}")
        if step.file.endswith(".py"):
            before = step.file
    return wrong


def _is_tied(before: str, step: Step) -> bool:
    if step.file.endswith(".sql"):
        return step.way == "calls →" and step.function in texts(before)
    above, here = name_of(SOURCE / before), name_of(SOURCE / step.file)
    if step.way == "calls →":
        return reaches(above, here)
    return step.way == "told by ←" and reaches(here, above)


def test_the_folders_of_the_map_are_those_of_the_code() -> None:
    folders = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")} - {"."}
    named = [folder.rstrip("/") for folder, *_ in rows("folder")]
    assert sorted(named) == sorted(folders)
    for folder, *_ in rows("beside `src/`"):
        assert (ROOT / folder).is_dir(), folder


def too_much(folder: str, allowed: str) -> set[str]:
    """What a folder imports beyond the last column of the map."""
    named = set(re.findall(r"`([^`]+)`", allowed if "`" in allowed else f"`{allowed}`"))
    tops = {path.stem for path in SOURCE.glob("*.py")} | {path.name for path in SOURCE.iterdir() if path.is_dir()}
    if allowed.startswith("everything"):
        named = tops - named
    elif "rooms" in allowed:
        named |= ROOMS
    found = {target.split(".")[1] for name, targets in imports().items() if name.split(".")[1:2] == [folder] for target in targets}
    return found - named - {folder}


def test_no_folder_imports_more_than_the_map_says() -> None:
    wrong = {
        folder: beyond
        for name, _, allowed in rows("folder")
        if not allowed.startswith("as ") and (beyond := too_much(folder := name.rstrip("/"), allowed))
    }
    assert wrong == {}
    assert too_much("book", "steam") == set()
    assert too_much("desk", "`kernel`, rooms, `store`") == {"steamwire"}


def test_a_sales_way_leads_from_file_to_file() -> None:
    way = steps()
    assert len(way) > 20
    assert way[0].way == "–"
    assert faults(way) == []


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (Step("steam/telepathy.py", "guess", "calls →"), "steam/telepathy.py: no such file"),
        (Step("link/client.py", "DeskClient.guess", "calls →"), "link/client.py: no DeskClient.guess"),
        (Step("steamsim/world.py", "World", "calls →"), "steamsim/world.py: not 'calls →' after api/sell.py"),
        (Step("link/client.py", "DeskClient.ask", "told by ←"), "link/client.py: not 'told by ←' after api/sell.py"),
        (Step("link/client.py", "DeskClient.ask", "somehow"), "link/client.py: not 'somehow' after api/sell.py"),
        (Step("store/queries/desk.sql", "add_trades", "calls →"), "store/queries/desk.sql: not 'calls →' after api/sell.py"),
    ],
    ids=["file", "function", "way", "turned", "word", "sql"],
)
def test_a_made_up_row_is_found(step: Step, fault: str) -> None:
    begin = Step("api/sell.py", "SellApi.create", "–")
    assert faults([begin, Step("link/client.py", "DeskClient.ask", "calls →")]) == []
    assert faults([begin, step]) == [fault]


def test_the_index_of_decisions_names_each_page_and_tests_that_exist() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    titles = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in sorted(folder.glob("0*.md"))}
    listed = re.findall(r"^\| (\d+) \| \[([^\]]+)\]\(([^)]+)\) \| (holds|superseded by \d+) \|", index, re.MULTILINE)
    assert {file: f"# {number}. {title}" for number, title, file, _ in listed} == titles
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    functions = {name for path in tests for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))}
    assert set(re.findall(r"`(test_\w+\.py)`", index)) <= {path.name for path in tests}
    assert set(re.findall(r"`(test_\w+)`", index)) <= functions
