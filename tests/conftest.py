from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import ENGINES, new_database, postgres_server, use_engine
from tests.support import SandboxProcess


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which store a test runs on: whoever uses this fixture runs once on each."""
    name: str = request.param
    if name == "postgresql" and postgres_server() is None:
        pytest.skip("no PostgreSQL 15 or newer answers, and its programs are not installed")
    return name


@pytest.fixture(autouse=True)
def chosen_engine(request: pytest.FixtureRequest) -> None:
    """SQLite for every test that doesn't ask for both."""
    use_engine(request.getfixturevalue("engine") if "engine" in request.fixturenames else "sqlite")


@pytest.fixture(scope="session")
def shared_sandbox(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox per test process and engine; every story brings its own items and ids."""
    use_engine(engine)
    folder = tmp_path_factory.mktemp("sandbox")
    sandbox = SandboxProcess(folder / "data", new_database(folder) if engine == "postgresql" else None).start()
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
