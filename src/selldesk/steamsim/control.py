"""The control API: what a test or a developer does to the simulated Steam. Bare JSON, never part of Steam's own paths."""

from collections import deque
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from selldesk.steamsim.auth import Authentication
from selldesk.steamsim.entities import Account, Behaviour, Given
from selldesk.steamsim.faults import FAULTS, NOBODYS, WITHOUT_PARTNER, FaultRequest, Faults
from selldesk.steamsim.messages import Answered, Request, Response, Routes, json_body
from selldesk.steamsim.world import OfferLimits, Refused, World
from selldesk.steamwire.enums import OfferState

T = TypeVar("T")


class SellerRequest(msgspec.Struct):
    behaviour: Behaviour = Behaviour.ACCEPT
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=31_536_000)] = 1.0


class ReverseRequest(msgspec.Struct):
    steamid64: str


class ItemsRequest(msgspec.Struct):
    steamid64: str
    game_id: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    market_hash_name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    amount: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """More than 1: stacks of so many under one asset id."""


class ClockRequest(msgspec.Struct):
    advance_seconds: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)]


class AccountRequest(msgspec.Struct):
    login: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    role: str
    persona: str | None = None


class OfferedItem(msgspec.Struct):
    game_id: int
    assetid: str
    contextid: str = "2"


class OfferByHand(msgspec.Struct):
    """An offer that somebody makes with Steam's own client: no program knows of it."""

    sender: Annotated[str, msgspec.Meta(min_length=1)]
    recipient: Annotated[str, msgspec.Meta(min_length=1)]
    give: list[OfferedItem] = []
    receive: list[OfferedItem] = []
    message: str = ""


