"""What the documents tell an operator to do exists: alerts, routes, commands, settings."""

import re
from pathlib import Path

import pytest
import typer

from selldesk.alerts import runbook
from selldesk.alerts.kinds import KINDS
from selldesk.cli.app import app
from selldesk.cli.main import add_commands
from selldesk.config import FROM_FILES, Settings, load_settings
from selldesk.runtime.api_process import ApiProcess
from selldesk.store.open import open_store

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "operating.md", ROOT / "docs" / "simulator.md", ROOT / "docs" / "promises.md"]
_SANDBOX_ONLY = {"/sandbox/clock"}


def test_the_alerts_in_the_runbook_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    assert runbook.rewritten(text) == text, "run `make runbook`"
    assert [name for name in KINDS if f"### `{name}`" not in text] == []
    for kind in KINDS.values():
        assert kind.meaning.endswith(".")
        assert kind.remedy.endswith(".")
    with pytest.raises(ValueError, match="marks"):
        runbook.rewritten("a document without them")


def test_every_kind_of_alert_that_is_raised_is_declared() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src" / "selldesk").rglob("*.py"))
    raised = set(re.findall(r'(?:RaiseAlert|batch\.alert|tell_once|tell)\(\s*"([a-z_]+)"', source))
    assert raised
    assert raised - KINDS.keys() == set()


def test_every_route_that_a_document_names_exists(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'market.db'}"
    open_store(url).migrate()
    running = ApiProcess(load_settings({"database_url": url, "secret_key": "k" * 32}, environment={}))
    known = {(route.method, _shape(route.path)) for route in running.api.routes}
    wrong = []
    for document in DOCUMENTS:
        for methods, path in re.findall(
            r"`((?:GET|POST|PUT|PATCH|DELETE)(?:\\?\|[A-Z]+)*) (/(?:api|sandbox|metrics|ready|health)[^\s`?]*)",
            document.read_text(),
        ):
            for method in re.split(r"\\?\|", methods):
                for one in _alternatives(path):
                    if one not in _SANDBOX_ONLY and (method, _shape(one)) not in known:
                        wrong.append(f"{document.name}: {method} {one}")
    assert wrong == []


def _alternatives(path: str) -> list[str]:
    """`/a/stop|resume` names two; ACTION stands for each of a list."""
    head, _, tail = path.rpartition("/")
    return [f"{head}/{'cancel' if last == 'ACTION' else last}" for last in re.split(r"\\?\|", tail)]


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_command_that_a_document_names_exists() -> None:
    add_commands()
    group = typer.main.get_command(app)
    known: set[tuple[str, ...]] = {(name,) for name in group.commands}  # type: ignore[attr-defined]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        known |= {(name, one) for one in getattr(command, "commands", {})}
    groups = {name for name, command in group.commands.items() if hasattr(command, "commands")}  # type: ignore[attr-defined]
    wrong = []
    for document in DOCUMENTS:
        for first, rest in re.findall(
            r"(?:`|bin/|^|&& |=)selldesk ([a-z-]+)((?: [a-z|\\-]+)?)", document.read_text(), re.MULTILINE
        ):
            for second in re.split(r"\\?\|", rest.strip()) if first in groups else [""]:
                name = (first, second) if second else (first,)
                if name not in known:
                    wrong.append(f"{document.name}: selldesk {' '.join(name)}")
    assert wrong == []


def test_every_setting_that_a_document_names_exists() -> None:
    known = {f"SELLDESK_{name.upper()}" for name in Settings.__struct_fields__} | {
        f"SELLDESK_{name.upper()}_FILE" for name in FROM_FILES
    }
    documents = [*DOCUMENTS, *(ROOT / "docs").rglob("*.md")]
    named = {name for path in documents for name in re.findall(r"SELLDESK_[A-Z_]*[A-Z]", path.read_text())}
    others = {name for name in named if re.match(r"SELLDESK_(TEST|HOUR|FUZZ|BENCH)_", name)}
    assert named - known - others == set()
