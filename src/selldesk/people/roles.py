"""Roles: what an account may do. An account may hold several (contract C1)."""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    PROJECT = "project"
    """Sells through the API on behalf of its own users."""
    BUYER = "buyer"
    """A VIP whose orders the market fills."""
    OPERATOR = "operator"
    """Runs the market: rooms, bots, people, money."""


ROLE_BITS = {Role.PROJECT: 1, Role.BUYER: 2, Role.OPERATOR: 4}


def pack_roles(roles: Iterable[Role]) -> int:
    """A set of roles as the bit mask that the store keeps."""
    mask = 0
    for role in roles:
        mask |= ROLE_BITS[role]
    return mask


def unpack_roles(mask: int) -> list[Role]:
    """In the order project, buyer, operator; the first one is the account's main role."""
    return [role for role, bit in ROLE_BITS.items() if mask & bit]


def has_role(mask: int, role: Role) -> bool:
    return bool(mask & ROLE_BITS[role])


ALL_ROLE_BITS = pack_roles(Role)
"""Any role will do."""
