"""Which values of a series stand out: the rule in exact fractions, and its bounds."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from queries.causes import spread
from queries.spikes import BucketCount, spikes
from tests.schemas.views import MANY

VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9) | st.integers(0, 200)), max_size=60)


def stands_out(number: int, values: list[tuple[int, int]]) -> bool:
    """Apply the rule as it is written, to one of all values."""
    place, count = values[number]
    others = [value for index, value in enumerate(values) if index != number]
    mean = Fraction(sum(value for _, value in others), len(others))
    variance = sum((value - mean) ** 2 for _, value in others) / len(others)
    same = sorted(value for where, value in others if where == place)
    middle = Fraction(same[len(same) // 2] + same[(len(same) - 1) // 2], 2) if same else 0
    return count >= 10 and count > mean and (count - mean) ** 2 > 9 * variance and count > 2 * middle


@MANY
@given(VALUES, VALUES)
def test_a_spike_is_what_the_rule_says(values: list[tuple[int, int]], usual: list[tuple[int, int]]) -> None:
    everything = values + usual
    found = spikes([count for _, count in values], [place for place, _ in values], usual=usual)
    enough = len(everything) >= 24
    assert found == [number for number in range(len(values)) if enough and stands_out(number, everything)]


def test_what_is_so_every_day_is_no_spike() -> None:
    hours = list(range(24)) * 14
    counts = [300 if hour == 12 else 10 for hour in hours]
    assert spikes(counts, hours) == []
    assert spikes(counts[-24:], hours[-24:]) == [12]
    assert spikes(counts[-24:], hours[-24:], usual=list(zip(hours, counts, strict=True))[:-24]) == []


def test_few_values_and_small_ones_are_no_spikes() -> None:
    assert spikes([0] * 22 + [500], [0] * 23) == []
    assert spikes([0] * 23 + [500], [0] * 24) == [23]
    assert spikes([0] * 23 + [9], [0] * 24) == []
    assert spikes([0] * 23 + [10], [0] * 24) == [23]
    assert spikes([7] * 30, [0] * 30) == []
    assert spikes([], []) == []


def test_a_time_before_with_many_tweets_is_known_from_hours_at_equal_distances() -> None:
    few, many = ([BucketCount(at, at + 1, at % 24, tweets) for at in range(168)] for tweets in (40, 50))
    assert spread(few) == few
    assert [one.first for one in spread(many)] == list(range(0, 168, 13))
