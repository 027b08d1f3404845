"""`selldesk trading`: stop the whole trade and let it go on, from the shell."""

from typing import Annotated

import typer

from selldesk.cli.app import app
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, inline_desk, settings_of
from selldesk.desk import commands
from selldesk.kernel.times import wire_time

trading_app = typer.Typer(help="All trading: stop, resume, status.", no_args_is_help=True)
app.add_typer(trading_app, name="trading")

Reason = Annotated[str, typer.Option(help="Why; it lands in the operators' log.")]


@trading_app.command()
def stop(
    reason: Reason,
    history_lost: Annotated[
        bool,
        typer.Option("--history-lost", help="A backup was put back: Steam may know more than the store. Every bot is looked at."),
    ] = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Nothing new begins, from now on; what runs is finished and settled."""
    command = commands.StopTrading(operator=OPERATOR, reason=reason, history_lost=history_lost)
    inline_desk(settings_of(config, database_url=database_url)).ask(command)
    print("trading is stopped")


@trading_app.command()
def resume(
    reason: Reason,
    force: Annotated[bool, typer.Option("--force", help="Also if bots were not looked at or offers are undecided.")] = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Lets trading go on. After a loss of history it first wants every bot looked at and every unknown offer decided."""
    inline_desk(settings_of(config, database_url=database_url)).ask(
        commands.ResumeTrading(operator=OPERATOR, reason=reason, force=force)
    )
    print("trading goes on")


@trading_app.command()
def status(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Is it stopped, since when, why, and what is still missing?"""
    store = inline_desk(settings_of(config, database_url=database_url)).store
    stops = store.fetch("open_stop")
    if not stops:
        print("trading goes on")
        return
    since, reason, history_lost = stops[0]
    print(f"stopped since {wire_time(since)}: {reason}")
    if history_lost:
        missing = ", ".join(store.column("bots_not_looked_at"))
        print(f"bots not looked at since: {missing or 'none'}")
        print(f"unknown offers to decide: {store.value('open_unknown_offers')}")
