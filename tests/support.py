"""What stories are told with: a sandbox as a process of its own, people who talk to it over HTTP, and the selldesk command."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
READY_SECONDS = 30
PATIENCE_SECONDS = 25
AK = "AK-47 | Redline (Field-Tested)"
AWP = "AWP | Asiimov (Field-Tested)"
DAY = 86_400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(
    method: str,
    url: str,
    body: Any = None,
    key: str | None = None,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
    parse: bool = True,
) -> tuple[int, Any, dict[str, str]]:
    """(status, JSON or bytes, headers); any status is an answer."""
    content = raw if raw is not None else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=content, headers=headers or {})
    if content is not None:
        request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("x-api-key", key)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, answer, received = response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        status, answer, received = error.code, error.read(), error.headers
    sent = {name.lower(): value for name, value in received.items()}
    is_json = sent.get("content-type", "").startswith("application/json")
    return status, json.loads(answer) if is_json and answer and parse else answer, sent


def run_selldesk(
    arguments: Sequence[str], environment: Mapping[str, str], *, anew: bool = False, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """`python -m selldesk …` as a process of its own. Nearly all of what a small command takes is reading its modules: unless it is
    to be started `anew`, it is forked from a process that has read them and done nothing else."""
    command = [sys.executable, "-m", "selldesk", *arguments]
    if anew:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    global _launcher
    if _launcher is None or _launcher.poll() is not None:
        _launcher = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        atexit.register(_launcher.kill)
    assert _launcher.stdin is not None
    assert _launcher.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        order = {"arguments": arguments, "environment": dict(environment), "folder": folder, "cwd": os.getcwd(), "timeout": timeout}
        _launcher.stdin.write(json.dumps(order) + "\n")
        _launcher.stdin.flush()
        code = _launcher.stdout.readline()
        assert code, "the process that commands are forked from has ended"
        stdout, stderr = (Path(folder, name).read_text() for name in ("stdout", "stderr"))
    if int(code) == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(command, timeout, stdout, stderr)
    return subprocess.CompletedProcess(command, int(code), stdout, stderr)


_launcher: subprocess.Popen[str] | None = None
_LAUNCHER = """
import contextlib, gc, json, os, runpy, signal, sys
from selldesk.cli import exits, main

main.add_commands()

with contextlib.suppress(ImportError):
    # Typer's own, which it reads when it first parses a command.
    import typer._adapters, typer.rich_utils
gc.freeze()

