"""Everything of `/api/operator` that sets a market up, from the shell: users, keys, money, rooms, bots, catalog."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import CatalogFault, parse_csv
from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.mafile import read_mafile
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, amount_of, inline_desk, settings_of, steamid64_of
from selldesk.config import BadSetting
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.requests.bots import bot_command, secrets_command
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash, new_api_key, new_uuid7
from selldesk.kernel.limits import MONEY_MAX, ORDERS_PER_TRANSACTION
from selldesk.kernel.money import both_units, dollars
from selldesk.kernel.secretbox import SEAL_MARK
from selldesk.people.roles import Role, pack_roles, unpack_roles
from selldesk.store.open import open_store
from selldesk.store.rows import BotHealthRow, KeyRow, PersonRow, RoomRow

user_app = typer.Typer(help="People: create, list, change.", no_args_is_help=True)
key_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
room_app = typer.Typer(help="Purchase rooms: add, list, remove.", no_args_is_help=True)
bot_app = typer.Typer(help="Bots: add, list, enable, disable.", no_args_is_help=True)
catalog_app = typer.Typer(help="Item names: import.", no_args_is_help=True)
app.add_typer(user_app, name="user")
app.add_typer(key_app, name="key")
app.add_typer(room_app, name="room")
app.add_typer(bot_app, name="bot")
app.add_typer(catalog_app, name="catalog")

Amount = Annotated[
    str, typer.Argument(help="Thousandths of a dollar in plain digits (50000), or with a dollar sign ($50.00, 50.00usd).")
]
Login = Annotated[str, typer.Argument(help="The user's login.")]


@user_app.command("create")
def create_user(
    login: Login,
    role: Annotated[list[Role], typer.Option(help="project, buyer or operator; may be given several times.")],
    steamid64: Annotated[str | None, typer.Option(help="A buyer's SteamID64, which is their buyer_id.")] = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Creates a user. The very first operator comes from here."""
    if Role.BUYER in role and steamid64 is None:
        raise BadSetting("a buyer needs --steamid64")
    if steamid64 is not None:
        steamid64_of(steamid64)
    desk = inline_desk(settings_of(config, database_url=database_url))
    person_id = new_uuid7(SystemClock().now_us())
    desk.ask(
        commands.CreatePerson(
            operator=OPERATOR,
            id=person_id,
            login=login,
            roles=pack_roles(role),
            first_name=None,
            last_name=None,
            avatar=None,
            steamid64=steamid64,
        )
    )
    print(f"{login}: {person_id}")


@user_app.command("list")
def list_users(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All users."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    table = Table("login", "id", "roles", "steamid64", "disabled", "frozen")
    for person in desk.store.fetch_as(PersonRow, "people_page", login=None, limit=1_000_000, offset=0):
        roles = ", ".join(unpack_roles(person.roles))
        table.add_row(
            person.login,
            person.id,
            roles,
            person.steamid64 or "",
            "yes" if person.disabled else "",
            "yes" if person.frozen else "",
        )
    Console().print(table)


@user_app.command("disable")
def disable_user(login: Login, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """No key of the user works any more."""
    _change_user(inline_desk(settings_of(config, database_url=database_url)), login, disabled=True)


@user_app.command("enable")
def enable_user(login: Login, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Takes back a disable."""
    _change_user(inline_desk(settings_of(config, database_url=database_url)), login, disabled=False)


def _change_user(desk: Desk, login: str, disabled: bool) -> None:
    person = _person(desk, login)
    desk.ask(commands.ChangePerson(operator=OPERATOR, person_id=person.id, disabled=disabled))
    print(f"{login}: {'disabled' if disabled else 'enabled'}")


@key_app.command("create")
def create_key(
    login: Login,
    name: Annotated[str, typer.Option(help="What the key is called.")] = "default",
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """A new API key. It is shown once."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    api_key = new_api_key()
    desk.ask(commands.CreateKey(person=_person(desk, login).number, name=name, key_hash=api_key_hash(api_key), operator=OPERATOR))
    print(api_key)


@key_app.command("list")
def list_keys(login: Login, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """A user's keys, by name."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    for key in desk.store.fetch_as(KeyRow, "keys_of", person=_person(desk, login).number):
        print(key.name)


@key_app.command("revoke")
def revoke_key(login: Login, name: str, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Revokes a key."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    desk.ask(commands.DeleteKey(person=_person(desk, login).number, name=name, operator=OPERATOR))
    print(f"{login}: {name} revoked")


def _move(login: str, direction: str, amount: str, reference: str, config: Path | None, database_url: str | None) -> None:
    mills = amount_of(amount)
    if not 1 <= mills <= MONEY_MAX:
        raise BadSetting(f"{amount}: an amount goes from 1 to {both_units(MONEY_MAX)}")
    desk = inline_desk(settings_of(config, database_url=database_url))
    moved = desk.ask(
        commands.MoveMoney(
            operator=OPERATOR, person=_person(desk, login).number, direction=direction, amount=mills, reference=reference
        )
    )
    again = " (was done before under this reference)" if moved.repeated else ""
    print(f"{login}: {direction} of {both_units(mills)}, balance {both_units(moved.balance_after)}{again}")


@app.command()
def deposit(
    login: Login,
    amount: Amount,
    reference: Annotated[str, typer.Option(help="Unique: repeating a deposit with it moves nothing twice.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Credits a wallet."""
    _move(login, "deposit", amount, reference, config, database_url)


@app.command()
def withdraw(
    login: Login,
    amount: Amount,
    reference: Annotated[str, typer.Option(help="Unique: repeating a withdrawal with it moves nothing twice.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Pays out of a wallet."""
    _move(login, "withdrawal", amount, reference, config, database_url)


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
def list_rooms(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All rooms."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    table = Table("id", "name", "game", "from", "to", "priority", "enabled")
    for room in desk.store.fetch_as(RoomRow, "load_rooms"):
        low, high = ("" if value is None else dollars(value) for value in (room.min_value, room.max_value))
        table.add_row(
            str(room.id), room.name, str(room.game or "any"), low, high, str(room.priority), "yes" if room.enabled else "no"
        )
    Console().print(table)


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
def list_bots(config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All bots and their health."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    table = Table("number", "steamid64", "account", "enabled", "state", "reason", "live offers", "items held")
    for bot in desk.store.fetch_as(BotHealthRow, "bots_with_heartbeat"):
        table.add_row(
            str(bot.number),
            bot.steamid64,
            bot.account_name,
            "yes" if bot.enabled else "no",
            bot.state,
            bot.state_reason or "",
            str(bot.live_offers),
            str(bot.items_held),
        )
    Console().print(table)


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


def _person(desk: Desk, login: str) -> PersonRow:
    number = desk.store.value("person_by_login", login=login)
    if number is None:
        raise Refused(f"no user {login}")
    (person,) = desk.store.fetch_as(PersonRow, "person_by_number", number=number)
    return person
