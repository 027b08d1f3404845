"""What every command is."""

from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import msgspec

from selldesk.desk.commands.replies import TradeReply

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], tag=True, frozen=True, kw_only=True):
    """`R` is what the desk answers to it (replies.py)."""

    alone: ClassVar[bool] = True


class TradeCommand(Command[TradeReply], frozen=True, kw_only=True):
    """News or orders about one existing trade."""

    alone: ClassVar[bool] = False
    trade_id: str


@cache
def reply_type(command: type[Command[Any]]) -> Any:
    """The `R` of a command."""
    for base in command.__mro__:
        for written in getattr(base, "__orig_bases__", ()):
            if get_origin(written) is Command:
                return get_args(written)[0]
    raise TypeError(f"{command.__name__} does not say what it is answered")
