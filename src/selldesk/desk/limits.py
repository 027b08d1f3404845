"""Limits, sellers, stops of single games: what an operator declares (people P6)."""

from typing import Any

import msgspec

from selldesk.desk import commands
from selldesk.desk.operator_log import log
from selldesk.desk.work import Work
from selldesk.kernel import refusals
from selldesk.people.roles import Role, has_role
from selldesk.sellers.standing import SellerStatus
from selldesk.store.rows import PersonRow


def set_limits(command: commands.SetLimits, work: Work) -> dict[str, Any]:
    body = msgspec.json.encode(command.limits).decode()
    work.store.execute("put_limits", body=body)
    log(work, command.operator, "limits.set", "market", msgspec.to_builtins(command.limits))
    return {}


def set_project_limits(command: commands.SetProjectLimits, work: Work) -> dict[str, Any]:
    """Refuses USER_NOT_FOUND, NOT_A_PROJECT."""
    person = next(iter(work.store.fetch_as(PersonRow, "person_by_id", id=command.person_id)), None)
    if person is None:
        raise refusals.USER_NOT_FOUND()
    if not has_role(person.roles, Role.PROJECT):
        raise refusals.NOT_A_PROJECT()
    body = msgspec.json.encode(command.limits).decode()
    work.store.execute("put_person_limits", person=person.number, body=body)
    log(work, command.operator, "limits.set", command.person_id, msgspec.to_builtins(command.limits))
    return {"number": person.number}


def set_seller(command: commands.SetSeller, work: Work) -> dict[str, Any]:
    """Lifting a block sets strikes to 0 and ends a cool-down; so does trust."""
    status = SellerStatus(command.status)
    until = command.until if status is SellerStatus.BLOCKED else None
    work.store.write("put_sellers", [(command.steamid64, status.value, command.reason, until, work.now)])
    if status is not SellerStatus.BLOCKED:
        work.store.execute("clear_strikes", seller=command.steamid64)
    log(work, command.operator, "seller.set", command.steamid64, {"status": status, "reason": command.reason, "until": until})
    return {"steamid64": command.steamid64}


def stop_game(command: commands.StopGame, work: Work) -> dict[str, Any]:
    """Stopping a stopped one changes nothing but the reason."""
    work.store.execute("put_game_stop", game=command.game, since=work.now, reason=command.reason, by_whom=command.operator)
    log(work, command.operator, "game.stop", str(command.game), {"reason": command.reason})
    return {"game_id": command.game}


def resume_game(command: commands.ResumeGame, work: Work) -> dict[str, Any]:
    """Refuses GAME_NOT_STOPPED."""
    if command.game not in work.store.column("load_game_stops"):
        raise refusals.GAME_NOT_STOPPED()
    work.store.execute("drop_game_stop", game=command.game)
    log(work, command.operator, "game.resume", str(command.game), {"reason": command.reason})
    work.feed.bots.extend(work.store.column("bot_numbers"))
    return {"game_id": command.game}
