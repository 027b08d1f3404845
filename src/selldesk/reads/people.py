"""People, their keys and their money."""

import msgspec
from msgspec import UNSET, UnsetType

from selldesk.kernel import refusals
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.ledger import accounts
from selldesk.people.roles import unpack_roles
from selldesk.reads.limits import own_limits
from selldesk.sellers.limits import ProjectLimits
from selldesk.store.rows import BalanceRow, KeyRow, PersonRow
from selldesk.store.store import Reader


class Balance(msgspec.Struct):
    """`balance` is available; `frozen_balance` is a buyer's holds and a project's proceeds in escrow, net of fee."""

    balance: int
    frozen_balance: int


class User(msgspec.Struct):
    id: str
    login: str
    first_name: str | None
    last_name: str | None
    avatar: str | None
    steamid64: str | None
    roles: list[str]
    disabled: bool
    frozen: bool
    created_at: str
    wallet: Balance | UnsetType = UNSET
    limits: ProjectLimits | UnsetType = UNSET
    """What this project has of its own (people P6)."""
    deliver_to: list[str] | UnsetType = UNSET
    """Accounts besides their own that a buyer's deliveries may go to (people P4)."""


class UserPage(msgspec.Struct):
    users: list[User]
    total: int
    limit: int
    offset: int


def user_of(person: PersonRow) -> User:
    return User(
        person.id, person.login, person.first_name, person.last_name, person.avatar, person.steamid64,
        [role.value for role in unpack_roles(person.roles)], bool(person.disabled), bool(person.frozen), wire_time(person.created_at),
    )  # fmt: skip


class KeyLine(msgspec.Struct):
    name: str
    created_at: str
    last_used_at: str | None


def keys_of(reader: Reader, person: int) -> list[KeyLine]:
    return [
        KeyLine(key.name, wire_time(key.created_at), wire_time_or_none(key.last_used_at))
        for key in reader.fetch_as(KeyRow, "keys_of", person=person)
    ]


def balance_of(reader: Reader, person: int) -> Balance:
    parts = {"available": accounts.available(person), "held": accounts.held(person), "escrow": accounts.escrow(person)}
    balances = {one.account: one.balance for one in reader.fetch_as(BalanceRow, "balances_of", **parts)}
    frozen = balances.get(parts["held"], 0) + balances.get(parts["escrow"], 0)
    return Balance(balances.get(parts["available"], 0), frozen)


def users_page(reader: Reader, login: str | None, limit: int, offset: int) -> UserPage:
    """By login, from one moment."""
    with reader.snapshot():
        total = reader.value("people_count", login=login)
        rows = reader.fetch_as(PersonRow, "people_page", login=login, limit=limit, offset=offset)
    return UserPage([user_of(row) for row in rows], total, limit, offset)


def one_user(reader: Reader, person_id: str) -> User:
    """With wallet and limits, from one moment. Refuses USER_NOT_FOUND."""
    with reader.snapshot():
        person = next(iter(reader.fetch_as(PersonRow, "person_by_id", id=person_id)), None)
        if person is None:
            raise refusals.USER_NOT_FOUND()
        user = user_of(person)
        user.wallet = balance_of(reader, person.number)
        user.limits = own_limits(reader, person.number) or ProjectLimits()
        user.deliver_to = reader.column("deliver_to_of", person=person.number)
    return user
