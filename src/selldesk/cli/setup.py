"""`selldesk room|bot|catalog`: what a market is set up of."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import CatalogFault, parse_csv
from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.mafile import read_mafile
from selldesk.cli.output import AsJson, print_list
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, amount_of, inline_desk, settings_of, showing_of, steamid64_of
from selldesk.config import BadSetting
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.requests.bots import bot_command, secrets_command
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.limits import ORDERS_PER_TRANSACTION
from selldesk.kernel.money import both_units, dollars
from selldesk.kernel.secretbox import SEAL_MARK
from selldesk.reads.bots import bot_views
from selldesk.reads.rooms import room_views
from selldesk.reads.showing import people_in
from selldesk.store.open import open_store

room_app = typer.Typer(help="Purchase rooms: add, list, remove.", no_args_is_help=True)
bot_app = typer.Typer(help="Bots: add, list, enable, disable.", no_args_is_help=True)
catalog_app = typer.Typer(help="Item names: import.", no_args_is_help=True)
app.add_typer(room_app, name="room")
app.add_typer(bot_app, name="bot")
app.add_typer(catalog_app, name="catalog")


@room_app.command("add")
def add_room(
    name: str,
    game: Annotated[int | None, typer.Option(help="Only this game.")] = None,
    min_value: Annotated[str | None, typer.Option(help="Lowest trade value: 10000, $10.00 or 10.00usd.")] = None,
    max_value: Annotated[str | None, typer.Option(help="Highest trade value.")] = None,
    priority: Annotated[int, typer.Option(help="The lowest number is asked first.")] = 100,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Adds a purchase room for all buyers and all bots."""
    if game is not None and not is_supported(game):
        raise BadSetting(f"{game} is not a game of this market")
    desk = inline_desk(settings_of(config, database_url=database_url))
    low, high = (None if text is None else amount_of(text) for text in (min_value, max_value))
    made = desk.ask(
        commands.PutRoom(
            operator=OPERATOR,
            id=None,
            name=name,
            game=game,
            min_value=low,
            max_value=high,
            buyers=None,
            bots=None,
            priority=priority,
            enabled=True,
        )
    )
    bounds = [f"{word} {both_units(value)}" for word, value in (("from", low), ("to", high)) if value is not None]
    print(f"room {made.id}: {name}{', ' if bounds else ''}{' '.join(bounds)}")


