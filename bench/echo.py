"""The floor of match: a bare starlette + msgspec service that decodes the same bodies and answers as many lines."""

import sys
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from selldesk.api.sell import MatchRequest


class Line(msgspec.Struct):
    market_hash_name: str
    price: int
    amount: int


class Body(msgspec.Struct):
    buyer_id: str
    items: list[Line]


class Answer(msgspec.Struct):
    success: bool
    data: Body


_DECODER = msgspec.json.Decoder(MatchRequest)
_ENCODER = msgspec.json.Encoder()


async def match(request: Request) -> Response:
    body = _DECODER.decode(await request.body())
    lines = [Line(line.market_hash_name, 100, line.amount) for line in body.items]
    answer: Any = Answer(True, Body("76561198012345678", lines))
    return Response(_ENCODER.encode(answer), media_type="application/json")


def main() -> None:
    app = Starlette(routes=[Route("/api/sell/match", match, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
