"""One request to one endpoint: signed so that the receivers' library takes it, within its bounds, and never where it must not go."""

import asyncio
import base64
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from selldesk.courier.sender import Attempt, Letter, Sender, SenderSettings
from selldesk.kernel.ids import new_uuid7
from tests.receivers import Mood, Receiver, answer, drip, flood, garbage, hang, reset

SECRETS = ["whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]
PRIVATE = SenderSettings(connect_seconds=1, whole_seconds=1.5, allow_private=True)
PUBLIC = SenderSettings(connect_seconds=1, whole_seconds=1.5, allow_private=False)


def letter(url: str, *secrets: str) -> Letter:
    return Letter(url, new_uuid7(0), b'{"type": "trade.accepted", "data": {"name": "\xe2\x98\x85"}}', secrets or SECRETS[:1])


def send(one: Letter, settings: SenderSettings = PRIVATE, times: int = 1) -> list[Attempt]:
    async def tell() -> list[Attempt]:
        sender = Sender(settings)
        try:
            return [await sender.send("endpoint", one) for _ in range(times)]
        finally:
            await sender.close()

    return asyncio.run(tell())


def test_the_receivers_library_takes_it() -> None:
    """With the newest secret, and during an overlap with the one before; with no other, and no other body."""
    with Receiver() as receiver:
        one = letter(receiver.url, *SECRETS[:2])
        (attempt,) = send(one)
        assert (attempt.is_success, attempt.status, attempt.error, attempt.response) == (True, 200, None, "ok")
        (request,) = receiver.requests
    assert request.body == one.body
    headers = request.headers
    assert (headers["webhook-id"], headers["content-type"]) == (one.event_id, "application/json")
    assert headers["user-agent"].startswith("selldesk-webhooks/")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    assert [signature[:3] for signature in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    assert not {"cookie", "authorization", "x-api-key"} & headers.keys()
    for secret in SECRETS[:2]:
        assert Webhook(secret).verify(request.body, headers) == request.event
    for body, secret in ((request.body, SECRETS[2]), (request.body + b" ", SECRETS[0])):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
    first = headers["webhook-signature"].split(" ")[0]
    assert Webhook(SECRETS[0]).verify(request.body, {**headers, "webhook-signature": first}), "the newest one comes first"


MOODS: list[tuple[str, Mood, int | None, str | None]] = [
    # what                      mood                                       status  error
    ("taken",                   answer(204, b""),                          204,    None),
    ("an error",                answer(500),                               500,    None),
    ("moved",                   answer(301, location="http://127.0.0.1/"), 301,    None),
    ("moved for good",          answer(308, location="/elsewhere"),        308,    None),
    ("gone",                    answer(410),                               410,    None),
    ("ten megabytes",           flood,                                     200,    None),
    ("silence",                 hang,                                      None,   "no answer in time"),
    ("drop by drop",            drip,                                      None,   "no answer in time"),
    ("a reset",                 reset,                                     None,   "the connection broke"),
    ("no HTTP at all",          garbage,                                   None,   "the answer can't be read"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "mood", "status", "error"), MOODS, ids=[row[0] for row in MOODS])
def test_a_receivers_mood(what: str, mood: Mood, status: int | None, error: str | None) -> None:
    """None is followed, waited for or swallowed beyond its bounds."""
    with Receiver(mood) as receiver:
        began = time.monotonic()
        (attempt,) = send(letter(receiver.url))
        assert time.monotonic() - began < 5
        assert (attempt.status, attempt.error) == (status, error)
        assert attempt.is_success == (status in (200, 204))
        assert len(attempt.response or "") <= 1_024
        assert len(receiver.requests) == 1


RETRY_AFTERS: list[tuple[str, int | None]] = [
    ("120", 120), ("0", 0), ("Fri, 27 Nov 2026 03:00:00 GMT", None), ("-1", None), ("9999999999", None), ("١٢", None), ("1.5", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTERS, ids=[row[0] for row in RETRY_AFTERS])
def test_when_a_receiver_wants_to_be_asked_again(text: str, seconds: int | None) -> None:
    def mood(connection: socket.socket, request: Any) -> None:
        connection.sendall(b"HTTP/1.1 429 Slow down\r\ncontent-length: 0\r\nretry-after: " + text.encode() + b"\r\n\r\n")

    with Receiver(mood) as receiver:
        assert send(letter(receiver.url))[0].retry_after_seconds == seconds


def test_one_connection_serves_many_requests() -> None:
    with Receiver() as receiver:
        assert all(attempt.is_success for attempt in send(letter(receiver.url), times=5))
        assert receiver.connections == 1


def test_nobody_listens() -> None:
    with Receiver() as receiver:
        url = receiver.url
    (attempt,) = send(letter(url))
    assert (attempt.status, attempt.error) == (None, "no connection")


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """A throw-away CA that this process trusts."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return authority


def server_context(authority: trustme.CA, name: str, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_is_checked(authority: trustme.CA) -> None:
    for issuer, name, version, error in (
        (authority, "127.0.0.1", None, None),
        (authority, "shop.example", None, "the certificate can't be trusted"),
        (trustme.CA(), "127.0.0.1", None, "the certificate can't be trusted"),
        (authority, "127.0.0.1", ssl.TLSVersion.TLSv1_1, "the certificate can't be trusted"),
    ):
        with Receiver(tls=server_context(issuer, name, version)) as receiver:
            (attempt,) = send(letter(receiver.url))
            assert attempt.is_success == (error is None), (name, attempt)
            assert len(receiver.requests) == (error is None)
            if version is None:
                assert attempt.error == error


# -- where nothing may go ----------------------------------------------------------------------------------------------

HIDDEN = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"]


@pytest.mark.parametrize("address", HIDDEN)
def test_a_name_that_leads_into_the_house(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Whatever it resolves to is judged at the connect, also if an allowed address comes first, and the log names no address."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port, 0, 0) if family is socket.AF_INET6 else (address, port))]

    with Receiver() as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        (attempt,) = send(letter(f"http://shop.example:{receiver.port}/hook"), PUBLIC)
        assert (attempt.status, attempt.error, attempt.response) == (None, "address not allowed", None)
        assert asked
        assert receiver.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "localhost"])
def test_an_address_in_the_url_itself(host: str) -> None:
    """The URL was refused at the write; if one gets there all the same, the connect refuses it."""
    with Receiver() as receiver:
        (attempt,) = send(letter(f"http://{host}:{receiver.port}/hook"), PUBLIC)
        assert attempt.status is None
        assert receiver.connections == 0


def test_a_name_that_changes_between_two_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when it was looked at, private at the connect: no answer of the resolver is kept from one request to the next."""
    addresses = iter(["203.0.114.9", "127.0.0.1", "203.0.114.9", "127.0.0.1"])

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(addresses), port))]

    def connect(self: socket.socket, address: Any) -> None:
        raise ConnectionRefusedError("nobody there")

    with Receiver() as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        errors = {attempt.error for attempt in send(letter(f"http://shop.example:{receiver.port}/hook"), PUBLIC, times=2)}
        assert "address not allowed" in errors
        assert receiver.connections == 0
