"""`/api/operator/rooms`: who buys what, and by which bots (contract C4)."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.catalog.games import GAMES, is_supported
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import (
    MONEY_MAX,
)
from selldesk.kernel.refusals import bad_body
from selldesk.people.roles import Role
from selldesk.reads.rooms import RoomView, room_views
from selldesk.store.rows import BotFaceRow, PersonRow
from selldesk.store.store import Reader
from selldesk.web.routes import Call, Reply, RouteSpec


class RoomRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A purchase room (R7). Open ends, any game, all buyers, all bots: leave out or null. Buyers by user id or steamid64."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    game_id: int | None = None
    min_value: Annotated[int, Meta(ge=0, le=MONEY_MAX)] | None = None
    max_value: Annotated[int, Meta(ge=0, le=MONEY_MAX)] | None = None
    buyers: list[str] | None = None
    bots: list[str] | None = None
    priority: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    enabled: bool = True


class RoomDeleted(msgspec.Struct):
    id: int


class RoomsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/rooms", self.rooms, "Purchase rooms", list[RoomView]),
            route("POST", "/rooms", self.create_room, "Create a room", RoomView, (r.ROOM_NAME_TAKEN,), body=RoomRequest, status=201),
            route("GET", "/rooms/{id}", self.room, "One room", RoomView, (r.ROOM_NOT_FOUND,)),
            route("PUT", "/rooms/{id}", self.put_room, "Replace a room", RoomView, (r.ROOM_NOT_FOUND, r.ROOM_NAME_TAKEN), body=RoomRequest),
            route("DELETE", "/rooms/{id}", self.drop_room, "Delete a room", RoomDeleted, (r.ROOM_NOT_FOUND,)),
        ]  # fmt: skip

    async def rooms(self, call: Call) -> Reply:
        return Reply(await self._rooms())

    async def room(self, call: Call) -> Reply:
        return Reply(await self._one_room(_room_number(call)))

    async def create_room(self, call: Call) -> Reply:
        made = await self._market.act(call, Role.OPERATOR, await self._put_room(call, None))
        return Reply(await self._one_room(made.id), status=201)

    async def put_room(self, call: Call) -> Reply:
        made = await self._market.act(call, Role.OPERATOR, await self._put_room(call, _room_number(call)))
        return Reply(await self._one_room(made.id))

    async def drop_room(self, call: Call) -> Reply:
        await self._market.act(call, Role.OPERATOR, commands.DropRoom(operator=call.login, id=_room_number(call)))
        return Reply(RoomDeleted(_room_number(call)))

    async def _put_room(self, call: Call, room_id: int | None) -> commands.PutRoom:
        request: RoomRequest = call.body
        if request.game_id is not None and not is_supported(request.game_id):
            raise bad_body("$.game_id", "not one of " + ", ".join(map(str, GAMES)))
        if request.min_value is not None and request.max_value is not None and request.min_value > request.max_value:
            raise bad_body("$.max_value", "below min_value")
        by_steamid64 = self._market.view.buyer_number

        def ask(reader: Reader) -> tuple[list[int] | None, list[int] | None]:
            buyers = None if request.buyers is None else [_buyer_number(reader, by_steamid64, text) for text in request.buyers]
            known_bots = {face.steamid64: face.number for face in reader.fetch_as(BotFaceRow, "bot_faces")}
            for steamid64 in request.bots or []:
                if steamid64 not in known_bots:
                    raise bad_body("$.bots", f"no bot {steamid64}")
            return buyers, None if request.bots is None else [known_bots[steamid64] for steamid64 in request.bots]

        buyers, bots = await self._market.read(ask)
        return commands.PutRoom(
            operator=call.login, id=room_id, name=request.name, game=request.game_id, min_value=request.min_value, max_value=request.max_value, buyers=buyers, bots=bots,
            priority=request.priority, enabled=request.enabled,
        )  # fmt: skip

    async def _one_room(self, room_id: int) -> RoomView:
        for view in await self._rooms():
            if view.id == room_id:
                return view
        raise refusals.ROOM_NOT_FOUND()

    async def _rooms(self) -> list[RoomView]:
        return await self._market.read(lambda reader: room_views(reader, self._market.view.people))


def _buyer_number(reader: Reader, by_steamid64: Callable[[str], int | None], text: str) -> int:
    number = by_steamid64(text)
    if number is not None:
        return number
    canonical = canonical_uuid(text)
    people = reader.fetch_as(PersonRow, "person_by_id", id=canonical) if canonical is not None else []
    if not people:
        raise bad_body("$.buyers", f"no user {text}")
    return people[0].number


def _room_number(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise refusals.ROOM_NOT_FOUND()
    return int(text)
