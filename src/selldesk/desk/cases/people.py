"""People, keys and their money from outside. These commands run alone in their transaction."""

import msgspec

from selldesk.desk import commands
from selldesk.desk.batch import Batch, BatchLoad
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.kernel.limits import KEYS_MAX, MONEY_MAX
from selldesk.kernel.times import wire_time
from selldesk.ledger import accounts
from selldesk.ledger.ledger import Entry
from selldesk.ledger.views import MovementTold, movement
from selldesk.people.roles import Role, has_role
from selldesk.store.rows import KeyRow, PersonRow


def check_actor(person: int, role_bits: int, batch: Batch) -> None:
    """Whether they may, by the rows of this transaction: an edge that has not heard yet of a change asks in vain. Refuses INVALID_API_KEY
    (unknown or disabled), FORBIDDEN."""
    if person not in batch.persons:
        batch.load(BatchLoad(persons={person}))
    actor = batch.persons.get(person)
    if actor is None or actor.disabled:
        raise refusals.INVALID_API_KEY()
    if not actor.roles & role_bits:
        raise refusals.FORBIDDEN()


RESERVED_LOGINS = ("shell", "selldesk")
"""Who acts in the operators' log where no person does: the command line, and the market itself."""


def create_person(command: commands.CreatePerson, batch: Batch) -> commands.PersonReply:
    """Refuses INVALID_BODY for a login of the market's own, LOGIN_TAKEN, STEAMID_TAKEN."""
    store = batch.store
    if command.login.casefold() in RESERVED_LOGINS:
        message = f"{command.login} is reserved: the operators' log uses it for the market itself"
        raise refusals.INVALID_BODY(details=[{"path": "$.login", "message": message}])
    if store.fetch("person_by_login", login=command.login):
        raise refusals.LOGIN_TAKEN()
    if command.steamid64 is not None and store.fetch("person_by_steamid64", steamid64=command.steamid64):
        raise refusals.STEAMID_TAKEN()
    number = int(store.value("last_person")) + 1
    store.execute(
        "add_person",
        number=number,
        id=command.id,
        login=command.login,
        first_name=command.first_name,
        last_name=command.last_name,
        avatar=command.avatar,
        steamid64=command.steamid64,
        roles=command.roles,
        created_at=batch.now,
    )
    log(batch, command.operator, "user.create", command.id, {"login": command.login, "roles": command.roles})
    batch.feed.people.append((number, command.id, command.login, command.steamid64, command.roles, 0, 0))
    return commands.PersonReply(number=number)


def change_person(command: commands.ChangePerson, batch: Batch) -> commands.PersonReply:
    """Refuses USER_NOT_FOUND, STEAMID_TAKEN."""
    store = batch.store
    found = store.fetch_as(PersonRow, "person_by_id", id=command.person_id)
    if not found:
        raise refusals.USER_NOT_FOUND()
    person = found[0]._asdict()
    if command.steamid64 is not None and command.steamid64 != person["steamid64"]:
        if store.fetch("person_by_steamid64", steamid64=command.steamid64):
            raise refusals.STEAMID_TAKEN()
        person["steamid64"] = command.steamid64
    for name in ("roles", "first_name", "last_name", "avatar"):
        if getattr(command, name) is not None:
            person[name] = getattr(command, name)
    for name in ("disabled", "frozen"):
        if getattr(command, name) is not None:
            person[name] = int(getattr(command, name))
    changed = {name: person[name] for name in PersonRow._fields if name not in ("id", "login", "created_at")}
    store.execute("change_person", **changed)
    log(
        batch,
        command.operator,
        "user.change",
        command.person_id,
        {key: changed[key] for key in ("roles", "disabled", "frozen")},
    )
    batch.feed.people.append(
        (
            person["number"],
            person["id"],
            person["login"],
            person["steamid64"],
            person["roles"],
            person["disabled"],
            person["frozen"],
        )
    )
    batch.feed.keys.append(person["number"])
    return commands.PersonReply(number=person["number"])


def create_key(command: commands.CreateKey, batch: Batch) -> commands.KeyCreated:
    """Refuses USER_NOT_FOUND, KEY_NAME_TAKEN, TOO_MANY_KEYS. The key itself never comes here, only its hash."""
    if not batch.store.fetch("person_by_number", number=command.person):
        raise refusals.USER_NOT_FOUND()
    if len(batch.store.fetch("keys_of", person=command.person)) >= KEYS_MAX:
        if batch.store.fetch("key_by_name", person=command.person, name=command.name):
            raise refusals.KEY_NAME_TAKEN()
        raise refusals.TOO_MANY_KEYS()
    if batch.store.fetch("key_by_name", person=command.person, name=command.name):
        raise refusals.KEY_NAME_TAKEN()
    batch.store.execute("add_key", hash=command.key_hash, person=command.person, name=command.name, created_at=batch.now)
    if command.operator is not None:
        log(batch, command.operator, "key.create", str(command.person), {"name": command.name})
    batch.wrote_directly = True
    return commands.KeyCreated(name=command.name, created_at=wire_time(batch.now))


