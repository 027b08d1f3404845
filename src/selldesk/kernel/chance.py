"""Where randomness comes from. It is an argument wherever a seeded run must be able to repeat itself."""

import secrets
from typing import Protocol


class Chance(Protocol):
    def bytes(self, count: int) -> bytes:
        """So many random bytes."""
        ...


class SystemChance:
    """The operating system's: nobody can foresee it."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


SYSTEM_CHANCE = SystemChance()
