"""IAuthenticationService and ITwoFactorService of the simulated Steam, in both of its dialects: protobuf and JSON (protocol §3.2)."""

import base64
from collections.abc import Callable
from typing import Any

from selldesk.steamsim.auth import DEVICE_CODE, DEVICE_CONFIRMATION, POLL_INTERVAL_SECONDS, Authentication, LoginFault
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.messages import Handler, Request, Response, Routes
from selldesk.steamsim.viewers import json_answer, whole
from selldesk.steamsim.world import World
from selldesk.steamwire import protobuf
from selldesk.steamwire.enums import EResult

Answer = list[tuple[int, str, Any]]
"""Fields of a reply: (protobuf number, JSON name, value)."""

MOBILE_APP = 3


class Question:
    """A call's fields, whichever way they came. Raises ValueError on what can't be read."""

    def __init__(self, form: dict[str, str]) -> None:
        self._form = form
        encoded = form.get("input_protobuf_encoded")
        self.is_protobuf = encoded is not None
        self.message = protobuf.Message(base64.b64decode(encoded)) if encoded is not None else protobuf.Message(b"")

    def text(self, number: int, name: str) -> str:
        return self.message.get_text(number) if self.is_protobuf else self._form.get(name, "")

    def number(self, number: int, name: str) -> int:
        return self.message.get_int(number) if self.is_protobuf else whole(self._form.get(name))

    def data(self, number: int, name: str) -> bytes:
        return self.message.get_bytes(number) if self.is_protobuf else base64.b64decode(self._form.get(name, ""))

    def is_mobile(self) -> bool:
        """The platform of device_details: only an app's tokens can be renewed in one call."""
        if not self.is_protobuf:
            return whole(self._form.get("platform_type")) == MOBILE_APP
        devices = self.message.messages(9)
        return bool(devices) and devices[0].get_int(2) == MOBILE_APP


class Logins:
    def __init__(self, world: World, auth: Authentication, faults: Faults) -> None:
        self._world = world
        self._auth = auth
        self._faults = faults

    def add_routes(self, routes: Routes) -> None:
        calls: dict[str, Callable[[Question], Answer]] = {
            "GetPasswordRSAPublicKey": self._public_key,
            "BeginAuthSessionViaCredentials": self._begin,
            "UpdateAuthSessionWithSteamGuardCode": self._answer_guard,
            "PollAuthSessionStatus": self._poll,
            "GenerateAccessTokenForApp": self._renew,
        }
        for method, call in calls.items():
            routes.add("*", f"/IAuthenticationService/{method}/v1{{slash:/?}}", self._handler(call))
        routes.add("POST", "/ITwoFactorService/QueryTime/v1{slash:/?}", self._query_time)

    def _handler(self, call: Callable[[Question], Answer]) -> Handler:
        async def handle(request: Request) -> Response:
            fields = request.query if request.method == "GET" else request.form
            answer: Answer = []
            eresult = int(EResult.OK)
            try:
                answer = call(Question({name: value for name, value in fields.items() if isinstance(value, str)}))
            except LoginFault as fault:
                eresult = int(fault.eresult)
                # In JSON a refused login looks like an answer that lacks what counts.
                answer = [(3, "interval", 5.0), (8, "extended_error_message", "")] if call == self._begin else []
            except ValueError:
                eresult = int(EResult.INVALID_PARAM)
            if "input_protobuf_encoded" not in fields:
                return json_answer({"response": {name: _in_json(value) for _, name, value in answer if value is not None}}, eresult)
            body = protobuf.encode(_in_protobuf(answer))
            return Response(body=body, headers={"x-eresult": str(eresult)}, content_type="application/octet-stream")

        return handle

    def _public_key(self, _: Question) -> Answer:
        modulus, exponent, timestamp = self._auth.public_key()
        return [(1, "publickey_mod", modulus), (2, "publickey_exp", exponent), (3, "timestamp", timestamp)]

    def _begin(self, question: Question) -> Answer:
        account_name = question.text(2, "account_name")
        account = self._world.account_by_login(account_name)
        who, now_us = account.steamid64 if account is not None else None, self._world.now_us()
        refused = self._faults.hit("login_refused", now_us, who)
        if refused is not None:
            raise LoginFault(refused.eresult or EResult.INVALID_PASSWORD)
        if self._faults.hit("rsa_stale", now_us, who):
            raise LoginFault(EResult.INVALID_PASSWORD)
        client_id, request_id, found = self._auth.begin(account_name, question.text(3, "encrypted_password"), question.is_mobile())
        return [
            (1, "client_id", client_id),
            (2, "request_id", request_id),
            (3, "interval", POLL_INTERVAL_SECONDS),
            (4, "allowed_confirmations", [DEVICE_CODE, DEVICE_CONFIRMATION]),
            (5, "steamid", int(found.steamid64)),
            (6, "weak_token", ""),
            (8, "extended_error_message", ""),
        ]

    def _answer_guard(self, question: Question) -> Answer:
        self._auth.answer_guard(
            question.number(1, "client_id"),
            str(question.number(2, "steamid")),
            question.text(3, "code"),
            question.number(4, "code_type"),
            self._skew_seconds(),
        )
        return []

    def _poll(self, question: Question) -> Answer:
        polled = self._auth.poll(question.number(1, "client_id"), question.data(2, "request_id"))
        if polled is None:
            return [(5, "had_remote_interaction", False)]
        refresh, access, account = polled
        self._faults.logged_in(account.steamid64)
        is_bare = self._faults.hit("login_without_access", self._world.now_us(), account.steamid64) is not None
        return [
            (3, "refresh_token", refresh),
            (4, "access_token", "" if is_bare else access),
            (5, "had_remote_interaction", False),
            (6, "account_name", account.login),
        ]

    def _renew(self, question: Question) -> Answer:
        steamid64 = str(question.number(2, "steamid"))
        refused = self._faults.hit("renew_refused", self._world.now_us(), steamid64)
        if refused is not None:
            raise LoginFault(refused.eresult or EResult.ACCESS_DENIED)
        access, refresh, account = self._auth.renew(
            question.text(1, "refresh_token"), steamid64, question.number(3, "renewal_type")
        )
        self._faults.logged_in(account.steamid64)
        return [(1, "access_token", access), (2, "refresh_token", refresh)]

    def _skew_seconds(self) -> int:
        skewed = self._faults.is_on("clock_skew", self._world.now_us())
        return int(skewed.seconds or 60) if skewed is not None else 0

    async def _query_time(self, request: Request) -> Response:
        skewed = self._faults.hit("clock_skew", self._world.now_us())
        now = self._world.now() + (int(skewed.seconds or 60) if skewed is not None else 0)
        fields = request.form
        if "input_protobuf_encoded" in fields:
            body = protobuf.encode([(1, now)])
            return Response(body=body, headers={"x-eresult": "1"}, content_type="application/octet-stream")
        return json_answer({"response": {"server_time": str(now), "skew_tolerance_seconds": "60"}})


def _in_json(value: Any) -> Any:
    """64-bit numbers as texts, bytes as base64, as Steam's JSON has them."""
    if isinstance(value, bool | float | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [{"confirmation_type": kind, "associated_message": ""} for kind in value]
    return str(value)


def _in_protobuf(answer: Answer) -> list[tuple[int, protobuf.Value | None]]:
    fields: list[tuple[int, protobuf.Value | None]] = []
    for number, _, value in answer:
        if isinstance(value, list):
            fields.extend((number, protobuf.encode([(1, kind)])) for kind in value)
        else:
            fields.append((number, value))
    return fields
