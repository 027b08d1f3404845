"""What every command is."""

from typing import ClassVar

import msgspec


class Command(msgspec.Struct, tag=True, frozen=True):
    alone: ClassVar[bool] = True


class TradeCommand(Command, frozen=True):
    """News or orders about one existing trade."""

    alone: ClassVar[bool] = False
    trade_id: str
