"""Who works for which bot (I13): leases, shares of the worker processes, and who of them is alive."""

import pytest

from selldesk.bots.leases import LEASE_US, SEND_WITHIN_US, Lease, WorkerProcess, alive_workers, keep, leave, quota

S = 1_000_000
NOW = 1_000_000 * S
FRESH, OLD = NOW + LEASE_US, NOW - 1


def _leases(*rows: tuple[int, str | None, int, int]) -> dict[int, Lease]:
    return {row[0]: Lease(*row) for row in rows}


TAKEN = [(number, "a", 1, FRESH) for number in (1, 2, 3, 4)]
KEEPING = [
    # what                          who  alive            leases                                                              gave back  holds                            lets go
    ("the first takes all",         "a", ["a"],           [],                                                                 [],     [(1, 1), (2, 1), (3, 1), (4, 1)], []),
    ("a second takes nothing yet",  "b", ["a", "b"],      TAKEN,                                                              [],     [],                               []),
    ("the first shares",            "a", ["a", "b"],      TAKEN,                                                              [],     [(1, 1), (2, 1), (3, 1), (4, 1)], [3, 4]),
    ("it gives back",               "a", ["a", "b"],      TAKEN,                                                              [3, 4], [(1, 1), (2, 1)],                 []),
    ("and the second takes them",   "b", ["a", "b"],      [*TAKEN[:2], (3, None, 1, 0), (4, None, 1, 0)],                     [],     [(3, 2), (4, 2)],                 []),
    ("one that ran out is free",    "b", ["a", "b"],      [(1, "a", 1, FRESH), (2, "a", 1, OLD), (3, "b", 5, FRESH)],         [],     [(3, 5), (2, 2)],                 []),
    ("a dead one's is free",        "b", ["b"],           [(1, "a", 1, FRESH), (2, "a", 7, FRESH)],                           [],     [(1, 2), (2, 8), (3, 1), (4, 1)], []),
    ("late but not taken: goes on", "a", ["a"],           [(1, "a", 3, OLD)],                                                 [],     [(1, 3), (2, 1), (3, 1), (4, 1)], []),
    ("taken: gone",                 "a", ["a", "b"],      [(number, "b", 4, FRESH) for number in (1, 2, 3, 4)],               [],     [],                               []),
    ("a clock that went back",      "b", ["a", "b"],      [(1, "a", 1, NOW + 9 * LEASE_US), (2, "a", 1, FRESH)],              [],     [(1, 2), (3, 1)],                 []),
    ("three of them",               "a", ["a", "b", "c"], [],                                                                 [],     [(1, 1), (2, 1)],                 []),
    ("the last of three",           "c", ["a", "b", "c"], [],                                                                 [],     [(1, 1)],                         []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "who", "alive", "leases", "released", "held", "let_go"), KEEPING, ids=[row[0] for row in KEEPING])
def test_who_holds_which_bot(
    what: str,
    who: str,
    alive: list[str],
    leases: list[tuple[int, str | None, int, int]],
    released: list[int],
    held: list[tuple[int, int]],
    let_go: list[int],
) -> None:
    keeping = keep(who, alive, [1, 2, 3, 4], _leases(*leases), released, NOW)
    assert [(lease.bot, lease.fence) for lease in keeping.held] == held
    assert keeping.let_go == let_go
    assert all(lease.until_us == FRESH for lease in keeping.held)


def test_every_bot_is_in_exactly_one_share() -> None:
    for workers in range(1, 8):
        alive = [f"w{number}" for number in range(workers)]
        for bots in range(20):
            shares = [quota(worker, alive, bots) for worker in alive]
            assert (sum(shares), max(shares) - min(shares) <= 1) == (bots, True)


def test_who_is_alive() -> None:
    workers = [
        WorkerProcess("a", FRESH),
        WorkerProcess("b", OLD),
        WorkerProcess("c", FRESH),
        WorkerProcess("d", NOW + 9 * LEASE_US),
    ]
    assert alive_workers(workers, lambda name: name == "c", NOW) == ["a"]


LIVES = [
    # worker until                     alive  outlives a send
    ("a",    NOW + LEASE_US,           True,  True),
    ("a",    NOW + SEND_WITHIN_US,     True,  True),
    ("a",    NOW + SEND_WITHIN_US - 1, True,  False),
    ("a",    NOW + 1,                  True,  False),
    ("a",    NOW,                      False, False),
    ("a",    NOW + 2 * LEASE_US,       True,  True),
    ("a",    NOW + 2 * LEASE_US + 1,   False, False),
    (None,   NOW + LEASE_US,           False, False),
]  # fmt: skip


@pytest.mark.parametrize(("worker", "until", "is_alive", "outlives_a_send"), LIVES)
def test_how_long_a_lease_lives(worker: str | None, until: int, is_alive: bool, outlives_a_send: bool) -> None:
    lease = Lease(1, worker, 1, until)
    assert (lease.is_alive(NOW), lease.outlives_a_send(NOW)) == (is_alive, outlives_a_send)


def test_what_is_given_back_is_free_under_its_fence() -> None:
    keeping = keep("a", ["a", "b"], [1, 2, 3, 4], _leases(*TAKEN), [3, 4], NOW)
    assert [(lease.bot, lease.worker, lease.fence, lease.until_us) for lease in keeping.changed] == [
        (3, None, 1, 0), (4, None, 1, 0), (1, "a", 1, FRESH), (2, "a", 1, FRESH),
    ]  # fmt: skip


def test_a_worker_that_leaves_frees_its_own_bots_alone() -> None:
    leases = _leases((1, "a", 3, FRESH), (2, "b", 1, FRESH), (3, "a", 5, OLD), (4, None, 2, 0))
    assert leave("a", leases) == [Lease(1, None, 3, 0), Lease(3, None, 5, 0)]
