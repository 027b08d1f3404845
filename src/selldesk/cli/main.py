"""`selldesk`: one command for everything (contract C7)."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from selldesk.cli.app import app
from selldesk.config import BadSetting, settings_in


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Where the market listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The market's port.")] = 8000,
    steam_port: Annotated[int, typer.Option(help="The Steam simulator's port.")] = 8100,
    data: Annotated[Path, typer.Option(help="The folder where this sandbox lives.")] = Path("var/sandbox"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget everything and start anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """The whole market with a Steam simulator, demo people, bots and orders. A second start goes on where it stopped."""
    from selldesk.sandbox.run import Sandbox, SandboxOptions

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database_url = settings_in(os.environ).get("database_url")
    Sandbox(SandboxOptions(host, port, steam_port, data, fresh, quiet, database_url)).run()


@app.command("simulate-steam")
def simulate_steam(
    port: Annotated[int, typer.Option(help="Plain HTTP: all of Steam's hosts by path, and /control.")] = 8100,
    tls_port: Annotated[int, typer.Option(help="TLS, routed by host name.")] = 8101,
    proxy_port: Annotated[int, typer.Option(help="CONNECT proxy for Steam's hosts and no others.")] = 8102,
    data: Annotated[Path, typer.Option(help="Where the simulated world lives.")] = Path("var/steam"),
) -> None:
    """The Steam simulator alone, with some bots and five sellers."""
    from selldesk.sandbox.demo import first_accounts
    from selldesk.steamsim.process import SimulatorSettings, run_simulator

    print(f"Steam, simulated: http://127.0.0.1:{port} — accounts: http://127.0.0.1:{port}/control/accounts")
    print(f"TLS on {tls_port} (CA: {data / 'ca.pem'}), CONNECT proxy on {proxy_port}")
    try:
        run_simulator(SimulatorSettings(str(data), "127.0.0.1", port, None, first_accounts(), tls_port, proxy_port))
    except OSError as error:
        raise BadSetting(f"can't listen: {error}") from None


def add_commands() -> None:
    """All but the two of this file."""
    from selldesk.cli import (  # noqa: F401 — they add their commands
        check,
        market,
        money,
        people,
        sealing,
        seller,
        sellers,
        setup,
        trades,
        trading,
    )


def run() -> None:
    """The console script. What a user did wrong is one clear line, never a traceback."""
    from selldesk.cli.exits import EXITS, exit_code, one_line
    from selldesk.kernel.processes import prepare_process

    prepare_process()
    add_commands()
    try:
        settings_in(os.environ)
        app()
    except tuple(kind for kind, _ in EXITS) as error:
        print(f"selldesk: {one_line(error)}", file=sys.stderr)
        sys.exit(exit_code(error))
