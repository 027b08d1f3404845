"""`selldesk check`: is everything in place for a market to run? Every line is ok, a warning, or a fault with its remedy."""

import asyncio
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.shell import ConfigFile, DatabaseUrl, settings_of
from selldesk.config import BadSetting, Settings
from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK, CannotOpen, secrets_place
from selldesk.reads.limits import limits_of_market
from selldesk.steam.results import SteamFault
from selldesk.steam.session import base_headers, request
from selldesk.steam.transport import AiohttpTransport
from selldesk.store.open import open_store, shown
from selldesk.store.rows import BotRow
from selldesk.store.store import BadStore, StoreUnavailable

STEAM_HOSTS = {
    "steam_community_url": "steamcommunity.com",
    "steam_api_url": "api.steampowered.com",
    "steam_login_url": "login.steampowered.com",
}
_HIDDEN = ("secret_key", "secret_key_old")
_FREE_BYTES = 2**30
_DAY = 86_400


class Report:
    """What was found, printed as it comes."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def ok(self, text: str) -> None:
        print(f"ok       {text}")

    def warn(self, text: str) -> None:
        print(f"warning  {text}")

    def fault(self, text: str) -> None:
        self.faults.append(text)
        print(f"fault    {text}")


@app.command()
def check(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Shows the effective settings and finds what is wrong with them, the store, the secrets and the way to Steam. Exit code 1 with a
    fault. Run it before `serve`: a port that is in use is a fault."""
    settings = settings_of(config, database_url=database_url)
    report = Report()
    _show(settings)
    _settings(settings, report)
    _files(settings, config, report)
    if not _ports(settings, report):
        report.ok(f"port {settings.port} of {settings.host} is free")
    _store(settings, report)
    asyncio.run(_steam(settings, report))
    if report.faults:
        raise Refused("; ".join(report.faults))


def _show(settings: Settings) -> None:
    """Every setting as it counts."""
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if field.name in _HIDDEN:
            text = "set" if value else "not set"
        elif field.name == "database_url":
            text = shown(value)
        elif field.name == "fee_basis_points":
            text = f"{value} ({value / 100:g} % of each sale)"
        else:
            text = str(value)
        print(f"         {field.name} = {text}{'' if value != field.default else '  (default)'}")


def _settings(settings: Settings, report: Report) -> None:
    before = len(report.faults)
    for name, wrong in _absurd(settings):
        report.warn(f"{name} = {getattr(settings, name)}: {wrong}")
    try:
        settings.box(None)
    except BadSetting as error:
        report.fault(str(error))
    else:
        if len(set(settings.secret_key)) < 12:
            report.warn("SELLDESK_SECRET_KEY repeats few characters: take a random one")
    _steam_hosts(settings, report)
    _edges(settings, report)
    if len(report.faults) == before:
        report.ok("settings can be read")


def _steam_hosts(settings: Settings, report: Report) -> None:
    """Steam itself, all of it, by https and within its limits; or another one, all of it."""
    for name, host in STEAM_HOSTS.items():
        parts = urlsplit(getattr(settings, name))
        if parts.hostname == host and parts.scheme != "https":
            report.fault(f"{name}: Steam itself is reached by https only")
        elif parts.hostname != host and not _is_loopback(parts.hostname or ""):
            report.warn(f"{name} is {parts.hostname}, not Steam's own {host}: bots' passwords go there")
    hosts = {name: urlsplit(getattr(settings, name)).hostname == host for name, host in STEAM_HOSTS.items()}
    if len(set(hosts.values())) > 1:
        others = ", ".join(name for name, is_steams in hosts.items() if not is_steams)
        report.fault(f"{others}: not Steam's own, while the others are: bots would log in at one Steam and trade at another")
    if all(hosts.values()) and settings.steam_limits_share > 1:
        report.fault("steam_limits_share is more than 1: Steam itself would refuse the calls and lock the accounts out for a while")


def _edges(settings: Settings, report: Report) -> None:
    """How the market is reached, and what protects it there."""
    if not settings.public_url and settings.host in ("0.0.0.0", "::"):  # noqa: S104 — only compared
        report.warn(f"public_url is not set: clients would be told {settings.url()}")
    if settings.host not in ("127.0.0.1", "::1", "localhost") and not settings.trusted_proxies:
        report.warn(
            f"host {settings.host} is reached from elsewhere, and trusted_proxies is empty: right only without a proxy before it"
        )
    if not settings.rate_limits_enforced:
        report.warn("rate_limits_enforced is off: one account can take all of the market's time")
    if settings.bad_keys_max == 0:
        report.warn("bad_keys_max is 0: keys can be guessed without end")


