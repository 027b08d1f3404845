"""Accounts, keys, money."""

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import Done, KeyCreated, MoneyMoved, PersonReply


class CreatePerson(Command[PersonReply], frozen=True, kw_only=True):
    operator: str
    id: str
    login: str
    roles: int
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None
    steamid64: str | None = None


class ChangePerson(Command[PersonReply], frozen=True, kw_only=True):
    """Only what is given changes (msgspec's UNSET is not on this wire: None means 'as it is')."""

    operator: str
    person_id: str
    roles: int | None = None
    disabled: bool | None = None
    frozen: bool | None = None
    steamid64: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None


class CreateKey(Command[KeyCreated], frozen=True, kw_only=True):
    person: int
    name: str
    key_hash: str
    operator: str | None = None


class DeleteKey(Command[Done], frozen=True, kw_only=True):
    person: int
    name: str
    operator: str | None = None


class MoveMoney(Command[MoneyMoved], frozen=True, kw_only=True):
    """`deposit`, `withdrawal` or `adjustment` (amount may be negative), once per reference."""

    operator: str
    person: int
    direction: str
    amount: int
    reference: str
    reason: str | None = None
    trade_id: str | None = None
