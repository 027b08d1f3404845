"""`/api/auth` and `/api/wallet`: who am I, my keys, my money (contract C1)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.desk.commands import CreateKey, DeleteKey, OnBehalf
from selldesk.kernel import refusals
from selldesk.kernel.ids import api_key_hash, new_api_key
from selldesk.ledger import accounts
from selldesk.ledger.views import Movement, movement
from selldesk.people.roles import ALL_ROLE_BITS, Role, pack_roles, unpack_roles
from selldesk.reads.people import Balance, KeyLine, balance_of, keys_of
from selldesk.store.rows import EntryRow, PersonRow
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.parameters import PAGE
from selldesk.web.routes import ANY_ROLE, Call, Reply, RouteSpec

KeyName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*(?!\n)$")]


class KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    name: KeyName


class NewKey(msgspec.Struct):
    """The key is shown here and never again."""

    name: str
    api_key: str
    created_at: str


class KeyNamed(msgspec.Struct):
    name: str


class Me(msgspec.Struct):
    id: str
    login: str
    first_name: str | None
    last_name: str | None
    avatar: str | None
    role: str
    roles: list[str]


class MovementPage(msgspec.Struct):
    transactions: list[Movement]
    total: int
    limit: int
    offset: int


NO_STORE = (("Cache-Control", "no-store"),)
"""Where a key is shown."""


class AccountApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, wallet = refusals, (Role.PROJECT, Role.BUYER)
        keys = "/api/auth/api-keys"
        return [
            RouteSpec("GET", "/api/auth/me", self.me, "Who holds this key", ANY_ROLE, Me, tag="Account"),
            RouteSpec("GET", keys, self.list_keys, "Your API keys", ANY_ROLE, list[KeyLine], tag="Account"),
            RouteSpec(
                "POST", keys, self.create_key, "A new API key, shown once", ANY_ROLE, NewKey, body=KeyRequest, status=201,
                refusals=(r.KEY_NAME_TAKEN, r.TOO_MANY_KEYS), tag="Account",
            ),
            RouteSpec(
                "DELETE", keys, self.delete_key, "Revoke an API key", ANY_ROLE, KeyNamed, body=KeyRequest,
                refusals=(r.KEY_NOT_FOUND, r.LAST_KEY), tag="Account",
            ),
            RouteSpec("GET", "/api/wallet/balance", self.balance, "Your money", wallet, Balance, tag="Wallet"),
            RouteSpec(
                "GET", "/api/wallet/transactions", self.transactions, "Movements of your balance, newest first", wallet, MovementPage,
                query=PAGE, refusals=(r.INVALID_QUERY,), tag="Wallet",
            ),
        ]  # fmt: skip

    async def me(self, call: Call) -> Reply:
        (person,) = await self._market.read(lambda reader: reader.fetch_as(PersonRow, "person_by_number", number=call.person))
        roles = [role.value for role in unpack_roles(person.roles)]
        return Reply(
            Me(
                person.id,
                person.login,
                person.first_name,
                person.last_name,
                person.avatar,
                roles[0] if roles else "",
                roles,
            )
        )

    async def list_keys(self, call: Call) -> Reply:
        return Reply(await self._market.read(lambda reader: keys_of(reader, call.person)))

    async def create_key(self, call: Call) -> Reply:
        return Reply(await make_key(self._market, call, call.person, call.body.name, None), status=201, headers=NO_STORE)

    async def delete_key(self, call: Call) -> Reply:
        await self._market.desk.ask(
            OnBehalf(person=call.person, role_bits=ALL_ROLE_BITS, command=DeleteKey(person=call.person, name=call.body.name))
        )
        return Reply(KeyNamed(call.body.name))

    async def balance(self, call: Call) -> Reply:
        return Reply(await self._market.read(lambda reader: balance_of(reader, call.person)))

    async def transactions(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        account = accounts.available(call.person)

        def ask(reader: Reader) -> MovementPage:
            with reader.snapshot():
                total = reader.value("wallet_entries_count", account=account)
                rows = reader.fetch_as(EntryRow, "wallet_entries", account=account, limit=limit, offset=offset)
            return MovementPage([movement(*row) for row in rows], total, limit, offset)

        return Reply(await self._market.read(ask))


async def make_key(market: Market, call: Call, person: int, name: str, operator: str | None) -> NewKey:
    """The key exists outside this answer only as its hash. Refuses KEY_NAME_TAKEN, TOO_MANY_KEYS."""
    api_key = new_api_key()
    bits = ALL_ROLE_BITS if operator is None else pack_roles([Role.OPERATOR])
    made = await market.desk.ask(
        OnBehalf(
            person=call.person,
            role_bits=bits,
            command=CreateKey(person=person, name=name, key_hash=api_key_hash(api_key), operator=operator),
        )
    )
    return NewKey(name, api_key, made.created_at)
