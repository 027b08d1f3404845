"""`selldesk seller`, `limits`, `game`: who may sell, how much anybody may have open, what is traded (people P6)."""

from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from selldesk.catalog.games import GAMES, is_supported
from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.output import AsJson, print_json, print_list
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, amount_of, inline_desk, settings_of, steamid64_of
from selldesk.config import BadSetting
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.money import both_units, dollars
from selldesk.kernel.times import parse_time
from selldesk.reads.limits import limits_of_market
from selldesk.reads.sellers import SellerView, seller_view, seller_views
from selldesk.sellers.limits import MarketLimits
from selldesk.sellers.standing import SellerStatus

seller_app = typer.Typer(help="Sellers: list, show, block, trust, clear.", no_args_is_help=True)
limits_app = typer.Typer(help="The market's limits: show, set.", no_args_is_help=True)
game_app = typer.Typer(help="One game's trade: stop, resume.", no_args_is_help=True)
app.add_typer(seller_app, name="seller")
app.add_typer(limits_app, name="limits")
app.add_typer(game_app, name="game")

Reason = Annotated[str, typer.Option(help="Why; it lands in the operators' log.")]
Seller = Annotated[str, typer.Argument(help="The seller's SteamID64.")]
_MONEY = ("seller_processing_value_max", "seller_unsettled_value_max", "project_processing_value_max")


@seller_app.command("list")
def list_sellers(
    status: Annotated[SellerStatus | None, typer.Option(help="Only these.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="So many, the latest first.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Sellers, by their latest sale."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    now = SystemClock().now_us()
    rows = desk.store.column("sellers_page", status=status, sort_by="last_trade_at", now=now, limit=most, offset=0)
    columns = ("steamid64", "status", "strikes", "must wait until", "live", "of", "reversed ever", "last sale")
    print_list(
        seller_views(desk.store, rows, None, now),
        as_json,
        columns,
        lambda view: (
            view.steamid64, view.status, view.strikes, view.cooldown_until, view.live.trades, dollars(view.live.value),
            view.ever.reversed, view.last_trade_at,
        ),
    )  # fmt: skip


@seller_app.command("show")
def show_seller(seller: Seller, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """One seller, with their figures."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    steamid64 = steamid64_of(seller)
    if not desk.store.fetch("seller_known", seller=steamid64):
        raise Refused(f"no seller {steamid64}: nothing is on record")
    _print(seller_view(desk.store, steamid64, None, SystemClock().now_us()))


@seller_app.command()
def block(
    seller: Seller,
    reason: Reason,
    until: Annotated[str | None, typer.Option(help="ISO 8601; else until it is changed.")] = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Sells nothing more; what runs goes on."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    try:
        ends_at = None if until is None else parse_time(until)
    except (ValueError, OverflowError):
        raise BadSetting(f"--until {until!r}: expected an ISO 8601 time such as 2027-01-31T00:00:00Z") from None
    if ends_at is not None and ends_at <= SystemClock().now_us():
        raise BadSetting(f"--until {until} lies in the past")
    _set(desk, seller, SellerStatus.BLOCKED, reason, ends_at)


@seller_app.command()
def trust(seller: Seller, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """No cool-down and none of the limits on sellers."""
    _set(inline_desk(settings_of(config, database_url=database_url)), seller, SellerStatus.TRUSTED, reason, None)


@seller_app.command()
def clear(seller: Seller, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Back to normal: no block, no trust, no strikes, no cool-down."""
    _set(inline_desk(settings_of(config, database_url=database_url)), seller, SellerStatus.NORMAL, reason, None)


def _set(desk: Desk, seller: str, status: SellerStatus, reason: str, until: int | None) -> None:
    desk.ask(commands.SetSeller(operator=OPERATOR, steamid64=steamid64_of(seller), status=status.value, reason=reason, until=until))
    print(f"seller {seller}: {status.value}")


def _print(view: SellerView) -> None:
    table = Table(show_header=False)
    for name, value in msgspec.to_builtins(view).items():
        if isinstance(value, dict):
            text = ", ".join(f"{key} {both_units(one) if key in ('volume', 'value') else one}" for key, one in value.items())
        else:
            text = "" if value is None else str(value)
        table.add_row(name, text)
    Console().print(table)


@limits_app.command("show")
def show_limits(as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """All limits; a dash: none."""
    desk = inline_desk(settings_of(config, database_url=database_url))
    if as_json:
        print_json(limits_of_market(desk.store))
        return
    table = Table("limit", "value")
    for name, value in msgspec.to_builtins(limits_of_market(desk.store)).items():
        table.add_row(name, _shown(name, value))
    Console().print(table)


@limits_app.command("set")
def set_limit(
    name: Annotated[str, typer.Argument(help="As `selldesk limits show` names it.")],
    value: Annotated[str, typer.Argument(help="A number, an amount, a JSON list or object; none: no limit.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Changes one limit of the market."""
    if name not in MarketLimits.__struct_fields__:
        raise BadSetting(f"no limit {name!r}: there are {', '.join(MarketLimits.__struct_fields__)}")
    desk = inline_desk(settings_of(config, database_url=database_url))
    wanted: Any
    if value == "none":
        wanted = None
    elif name in _MONEY:
        try:
            wanted = amount_of(value)
        except BadSetting as error:
            raise BadSetting(f"{name}: {error}") from None
    else:
        try:
            wanted = msgspec.json.decode(value.encode())
        except (msgspec.DecodeError, UnicodeError):
            raise BadSetting(f"{name}: {value!r} is not a number, JSON list or object (none: no limit)") from None
    try:
        limits = msgspec.convert(msgspec.to_builtins(limits_of_market(desk.store)) | {name: wanted}, MarketLimits)
    except msgspec.ValidationError as error:
        raise BadSetting(f"{name}: {error}") from None
    for game in limits.min_order_price:
        if not (game.isascii() and game.isdigit() and is_supported(int(game))):
            raise BadSetting(f"min_order_price: {game!r} is not one of {', '.join(map(str, GAMES))}")
    desk.ask(commands.SetLimits(operator=OPERATOR, limits=limits))
    print(f"{name}: {_shown(name, msgspec.to_builtins(limits)[name])}")


def _shown(name: str, value: Any) -> str:
    return "-" if value is None else both_units(value) if name in _MONEY else str(value)


@game_app.command("stop")
def stop_game(game: int, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Nothing new of this game begins; what runs is finished."""
    inline_desk(settings_of(config, database_url=database_url)).ask(
        commands.StopGame(operator=OPERATOR, game=_game(game), reason=reason)
    )
    print(f"trading of {game} is stopped")


@game_app.command("resume")
def resume_game(game: int, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Lets it go on."""
    inline_desk(settings_of(config, database_url=database_url)).ask(
        commands.ResumeGame(operator=OPERATOR, game=_game(game), reason=reason)
    )
    print(f"trading of {game} goes on")


def _game(game: int) -> int:
    if not is_supported(game):
        raise BadSetting(f"{game} is not a game of this market: {', '.join(map(str, GAMES))}")
    return game
