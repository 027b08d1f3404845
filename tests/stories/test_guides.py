"""The receivers of docs/webhooks.md are run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import SandboxProcess, fetch, free_port

GUIDE = Path(__file__).parent.parent.parent / "docs" / "webhooks.md"
ENGINES = ("sqlite",)


def program(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.S)
    return str(found)


@pytest.fixture(params=["python", "js"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    if request.param == "python":
        path = tmp_path / "receiver.py"
        yield [sys.executable, str(path)]
    else:
        node = shutil.which("node")
        if node is None:
            pytest.skip("no Node.js on this machine")
        path = tmp_path / "receiver.mjs"
        yield [node, str(path)]


def test_a_receiver_hears_of_a_sale(sandbox: SandboxProcess, command: list[str]) -> None:
    """It takes what is ours, each event once, and nothing that is not signed with its secret."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    endpoint = sandbox.shop.do("POST", "/api/webhooks", {"url": url, "events": ["trade.*"]})
    path = Path(command[-1])
    path.write_text(program("python" if path.suffix == ".py" else "js"))
    environment = os.environ | {"SECRET": endpoint["secret"]}
    receiver = subprocess.Popen([*command, str(port)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                assert fetch("POST", url, {"type": "trade.accepted"})[0] == 401
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        custom_id = sandbox.sell(sandbox.sellers[0], 570, sandbox.buyable(570))
        trade = sandbox.wait_for(custom_id, "completed")
        assert receiver.stdout is not None
        heard: list[str] = []
        while "trade.completed" not in heard:
            kind, trade_id = json.loads(receiver.stdout.readline())
            if trade_id == trade["trade_id"]:
                heard.append(kind)
        assert heard == [
            kind for kind in ("trade.processing", "trade.offer_sent", "trade.accepted", "trade.completed") if kind in heard
        ]
    finally:
        receiver.kill()
        receiver.wait()
        sandbox.shop.do("DELETE", f"/api/webhooks/{endpoint['id']}")
