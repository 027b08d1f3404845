"""`selldesk money`: deposits, withdrawals, adjustments."""

from pathlib import Path
from typing import Annotated

import typer

from selldesk.cli.app import app
from selldesk.cli.exits import Refused
from selldesk.cli.people import Login, person_of
from selldesk.cli.shell import OPERATOR, ConfigFile, DatabaseUrl, amount_of, inline_desk, settings_of
from selldesk.config import BadSetting
from selldesk.desk import commands
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import MONEY_MAX
from selldesk.kernel.money import both_units

money_app = typer.Typer(help="Money of wallets: deposit, withdraw, adjust.", no_args_is_help=True)
app.add_typer(money_app, name="money")

Amount = Annotated[
    str, typer.Argument(help="Thousandths of a dollar in plain digits (50000), or with a dollar sign ($50.00, 50.00usd).")
]


def _move(login: str, direction: str, amount: str, reference: str, config: Path | None, database_url: str | None) -> None:
    mills = amount_of(amount)
    if not 1 <= mills <= MONEY_MAX:
        raise BadSetting(f"{amount}: an amount goes from 1 to {both_units(MONEY_MAX)}")
    desk = inline_desk(settings_of(config, database_url=database_url))
    moved = desk.ask(
        commands.MoveMoney(
            operator=OPERATOR, person=person_of(desk, login).number, direction=direction, amount=mills, reference=reference
        )
    )
    again = " (was done before under this reference)" if moved.repeated else ""
    print(f"{login}: {direction} of {both_units(mills)}, balance {both_units(moved.balance_after)}{again}")


@money_app.command()
def deposit(
    login: Login,
    amount: Amount,
    reference: Annotated[str, typer.Option(help="Unique: repeating a deposit with it moves nothing twice.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Credits a wallet."""
    _move(login, "deposit", amount, reference, config, database_url)


@money_app.command()
def withdraw(
    login: Login,
    amount: Amount,
    reference: Annotated[str, typer.Option(help="Unique: repeating a withdrawal with it moves nothing twice.")],
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Pays out of a wallet."""
    _move(login, "withdrawal", amount, reference, config, database_url)


@money_app.command()
def adjust(
    login: Login,
    amount: Annotated[
        str, typer.Argument(help="As of a deposit; with a minus it is taken away (after --, or the shell's options end).")
    ],
    reference: Annotated[str, typer.Option(help="Unique: repeating an adjustment with it moves nothing twice.")],
    reason: Annotated[str, typer.Option(help="Why; it lands in the operators' log.")],
    trade: Annotated[str | None, typer.Option(help="The sale that it is about, by UUID.")] = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Corrects a wallet against the market's own account."""
    sign = -1 if amount.startswith("-") else 1
    mills = sign * amount_of(amount.removeprefix("-"))
    if mills == 0 or abs(mills) > MONEY_MAX:
        raise BadSetting(f"{amount}: an adjustment goes from 1 to {both_units(MONEY_MAX)}, either way")
    desk = inline_desk(settings_of(config, database_url=database_url))
    trade_id = None if trade is None else canonical_uuid(trade)
    if trade is not None and (trade_id is None or not desk.store.fetch("trade_by_id", id=trade_id)):
        raise Refused(f"no trade {trade}")
    moved = desk.ask(
        commands.MoveMoney(
            operator=OPERATOR,
            person=person_of(desk, login).number,
            direction="adjustment",
            amount=mills,
            reference=reference,
            reason=reason,
            trade_id=trade_id,
        )
    )
    again = " (was done before under this reference)" if moved.repeated else ""
    print(
        f"{login}: adjusted by {'-' if mills < 0 else ''}{both_units(abs(mills))}, balance {both_units(moved.balance_after)}{again}"
    )


# The names of before, for one release.
app.command("deposit", hidden=True, deprecated=True)(deposit)
app.command("withdraw", hidden=True, deprecated=True)(withdraw)
