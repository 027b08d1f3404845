"""The shape of functions: none of many branches, none longer than a screen. What grows beyond becomes an ordered list of small rules."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent.parent / "src" / "selldesk"
BRANCHES_MAX = 15
LINES_MAX = 60

_BRANCHES = (
    ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.comprehension, ast.match_case
)  # fmt: skip


def complexity(function: ast.AST) -> int:
    """Ways through a function: 1, and one more for each branch, loop, handler, case, `and`, `or` and condition of a comprehension."""
    ways = 1
    for node in ast.walk(function):
        if isinstance(node, _BRANCHES):
            ways += 1
        if isinstance(node, ast.comprehension):
            ways += len(node.ifs)
        if isinstance(node, ast.BoolOp):
            ways += len(node.values) - 1
    return ways


def functions(source: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def test_no_function_has_many_branches_or_is_longer_than_a_screen() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{function.lineno} {function.name}: {complexity(function)} ways, {lines(function)} lines"
        for path in sorted(SOURCE.rglob("*.py"))
        for function in functions(path.read_text())
        if complexity(function) > BRANCHES_MAX or lines(function) > LINES_MAX
    ]
    assert found == []


WAYS = [
    # a function                                                          ways
    ("def f():\n    return 1",                                            1),
    ("def f(a):\n    if a:\n        return 1\n    return 2",              2),
    ("def f(a, b, c):\n    return 1 if a and b or c else 2",              4),
    ("def f(a):\n    return [x for x in a if x if not x]",                4),
    ("def f(a):\n    match a:\n        case 1: ...\n        case 2: ...", 3),
    ("async def f(a):\n    try:\n        ...\n    except OSError: ...",   2),
    ("def f(a):\n    while a:\n        for b in a:\n            assert b", 4),
]  # fmt: skip


@pytest.mark.parametrize(("source", "ways"), WAYS)
def test_ways_are_counted(source: str, ways: int) -> None:
    assert complexity(functions(source)[0]) == ways
