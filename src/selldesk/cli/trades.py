"""`selldesk trade|alert|log`: what operators need at night, on the store."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.output import AsJson, Most, print_json, print_list
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, inline_desk, settings_of, showing_of
from selldesk.config import BadSetting, Settings
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.money import dollars
from selldesk.reads.alerts import alerts_page
from selldesk.reads.log import log_page
from selldesk.reads.trades import OperatorTrade, operator_trade, trades_page
from selldesk.store.lists import TradeFilter
from selldesk.store.store import Reader
from selldesk.trades.status import Status

trade_app = typer.Typer(help="Sales: list, show, cancel, retry, declare.", no_args_is_help=True)
alert_app = typer.Typer(help="Alerts: list, close.", no_args_is_help=True)
app.add_typer(trade_app, name="trade")
app.add_typer(alert_app, name="alert")

Reason = Annotated[str, typer.Option(help="Why; it lands in the operators' log.")]
TradeId = Annotated[str, typer.Argument(help="A trade's UUID, or its custom_id if only one project used it.")]
Force = Annotated[bool, typer.Option("--force", help="Against Steam's last word.")]


class Declared(StrEnum):
    """What an operator says became of a sale."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled-back"


class Side(StrEnum):
    USER = "user"
    BOT = "bot"


@trade_app.command("list")
def list_trades(
    status: Annotated[list[Status] | None, typer.Option(help="Only these; may be given several times.")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project's, by login.")] = None,
    buyer: Annotated[str | None, typer.Option(help="Only this buyer's, by login.")] = None,
    game: Annotated[int | None, typer.Option(help="Only this game.")] = None,
    custom_id: Annotated[str | None, typer.Option(help="Only with this in their custom_id.")] = None,
    most: Most = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Sales, the latest first."""
    settings = settings_of(config, database_url=database_url)
    desk = inline_desk(settings)
    wanted = TradeFilter(
        project=_person(desk.store, project),
        buyer=_person(desk.store, buyer),
        game=game,
        statuses=None if not status else [one.value for one in status],
        custom_id=custom_id,
        limit=most,
    )
    page = trades_page(desk.store, showing_of(settings, desk), wanted, "seller")
    columns = ("id", "custom_id", "status", "value", "items", "created", "error")
    print_list(
        page.trades,
        as_json,
        columns,
        lambda trade: (
            trade.trade_id, trade.custom_id, trade.status, dollars(trade.total_value), len(trade.processed_trade.items_to_receive),
            trade.created_at, trade.error,
        ),
    )  # fmt: skip
    if not as_json and page.total > len(page.trades):
        print(f"{len(page.trades)} of {page.total}; --most shows more")


@trade_app.command("show")
def show_trade(trade: TradeId, as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """One sale, with its steps and Steam's words."""
    settings = settings_of(config, database_url=database_url)
    desk = inline_desk(settings)
    found = operator_trade(desk.store, showing_of(settings, desk), _trade_id(desk.store, trade))
    if as_json:
        print_json(found)
    else:
        _print(found)


@trade_app.command("cancel")
def cancel_trade(trade: TradeId, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Withdraws a processing sale: it ends declined, at once or when Steam says that the offer is gone."""
    _operate(settings_of(config, database_url=database_url), trade, "cancel", reason)


@trade_app.command("retry")
def retry_trade(trade: TradeId, reason: Reason, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """Has a processing sale's bot try again now; never a second send."""
    _operate(settings_of(config, database_url=database_url), trade, "retry", reason)


@trade_app.command("declare")
def declare_trade(
    trade: TradeId,
    outcome: Annotated[Declared, typer.Argument(help="What became of it.")],
    reason: Reason,
    by: Annotated[Side | None, typer.Option(help="Whose account was reversed, of rolled-back.")] = None,
    force: Force = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Declares what Steam does not say."""
    if (outcome is Declared.ROLLED_BACK) != (by is not None):
        raise BadSetting("rolled-back needs --by user or --by bot; nothing else takes it")
    settings = settings_of(config, database_url=database_url)
    _operate(settings, trade, f"declare-{outcome.value}", reason, None if by is None else by.value, force)


def _operate(settings: Settings, trade: str, action: str, reason: str, by: str | None = None, force: bool = False) -> None:
    desk = inline_desk(settings)
    trade_id = _trade_id(desk.store, trade)
    done = desk.ask(commands.OperateTrade(trade_id=trade_id, operator=OPERATOR, action=action, reason=reason, by=by, force=force))
    print(f"trade {trade_id}: {action}, now {done.status.value}")


def _trade_id(reader: Reader, text: str) -> str:
    known = canonical_uuid(text)
    if known is not None:
        return known
    found = [one for (one,) in reader.fetch("trades_by_custom_id", custom_id=text)]
    if len(found) > 1:
        raise Refused(f"{len(found)} projects have a trade with custom_id {text}: give its UUID (selldesk trade list --custom-id)")
    if not found:
        raise Refused(f"no trade {text}")
    return str(found[0])


def _person(reader: Reader, login: str | None) -> int | None:
    if login is None:
        return None
    number = reader.value("person_by_login", login=login)
    if number is None:
        raise Refused(f"no user {login}")
    return int(number)


def _print(found: OperatorTrade) -> None:
    trade, console = found.trade, Console(highlight=False)
    console.print(f"[bold]{trade.trade_id}[/]  {trade.custom_id}  of {found.project}, for {found.buyer}")
    console.print(f"{trade.status}{f': {trade.error}' if trade.error else ''}; stage {found.stage}, due {found.due_at or 'never'}")
    steam = trade.processed_trade
    console.print(f"Steam: offer {steam.tradeoffer_id or '-'} {steam.trade_status or ''}, trade {steam.trade_id or '-'}")
    print_list(
        steam.items_to_receive,
        False,
        ("item", "asset", "price", "now asset"),
        lambda item: (item.market_hash_name, f"{item.contextid}/{item.assetid}", dollars(item.price), item.new_assetid),
    )
    print_list(trade.history or [], False, ("at", "status", "step"), lambda step: (step.at, step.status, step.note))
    for word in found.evidence:
        console.print(f"{word.at}  Steam's {word.kind}: {word.body}", soft_wrap=True)


@alert_app.command("list")
def list_alerts(
    closed: Annotated[bool, typer.Option("--closed", help="Those that are closed instead.")] = False,
    most: Most = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """What a human should look at. docs/operating.md says what to do about each kind."""
    page = alerts_page(inline_desk(settings_of(config, database_url=database_url)).store, not closed, most, 0)
    columns = ("id", "kind", "since", "bot", "trade", "text")
    print_list(
        page.alerts,
        as_json,
        columns,
        lambda one: (one.id, one.kind, one.since, one.bot, one.trade_id, one.close_reason or one.text),
    )
    if not as_json and page.total > len(page.alerts):
        print(f"{len(page.alerts)} of {page.total}; --most shows more")


@alert_app.command("close")
def close_alert(
    alert: Annotated[str, typer.Argument(help="The alert's id.")],
    reason: Reason,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """It was looked at."""
    alert_id = canonical_uuid(alert)
    if alert_id is None:
        raise Refused(f"no alert {alert}")
    desk: Desk = inline_desk(settings_of(config, database_url=database_url))
    desk.ask(commands.CloseAlert(operator=OPERATOR, alert_id=alert_id, reason=reason))
    print(f"alert {alert_id} closed")


@app.command("log")
def show_log(most: Most = 50, as_json: AsJson = False, config: ConfigFile = None, database_url: DatabaseUrl = None) -> None:
    """What operators did, the latest first."""
    page = log_page(inline_desk(settings_of(config, database_url=database_url)).store, most, 0)
    columns = ("at", "operator", "action", "target", "what")
    print_list(page.entries, as_json, columns, lambda line: (line.at, line.operator, line.action, line.target, line.body))
