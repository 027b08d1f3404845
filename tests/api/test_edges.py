"""What a stranger can send: heads, trailers, pipelines, connections, bodies. Every refusal is in the envelope, and nobody else waits."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from typing import Any

import pytest

from selldesk.config import load_settings
from selldesk.web.connections import HEADER_BYTES_MAX, HEADER_FIELDS_MAX, PIPELINE_MAX, ConnectionGuard, ConnectionLimits, is_in
from selldesk.web.limits import LockOut, LockOutRules, RateLimiter, RateLimits
from tests.support import AK, SandboxProcess, fetch

pytestmark = pytest.mark.usefixtures("engine")
ENGINES = ("sqlite",)

MATCH = json.dumps({"game_id": 730, "items": [{"market_hash_name": AK}]}).encode()


def talk(sandbox: SandboxProcess, data: bytes, seconds: float = 3.0) -> bytes:
    """Everything that is answered to these bytes until the server closes, or stays silent."""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as connection:
        connection.settimeout(seconds)
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65_536):
                answer += chunk
        return answer


def answers(raw: bytes) -> list[tuple[int, Any]]:
    """(status, JSON) of each answer in a stream."""
    found = []
    while raw.startswith(b"HTTP/1.1 "):
        head, _, rest = raw.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        found.append((int(head.split()[1]), json.loads(rest[:length]) if rest[:length].startswith(b"{") else rest[:length]))
        raw = rest[length:]
    return found


def get(path: str = "/health", *more: bytes) -> bytes:
    return b"\r\n".join([f"GET {path} HTTP/1.1".encode(), b"Host: x", *more, b"", b""])


def post(headers: list[bytes], body: bytes) -> bytes:
    return b"\r\n".join([b"POST /api/sell/match HTTP/1.1", b"Host: x", *headers, b"", body])


CHUNKED = b"%x\r\n%s\r\n0\r\n" % (len(MATCH), MATCH)
JUNK = [
    # what is sent                             status  code
    ("a line of 60,000",                       get("/api/sell/trades?custom_id=" + "a" * 60_000), 401, "invalid_api_key"),
    ("a line of 70,000",                       get("/api/sell/trades?custom_id=" + "a" * 70_000), 414, "uri_too_long"),
    ("a line of 2,000,000",                    get("/x?" + "a" * 2_000_000), 414, "uri_too_long"),
    ("a field of 31,000",                      get("/health", b"X-A: " + b"a" * 31_000), 200, None),
    ("a field of 70,000",                      get("/health", b"X-A: " + b"a" * 70_000), 431, "header_too_large"),
    ("a field of 2,000,000",                   get("/health", b"X-A: " + b"a" * 2_000_000), 431, "header_too_large"),
    ("99 fields",                              get("/health", *[b"X-%d: a" % n for n in range(98)]), 200, None),
    ("5,000 fields",                           get("/health", *[b"X-%d: a" % n for n in range(5_000)]), 431, "header_too_large"),
    ("two hosts",                              get("/health", b"Host: y"), 400, "bad_request"),
    ("two keys",                               get("/api/auth/me", b"x-api-key: one", b"x-api-key: two"), 400, "bad_request"),
    ("no HTTP at all",                         b"\xff" * 3_000, 400, "bad_request"),
    ("TLS",                                    bytes.fromhex("16030100c8010000c40303") + bytes(200), 400, "bad_request"),
    ("a method without end",                   b"A" * 70_000 + b" /health HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    ("two lengths",                            post([b"Content-Length: 5", b"Content-Length: 6"], MATCH), 400, "bad_request"),
    ("a length and chunks",                    post([b"Content-Length: 4", b"Transfer-Encoding: chunked"], CHUNKED + b"\r\n"), 400, "bad_request"),
    ("a chunk of 2^64",                        post([b"Transfer-Encoding: chunked"], b"ffffffffffffffffff\r\nx"), 400, "bad_request"),
    ("another URI than a path",                b"CONNECT evil:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "status", "code"), JUNK, ids=[row[0] for row in JUNK])
def test_what_is_too_much_or_no_http_is_refused_in_the_envelope(
    sandbox: SandboxProcess, what: str, data: bytes, status: int, code: str | None
) -> None:
    first = answers(talk(sandbox, data, 1.0 if status == 200 else 5.0))[0]
    assert first[0] == status
    if code is not None:
        assert (first[1]["success"], first[1]["code"]) == (False, code)
    if status == 414:
        assert first[1]["error"] == "URI too long"
        assert first[1]["details"] == [{"path": "", "message": "use POST /api/sell/trades/search"}]
    assert fetch("GET", f"{sandbox.base_url}/health")[0] == 200


def test_2_000_ids_go_by_the_search_instead(sandbox: SandboxProcess) -> None:
    ids = [f"00000000-0000-7000-8000-{number:012d}" for number in range(2_000)]
    status, answer = sandbox.shop.call("GET", "/api/sell/trades?trade_ids=" + ",".join(ids))
    assert (status, answer["code"]) == (414, "uri_too_long")
    assert sandbox.shop.do("POST", "/api/sell/trades/search", {"trade_ids": ids})["total"] == 0


def test_trailers_are_no_headers(sandbox: SandboxProcess) -> None:
    """What stands behind a chunked body must not say who asks, nor take back what the head said."""
    key = b"x-api-key: " + sandbox.shop.key.encode()
    nobody = answers(talk(sandbox, post([b"Transfer-Encoding: chunked"], CHUNKED + key + b"\r\n\r\n"), 1.0))
    assert nobody[0][0] == 401
    somebody = answers(talk(sandbox, post([key, b"Transfer-Encoding: chunked"], CHUNKED + b"x-api-key: evil\r\n\r\n"), 1.0))
    assert somebody[0][0] == 200


def test_a_pipeline_is_answered_in_order_and_bounded(sandbox: SandboxProcess) -> None:
    few = answers(talk(sandbox, get() * 50, 2.0))
    assert [status for status, _ in few] == [200] * 50
    many = answers(talk(sandbox, get() * 5_000, 5.0))
    assert {status for status, _ in many} == {200}
    assert PIPELINE_MAX <= len(many) < 5_000, "what is too much is not carried out, and the connection ends"
    mixed = answers(talk(sandbox, get() * 3 + b"\xff\xff\r\n\r\n", 2.0))
    assert [status for status, _ in mixed][:3] == [200] * 3, "junk behind good requests takes nothing from them"


@pytest.mark.long
def test_a_head_that_comes_slowly_is_ended_in_time(sandbox: SandboxProcess) -> None:
    began = time.monotonic()
    raw = b""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(OSError):
            for _ in range(40):
                connection.sendall(b"X-A: a\r\n")
                connection.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    raw = connection.recv(65_536)
                    break
    assert time.monotonic() - began < 14
    assert answers(raw)[0][1]["code"] == "request_timeout"


@pytest.mark.long
def test_an_endless_head_stalls_nobody(sandbox: SandboxProcess) -> None:
    """80 MB of one header field: cut off after 96 KiB; meanwhile everybody else is served."""
    worst: list[float] = [0.0]
    done = threading.Event()

    def probe() -> None:
        while not done.is_set():
            began = time.monotonic()
            assert fetch("GET", f"{sandbox.base_url}/health")[0] == 200
            worst[0] = max(worst[0], time.monotonic() - began)

    prober = threading.Thread(target=probe)
    prober.start()
    taken = 0
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", sandbox.port), timeout=10) as connection, contextlib.suppress(OSError):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ")
            for _ in range(160):
                connection.sendall(b"a" * 65_536)
                taken += 65_536
    done.set()
    prober.join()
    assert worst[0] < 1.0, f"somebody waited {worst[0]:.2f} s"
    assert taken < 8 * 8 * 1024 * 1024, "the connection is closed, not drained"


def test_too_many_connections_of_one_address_or_in_all() -> None:
    """A table of who counts: the bound for one address spares trusted proxies, and home in the sandbox; that for all spares nobody."""

    class Loop:
        def call_later(self, *_: object) -> None:
            return None

    class One:
        loop = Loop()

    proxies = load_settings({"trusted_proxies": "10.1.0.0/16, 2001:db8::/32"}, environment={}).proxies()
    for address, limits, taken in (
        ("203.0.113.5", ConnectionLimits(10, 3), 3),
        ("10.1.2.3", ConnectionLimits(10, 3, proxies), 10),
        ("2001:db8::1", ConnectionLimits(10, 3, proxies), 10),
        ("::ffff:10.1.2.3", ConnectionLimits(10, 3, proxies), 10),
        ("127.0.0.1", ConnectionLimits(10, 3), 3),
        ("127.0.0.1", ConnectionLimits(10, 3, counts_loopback=False), 10),
    ):
        guard = ConnectionGuard(limits)
        connections = [One() for _ in range(20)]
        assert sum(guard.enter(one, address) for one in connections) == taken, address  # type: ignore[arg-type]
        for one in connections:
            guard.leave(one, address)  # type: ignore[arg-type]
        assert guard.enter(One(), address), "what is gone counts no more"  # type: ignore[arg-type]
    assert not is_in("not an address", proxies)


def test_a_large_body_full_of_nothing_is_refused_before_it_is_decoded(sandbox: SandboxProcess) -> None:
    buyer = sandbox.buyers[0]
    body = b'{"game_id": 730, "mode": "merge", "orders": [' + b",".join([b"{}"] * 4_000_000) + b"]}"
    assert len(body) < 16 * 1024 * 1024
    worst: list[float] = [0.0]
    statuses: Counter[int] = Counter()

    def upload() -> None:
        statuses[buyer.call("PUT", "/api/buy/orders", raw=body)[0]] += 1

    uploads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in uploads:
        thread.start()
    while any(thread.is_alive() for thread in uploads):
        began = time.monotonic()
        assert fetch("GET", f"{sandbox.base_url}/health")[0] == 200
        worst[0] = max(worst[0], time.monotonic() - began)
    assert statuses == {400: 4}
    assert worst[0] < 1.5, f"somebody waited {worst[0]:.2f} s"


def test_a_byte_order_mark_is_named(sandbox: SandboxProcess) -> None:
    status, answer = sandbox.shop.call("POST", "/api/sell/match", raw=b"\xef\xbb\xbf" + MATCH)
    assert (status, answer["code"]) == (400, "invalid_body")
    assert "byte order mark" in answer["details"][0]["message"]


def test_a_needle_longer_than_any_custom_id_is_refused(sandbox: SandboxProcess) -> None:
    assert sandbox.shop.call("GET", "/api/sell/trades?custom_id=" + "a" * 128)[0] == 200
    assert sandbox.shop.refused("GET", "/api/sell/trades?custom_id=" + "a" * 129) == (400, "Invalid query parameter: custom_id")
    assert sandbox.shop.refused("POST", "/api/sell/trades/search", {"custom_id": "a" * 129})[0] == 400


def test_all_keys_of_an_account_share_its_rate() -> None:
    limiter = RateLimiter(RateLimits(10, 5))
    allowed = [limiter.take(7, False)[0] for _ in range(30)]
    assert sum(allowed) == 10
    assert limiter.take(8, False)[0], "another account has its own"


def test_an_account_has_at_most_50_keys(sandbox: SandboxProcess) -> None:
    shop = sandbox.other_shop
    had = len(shop.get("/api/auth/api-keys"))
    names = [f"key {number}" for number in range(51 - had)]
    for name in names[:-1]:
        shop.do("POST", "/api/auth/api-keys", {"name": name})
    status, answer = shop.call("POST", "/api/auth/api-keys", {"name": names[-1]})
    assert (status, answer["error"], answer["code"]) == (409, "Too many API keys", "too_many_keys")
    assert shop.refused("POST", "/api/auth/api-keys", {"name": "x", "scope": ["read"]})[0] == 400, "a misspelt field is named"
    for name in names[:-1]:
        shop.do("DELETE", "/api/auth/api-keys", {"name": name})


def test_who_guesses_keys_is_locked_out_and_known_keys_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lock_out = LockOut(LockOutRules(3, 300, 900))
    for _ in range(2):
        lock_out.note_unknown("203.0.113.5")
    now[0] += 301
    lock_out.note_unknown("203.0.113.5")
    assert lock_out.seconds_left("203.0.113.5") == 0, "old tries are forgiven"
    for _ in range(2):
        lock_out.note_unknown("203.0.113.5")
    assert lock_out.seconds_left("203.0.113.5") == 900
    assert lock_out.seconds_left("203.0.113.6") == 0
    now[0] += 900
    assert lock_out.seconds_left("203.0.113.5") == 0
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3"):
        lock_out.note_unknown(host)
    assert lock_out.seconds_left("2001:db8::ffff") == 900, "of IPv6 a whole /64"
    free = LockOut(LockOutRules(0, 300, 900))
    for _ in range(1000):
        free.note_unknown("203.0.113.5")
    assert free.seconds_left("203.0.113.5") == 0


def test_metrics_want_an_operator(sandbox: SandboxProcess) -> None:
    url = f"{sandbox.base_url}/metrics"
    assert fetch("GET", url)[0] == 401
    assert fetch("GET", url, key=sandbox.shop.key)[0] == 403
    assert fetch("GET", url, key=sandbox.operator.key)[0] == 200


def test_pages_say_what_a_browser_must_not_do(sandbox: SandboxProcess) -> None:
    for path in ("/", "/docs"):
        status, _, headers = fetch("GET", sandbox.base_url + path)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    made = fetch("POST", f"{sandbox.base_url}/api/auth/api-keys", {"name": "shown once"}, key=sandbox.shop.key)
    assert made[2]["cache-control"] == "no-store"
    sandbox.shop.do("DELETE", "/api/auth/api-keys", {"name": "shown once"})


def test_the_bounds_are_the_contracts() -> None:
    assert (HEADER_BYTES_MAX, HEADER_FIELDS_MAX) == (32 * 1024, 100)
