"""Limits, sellers, stops of single games: what an operator declares (people P6)."""

import msgspec

from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.cases.trading_stop import tell_of_stop
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.people.roles import Role, has_role
from selldesk.sellers.standing import SellerStatus
from selldesk.store.rows import PersonRow


def set_limits(command: commands.SetLimits, batch: Batch) -> commands.Done:
    body = msgspec.json.encode(command.limits).decode()
    batch.store.execute("put_limits", body=body)
    log(batch, command.operator, "limits.set", "market", msgspec.to_builtins(command.limits))
    return commands.Done()


def set_project_limits(command: commands.SetProjectLimits, batch: Batch) -> commands.Done:
    """Refuses USER_NOT_FOUND, NOT_A_PROJECT."""
    person = next(iter(batch.store.fetch_as(PersonRow, "person_by_id", id=command.person_id)), None)
    if person is None:
        raise refusals.USER_NOT_FOUND()
    if not has_role(person.roles, Role.PROJECT):
        raise refusals.NOT_A_PROJECT()
    body = msgspec.json.encode(command.limits).decode()
    batch.store.execute("put_person_limits", person=person.number, body=body)
    log(batch, command.operator, "limits.set", command.person_id, msgspec.to_builtins(command.limits))
    return commands.Done()


def set_seller(command: commands.SetSeller, batch: Batch) -> commands.Done:
    """Lifting a block sets strikes to 0 and ends a cool-down; so does trust."""
    status = SellerStatus(command.status)
    until = command.until if status is SellerStatus.BLOCKED else None
    batch.store.write("put_sellers", [(command.steamid64, status.value, command.reason, until, batch.now)])
    if status is not SellerStatus.BLOCKED:
        batch.store.execute("clear_strikes", seller=command.steamid64)
    log(batch, command.operator, "seller.set", command.steamid64, {"status": status, "reason": command.reason, "until": until})
    return commands.Done()


def stop_game(command: commands.StopGame, batch: Batch) -> commands.Done:
    """Stopping a stopped one changes nothing but the reason."""
    batch.store.execute("put_game_stop", game=command.game, since=batch.now, reason=command.reason, by_whom=command.operator)
    log(batch, command.operator, "game.stop", str(command.game), {"reason": command.reason})
    tell_of_stop(batch, "operator.trading_stopped", command.game, command.reason, command.operator)
    return commands.Done()


def resume_game(command: commands.ResumeGame, batch: Batch) -> commands.Done:
    """Refuses GAME_NOT_STOPPED."""
    if command.game not in batch.store.column("load_game_stops"):
        raise refusals.GAME_NOT_STOPPED()
    batch.store.execute("drop_game_stop", game=command.game)
    log(batch, command.operator, "game.resume", str(command.game), {"reason": command.reason})
    tell_of_stop(batch, "operator.trading_resumed", command.game, command.reason, command.operator)
    batch.feed.bots.extend(batch.store.column("bot_numbers"))
    return commands.Done()
