"""What the operators' modules share: a route for operators only, checked texts and numbers."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from selldesk.kernel import refusals
from selldesk.kernel.limits import MONEY_MAX
from selldesk.kernel.shapes import STEAMID64_PATTERN
from selldesk.people.roles import Role
from selldesk.web.routes import RouteSpec

RoleName = Literal["project", "buyer", "operator"]
SteamId64 = Annotated[str, Meta(pattern=STEAMID64_PATTERN)]
Mills = Annotated[int, Meta(ge=1, le=MONEY_MAX)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
ShortText = Annotated[str, Meta(max_length=200)]


def bad_body(path: str, message: str) -> refusals.Refusal:
    """INVALID_BODY for a fault that types can't express."""
    return refusals.INVALID_BODY(details=[{"path": path, "message": message}])


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
