"""The simulated Steam behind a socket: aiohttp's requests become ours, our responses its own."""

from aiohttp import web

from selldesk.steamsim.messages import Headers, Request, Response
from selldesk.steamsim.server import SteamSimulator

_BODY_MAX_BYTES = 4 * 1024 * 1024


def web_app(simulator: SteamSimulator) -> web.Application:
    """Every path leads to the simulator's own routes."""
    app = web.Application(client_max_size=_BODY_MAX_BYTES)

    async def answer(taken: web.Request) -> web.StreamResponse:
        request = await _request(taken)
        response = await simulator.answer(request)
        if request.is_dropped and taken.transport is not None:
            taken.transport.abort()
        return _shown(response)

    async def start(_: web.Application) -> None:
        simulator.start()

    async def stop(_: web.Application) -> None:
        await simulator.stop()

    app.router.add_route("*", "/{path:.*}", answer)
    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return app


async def _request(taken: web.Request) -> Request:
    # aiohttp reads the parts of a multipart body from the socket: they can be read once only.
    body = b"" if taken.content_type == "multipart/form-data" else await taken.read()
    form: dict[str, str] = {}
    if taken.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = {name: value for name, value in (await taken.post()).items() if isinstance(value, str)}
    return Request(
        method=taken.method,
        path=taken.path,
        host=taken.host,
        headers=Headers(taken.headers),
        query=taken.query,
        form=form,
        body=body,
        content_type=taken.content_type,
        secure=taken.secure,
    )


def _shown(response: Response) -> web.Response:
    shown = web.Response(status=response.status, body=response.body, headers=response.headers)
    for cookie in response.cookies:
        shown.headers.add("Set-Cookie", cookie)
    return shown
