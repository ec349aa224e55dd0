"""How much is measured: sizes, rounds, seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Effort(NamedTuple):
    """Sizes in tweets; `busy_s` of wrk, `steady_s` at a constant rate, `walk_s` to collect cursors of one list
    by pages of `walk_page`.

    `together`: everything of a round at once, which shows that it runs and measures nothing.
    """

    small: int = 1000
    large: int = 1_000_000
    rounds: int = 5
    busy_s: int = 2
    steady_s: float = 3
    walk_s: float = 6
    walk_page: int = 1000
    pages: int = 100
    rate: int = 100
    pages_stored: int = 5
    together: bool = False


FULL = Effort()
QUICK = Effort(small=300, large=300, rounds=1, busy_s=1, steady_s=0.5, walk_s=0.1, walk_page=50, pages=5, together=True)


def interleaved(effort: Effort, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Take all measures in turn, round after round, so that what else the machine does falls on all of them."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    with ThreadPoolExecutor(len(measures) if effort.together else 1) as pool:
        for _ in range(effort.rounds):
            for name, result in zip(measures, pool.map(lambda measure: measure(), measures.values()), strict=True):
                results[name].append(result)
    return results
