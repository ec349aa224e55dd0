"""Numbers, shares, changes and times in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from web import words

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0 %"), (0.0004, "< 0.1 %"), (0.0312, "3.1 %"), (0.5, "50 %"), (0.9996, "> 99.9 %"), (1, "100 %")],
)
def test_a_share_is_said_in_per_cent_and_what_is_not_all_is_never_all(value: float | None, said: str) -> None:
    assert words.share(value) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(5, None, "–"), (5, 0, "new"), (0, 0, "none, as before"), (5, 5, "as before"), (6, 4, "+50 %"), (3, 4, "−25 %")],
)
def test_a_change_is_said_against_what_was(now: int, before: int | None, said: str) -> None:
    assert words.change(now, before) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=1), "60 minutes"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_stretch_of_time_is_said_in_its_largest_unit_of_which_there_are_several(span: timedelta, said: str) -> None:
    assert words.length(span) == said


def test_an_hour_that_clocks_show_twice_is_told_apart() -> None:
    summer, winter = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    said = [words.moment(when, BERLIN).replace(words.UNBROKEN, " ") for when in (summer, winter)]
    assert said == ["Sun 25 Oct 2026, 02:30 CEST", "Sun 25 Oct 2026, 02:30 CET"]
    assert words.moment(summer, ZoneInfo("UTC")).replace(words.UNBROKEN, " ") == "Sun 25 Oct 2026, 00:30"


@pytest.mark.parametrize(("micro", "said"), [(0, "$0.00"), (1, "< $0.01"), (1_500_000, "$1.50"), (1_234_567_890, "$1,234.57")])
def test_money_is_said_in_cents(micro: int, said: str) -> None:
    assert words.dollars(micro) == said
