"""`/api/operator/users`: people, their keys, their money (contract C4)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selldesk.api.account import NO_STORE, KeyNamed, KeyRequest, NewKey, make_key
from selldesk.api.market import Market
from selldesk.api.operator.guard import RoleName, operator_route
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid, new_uuid7
from selldesk.kernel.limits import DELIVER_TO_MAX, MONEY_MAX
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.shapes import Mills, Reason, Reference, ShortText, SteamId64
from selldesk.people.roles import Role, pack_roles
from selldesk.reads.people import KeyLine, User, UserPage, keys_of, one_user, users_page
from selldesk.store.rows import PersonRow
from selldesk.web import queries
from selldesk.web.parameters import PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec


class UserRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A buyer needs a steamid64: it is their `buyer_id`."""

    login: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._@-]+(?!\n)$")]
    roles: Annotated[list[RoleName], Meta(min_length=1)]
    first_name: ShortText | None = None
    last_name: ShortText | None = None
    avatar: ShortText | None = None
    steamid64: SteamId64 | None = None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """Only what is given changes. `disabled`: no key works. `frozen`: a buyer's orders are not for sale."""

    roles: Annotated[list[RoleName], Meta(min_length=1)] | None = None
    disabled: bool | None = None
    frozen: bool | None = None
    first_name: ShortText | None = None
    last_name: ShortText | None = None
    avatar: ShortText | None = None
    steamid64: SteamId64 | None = None
    deliver_to: Annotated[list[SteamId64], Meta(max_length=DELIVER_TO_MAX)] | None = None


class MoneyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`reference` is unique per account and direction: repeating a call moves nothing twice."""

    amount: Mills
    reference: Reference


class AdjustmentRequest(msgspec.Struct, forbid_unknown_fields=True):
    amount: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
    reference: Reference
    reason: Reason
    trade_id: Annotated[str, Meta(max_length=36)] | None = None


class MoneyMoved(msgspec.Struct):
    id: str
    kind: str
    amount: int
    reference: str
    balance_after: int
    created_at: str


class OperatorPeopleApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        login = Parameter("login", {"type": "string"}, "Only the user with this login")
        user = (r.USER_NOT_FOUND,)
        again = ((200, "The same movement again: the first answer"),)
        money = (r.USER_NOT_FOUND, r.NO_WALLET, r.REFERENCE_REUSED, r.INSUFFICIENT_BALANCE, r.BALANCE_TOO_LARGE)
        return [
            route("GET", "/users", self.users, "All users", UserPage, (r.INVALID_QUERY,), query=(login, *PAGE)),
            route("POST", "/users", self.create_user, "Create a user", User, (r.LOGIN_TAKEN, r.STEAMID_TAKEN), body=UserRequest, status=201),
            route("GET", "/users/{id}", self.user, "One user with their wallet", User, user),
            route("PATCH", "/users/{id}", self.change_user, "Change roles, disable, freeze", User, (*user, r.STEAMID_TAKEN), body=UserChange),
            route("GET", "/users/{id}/api-keys", self.user_keys, "A user's API keys", list[KeyLine], user),
            route(
                "POST", "/users/{id}/api-keys", self.create_user_key, "A new key for a user, shown once", NewKey,
                (*user, r.KEY_NAME_TAKEN, r.TOO_MANY_KEYS), body=KeyRequest, status=201,
            ),
            route(
                "DELETE", "/users/{id}/api-keys", self.delete_user_key, "Revoke a user's key", KeyNamed, (*user, r.KEY_NOT_FOUND),
                body=KeyRequest,
            ),
            route("POST", "/users/{id}/deposits", self.deposit, "Credit a wallet", MoneyMoved, money, body=MoneyRequest, status=201, also=again),
            route("POST", "/users/{id}/withdrawals", self.withdrawal, "Pay out of a wallet", MoneyMoved, money, body=MoneyRequest, status=201, also=again),
            route(
                "POST", "/users/{id}/adjustments", self.adjustment, "Correct a wallet against the market's own account", MoneyMoved,
                money, body=AdjustmentRequest, status=201, also=again,
            ),
        ]  # fmt: skip

    async def users(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        login = queries.text(call.query, "login")

        return Reply(await self._market.read(lambda reader: users_page(reader, login, limit, offset)))

    async def create_user(self, call: Call) -> Reply:
        request: UserRequest = call.body
        if "buyer" in request.roles and request.steamid64 is None:
            raise bad_body("$.steamid64", "a buyer needs a steamid64")
        person_id = new_uuid7(self._market.clock.now_us())
        await self._market.act(
            call,
            Role.OPERATOR,
            commands.CreatePerson(
                operator=call.login,
                id=person_id,
                login=request.login,
                roles=pack_roles([Role(role) for role in request.roles]),
                first_name=request.first_name,
                last_name=request.last_name,
                avatar=request.avatar,
                steamid64=request.steamid64,
            ),
        )
        return Reply(await self._one_user(person_id), status=201)

    async def user(self, call: Call) -> Reply:
        return Reply(await self._one_user(call.path["id"]))

    async def change_user(self, call: Call) -> Reply:
        request: UserChange = call.body
        known = await self._one_user(call.path["id"])
        roles = request.roles if request.roles is not None else known.roles
        if "buyer" in roles and request.steamid64 is None and known.steamid64 is None:
            raise bad_body("$.steamid64", "a buyer needs a steamid64")
        await self._market.act(
            call,
            Role.OPERATOR,
            commands.ChangePerson(
                operator=call.login,
                person_id=known.id,
                roles=None if request.roles is None else pack_roles([Role(role) for role in request.roles]),
                disabled=request.disabled,
                frozen=request.frozen,
                steamid64=request.steamid64,
                first_name=request.first_name,
                last_name=request.last_name,
                avatar=request.avatar,
            ),
        )
        if request.deliver_to is not None:
            await self._market.act(
                call,
                Role.OPERATOR,
                commands.SetDeliverTo(operator=call.login, person_id=known.id, steamid64s=request.deliver_to),
            )
        return Reply(await self._one_user(known.id))

    async def user_keys(self, call: Call) -> Reply:
        number = await self._number(call)
        return Reply(await self._market.read(lambda reader: keys_of(reader, number)))

    async def create_user_key(self, call: Call) -> Reply:
        made = await make_key(self._market, call, await self._number(call), call.body.name, call.login)
        return Reply(made, status=201, headers=NO_STORE)

    async def delete_user_key(self, call: Call) -> Reply:
        await self._market.act(
            call, Role.OPERATOR, commands.DeleteKey(person=await self._number(call), name=call.body.name, operator=call.login)
        )
        return Reply(KeyNamed(call.body.name))

    async def deposit(self, call: Call) -> Reply:
        return await self._move(call, "deposit", call.body.amount)

    async def withdrawal(self, call: Call) -> Reply:
        return await self._move(call, "withdrawal", call.body.amount)

    async def adjustment(self, call: Call) -> Reply:
        request: AdjustmentRequest = call.body
        if request.amount == 0:
            raise bad_body("$.amount", "an adjustment of 0 moves nothing")
        trade_id = None if request.trade_id is None else canonical_uuid(request.trade_id)
        if request.trade_id is not None and (
            trade_id is None or not await self._market.read(lambda reader: reader.fetch("trade_by_id", id=trade_id))
        ):
            raise bad_body("$.trade_id", "no such trade")
        return await self._move(call, "adjustment", request.amount, request.reason, trade_id)

    async def _move(self, call: Call, direction: str, amount: int, reason: str | None = None, trade_id: str | None = None) -> Reply:
        number = await self._number(call)
        moved = await self._market.act(
            call,
            Role.OPERATOR,
            commands.MoveMoney(
                operator=call.login,
                person=number,
                direction=direction,
                amount=amount,
                reference=call.body.reference,
                reason=reason,
                trade_id=trade_id,
            ),
        )
        answer = MoneyMoved(moved.id, moved.kind, moved.amount, moved.reference, moved.balance_after, moved.created_at)
        return Reply(answer, status=200 if moved.repeated else 201)

    async def _one_user(self, user_id: str) -> User:
        canonical = canonical_uuid(user_id)
        if canonical is None:
            raise refusals.USER_NOT_FOUND()

        return await self._market.read(lambda reader: one_user(reader, canonical))

    async def _number(self, call: Call) -> int:
        canonical = canonical_uuid(call.path["id"])
        if canonical is None:
            raise refusals.USER_NOT_FOUND()
        people = await self._market.read(lambda reader: reader.fetch_as(PersonRow, "person_by_id", id=canonical))
        if not people:
            raise refusals.USER_NOT_FOUND()
        return people[0].number
