import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import hypothesis
import pytest

from tests.stores import ENGINES, give_connections_back, new_database, require_engine, use_engine
from tests.support import AK, AWP, SandboxProcess

_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 * 2**30:
    # Nobody pulls the plug in these tests: SQLite's commits need not wait for a disk. (A commit of FULL took 1.1 ms on one, 0.03 here.)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("steady")
"""The same inputs on every run, and no limit on a case that had to wait for a processor."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever uses `engine`, directly or through the sandbox, runs once on each; a module may say ENGINES for itself."""
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", getattr(metafunc.module, "ENGINES", ENGINES), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each process begins with its share of the long ones, or one would still tell such a story when the others have ended.

    The scheduler gives every process one slice of the list, so a slice begins with its share.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    lasting = [item for item in items if item.get_closest_marker("long")]
    quick = [item for item in items if not item.get_closest_marker("long")]
    dealt: list[pytest.Item] = []
    for number in range(processes):
        share = lasting[number::processes]
        size = (len(items) - len(dealt)) // (processes - number)
        dealt += share + quick[: max(size - len(share), 0)]
        del quick[: max(size - len(share), 0)]
    items[:] = dealt + quick


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Python is told to write no bytecode, every process that the tests start would compile the whole market anew: they keep it
    in a folder of this run."""
    if sys.dont_write_bytecode:
        base = tmp_path_factory.getbasetemp()
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bytecode")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """Which store a test runs on."""
    name: str = request.param
    require_engine(name)
    return name


@pytest.fixture(autouse=True)
def chosen_engine(request: pytest.FixtureRequest) -> None:
    """SQLite for every test that doesn't ask for both."""
    use_engine(request.getfixturevalue("engine") if "engine" in request.fixturenames else "sqlite")


@pytest.fixture(autouse=True)
def bounded_connections() -> Iterator[None]:
    yield
    give_connections_back()


@pytest.fixture(scope="session")
def shared_sandbox(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox per test process and engine; every story brings its own items and ids."""
    use_engine(engine)
    folder = tmp_path_factory.mktemp("sandbox")
    sandbox = SandboxProcess(folder / "data", new_database(folder) if engine == "postgresql" else None).start()
    # Enough demand for every story of the session.
    for buyer in sandbox.buyers:
        for name in (AK, AWP):
            (order,) = buyer.get(f"/api/buy/orders?game_id=730&market_hash_name={quote(name)}")["orders"]
            line = {"market_hash_name": name, "price": order["price"], "amount": 10_000}
            buyer.do("PUT", "/api/buy/orders", {"game_id": 730, "mode": "merge", "orders": [line]})
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """The shared sandbox, calm before and after: no faults, obliging sellers, all bots at work."""
    shared_sandbox.steam.clear()
    shared_sandbox.man_all_bots()
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
