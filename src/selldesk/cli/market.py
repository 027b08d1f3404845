"""Commands that run and look after a market: serve, work, migrate, copy, archive, audit."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from selldesk.cli.app import app
from selldesk.cli.output import AsJson, print_json
from selldesk.cli.shell import ConfigFile, DatabaseUrl, open_migrated, settings_of
from selldesk.config import BadSetting
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.times import DAY_US
from selldesk.store.archiving import CannotArchive
from selldesk.store.archiving import archive as archive_trades
from selldesk.store.audit import run_audit
from selldesk.store.copying import CannotCopy, copy_market
from selldesk.store.open import open_store, shown


@app.command()
def serve(
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    host: Annotated[str | None, typer.Option(help="Where the API listens.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="API processes on this machine; all share its desk.")] = 1,
    no_background: Annotated[bool, typer.Option("--no-background", help="Only the API; run `selldesk work` elsewhere.")] = False,
) -> None:
    """The API, with its desk, and with the background work unless told otherwise."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = settings_of(config, database_url=database_url, host=host, port=port)
    open_migrated(settings)
    from selldesk.runtime.api_process import ApiProcess

    uvloop.run(ApiProcess(settings, background=not no_background, api_processes=workers).run())


@app.command()
def work(
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    bots: Annotated[bool, typer.Option("--bots", help="Offers and polls.")] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Settlement: the same bots read Steam's last word, so this is one with --bots.")
    ] = False,
    webhooks: Annotated[bool, typer.Option("--webhooks", help="Events on their way to the endpoints that want them.")] = False,
) -> None:
    """The background work in a process of its own: bots and with them settlement, and webhooks. Without a flag all of it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = settings_of(config, database_url=database_url)
    open_migrated(settings)
    from selldesk.runtime.work_process import WorkProcess  # here, for the other commands needn't wait for all that it brings

    everything = not (bots or settle or webhooks)
    uvloop.run(WorkProcess(settings, bots=everything or bots or settle, webhooks=everything or webhooks).run())


@app.command()
def migrate(
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Brings the store's schema up to date, and says what it does."""
    settings = settings_of(config, database_url=database_url)
    store, where = open_store(settings.database_url), shown(settings.database_url)
    pending = store.pending_migrations()
    for migration in pending:
        print(f"applying {migration.name}: {migration.purpose}")
    if dry_run:
        print(f"{where}: {len(pending)} to apply" if pending else f"{where}: up to date")
        return
    store.migrate()
    print(f"{where}: {len(pending)} applied, up to date" if pending else f"{where}: up to date")


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", help="The store to copy: sqlite:///… or postgresql://…")],
    target: Annotated[str, typer.Option("--to", help="An empty one.")],
) -> None:
    """Moves a market to another store, and proves with digests and the audit that nothing changed. The source is left as it is."""
    try:
        copied = copy_market(open_store(source), open_store(target), SystemClock().real_us(), print)
    except CannotCopy as error:
        raise BadSetting(str(error)) from None
    print(f"{sum(table.rows for table in copied)} rows of {len(copied)} tables are the same in {shown(target)}; its audit is clean")


@app.command()
def archive(
    to: Annotated[Path, typer.Option(help="The folder for the files; keep it with the backups.")],
    older_than_days: Annotated[int, typer.Option(min=30, help="Only trades that have not changed for so long.")] = 400,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Moves the steps and Steam's raw words of old, finished trades into files. Lists, look-ups and the audit answer as before."""
    store = open_migrated(settings_of(config, database_url=database_url))
    try:
        done = archive_trades(store, to, SystemClock().now_us() - older_than_days * DAY_US, print)
    except CannotArchive as error:
        raise BadSetting(str(error)) from None
    print(f"{done.trades} trades archived in {len(done.files)} files")


@app.command()
def audit(as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Runs every check of money, orders and trades on the store. Exit code 1 if something is wrong."""
    store = open_migrated(settings_of(config, database_url=database_url))
    result = run_audit(store.reader())
    if as_json:
        for line in result.checks:
            print_json(line)
        sys.exit(1 if result.violations else 0)
    table = Table("check", "rows that break it")
    for check in result.checks:
        table.add_row(check["name"], str(check["rows"]), style="red" if check["rows"] else "green")
    console = Console()
    console.print(table)
    for violation in result.violations:
        console.print(f"[red]{violation['check']}[/]: {', '.join(violation['row'])}")
    console.print("[red]something is wrong[/]" if result.violations else f"[green]{len(result.checks)} checks, all is well[/]")
    sys.exit(1 if result.violations else 0)
