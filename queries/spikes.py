"""Spikes: values of a series that stand out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

LEAST = 5
FEWEST_VALUES = 24
DEVIATIONS = 3
TIMES_USUAL = 2


def spikes(counts: Sequence[int], places: Sequence[int], *, usual: Sequence[tuple[int, int]] = ()) -> list[int]:
    """Return the indexes of counts that stand out, in order.

    `places` say where in its season each of them stands (the hour of the day, or the day of the week); `usual` are places and
    counts of the time before. With fewer than 24 values of both there are no spikes.

    A spike is at least 5, above the mean of all other values by more than three of their standard deviations, and above twice
    the median of the others of its place, if there are any. The first is Shewhart's rule for control charts, mean + k·σ with
    k = 3 (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.1); that what is usual is the median of the same place in the
    season, which a spike of the past hardly moves, is from Hochenbaum, Vallis and Kejariwal, arXiv:1704.07706.
    """
    values = [*zip(places, counts, strict=True), *usual]
    if len(values) < FEWEST_VALUES:
        return []
    of_place = defaultdict[int, list[int]](list)
    for place, count in values:
        of_place[place].append(count)
    sums = sum(count for _, count in values), sum(count * count for _, count in values)
    found = ((index, count, of_place[place]) for index, (place, count) in enumerate(zip(places, counts, strict=True)))
    return [
        index
        for index, count, same in found
        if count >= LEAST and _beyond(count, len(values) - 1, *sums) and count > TIMES_USUAL * _median(same, without=count)
    ]


def _beyond(count: int, others: int, total: int, squares: int) -> bool:
    """Whether a count is above mean + 3σ of the others: in whole numbers, for which both sides are taken `others` times.

    The total and the squares are of all values, this one included.
    """
    total, squares = total - count, squares - count * count
    above = others * count - total
    return above > 0 and above * above > DEVIATIONS**2 * (others * squares - total * total)


def _median(values: Sequence[int], *, without: int) -> float:
    """Return the median of values without one of them; 0 where no other is left."""
    at = values.index(without)
    return median(rest) if (rest := [*values[:at], *values[at + 1 :]]) else 0
