"""What the operators' modules share: a route for operators only, checked texts and numbers."""

from typing import Any, Literal

from selldesk.kernel import refusals
from selldesk.people.roles import Role
from selldesk.web.routes import RouteSpec

RoleName = Literal["project", "buyer", "operator"]


def operator_route(
    method: str, path: str, handler: Any, summary: str, answer: Any, refused: tuple[refusals.Kind, ...] = (), **more: Any
) -> RouteSpec:
    """A route below /api/operator."""
    return RouteSpec(
        method,
        f"/api/operator{path}",
        handler,
        summary,
        (Role.OPERATOR,),
        answer,
        refusals=refused,
        tag="Operator",
        refuses_unknown_query=True,
        **more,
    )
