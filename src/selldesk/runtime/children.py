"""More processes beside the one that was started: the background work, and further API processes. All share its desk, and they end with
it."""

import logging
from pathlib import Path

import msgspec

from selldesk.config import Settings
from selldesk.runtime.supervisor import ChildPlan, Farewell


class ChildSettings(msgspec.Struct, frozen=True):
    """What a child is told."""

    settings: Settings
    desk_socket: str
    clock_path: str | None
    log_level: int
    descriptor: int | None
    """Of the API's listening socket, inherited; None: the background work."""


def plan_child(settings: Settings, desk_socket: Path, clock_path: Path | None, descriptor: int | None) -> ChildPlan:
    level = logging.getLogger().getEffectiveLevel()
    told = ChildSettings(settings, str(desk_socket), None if clock_path is None else str(clock_path), level, descriptor)
    return ChildPlan(
        name="the background work" if descriptor is None else "an API process",
        module="selldesk.runtime.child",
        line=msgspec.json.encode(told) + b"\n",
        farewell=Farewell.SIGNAL,
        inherited=() if descriptor is None else (descriptor,),
    )
