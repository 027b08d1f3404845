"""The simulator as a process of its own."""

import asyncio
import contextlib
import socket
from pathlib import Path

import msgspec
from aiohttp import web

from selldesk.kernel.clock import SharedClock
from selldesk.kernel.processes import exit_with_parent, first_line_from_parent, prepare_process
from selldesk.steamsim.fronts import ConnectProxy, make_tls
from selldesk.steamsim.server import SteamSimulator
from selldesk.steamsim.serving import web_app

_PORT_WAIT_SECONDS = 5


class FirstAccount(msgspec.Struct):
    """An account that a new world starts with. `items`: (game, market_hash_name)."""

    login: str
    role: str
    persona: str
    items: list[tuple[int, str]]
    steamid64: str | None = None
    """Its number, if it must have a certain one."""


class SimulatorSettings(msgspec.Struct):
    folder: str
    host: str
    port: int
    clock_path: str | None
    """The clock file of a sandbox, which moves it; None: the control API moves the simulator's own."""
    accounts: list[FirstAccount]
    tls_port: int = 0
    proxy_port: int = 0
    """0: any free one. GET /control/fronts tells which."""
    fronts_may_move: bool = False
    """Where one of these two is taken, any free one will do."""


def run_simulator(settings: SimulatorSettings) -> None:
    """Serves until the process is told to stop. Raises OSError if the port stays taken."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    clock = SharedClock(Path(settings.clock_path) if settings.clock_path is not None else folder / "clock")
    simulator = SteamSimulator(folder, clock.now_us, None if settings.clock_path is not None else clock.advance, host=settings.host)
    found_world(simulator, settings.accounts)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(simulator, settings))


def found_world(simulator: SteamSimulator, accounts: list[FirstAccount]) -> None:
    """Creates what is missing of the first accounts: all of an account in one commit, so a killed start can be repeated."""
    world = simulator.world
    for first in accounts:
        if world.account_by_login(first.login) is None:
            account = world.add_account(first.login, first.role, first.persona, first.steamid64)
            for game, name in first.items:
                world.add_item(account.steamid64, game, name)
            world.commit()


async def _serve(simulator: SteamSimulator, settings: SimulatorSettings) -> None:
    runner = web.AppRunner(web_app(simulator), access_log=None, shutdown_timeout=1)
    await runner.setup()
    ca_file = Path(settings.folder) / "ca.pem"
    plain = await _listen(settings.host, settings.port)
    tls = await _listen(settings.host, settings.tls_port, settings.fronts_may_move)
    listener = await _listen(settings.host, settings.proxy_port, settings.fronts_may_move)
    await web.SockSite(runner, tls, ssl_context=make_tls(ca_file)).start()
    proxy = await ConnectProxy(tls.getsockname()[1]).start(listener)
    simulator.fronts.update(
        port=plain.getsockname()[1],
        tls_port=tls.getsockname()[1],
        proxy_port=listener.getsockname()[1],
        ca_file=str(ca_file.resolve()),
    )
    # The plain port last: whoever reaches it finds the others open.
    await web.SockSite(runner, plain).start()
    try:
        await asyncio.Event().wait()
    finally:
        proxy.close()
        await runner.cleanup()


async def _listen(host: str, port: int, may_move: bool = False) -> socket.socket:
    """A predecessor that was killed may need a moment to let go of the port, unless another one does (`may_move`). Raises OSError if it
    stays taken."""
    deadline = asyncio.get_running_loop().time() + _PORT_WAIT_SECONDS
    while True:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            return listener
        except (OSError, OverflowError):
            listener.close()
            if may_move and port:
                port = 0
                continue
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.05)


def main() -> None:
    """As a child: settings are the first line of standard input; its end is our end."""
    prepare_process()
    settings = msgspec.json.decode(first_line_from_parent(), type=SimulatorSettings)
    exit_with_parent()
    run_simulator(settings)


if __name__ == "__main__":
    main()