def delete_key(command: commands.DeleteKey, batch: Batch) -> commands.Done:
    """Refuses KEY_NOT_FOUND, LAST_KEY: the last one may be deleted only by an operator (contract C1)."""
    names = [key.name for key in batch.store.fetch_as(KeyRow, "keys_of", person=command.person)]
    if command.name not in names:
        raise refusals.KEY_NOT_FOUND()
    if len(names) == 1 and command.operator is None:
        roles = batch.store.fetch_as(PersonRow, "person_by_number", number=command.person)[0].roles
        if not has_role(roles, Role.OPERATOR):
            raise refusals.LAST_KEY()
    batch.store.execute("drop_key", person=command.person, name=command.name)
    if command.operator is not None:
        log(batch, command.operator, "key.delete", str(command.person), {"name": command.name})
    batch.feed.keys.append(command.person)
    batch.wrote_directly = True
    return commands.Done()


def move_money(command: commands.MoveMoney, batch: Batch) -> commands.MoneyMoved:
    """A deposit, withdrawal or adjustment, once per reference (contract C4).

    Refuses USER_NOT_FOUND, NO_WALLET, REFERENCE_REUSED, INSUFFICIENT_BALANCE, BALANCE_TOO_LARGE. `repeated` tells the edge that
    this is the first answer again.
    """
    people = batch.store.fetch_as(PersonRow, "person_by_number", number=command.person)
    if not people:
        raise refusals.USER_NOT_FOUND()
    known = batch.store.fetch("money_reference", person=command.person, direction=command.direction, reference=command.reference)
    if known:
        amount, entry_id, balance_after, at = known[0]
        if amount != command.amount:
            raise refusals.REFERENCE_REUSED()
        return _movement(command, entry_id, balance_after, at, repeated=True)
    if not (has_role(people[0].roles, Role.PROJECT) or has_role(people[0].roles, Role.BUYER)):
        raise refusals.NO_WALLET()
    load = BatchLoad()
    load.purse_of(command.person)
    load.balances.update(accounts.MARKET_ACCOUNTS)
    batch.load(load)
    if command.amount > 0 and command.direction != "withdrawal":
        # Neither a refund nor proceeds can be refused when they come.
        owned = batch.ledger.owned(command.person) + command.amount
        # Only for riches is it worth counting: nobody's sales of a week come near to half of the bound.
        coming = int(batch.store.value("may_still_come", person=command.person)) if owned > MONEY_MAX // 2 else 0
        if owned + coming > MONEY_MAX:
            raise refusals.BALANCE_TOO_LARGE()
    entry = _post(command, batch)
    batch.store.execute(
        "add_money_reference",
        person=command.person,
        direction=command.direction,
        reference=command.reference,
        amount=command.amount,
        entry=entry.id,
        balance_after=entry.balance_after,
        at=batch.now,
    )
    body = {
        "amount": command.amount,
        "reference": command.reference,
        "reason": command.reason,
        "trade_id": command.trade_id,
    }
    log(batch, command.operator, f"money.{command.direction}", str(command.person), body)
    told = movement(entry.id, entry.kind, entry.amount, entry.balance_after, entry.trade_id, entry.reference, entry.at)
    balance = batch.ledger.balance(accounts.available(command.person))
    body_told = MovementTold(**msgspec.structs.asdict(told), balance=balance)
    batch.tell(command.person, _MONEY_EVENTS[command.direction], str(entry.id), msgspec.json.encode(body_told).decode())
    return _movement(command, entry.id, entry.balance_after, batch.now, repeated=False)


_MONEY_EVENTS = {"deposit": "wallet.deposited", "withdrawal": "wallet.withdrawn", "adjustment": "wallet.adjusted"}


def _post(command: commands.MoveMoney, batch: Batch) -> Entry:
    ledger = batch.ledger
    match command.direction:
        case "deposit":
            return ledger.deposit(command.person, command.amount, command.reference, batch.now)
        case "withdrawal":
            return ledger.withdraw(command.person, command.amount, command.reference, batch.now)
        case "adjustment":
            return ledger.adjust(command.person, command.amount, command.reference, batch.now, command.trade_id)
    raise TypeError(f"no such direction of money: {command.direction}")


def _movement(command: commands.MoveMoney, entry_id: int, balance_after: int, at: int, repeated: bool) -> commands.MoneyMoved:
    return commands.MoneyMoved(
        id=str(entry_id),
        kind=command.direction,
        amount=command.amount,
        reference=command.reference,
        balance_after=balance_after,
        created_at=wire_time(at),
        repeated=repeated,
    )
