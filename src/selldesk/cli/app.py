"""The command that all others hang on."""

from importlib.metadata import version
from typing import Annotated

import typer

app = typer.Typer(
    help="An open market where sellers sell Steam items to VIP buyers.\n\nStart with [bold]selldesk sandbox[/]: the whole market on this machine.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"selldesk {version('selldesk')}")
        raise typer.Exit


@app.callback()
def selldesk(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