@room_app.command("list")
def list_rooms(as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All rooms, in the order in which they are asked."""
    store = inline_desk(settings_of(config, database_url=database_url)).store
    columns = ("id", "name", "game", "from", "to", "priority", "enabled")
    print_list(
        room_views(store, people_in(store)),
        as_json,
        columns,
        lambda room: (
            room.id, room.name, room.game_id or "any", _bound(room.min_value), _bound(room.max_value), room.priority,
            "yes" if room.enabled else "no",
        ),
    )  # fmt: skip


def _bound(value: int | None) -> str:
    return "" if value is None else dollars(value)


@room_app.command("remove")
def remove_room(number: int, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Removes a room; running trades go on."""
    inline_desk(settings_of(config, database_url=database_url)).ask(commands.DropRoom(operator=OPERATOR, id=number))
    print(f"room {number} removed")


@bot_app.command("add")
def add_bot(
    file: Annotated[
        Path, typer.Argument(help="A maFile of SDA, steamguard-cli, ASF or the phone; encrypted ones with their manifest.json.")
    ],
    passphrase: Annotated[
        str | None, typer.Option(envvar="SELLDESK_MAFILE_PASSPHRASE", help="Of an encrypted file; asked for if not given.")
    ] = None,
    account_name: Annotated[str | None, typer.Option(help="The account's login, where the file does not name it.")] = None,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="SELLDESK_BOT_PASSWORD",
            help="The account's password; others on this machine may see it here: rather let it be asked for, or use --password-file.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="A file that holds the password alone; - reads standard input.")
    ] = None,
    profile_name: Annotated[str | None, typer.Option(help="What clients see.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="The bot is known: take its new secrets.")] = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Adds a bot. Its secrets are sealed with SELLDESK_SECRET_KEY."""
    settings = settings_of(config, database_url=database_url)
    settings.secret()
    if password_file is not None:
        if password is not None:
            raise BadSetting("--password and --password-file: which of them counts?")
        password = _password_in(password_file)
    request = read_mafile(
        file,
        lambda what: getpass.getpass(f"{what}: "),
        passphrase=passphrase,
        password=password,
        account_name=account_name,
        profile_name=profile_name,
    )
    desk = inline_desk(settings)
    box = settings.box(open_store(settings.database_url).mark(SEAL_MARK))
    if replace:
        number = _bot_number(desk, request.steamid)
        names = ("password", "shared_secret", "identity_secret", "refresh_token")
        given = {name: value for name in names if (value := getattr(request, name)) is not None}
        desk.ask(secrets_command(box, OPERATOR, desk.store, number, given))
        print(f"bot {request.steamid}: secrets replaced")
        return
    desk.ask(bot_command(box, OPERATOR, request))
    print(f"bot {request.steamid} added")


def _password_in(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: {error}") from None
    if not (text := text.rstrip("\r\n")):
        raise BadSetting(f"{path}: no password in it")
    return text


@bot_app.command("list")
def list_bots(as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All bots and their health."""
    settings = settings_of(config, database_url=database_url)
    desk = inline_desk(settings)
    now = SystemClock().now_us()
    columns = ("steamid64", "account", "enabled", "state", "reason", "live offers", "items held")
    print_list(
        bot_views(desk.store, now, now, showing_of(settings, desk).face),
        as_json,
        columns,
        lambda bot: (
            bot.steamid64, bot.account_name, "yes" if bot.enabled else "no", bot.state, bot.reason, bot.live_offers, bot.items_held,
        ),
    )  # fmt: skip


@bot_app.command("disable")
def disable_bot(steamid64: str, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """No new trades; it finishes and settles its own."""
    _switch_bot(inline_desk(settings_of(config, database_url=database_url)), steamid64, False)


@bot_app.command("enable")
def enable_bot(steamid64: str, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Takes back a disable, and ends a quarantine."""
    _switch_bot(inline_desk(settings_of(config, database_url=database_url)), steamid64, True)


def _bot_number(desk: Desk, steamid64: str) -> int:
    known = desk.store.column("bot_by_identity", steamid64=steamid64_of(steamid64), account_name="")
    if not known:
        raise Refused(f"no bot {steamid64}")
    return int(known[0])


def _switch_bot(desk: Desk, steamid64: str, enabled: bool) -> None:
    desk.ask(commands.ChangeBot(operator=OPERATOR, number=_bot_number(desk, steamid64), enabled=enabled))
    print(f"bot {steamid64}: {'enabled' if enabled else 'disabled'}")


@catalog_app.command("import")
def import_catalog(
    file: Annotated[Path, typer.Argument(help="CSV: market_hash_name[,price in thousandths of a dollar].")],
    game: Annotated[int, typer.Option(help=f"One of {', '.join(map(str, GAMES))}.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Imports item names; known ones keep their number."""
    if not is_supported(game):
        raise BadSetting(f"{game} is not a game of this market")
    try:
        items = parse_csv(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, CatalogFault) as error:
        raise BadSetting(f"{file}: {error}") from None
    desk = inline_desk(settings_of(config, database_url=database_url))
    total = {"created": 0, "updated": 0, "unchanged": 0}
    for start in range(0, len(items), ORDERS_PER_TRANSACTION):
        counts = desk.ask(commands.ImportItems(operator=OPERATOR, game=game, items=items[start : start + ORDERS_PER_TRANSACTION]))
        total = {name: total[name] + getattr(counts, name) for name in total}
    print(f"{file}: {', '.join(f'{count} {name}' for name, count in total.items())}")
