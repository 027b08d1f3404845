"""Endpoints: who is sent what (people P3). Sending is the courier's."""

import msgspec

from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.events.cursors import Cursor, end_of
from selldesk.events.types import subscribed
from selldesk.kernel import refusals
from selldesk.kernel.limits import ENDPOINTS_MAX
from selldesk.kernel.times import SECOND_US, wire_time
from selldesk.store.rows import EndpointRow, EntryOfEndpointRow, UndeliveredRow

_PORTION = 2_000


def add_endpoint(command: commands.AddEndpoint, batch: Batch) -> commands.EndpointReply:
    """It hears of what happens from now on. Refuses TOO_MANY_ENDPOINTS."""
    if len(batch.store.fetch_as(EndpointRow, "endpoints_of", person=command.person)) >= ENDPOINTS_MAX:
        raise refusals.TOO_MANY_ENDPOINTS()
    batch.store.execute(
        "add_endpoint",
        id=command.id,
        person=command.person,
        url=command.url,
        events=_as_json(command.events),
        description=command.description,
        enabled=int(command.enabled),
        at=batch.now,
        secret=command.secret,
        **_now(batch)._asdict(),
    )
    _changed(batch)
    return commands.EndpointReply(command.id)


def change_endpoint(command: commands.ChangeEndpoint, batch: Batch) -> commands.EndpointReply:
    """Enabled again, it goes on with what is still in its schedule, and hears of what happens from now on. Refuses ENDPOINT_NOT_FOUND."""
    known = _mine(command.person, command.id, batch)
    batch.store.execute(
        "change_endpoint",
        id=known.id,
        url=known.url if command.url is None else command.url,
        events=known.events if command.events is None else _as_json(command.events),
        description=None if command.drops_description else command.description or known.description,
    )
    if command.enabled is True and not known.enabled:
        batch.store.execute("enable_endpoint", id=known.id, **_now(batch)._asdict())
    elif command.enabled is False and known.enabled:
        batch.store.execute("disable_endpoint", id=known.id, reason="owner", at=batch.now)
    _changed(batch)
    return commands.EndpointReply(known.id)


def drop_endpoint(command: commands.DropEndpoint, batch: Batch) -> commands.Done:
    """Refuses ENDPOINT_NOT_FOUND."""
    known = _mine(command.person, command.id, batch)
    for block in ("drop_endpoint", "drop_entries_of", "drop_lease_of"):
        batch.store.execute(block, id=known.id)
    _changed(batch)
    return commands.Done()


def rotate_secret(command: commands.RotateSecret, batch: Batch) -> commands.SecretRotated:
    """Refuses ENDPOINT_NOT_FOUND, ROTATION_RUNNING."""
    known = _mine(command.person, command.id, batch)
    is_running = known.old_until is not None and known.old_until > batch.now
    if is_running and command.overlap_seconds:
        raise refusals.ROTATION_RUNNING()
    until = batch.now + command.overlap_seconds * SECOND_US if command.overlap_seconds else None
    old = known.secret if until is not None else None
    batch.store.execute("change_endpoint_secrets", id=known.id, secret=command.secret, old_secret=old, old_until=until)
    _changed(batch)
    return commands.SecretRotated(until)


def disable_endpoint(command: commands.DisableEndpoint, batch: Batch) -> commands.Done:
    """Told to its owner by their other ways, and to the operators. Nothing, if it is disabled or gone already."""
    found = batch.store.fetch_as(EndpointRow, "endpoint_by_id", id=command.id)
    if not found or not found[0].enabled:
        return commands.Done()
    (known,) = found
    batch.store.execute("disable_endpoint", id=known.id, reason=command.reason, at=batch.now)
    body = {"endpoint_id": known.id, "url": known.url, "reason": command.reason, "disabled_at": wire_time(batch.now)}
    batch.tell(known.person, "webhook.disabled", known.id, msgspec.json.encode(body).decode())
    login = batch.store.value("login_of", number=known.person)
    batch.alert("webhook_disabled", f"Endpoint {known.id} of {login} was disabled: {command.reason}", None, None)
    _changed(batch)
    return commands.Done()


def redeliver(command: commands.Redeliver, batch: Batch) -> commands.Done:
    """Refuses ENDPOINT_NOT_FOUND; EVENT_NOT_FOUND if its log holds no such entry."""
    known = _mine(command.person, command.id, batch)
    place = {"endpoint": known.id, "seq": command.seq, "place": command.place}
    found = batch.store.fetch_as(EntryOfEndpointRow, "entry_at", **place)
    if not found:
        raise refusals.EVENT_NOT_FOUND()
    (entry,) = found
    batch.store.write("queue_again", [(known.id, entry.seq, entry.place, entry.event_id, entry.type, batch.now)])
    _changed(batch)
    return commands.Done()


def recover(command: commands.Recover, batch: Batch) -> commands.Queued:
    """Of its own types, unless others are asked for: also of the time when it was disabled. Refuses ENDPOINT_NOT_FOUND."""
    known = _mine(command.person, command.id, batch)
    wanted = types_of(msgspec.json.decode(known.events, type=list[str])) if command.types is None else types_of(command.types)
    seq, place = command.after
    rows = batch.store.fetch_as(
        UndeliveredRow,
        "undelivered_since",
        endpoint=known.id,
        person=known.person,
        since=command.since,
        seq=seq,
        place=place,
        most=_PORTION,
    )
    queued = [(known.id, row.seq, row.place, row.event_id, row.type, batch.now) for row in rows if row.type in wanted]
    if queued:
        batch.store.write("queue_again", queued)
        _changed(batch)
    last = rows[-1] if len(rows) == _PORTION else None
    return commands.Queued(len(queued), None if last is None else (last.seq, last.place))


def reseal_endpoint(command: commands.ResealEndpoint, batch: Batch) -> commands.Done:
    found = batch.store.fetch_as(EndpointRow, "endpoint_by_id", id=command.id)
    if found and (found[0].secret, found[0].old_secret) == command.old:
        secret, old = command.new
        batch.store.execute("change_endpoint_secrets", id=command.id, secret=secret, old_secret=old, old_until=found[0].old_until)
        _changed(batch)
    return commands.Done()


def types_of(names: list[str]) -> frozenset[str]:
    """What an endpoint's list stands for; names were checked when they were written."""
    return subscribed(names) or frozenset()


def _mine(person: int, endpoint_id: str, batch: Batch) -> EndpointRow:
    found = batch.store.fetch_as(EndpointRow, "endpoint_by_id", id=endpoint_id)
    if not found or found[0].person != person:
        raise refusals.ENDPOINT_NOT_FOUND()
    return found[0]


def _now(batch: Batch) -> Cursor:
    """Behind all that was told before this batch."""
    return end_of(batch.seq - 1)


def _changed(batch: Batch) -> None:
    batch.wrote_directly = batch.feed.hooks = True


def _as_json(names: list[str]) -> str:
    return msgspec.json.encode(names).decode()
