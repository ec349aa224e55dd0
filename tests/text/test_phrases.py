"""Numbers, shares, changes and times in the words of sentences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from text import phrases

BERLIN = ZoneInfo("Europe/Berlin")
SHARES = {None: "–", 0: "0 %", 0.0004: "< 0.1 %", 0.0312: "3.1 %", 0.5: "50 %", 0.9996: "> 99.9 %", 1: "100 %"}
CHANGES = {(5, None): "–", (5, 0): "new", (0, 0): "none, as before", (5, 5): "as before", (6, 4): "+50 %", (3, 4): "−25 %"}
LENGTHS = {
    timedelta(days=7): "7 days",
    timedelta(days=1): "24 hours",
    timedelta(hours=1): "60 minutes",
    timedelta(minutes=90): "90 minutes",
    timedelta(seconds=1): "1 second",
}
MONEY = {0: "$0.00", 1: "< $0.01", 1_500_000: "$1.50", 1_234_567_890: "$1,234.57"}
COMPARED = {(5, None): "", (5, 0): "none in May", (0, 0): "", (4, 4): "as many as in May", (6, 4): "50 % more than in May"}


@pytest.mark.parametrize(
    ("say", "said"),
    [
        (phrases.share, SHARES),
        (lambda pair: phrases.change(*pair), CHANGES),
        (phrases.duration, LENGTHS),
        (phrases.dollars, MONEY),
        (lambda pair: phrases.comparison(*pair, than="May"), COMPARED),
    ],
    ids=["share", "change", "duration", "dollars", "compared"],
)
def test_values_are_written_as_expected(say: Callable[[object], str], said: dict[object, str]) -> None:
    assert {value: say(value) for value in said} == said


def test_an_hour_that_clocks_show_twice_is_told_apart() -> None:
    summer, winter = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    said = [phrases.moment(when, BERLIN).replace(phrases.UNBROKEN, " ") for when in (summer, winter)]
    assert said == ["Sun 25 Oct 2026, 02:30 CEST", "Sun 25 Oct 2026, 02:30 CET"]
    assert phrases.moment(summer, ZoneInfo("UTC")).replace(phrases.UNBROKEN, " ") == "Sun 25 Oct 2026, 00:30"
