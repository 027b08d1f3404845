"""The command that all others hang on."""

import typer

app = typer.Typer(
    help="An open market where sellers sell Steam items to VIP buyers.\n\nStart with [bold]selldesk sandbox[/]: the whole market on this machine.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
