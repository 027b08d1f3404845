"""Purchase rooms."""

from collections.abc import Mapping

import msgspec

from selldesk.bots.rooms import room_of
from selldesk.people.person import Person
from selldesk.store.rows import BotFaceRow
from selldesk.store.store import Reader


class RoomView(msgspec.Struct):
    id: int
    name: str
    game_id: int | None
    min_value: int | None
    max_value: int | None
    buyers: list[str] | None
    bots: list[str] | None
    priority: int
    enabled: bool


def room_views(reader: Reader, people: Mapping[int, Person]) -> list[RoomView]:
    """In the order in which they are asked, from one moment."""
    with reader.snapshot():
        rooms = [room_of(row) for row in reader.fetch("load_rooms")]
        faces = {face.number: face.steamid64 for face in reader.fetch_as(BotFaceRow, "bot_faces")}
    return [
        RoomView(
            room.id, room.name, room.game, room.min_value, room.max_value,
            None if room.buyers is None else [people[number].steamid64 or people[number].id for number in room.buyers],
            None if room.bots is None else [faces[number] for number in room.bots], room.priority, bool(room.enabled),
        )
        for room in rooms
    ]  # fmt: skip
