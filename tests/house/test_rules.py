"""Every rule that is cited stands in docs/rules or docs/promises.md, each anchor is unique, and the links of those pages lead somewhere.

What counts as a citation: a letter of R, C, P, I with one or two digits as a word of its own; a section sign with a number, and the numbers
after "no."; the word "settled" with a number before a closing bracket, a colon or a semicolon ("it settled 1,511 sales" is none).

Where they are looked for, so that variables and names of items are no false hits: in Python in comments and docstrings (of attributes
too), in SQL in comments, in Markdown outside of code. In the rest of a Python file, such as the text of an alert, only what names its page
counts: "protocol", "readings", "contract", "people" or "promise" before the number. A word is no citation if a letter, a digit or one of
% / . - # touches it on the left, or a letter, a digit or % on the right.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "docs" / "rules"
PAGES = [*sorted(RULES.glob("*.md")), ROOT / "docs" / "promises.md"]

_ANCHOR = re.compile(r'<a id="([^"]*)"></a>')
_HEADING = re.compile(r"#{2,3} (?:(?P<letter>[RCPI]\d+)|§(?P<section>[\d.]+)|Settled (?P<settled>\d+)) · ")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`]*`")

_LETTER = re.compile(r"(?<![\w%/.\-#])[RCPI]\d{1,2}(?![\w%]|[.\-]\d)")
_SECTION = re.compile(r"§ ?(\d+(?:\.\d+)*)(?: no\. (\d+(?:(?:–|, | and )\d+)*))?")
_SETTLED = re.compile(r"\bsettled (\d{1,2}(?:(?:–|, | and )\d{1,2})*)(?=[)\]:;])")
_NAMED_LETTER = re.compile(r"\b(?:readings|contract|people|promises?) ([RCPI]\d+)")
_NAMED_SECTION = re.compile(r"\bprotocol (§ ?\d.*)")


class Citation(NamedTuple):
    line: int
    text: str
    anchor: str


def cited_in_prose(text: str) -> Iterator[tuple[str, str]]:
    """(as it is written, its anchor)"""
    for found in _LETTER.finditer(text):
        yield found[0], found[0].lower()
    for found in _SECTION.finditer(text):
        section = found[1].replace(".", "-")
        yield f"§{found[1]}", f"steam-{section}"
        for number in re.findall(r"\d+", found[2] or ""):
            yield f"§{found[1]} no. {number}", f"steam-{section}-no-{number}"
    for found in _SETTLED.finditer(text):
        for number in re.findall(r"\d+", found[1]):
            yield f"settled {number}", f"settled-{number}"


def cited_in_code(text: str) -> Iterator[tuple[str, str]]:
    """What names its page, wherever it stands."""
    for found in _NAMED_LETTER.finditer(text):
        yield found[1], found[1].lower()
    for found in _NAMED_SECTION.finditer(text):
        yield from cited_in_prose(found[1])


def citations(name: str, text: str) -> list[Citation]:
    """Of one file, by the ending of its name."""
    lines = text.splitlines()
    prose = {".py": _python, ".sql": _sql, ".md": _markdown}[Path(name).suffix](text)
    found = {Citation(number, *cited) for number, words in prose for cited in cited_in_prose(words)}
    if name.endswith(".py"):
        found |= {Citation(number, *cited) for number, line in enumerate(lines, 1) for cited in cited_in_code(line)}
    return sorted(found)


def _python(text: str) -> Iterator[tuple[int, str]]:
    """(line, words) of comments, and of strings that stand alone: docstrings of modules, classes, functions and attributes."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                yield number, lines[number - 1]