class PasswordRequest(msgspec.Struct):
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Control:
    """`advance_clock` None: somebody else moves the clock."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        auth: Authentication,
        advance_clock: Callable[[int], None] | None,
        request_log: deque[dict[str, Any]],
        fronts: dict[str, Any],
    ) -> None:
        self._world = world
        self._faults = faults
        self._auth = auth
        self._advance_clock = advance_clock
        self._request_log = request_log
        self._fronts = fronts

    def add_routes(self, routes: Routes) -> None:
        routes.get("/control/state", self.state)
        routes.get("/control/accounts", self.accounts)
        routes.post("/control/accounts", self.add_account)
        routes.post("/control/accounts/{steamid64}/revoke", self.revoke)
        routes.post("/control/accounts/{steamid64}/password", self.change_password)
        routes.post("/control/accounts/{steamid64}/trade-token", self.rotate_trade_token)
        routes.post("/control/sellers/{steamid64}", self.seller)
        routes.post("/control/reverse", self.reverse)
        routes.post("/control/items", self.add_items)
        routes.delete("/control/items/{assetid}", self.remove_item)
        routes.post("/control/offers", self.add_offer)
        routes.get("/control/limits", self.show_limits)
        routes.put("/control/limits", self.set_limits)
        routes.get("/control/faults", self.list_faults)
        routes.post("/control/faults", self.add_fault)
        routes.delete("/control/faults", self.remove_faults)
        routes.post("/control/clock", self.clock)
        routes.get("/control/requests", self.requests)
        routes.get("/control/fronts", self.fronts)

    async def state(self, _: Request) -> Response:
        """The books: accounts, offers, trades."""
        world = self._world
        body = {
            "accounts": [
                {"steamid64": account.steamid64, "role": account.role, "behaviour": account.behaviour.value}
                for account in world.accounts.values()
            ],
            "offers": [
                {
                    "tradeofferid": offer.tradeofferid,
                    "from": offer.sender,
                    "to": offer.recipient,
                    "state": int(offer.state),
                    "items": _items([*offer.give, *offer.receive]),
                    "tradeid": offer.tradeid or None,
                    "message": offer.message,
                }
                for offer in world.offers.values()
            ],
            "trades": [
                {
                    "tradeid": trade.tradeid,
                    "status": int(trade.status),
                    "from": trade.initiator,
                    "to": trade.partner,
                    "items": _items([*trade.given, *trade.received]),
                    "rollback_trade": trade.rollback_trade or None,
                }
                for trade in world.trades.values()
            ],
        }
        return _json(body)

    async def accounts(self, _: Request) -> Response:
        """Every account with its secrets and items: for setting up programs against the simulator."""
        self._world.unprotect()
        return _json({"accounts": [self._whole(account) for account in self._world.accounts.values()]})

    async def add_account(self, request: Request) -> Response:
        """Creates an account, or answers the one with this login."""
        wanted = await _body(request, AccountRequest)
        if wanted.role not in ("bot", "seller", "buyer"):
            raise _refuse(400, "role is 'bot', 'seller' or 'buyer'")
        return _json(self._whole(self._world.add_account(wanted.login, wanted.role, wanted.persona)))

    async def revoke(self, request: Request) -> Response:
        """All tokens of this account are dead, as when its password changed or it logged all devices out."""
        account = self._account(request.match_info["steamid64"])
        self._auth.revoke(account)
        return _json({"steamid64": account.steamid64})

    async def change_password(self, request: Request) -> Response:
        """A new password; the tokens of before are dead."""
        wanted = await _body(request, PasswordRequest)
        account = self._account(request.match_info["steamid64"])
        account.password = wanted.password
        self._auth.revoke(account)
        return _json({"steamid64": account.steamid64})

    async def rotate_trade_token(self, request: Request) -> Response:
        """The account makes itself a new trade link; the old one is dead."""
        account = self._account(request.match_info["steamid64"])
        self._world.rotate_trade_token(account)
        return _json({"tradelink": _trade_link(account)})

    async def add_offer(self, request: Request) -> Response:
        """An offer made by hand. What the sender gives counts as confirmed on their phone."""
        wanted = await _body(request, OfferByHand)
        sender, recipient = self._account(wanted.sender), self._account(wanted.recipient)
        give, receive = ([(item.game_id, item.contextid, item.assetid) for item in side] for side in (wanted.give, wanted.receive))
        try:
            offer = self._world.create_offer(sender, recipient, recipient.trade_token, give, receive, wanted.message)
        except Refused as refused:
            raise _refuse(400, f"Steam would refuse this offer: {refused}") from None
        self._world.set_state(offer, OfferState.ACTIVE)
        return _json({"tradeofferid": offer.tradeofferid})

    async def show_limits(self, _: Request) -> Response:
        return _json(self._world.limits)

    async def set_limits(self, request: Request) -> Response:
        """How many offers may be open; until the simulator restarts."""
        self._world.limits = await _body(request, OfferLimits)
        return _json(self._world.limits)

    async def seller(self, request: Request) -> Response:
        wanted = await _body(request, SellerRequest)
        account = self._account(request.match_info["steamid64"])
        account.behaviour, account.delay_seconds = wanted.behaviour, wanted.delay_seconds
        account.behaviour_since_us = self._world.now_us()
        self._world.touch(account)
        for offer in self._world.offers_of(account.steamid64):
            if offer.answered and offer.state == 2:
                offer.answered = False
                self._world.touch(offer)
        return _json(
            {
                "steamid64": account.steamid64,
                "behaviour": account.behaviour.value,
                "delay_seconds": account.delay_seconds,
            }
        )

    async def reverse(self, request: Request) -> Response:
        wanted = await _body(request, ReverseRequest)
        return _json({"reversed": self._world.reverse(self._account(wanted.steamid64).steamid64)})

    async def add_items(self, request: Request) -> Response:
        wanted = await _body(request, ItemsRequest)
        owner = self._account(wanted.steamid64)
        added = [
            self._world.add_item(owner.steamid64, wanted.game_id, wanted.market_hash_name, wanted.amount)
            for _ in range(wanted.count)
        ]
        return _json({"assetids": [item.assetid for item in added]})

    async def remove_item(self, request: Request) -> Response:
        item = self._world.items.get(request.match_info["assetid"])
        if item is not None and item.on_hold:
            raise _refuse(409, "the item is in a trade hold: it is in nobody's inventory")
        if not self._world.remove_item(request.match_info["assetid"]):
            raise _refuse(404, "no such item")
        return _json({"assetid": request.match_info["assetid"]})

    async def list_faults(self, _: Request) -> Response:
        return _json(self._faults.listing(self._world.now_us()))

    async def add_fault(self, request: Request) -> Response:
        wanted = await _body(request, FaultRequest)
        if wanted.fault not in FAULTS:
            raise _refuse(400, f"unknown fault {wanted.fault!r}; GET /control/faults lists them")
        no_partner = wanted.fault in NOBODYS | WITHOUT_PARTNER
        for name, value, is_out in (
            ("bot", wanted.bot, wanted.fault in NOBODYS),
            ("seller", wanted.seller, no_partner),
            ("game", wanted.game, no_partner),
        ):
            if value is not None and is_out:
                raise _refuse(400, f"{wanted.fault} can't be switched on for one {name}: it strikes before that is known")
        wanted.bot, wanted.seller = self._steamid64(wanted.bot), self._steamid64(wanted.seller)
        self._faults.switch_on(wanted, self._world.now_us())
        return _json(self._faults.listing(self._world.now_us()))

    async def remove_faults(self, request: Request) -> Response:
        fault = request.query.get("fault")
        if fault is not None and fault not in FAULTS:
            raise _refuse(400, f"unknown fault {fault!r}; GET /control/faults lists them")
        return _json({"removed": self._faults.switch_off(fault)})

    async def clock(self, request: Request) -> Response:
        wanted = await _body(request, ClockRequest)
        if self._advance_clock is None:
            raise _refuse(409, "inside the sandbox the market moves the clock: POST {base_url}/sandbox/clock")
        self._advance_clock(wanted.advance_seconds)
        return _json({"now": self._world.now()})

    async def fronts(self, _: Request) -> Response:
        """Where the simulator listens: {port, tls_port, proxy_port, ca_file}."""
        return _json(self._fronts)

    async def requests(self, _: Request) -> Response:
        """The latest requests to Steam's own paths, for assertions."""
        return _json({"requests": list(self._request_log)})

    def _steamid64(self, name: str | None) -> str | None:
        """An account named by its SteamID64 or its login; None is everybody."""
        if name is None or name in self._world.accounts:
            return name
        account = self._world.account_by_login(name)
        if account is None:
            raise _refuse(400, f"no account {name!r}: a fault that concerns nobody is a mistake")
        return account.steamid64

    def _account(self, steamid64: str) -> Account:
        account = self._world.accounts.get(steamid64)
        if account is None:
            raise _refuse(404, "no such account")
        return account

    def _whole(self, account: Account) -> dict[str, Any]:
        items = sorted(
            (item for item in self._world.items.values() if item.owner == account.steamid64),
            key=lambda item: int(item.assetid),
        )
        return {
            "steamid64": account.steamid64,
            "role": account.role,
            "login": account.login,
            "password": account.password,
            "shared_secret": account.shared_secret,
            "identity_secret": account.identity_secret,
            "persona": account.persona,
            "tradelink": _trade_link(account),
            "behaviour": account.behaviour.value,
            "items": [
                {
                    "game_id": i.appid,
                    "contextid": i.contextid,
                    "assetid": i.assetid,
                    "market_hash_name": i.market_hash_name,
                    "amount": i.amount,
                }
                for i in items
                if not i.on_hold
            ],
        }


def _trade_link(account: Account) -> str:
    return f"https://steamcommunity.com/tradeoffer/new/?partner={account.number}&token={account.trade_token}"


def _items(given: list[Given]) -> list[dict[str, Any]]:
    return [
        {"appid": g.appid, "contextid": g.contextid, "assetid": g.assetid, "market_hash_name": g.market_hash_name} for g in given
    ]


async def _body(request: Request, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(request.body or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse(400, str(error)) from None


def _refuse(status: int, text: str) -> Answered:
    return Answered(json_body({"error": text}, status))


def _json(body: Any) -> Response:
    return json_body(body)
