"""How lists are printed: a table for people, or with --json each object on a line of its own, as the API answers it (people P9)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, as the API answers it.")]
Most = Annotated[int, typer.Option(min=1, max=10_000, help="So many, the latest first.")]


def print_list(objects: Iterable[T], as_json: bool, columns: Sequence[str], row: Callable[[T], Sequence[Any]]) -> None:
    """`row`: what of an object stands in the table; None and False are shown as nothing, True as yes."""
    if as_json:
        for one in objects:
            print_json(one)
        return
    # Folded, never cut: what stands here is copied.
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for one in objects:
        table.add_row(*(_cell(value) for value in row(one)))
    Console().print(table)


def print_json(what: Any) -> None:
    print(msgspec.json.encode(what).decode())


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "yes" if value is True else str(value)