_HARDLY_MEANT: list[tuple[str, Callable[[float], bool], str]] = [
    ("fee_basis_points", lambda value: value > 2_000, "more than a fifth of each sale: 100 is 1 %"),
    ("quote_seconds", lambda value: value < 5 or value > 600, "this is how many seconds sellers have between match and create"),
    (
        "offer_out_within_seconds",
        lambda value: value < 60 or value > _DAY,
        "the buyer's money is frozen for this long without an offer",
    ),
    ("offer_open_for_seconds", lambda value: value < 60 or value > _DAY, "a seller has this long to accept an offer"),
    ("settlement_margin_seconds", lambda value: value > _DAY, "each seller waits this much longer for the money"),
    (
        "dateless_protection_seconds",
        lambda value: value < 7 * _DAY,
        "shorter than Steam's own protection: sellers could still reverse",
    ),
    ("confirm_within_seconds", lambda value: value < 30 or value > 3600, "an offer is confirmed or taken back within it"),
    ("game_pause_seconds", lambda value: value > 3600, "nothing of a game is sold for this long after one refusal"),
    ("bot_full_seconds", lambda value: value > _DAY, "a full bot takes nothing of that game for this long"),
    ("poll_seconds", lambda value: value < 1 or value > 60, "each bot looks at its offers this often"),
    ("idle_poll_seconds", lambda value: value > 600, "an idle bot looks at its offers this often"),
    ("sweep_seconds", lambda value: value < 5 or value > 3600, "sales that wait are gone through so often"),
    ("full_sweep_seconds", lambda value: value < 10 or value > 3600, "a bot's whole list of offers is read this often"),
    ("own_inventory_seconds", lambda value: value < 1 or value > 3600, "pages of a stocktake are read this often"),
    ("steam_limits_share", lambda value: value < 0.1, "bots use a small part of what Steam allows: sales will be slow"),
    ("steam_address_calls_per_second", lambda value: value < 1, "all bots together: sales will hardly move"),
    ("lockout_seconds", lambda value: value > _DAY, "a mistyped key shuts an address out for this long"),
    ("connections_per_address", lambda value: value < 4, "clients use several connections at once"),
    ("batch_max", lambda value: value < 8, "commits wait for each other"),
]


def _absurd(settings: Settings) -> list[tuple[str, str]]:
    """Values that are allowed and hardly meant."""
    found = [(name, text) for name, is_absurd, text in _HARDLY_MEANT if is_absurd(getattr(settings, name))]
    if settings.idle_poll_seconds < settings.poll_seconds:
        found.append(("idle_poll_seconds", "an idle bot looks at its offers this often"))
    for name in (field.name for field in msgspec.structs.fields(Settings) if field.name.startswith("overdue_")):
        if not 60 <= getattr(settings, name) <= _DAY:
            found.append((name, "operators hear of a stuck sale this long after its deadline"))
    return found


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _files(settings: Settings, config: Path | None, report: Report) -> None:
    """Whoever can read them can act for the bots."""
    held = [config] if config is not None else []
    held += [Path(os.environ[name]) for name in sorted(os.environ) if name.startswith("SELLDESK_") and name.endswith("_FILE")]
    parts = urlsplit(settings.database_url)
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path)[1:])
        held += [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
        free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.exists())).free
        if free < _FREE_BYTES:
            report.fault(f"less than {_FREE_BYTES >> 30} GiB is free where {path} lies")
    for path in held:
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            report.fault(f"{path} can be read by other users of this machine (mode {mode:o}): chmod 600 {path}")


def _ports(settings: Settings, report: Report) -> int:
    """How many are in use."""
    taken = 0
    for name, host, port in (("port", settings.host, settings.port), ("metrics_port", "127.0.0.1", settings.metrics_port)):
        if not port:
            continue
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((host, port))
        except OSError as error:
            taken += 1
            report.fault(f"{name} {port} of {host}: {error.strerror or error} (does a market run already?)")
    return taken


def _store(settings: Settings, report: Report) -> None:
    where = shown(settings.database_url)
    try:
        store = open_store(settings.database_url)
        store.check()
        pending = store.pending_migrations()
        if pending:
            report.fault(f"store {where}: {len(pending)} migrations to apply: run selldesk migrate")
            return
        reader = store.reader()
        report.ok(f"store {where}: {reader.value('current_seq')} batches")
        seal_format = store.mark(SEAL_MARK)
        if seal_format != SEAL_FORMAT:
            report.warn("secrets are sealed as in an earlier release: run selldesk reseal when no process of that release is left")
        limits = msgspec.to_builtins(limits_of_market(reader))
        report.ok("limits: " + ", ".join(f"{name} {'-' if value is None else value}" for name, value in limits.items()))
        records = reader.fetch_as(BotRow, "all_bot_records")
        if settings.secret_key:
            box = settings.box(seal_format)
            closed = []
            for record in records:
                try:
                    box.open(record.secrets, secrets_place(record.steamid64))
                except CannotOpen:
                    closed.append(record.account_name)
            if closed:
                report.fault(f"secrets of {len(closed)} bots can't be opened with SELLDESK_SECRET_KEY: {', '.join(closed[:10])}")
            elif records:
                report.ok(f"secrets of {len(records)} bots can be opened")
        if not records:
            report.warn("there is no bot yet: selldesk bot add")
        elif not reader.fetch("load_rooms"):
            report.warn("there is no room yet, so nothing is bought: selldesk room add")
    except (BadStore, StoreUnavailable) as error:
        report.fault(f"store {where}: {' '.join(str(error).split())}")


async def _steam(settings: Settings, report: Report) -> None:
    """Whether each of Steam's hosts answers at all; what it answers to a stranger does not matter."""
    transport = AiohttpTransport(10)
    urls = settings.steam_urls()
    calls = (
        ("POST", f"{urls.api}/ITwoFactorService/QueryTime/v1/"),
        ("GET", f"{urls.community}/"),
        ("POST", f"{urls.login}/jwt/ajaxrefresh"),
    )
    try:
        for method, url in calls:
            try:
                form = {"steamid": "0"} if method == "POST" else None
                response = await request(transport, method, url, form=form, headers=base_headers())
                report.ok(f"Steam: {urlsplit(url).netloc} answers ({response.status})")
            except SteamFault as fault:
                report.fault(f"Steam: {url} can't be reached: {fault}")
    finally:
        await transport.close()
