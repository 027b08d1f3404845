"""`selldesk user|key`: people and their API keys."""

from typing import Annotated

import typer

from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.output import AsJson, print_list
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, inline_desk, settings_of, steamid64_of
from selldesk.config import BadSetting
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash, new_api_key, new_uuid7
from selldesk.people.roles import Role, pack_roles
from selldesk.reads.people import keys_of, users_page
from selldesk.store.rows import PersonRow

user_app = typer.Typer(help="People: create, list, change.", no_args_is_help=True)
key_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
app.add_typer(user_app, name="user")
app.add_typer(key_app, name="key")

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
            steamid64=steamid64,
        )
    )
    print(f"{login}: {person_id}")


@user_app.command("list")
def list_users(as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All users."""
    page = users_page(inline_desk(settings_of(config, database_url=database_url)).store, None, 1_000_000, 0)
    columns = ("login", "id", "roles", "steamid64", "disabled", "frozen")
    print_list(
        page.users, as_json, columns, lambda one: (one.login, one.id, ", ".join(one.roles), one.steamid64, one.disabled, one.frozen)
    )


@user_app.command("disable")
def disable_user(login: Login, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """No key of the user works any more."""
    _change_user(inline_desk(settings_of(config, database_url=database_url)), login, disabled=True)


@user_app.command("enable")
def enable_user(login: Login, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Takes back a disable."""
    _change_user(inline_desk(settings_of(config, database_url=database_url)), login, disabled=False)


def _change_user(desk: Desk, login: str, disabled: bool) -> None:
    person = person_of(desk, login)
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
    desk.ask(commands.CreateKey(person=person_of(desk, login).number, name=name, key_hash=api_key_hash(api_key), operator=OPERATOR))
    print(api_key)


@key_app.command("list")
def list_keys(login: Login, as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """A user's keys, by name."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    keys = keys_of(desk.store, person_of(desk, login).number)
    print_list(keys, as_json, ("name", "created", "last used"), lambda key: (key.name, key.created_at, key.last_used_at))


@key_app.command("revoke")
def revoke_key(login: Login, name: str, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Revokes a key."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    desk.ask(commands.DeleteKey(person=person_of(desk, login).number, name=name, operator=OPERATOR))
    print(f"{login}: {name} revoked")


def person_of(desk: Desk, login: str) -> PersonRow:
    number = desk.store.value("person_by_login", login=login)
    if number is None:
        raise Refused(f"no user {login}")
    (person,) = desk.store.fetch_as(PersonRow, "person_by_number", number=number)
    return person
