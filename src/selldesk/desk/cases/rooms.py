"""Purchase rooms."""

from selldesk.bots.rooms import room_of
from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.operator_log import log
from selldesk.desk.rows import as_json
from selldesk.kernel import refusals
from selldesk.kernel.money import dollars
from selldesk.store.rows import RoomRow


def put_room(command: commands.PutRoom, batch: Batch) -> commands.RoomReply:
    """Refuses INVALID_BODY for a room that no trade fits, ROOM_NOT_FOUND for an unknown id, ROOM_NAME_TAKEN."""
    if command.min_value is not None and command.max_value is not None and command.min_value > command.max_value:
        message = f"is above max_value: no trade can be from {dollars(command.min_value)} to {dollars(command.max_value)}"
        raise refusals.INVALID_BODY(details=[{"path": "$.min_value", "message": message}])
    rooms = {room.id: room for room in batch.store.fetch_as(RoomRow, "load_rooms")}
    if command.id is not None and command.id not in rooms:
        raise refusals.ROOM_NOT_FOUND()
    if any(room.name == command.name and room.id != command.id for room in rooms.values()):
        raise refusals.ROOM_NAME_TAKEN()
    room_id = command.id if command.id is not None else _new_room_id(batch)
    body = {
        "name": command.name,
        "game": command.game,
        "min_value": command.min_value,
        "max_value": command.max_value,
        "buyers": as_json(command.buyers),
        "bots": as_json(command.bots),
        "priority": command.priority,
        "enabled": int(command.enabled),
    }
    batch.store.execute("put_room", id=room_id, **body)
    log(batch, command.operator, "room.put", str(room_id), body)
    _tell_rooms(batch)
    return commands.RoomReply(id=room_id)


def _tell_rooms(batch: Batch) -> None:
    """Followers learn all rooms as they are now, without asking the store."""
    batch.feed.rooms = True
    batch.feed.room_list = [room_of(row) for row in batch.store.fetch("load_rooms")]


def _new_room_id(batch: Batch) -> int:
    """Numbers of deleted rooms are never used again: trades and the log remember them."""
    marked = batch.store.value("get_mark", name="last_room")
    room_id = max(int(batch.store.value("last_room")), int(marked or 0)) + 1
    batch.store.execute("set_mark", name="last_room", value=str(room_id))
    return room_id


def drop_room(command: commands.DropRoom, batch: Batch) -> commands.Done:
    """Refuses ROOM_NOT_FOUND. Trades remember their room by number; running ones go on."""
    if not any(room.id == command.id for room in batch.store.fetch_as(RoomRow, "load_rooms")):
        raise refusals.ROOM_NOT_FOUND()
    batch.store.execute("drop_room", id=command.id)
    log(batch, command.operator, "room.drop", str(command.id), {})
    _tell_rooms(batch)
    return commands.Done()
