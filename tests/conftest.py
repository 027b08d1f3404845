from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import SandboxProcess


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox per test process; every story brings its own items and ids."""
    sandbox = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "data").start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """The shared sandbox, calm before and after: no faults, obliging sellers."""
    shared_sandbox.steam.clear()
    for seller in shared_sandbox.sellers:
        shared_sandbox.steam.behave(seller, "accept")
    yield shared_sandbox
    shared_sandbox.steam.clear()


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox that a test may kill. Not yet started."""
    sandbox = SandboxProcess(tmp_path / "data")
    yield sandbox
    if sandbox.process is not None and sandbox.process.poll() is None:
        sandbox.kill()
