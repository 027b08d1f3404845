"""`make acceptance`: foreign clients trade on a fresh simulator, and one is handed over items by a whole market."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
START_SECONDS = 20


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def main() -> int:
    """Each stranger gets a Steam of its own; the exit code is 0 if all of them pass every step."""
    print("steam-session, steamcommunity, steam-tradeoffer-manager (npm, unmodified):", flush=True)
    node = trade_on_a_fresh_steam(["node", "-r", str(HERE / "redirect.cjs"), str(HERE / "strangers.cjs")], through_proxy=False)
    python = trade_on_a_fresh_steam([str(HERE / ".venv/bin/python"), str(HERE / "strangers.py")], through_proxy=True)
    print("steam-session, steam-tradeoffer-manager (npm, unmodified) receive a delivery:", flush=True)
    recipient = receive_from_a_fresh_market(["node", "-r", str(HERE / "redirect.cjs"), str(HERE / "recipient.cjs")])
    return int(any((node, python, recipient)))


def trade_on_a_fresh_steam(stranger: list[str], through_proxy: bool) -> int:
    """Node's preload sends its connections to the TLS port; a Python client knows proxies and the CA to trust by itself."""
    port, tls_port, proxy_port = free_ports(3)
    with tempfile.TemporaryDirectory() as folder:
        ports = ["--port", str(port), "--tls-port", str(tls_port), "--proxy-port", str(proxy_port)]
        command = [sys.executable, "-m", "selldesk", "simulate-steam", "--data", folder, *ports]
        steam = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            fronts = wait_for(f"http://127.0.0.1:{port}/control/fronts")
            environment = os.environ | {
                "STEAM_URL": f"http://127.0.0.1:{port}",
                "STEAM_TLS_PORT": str(fronts["tls_port"]),
                "NODE_EXTRA_CA_CERTS": str(fronts["ca_file"]),
                "REQUESTS_CA_BUNDLE": str(fronts["ca_file"]),
            }
            if through_proxy:
                environment |= {"HTTPS_PROXY": f"http://127.0.0.1:{fronts['proxy_port']}", "NO_PROXY": "127.0.0.1"}
            return subprocess.run(stranger, env=environment, timeout=120, check=False).returncode
        finally:
            steam.terminate()
            steam.wait(10)


def receive_from_a_fresh_market(stranger: list[str]) -> int:
    """The market, its simulator and its people, as `make run` starts them; the stranger finds the accounts in sandbox.json."""
    port, steam_port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        ports = ["--port", str(port), "--steam-port", str(steam_port)]
        command = [sys.executable, "-m", "selldesk", "sandbox", "--quiet", "--data", folder, *ports]
        sandbox = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/ready")
            description = Path(folder) / "sandbox.json"
            steam = json.loads(description.read_text())["steam"]
            environment = os.environ | {
                "SANDBOX_JSON": str(description),
                "STEAM_TLS_PORT": str(steam["tls_port"]),
                "NODE_EXTRA_CA_CERTS": str(steam["ca_file"]),
            }
            return subprocess.run(stranger, env=environment, timeout=120, check=False).returncode
        finally:
            sandbox.terminate()
            sandbox.wait(20)


def wait_for(url: str) -> dict[str, object]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                found: dict[str, object] = json.loads(response.read())
                return found
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
