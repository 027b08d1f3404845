"""Randomness that a seed repeats."""

import random


class SeededChance:
    """Never for a market with money: whoever knows the seed knows every number."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 — that is the point of it

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)
