"""`/api/operator/bots`: their records, health and secrets (contract C4)."""

import msgspec
from msgspec import UNSET

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.desk import commands
from selldesk.desk.requests.bots import BotChange, BotRequest, BotSecrets, bot_command, check_games, check_secret, secrets_command
from selldesk.kernel import refusals
from selldesk.kernel.refusals import bad_body
from selldesk.people.roles import Role
from selldesk.reads.bots import BotView, bot_views
from selldesk.web.routes import Call, Reply, RouteSpec


async def bot_number(market: Market, steamid64: str) -> int:
    """Refuses BOT_NOT_FOUND."""
    for number, known, *_ in await market.read(lambda reader: reader.fetch("bot_faces")):
        if known == steamid64:
            return int(number)
    raise refusals.BOT_NOT_FOUND()


class BotsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/bots", self.bots, "Bots, their health and live offers", list[BotView]),
            route("POST", "/bots", self.add_bot, "Add a bot", BotView, (r.BOT_EXISTS,), body=BotRequest, status=201),
            route("GET", "/bots/{steamid64}", self.bot, "One bot", BotView, (r.BOT_NOT_FOUND,)),
            route("PATCH", "/bots/{steamid64}", self.change_bot, "Enable, disable, limits", BotView, (r.BOT_NOT_FOUND,), body=BotChange),
            route("PUT", "/bots/{steamid64}/secrets", self.put_secrets, "A changed password or authenticator", BotView, (r.BOT_NOT_FOUND, r.BOT_SECRETS_UNREADABLE), body=BotSecrets),
        ]  # fmt: skip

    async def bots(self, call: Call) -> Reply:
        return Reply(await self._bots())

    async def bot(self, call: Call) -> Reply:
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def add_bot(self, call: Call) -> Reply:
        request: BotRequest = call.body
        check_secret("shared_secret", request.shared_secret)
        check_secret("identity_secret", request.identity_secret)
        check_games(request.games)
        await self._market.act(call, Role.OPERATOR, bot_command(self._market.box, call.login, request))
        return Reply(await self._one_bot(request.steamid), status=201)

    async def change_bot(self, call: Call) -> Reply:
        request: BotChange = call.body
        games = None if request.games is UNSET else request.games
        check_games(games)
        number = await bot_number(self._market, call.path["steamid64"])
        await self._market.act(
            call,
            Role.OPERATOR,
            commands.ChangeBot(
                operator=call.login,
                number=number,
                enabled=request.enabled,
                profile_name=request.profile_name,
                avatar=request.avatar,
                games=games,
                all_games=request.games is None,
                live_offers_max=request.max_live_offers,
                seller_offers_max=request.max_offers_per_seller,
                items_max=request.max_items,
            ),
        )
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def put_secrets(self, call: Call) -> Reply:
        """Takes effect at the bot's next step; a login that was refused is tried again at once."""
        request: BotSecrets = call.body
        number = await bot_number(self._market, call.path["steamid64"])
        given = {name: value for name, value in msgspec.to_builtins(request).items() if value is not None}
        if not given:
            raise bad_body("$", "the body changes nothing")
        for name in ("shared_secret", "identity_secret"):
            check_secret(name, given.get(name))
        box = self._market.box
        command = await self._market.read(lambda reader: secrets_command(box, call.login, reader, number, given))
        await self._market.act(call, Role.OPERATOR, command)
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def _bots(self) -> list[BotView]:
        clock, face = self._market.clock, self._market.showing.face
        now, real_us = clock.now_us(), clock.real_us()
        return await self._market.read(lambda reader: bot_views(reader, now, real_us, face))

    async def _one_bot(self, steamid64: str) -> BotView:
        for view in await self._bots():
            if view.steamid64 == steamid64:
                return view
        raise refusals.BOT_NOT_FOUND()