for line in iter(sys.stdin.readline, ""):
    order = json.loads(line)
    process = os.fork()
    if process == 0:
        for descriptor, path in enumerate((os.devnull, order["folder"] + "/stdout", order["folder"] + "/stderr")):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = ["-m", *order["arguments"]]
        signal.setitimer(signal.ITIMER_REAL, order["timeout"])
        runpy.run_module("selldesk", run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
"""The command's modules are read here, and no more than they: what any of them does when it is read is done once for all."""


class Steam:
    """The simulator's control API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        status, answer, _ = fetch(method, f"{self.url}/control/{path}", body)
        assert status == 200, (path, status, answer)
        return answer

    def fault(self, name: str, **options: Any) -> None:
        self.call("POST", "faults", {"fault": name, **options})

    def struck(self, name: str) -> int:
        """How often a mood was met since the simulator began."""
        (count,) = [fault["struck"] for fault in self.call("GET", "faults")["faults"] if fault["fault"] == name]
        return int(count)

    def clear(self) -> None:
        self.call("DELETE", "faults")

    def behave(self, seller: dict[str, Any], behaviour: str, delay_seconds: float = 0.1) -> None:
        self.call("POST", f"sellers/{seller['steamid64']}", {"behaviour": behaviour, "delay_seconds": delay_seconds})

    def give(self, seller: dict[str, Any], game: int, name: str, count: int = 1) -> list[str]:
        body = {"steamid64": seller["steamid64"], "game_id": game, "market_hash_name": name, "count": count}
        assetids: list[str] = self.call("POST", "items", body)["assetids"]
        return assetids

    def state(self) -> dict[str, list[dict[str, Any]]]:
        answer: dict[str, list[dict[str, Any]]] = self.call("GET", "state")
        return answer


class Person:
    """Somebody with an API key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url
        self.key = key

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        status, answer, _ = fetch(method, self.base_url + path, body, self.key, **more)
        return status, answer

    def get(self, path: str) -> Any:
        """The data of an answer that must be a success."""
        status, answer = self.call("GET", path)
        assert status == 200, (path, status, answer)
        return answer["data"]

    def do(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.call(method, path, body)
        assert status in (200, 201), (path, status, answer)
        return answer["data"]

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        status, answer = self.call(method, path, body)
        assert not answer["success"], answer
        return status, answer["error"]


class SandboxProcess:
    """`selldesk sandbox` as users run it, on ports and a folder of its own."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.database_url = database_url
        self.port, self.steam_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._sales = 0

    def start(self, *more: str) -> "SandboxProcess":
        command = [
            sys.executable, "-m", "selldesk", "sandbox", "--quiet", "--data", str(self.folder),
            "--port", str(self.port), "--steam-port", str(self.steam_port), *more,
        ]  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SELLDESK_")}
        if self.database_url is not None:
            environment["SELLDESK_DATABASE_URL"] = self.database_url
        with open(self.folder.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"the sandbox ended: {self.log()[-3000:]}"
            try:
                if fetch("GET", f"{self.base_url}/ready")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        else:
            raise AssertionError(f"not ready after {READY_SECONDS} s: {self.log()[-3000:]}")
        self.description = json.loads((self.folder / "sandbox.json").read_text())
        self.operator = Person(self.base_url, self.description["operator"]["api_key"])
        self.shop, self.other_shop = (Person(self.base_url, project["api_key"]) for project in self.description["projects"])
        self.buyers = [Person(self.base_url, buyer["api_key"]) for buyer in self.description["buyers"]]
        self.sellers: list[dict[str, Any]] = self.description["sellers"]
        self.steam = Steam(self.description["steam"]["url"])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.folder.with_suffix(".log").read_text(errors="replace")

    def kill(self) -> None:
        """kill -9 of the whole family."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[int]:
        """Processes of this sandbox's session, by /proc."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                except (OSError, ValueError):
                    continue
                if session == self.process.pid:
                    found.append(int(entry.name))
        return found

    def kill_child(self, module: str) -> int:
        """kill -9 of each child that runs this module; how many."""
        killed = 0
        for pid in self.children():
            if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    # -- a trader's moves ----------------------------------------------------------------------------------------------

    def advance(self, seconds: int) -> None:
        self.operator.do("POST", "/sandbox/clock", {"advance_seconds": seconds})

    def man_all_bots(self) -> None:
        """Whatever the last story did to them: every bot enabled and healthy."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ill = [bot for bot in self.operator.get("/api/operator/bots") if not bot["healthy"] or bot["blocked_games"]]
            if not ill:
                return
            assert time.monotonic() < deadline, ill
            for bot in ill:
                if not bot["enabled"] or bot["state"] == "quarantined" or bot["blocked_games"]:
                    self.operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": True})
            self.advance(20)
            time.sleep(0.1)

    def new_custom_id(self) -> str:
        self._sales += 1
        return f"sale-{self.port}-{self._sales}"

    def offer_body(
        self, seller: dict[str, Any], game: int, items: list[tuple[str, str]], custom_id: str | None = None
    ) -> dict[str, Any]:
        """What a seller's program sends after a match. Items: (assetid, name)."""
        lines = [{"market_hash_name": name} for _, name in items]
        matched = self.shop.do("POST", "/api/sell/match", {"game_id": game, "items": lines})
        assert matched["buyer_id"] is not None, lines
        return {
            "custom_id": custom_id or self.new_custom_id(),
            "buyer_id": matched["buyer_id"],
            "quote_id": matched["quote_id"],
            "tradelink": seller["tradelink"],
            "game_id": game,
            "items": [
                {"assetid": assetid, "market_hash_name": name, "price": line["price"]}
                for (assetid, name), line in zip(items, matched["items"], strict=True)
            ],
        }

    def sell(self, seller: dict[str, Any], game: int, name: str, count: int = 1) -> str:
        """A whole match and create of fresh items; the custom_id."""
        assetids = self.steam.give(seller, game, name, count)
        body = self.offer_body(seller, game, [(assetid, name) for assetid in assetids])
        created = self.shop.do("POST", "/api/sell/trades/create", body)
        assert created["status"] == "processing"
        custom_id: str = body["custom_id"]
        return custom_id

    def trade(self, custom_id: str) -> dict[str, Any]:
        data: dict[str, Any] = self.shop.get(f"/api/sell/trades/by-custom-id/{custom_id}")
        return data

    def wait_for(
        self, custom_id: str, wanted: str | Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """Until the trade has this status, or shows what is wanted."""
        is_there = wanted if callable(wanted) else lambda trade: trade["status"] == wanted
        deadline = time.monotonic() + seconds
        while True:
            trade = self.trade(custom_id)
            if is_there(trade):
                return trade
            assert time.monotonic() < deadline, f"waited in vain for {wanted}: {json.dumps(trade, indent=1)}\n{self.log()[-3000:]}"
            time.sleep(0.03)

    def buyable(self, game: int) -> str:
        """A name of this game that some buyer wants."""
        for seller in self.sellers:
            for item in seller["items"]:
                if item["game_id"] == game:
                    matched = self.shop.do(
                        "POST", "/api/sell/match", {"game_id": game, "items": [{"market_hash_name": item["market_hash_name"]}]}
                    )
                    if matched["buyer_id"] is not None:
                        name: str = item["market_hash_name"]
                        return name
        raise AssertionError(f"nobody buys anything of game {game}")

    def calls_to(self, path: str, bot: str | None = None) -> int:
        """How many calls of bots (or of one) to such a path Steam has answered."""
        return sum(
            1
            for request in self.steam.call("GET", "requests")["requests"]
            if path in request["path"] and request["status"] and bot in (None, request["steamid64"])
        )

    def wait_for_a_call(self, path: str, before: int) -> None:
        """Until one more than `before` was answered."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.calls_to(path) <= before:
            assert time.monotonic() < deadline, f"nobody asked for {path}"
            time.sleep(0.05)

    def let_its_bot_look(self, custom_id: str) -> None:
        """Until the bot of a running trade has read its offers anew, or something has become of the trade."""
        bot = self.trade(custom_id)["selected_bot"]["steamid64"]
        before = self.calls_to("GetTradeOffers", bot)
        deadline = time.monotonic() + PATIENCE_SECONDS
        # Two: the first may have been on its way already.
        while self.calls_to("GetTradeOffers", bot) < before + 2 and self.trade(custom_id)["status"] == "processing":
            assert time.monotonic() < deadline, "the bot does not look"
            time.sleep(0.05)

    # -- is everything coherent? ---------------------------------------------------------------------------------------

    def offers_of(self, trade: dict[str, Any]) -> list[dict[str, Any]]:
        """The simulator's offers for a trade, by its tag in their message."""
        tag = f"#{trade['trade_id'].replace('-', '')[-8:]}"
        return [offer for offer in self.steam.state()["offers"] if offer["message"].endswith(tag)]

    def assert_clean(self) -> None:
        """No audit question fails, and Steam's books equal ours: every exchange is a sale or a delivery, and each of these an exchange."""
        audit = self.operator.get("/api/operator/audit")
        assert audit["violations"] == []
        assert len(audit["checks"]) >= 25
        books = self.steam.state()
        ours = self._all_of("trades") + self._all_of("deliveries")
        exchanged = {"accepted", "completed", "rolled_back_by_user", "rolled_back_by_bot"}
        sold = {trade["processed_trade"]["trade_id"].partition("_")[0]: trade for trade in ours if trade["status"] in exchanged}
        exchanges = {
            trade["tradeid"]: trade for trade in books["trades"] if not trade.get("rollback_trade") and trade["status"] in (3, 12)
        }
        assert sold.keys() == exchanges.keys()
        for tradeid, trade in sold.items():
            assert (exchanges[tradeid]["status"] == 12) == trade["status"].startswith("rolled_back")
            names = sorted(item["market_hash_name"] for item in exchanges[tradeid]["items"])
            moved = trade["processed_trade"]["items_to_receive"] + trade["processed_trade"]["items_to_give"]
            assert names == sorted(item["market_hash_name"] for item in moved)
        accepted_by_tag: dict[str, int] = {}
        for offer in books["offers"]:
            if offer["state"] == 3:
                accepted_by_tag[offer["message"][-9:]] = accepted_by_tag.get(offer["message"][-9:], 0) + 1
        assert all(count == 1 for count in accepted_by_tag.values())

    def _all_of(self, things: str) -> list[dict[str, Any]]:
        """Every trade or delivery of the market, as its operators see it."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.operator.get(f"/api/operator/{things}?limit=2000&offset={len(found)}")
            found += page[things]
            if len(found) >= page["total"]:
                return found
