"""Roles, and who may buy (contract C1, readings R2)."""

from typing import Any

import pytest

from selldesk.people.person import Person
from selldesk.people.roles import ALL_ROLE_BITS, Role, has_role, pack_roles, unpack_roles

PACKED = [
    # roles                          mask  in order
    ([],                             0,    []),
    ([Role.BUYER],                   2,    [Role.BUYER]),
    ([Role.BUYER, Role.PROJECT],     3,    [Role.PROJECT, Role.BUYER]),
    ([Role.OPERATOR, Role.OPERATOR], 4,    [Role.OPERATOR]),
    (list(Role),                     7,    [Role.PROJECT, Role.BUYER, Role.OPERATOR]),
]  # fmt: skip


@pytest.mark.parametrize(("roles", "mask", "in_order"), PACKED)
def test_roles_are_one_number(roles: list[Role], mask: int, in_order: list[Role]) -> None:
    assert pack_roles(roles) == mask
    assert unpack_roles(mask) == in_order
    assert [role for role in Role if has_role(mask, role)] == in_order
    assert mask & ALL_ROLE_BITS == mask


BUYERS: list[tuple[str, dict[str, Any], bool]] = [
    # what               the person           may buy
    ("a buyer",          {},                  True),
    ("with more roles",  {"roles": 7},        True),
    ("without the role", {"roles": 5},        False),
    ("disabled",         {"disabled": 1},     False),
    ("frozen",           {"frozen": 1},       False),
    ("without Steam",    {"steamid64": None}, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "changed", "expected"), BUYERS, ids=[row[0] for row in BUYERS])
def test_who_may_buy(what: str, changed: dict[str, Any], expected: bool) -> None:
    fields: dict[str, Any] = {"number": 1, "id": "p", "login": "vip", "steamid64": "7", "roles": 2, "disabled": 0, "frozen": 0}
    assert Person(**(fields | changed)).may_buy is expected
