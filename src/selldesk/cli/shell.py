"""What the commands share: settings from flags, variables and file, and a desk in line."""

from pathlib import Path
from typing import Annotated

import typer

from selldesk.config import BadSetting, Settings, load_settings
from selldesk.desk.desk import Desk
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.money import parse_amount
from selldesk.kernel.secretbox import SEAL_MARK
from selldesk.kernel.shapes import is_steamid64
from selldesk.reads.showing import Showing, people_in
from selldesk.store.open import open_store, shown
from selldesk.store.store import Store

OPERATOR = "shell"
"""What the operator log shows for actions of the command line."""

ConfigFile = Annotated[Path | None, typer.Option("--config", envvar="SELLDESK_CONFIG", help="A TOML file with settings.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="sqlite:///path (or SELLDESK_DATABASE_URL).")]


def amount_of(text: str) -> int:
    """Mills, written as people write money on this command line. Raises BadSetting."""
    try:
        return parse_amount(text)
    except ValueError as error:
        raise BadSetting(str(error)) from None


def steamid64_of(text: str) -> str:
    """Raises BadSetting."""
    if not is_steamid64(text):
        raise BadSetting(f"{text!r} is not a SteamID64: 17 digits that begin with 7656119")
    return text


def settings_of(config: Path | None, **flags: object) -> Settings:
    return load_settings(flags, config)


def open_migrated(settings: Settings) -> Store:
    """Raises BadSetting if the store lacks migrations."""
    store = open_store(settings.database_url)
    store.check()
    if store.pending_migrations():
        raise BadSetting(f"the store {shown(settings.database_url)} is not up to date: run selldesk migrate first")
    return store


def showing_of(settings: Settings, desk: Desk) -> Showing:
    """What views need, read from the store."""
    people = people_in(desk.store)
    return Showing(settings.url(), lambda: people, settings.box(desk.store.value("get_mark", name=SEAL_MARK)))


def inline_desk(settings: Settings) -> Desk:
    """A second desk beside a running server is fine: each batch trusts only rows that it reads itself."""
    return Desk(open_migrated(settings).writer(), SystemClock(), settings.desk())