def _sql(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        yield number, line.partition("--")[2]


def _markdown(text: str) -> Iterator[tuple[int, str]]:
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, _CODE.sub("", line)


def anchors(pages: Iterable[Path]) -> Counter[str]:
    return Counter(anchor for page in pages for anchor in _ANCHOR.findall(page.read_text(encoding="utf-8")))


def dead(files: Iterable[Path], known: Iterable[str], root: Path) -> list[str]:
    """file:line and text of each citation without an anchor."""
    alive = set(known)
    return [
        f"{path.relative_to(root)}:{one.line}: {one.text}"
        for path in files
        for one in citations(path.name, path.read_text(encoding="utf-8"))
        if one.anchor not in alive
    ]


def broken_links(pages: Iterable[Path]) -> list[str]:
    """Of the relative ones: no such file, or no such anchor in it."""
    broken: list[str] = []
    for page in pages:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for target in _LINK.findall(_CODE.sub("", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                if not path.exists() or (anchor and anchor not in anchors([path])):
                    broken.append(f"{page.name}:{number}: {target}")
    return broken


def _files() -> list[Path]:
    return [
        *sorted((ROOT / "src").rglob("*.py")),
        *sorted((ROOT / "src").rglob("*.sql")),
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    ]


def test_every_rule_that_is_cited_stands_in_the_project() -> None:
    assert dead(_files(), anchors(PAGES), ROOT) == []


def test_there_are_citations_of_every_kind() -> None:
    """A pattern that finds nothing any more would keep the test above green for ever."""
    files = [path for path in _files() if path.parent != RULES]
    found = {one.anchor for path in files for one in citations(path.name, path.read_text(encoding="utf-8"))}
    assert {"r5", "c4", "p6", "i11", "steam-7", "steam-3-2", "steam-9-no-22", "settled-9", "settled-22"} <= found


def test_each_anchor_is_unique() -> None:
    assert [anchor for anchor, times in anchors(PAGES).items() if times > 1] == []


def test_each_rule_stands_under_its_number() -> None:
    """The heading names the rule that the line before it anchors."""
    wrong: list[str] = []
    for page in sorted(RULES.glob("*.md")):
        lines = page.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            heading = _HEADING.match(line)
            if heading is None:
                continue
            letter, section, settled = heading["letter"], heading["section"], heading["settled"]
            anchor = letter.lower() if letter else f"steam-{section.replace('.', '-')}" if section else f"settled-{settled}"
            if lines[number - 1] != f'<a id="{anchor}"></a>':
                wrong.append(f"{page.name}:{number + 1}: {line}")
    assert wrong == []


def test_the_links_of_the_rules_lead_somewhere() -> None:
    assert broken_links(PAGES) == []


def test_a_citation_of_a_rule_that_does_not_exist_is_found(tmp_path: Path) -> None:
    module = tmp_path / "made_up.py"
    module.write_text(
        '"""A rule that nobody wrote (R99).\n\nSales (R5, people P6) and Steam ('
        "protocol "
        '§98.1, §9 no. 1 and 77)."""\n\nR98 = 1  # as I97 says\nTEXT = "R96 Revolver"\n',
        encoding="utf-8",
    )
    schema = tmp_path / "made_up.sql"
    schema.write_text("CREATE TABLE c97 (r99 TEXT); -- I96\n", encoding="utf-8")
    page = tmp_path / "made_up.md"
    page.write_text("As C95 says (settled 94): `R93`, and it settled 1,511 sales.\n```\nR92\n```\n", encoding="utf-8")
    assert dead([module, schema, page], anchors(PAGES), tmp_path) == [
        "made_up.py:1: R99",
        "made_up.py:3: §9 no. 77",
        "made_up.py:3: §98.1",
        "made_up.py:5: I97",
        "made_up.sql:1: I96",
        "made_up.md:1: C95",
        "made_up.md:1: settled 94",
    ]


@pytest.mark.parametrize(
    "text",
    ["P2P", "I2C", "CI", "%C3%A9", "P2000 | Handgun", "p99", "CP1252", "x-R5", "R5.5", "it settled 12 of them", "GR4", "C4a"],
)
def test_what_only_looks_like_a_citation_is_none(text: str) -> None:
    assert list(cited_in_prose(text)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(R5)", ["r5"]),
        ("R3's order", ["r3"]),
        ("I1–I4.", ["i1", "i4"]),
        ("R4, R5:", ["r4", "r5"]),
        ("(contract C2, promise I5)", ["c2", "i5"]),
        ("(readings R5, protocol §5 and §9)", ["r5", "steam-5", "steam-9"]),
        ("(§5.5, §9 no. 12, 26–28)", ["steam-5-5", "steam-9", "steam-9-no-12", "steam-9-no-26", "steam-9-no-28"]),
        ("(settled 2): not", ["settled-2"]),
        ("settled 2 and 3)", ["settled-2", "settled-3"]),
    ],
)
def test_how_citations_are_written(text: str, found: list[str]) -> None:
    assert [anchor for _, anchor in cited_in_prose(text)] == found


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text('<a id="r1"></a>\n', encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#r1) [b](there.md#r2) [c](gone.md) [d](https://example.com/x) [e](#r3)\n", encoding="utf-8")
    assert broken_links([page]) == ["page.md:1: there.md#r2", "page.md:1: gone.md", "page.md:1: #r3"]
