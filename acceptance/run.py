"""`make acceptance`: starts a fresh simulator and lets foreign clients trade on it."""

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
    port, tls_port, proxy_port = free_ports(3)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "simulate-steam",
            "--data",
            folder,
            "--port",
            str(port),
            "--tls-port",
            str(tls_port),
            "--proxy-port",
            str(proxy_port),
        ]
        steam = subprocess.Popen([sys.executable, "-m", "selldesk", *command], stdout=subprocess.DEVNULL)
        try:
            fronts = wait_for_fronts(f"http://127.0.0.1:{port}/control/fronts")
            environment = os.environ | {
                "STEAM_URL": f"http://127.0.0.1:{port}",
                "STEAM_TLS_PORT": str(fronts["tls_port"]),
                "NODE_EXTRA_CA_CERTS": str(fronts["ca_file"]),
            }
            print("steam-session, steamcommunity, steam-tradeoffer-manager (npm, unmodified):", flush=True)
            strangers = ["node", "-r", str(HERE / "redirect.cjs"), str(HERE / "strangers.cjs")]
            return subprocess.run(strangers, env=environment, timeout=120, check=False).returncode
        finally:
            steam.terminate()
            steam.wait(10)


def wait_for_fronts(url: str) -> dict[str, object]:
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
