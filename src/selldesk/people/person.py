"""A person (or program) as the rooms see it."""

import msgspec

from selldesk.people.roles import Role, has_role


class Person(msgspec.Struct, array_like=True, frozen=True):
    """`number` counts registrations and breaks ties between buyers; `id` is what the wire shows."""

    number: int
    id: str
    login: str
    steamid64: str | None
    roles: int
    disabled: int
    frozen: int
    """An operator stopped this buyer's buying; their money and running trades stay."""

    @property
    def may_buy(self) -> bool:
        """Active, unfrozen, a buyer: what match asks of a candidate (R2)."""
        return has_role(self.roles, Role.BUYER) and not self.disabled and not self.frozen and self.steamid64 is not None
