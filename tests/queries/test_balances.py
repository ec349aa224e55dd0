"""Which of floor and ceiling the account's balance follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from queries.balances import Authors, Fall, Reading, conclusion, falls

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
START = Reading(NOON, 100_000_000, 0, 0, 0, None)
FLOOR, CEILING = 2_450_000, 7_350_000
CHARGED, FREE, OTHER = 7_410_000, 2_460_000, 5_000_000


def after(last: Reading, fell: int, *, floor: int = FLOOR, ceiling: int = CEILING, days: int = 1) -> Reading:
    """Return the reading after so much was bought, and the balance fell by so much."""
    asked, balance = last.asked + days * DAY, last.balance - fell
    return last._replace(asked=asked, balance=balance, floor=last.floor + floor, ceiling=last.ceiling + ceiling)


def read(*fell: int) -> list[Reading]:
    """Return readings between which the balance fell by these amounts."""
    found = [START]
    for amount in fell:
        found.append(after(found[-1], amount))
    return found


def said(readings: Sequence[Reading]) -> str | None:
    known = conclusion(falls(readings))
    return known.said if known else None


@pytest.mark.parametrize(
    ("fell", "charged"),
    [
        ([], None),
        ([CHARGED], None),
        ([CHARGED, CHARGED], True),
        ([FREE, FREE], False),
        ([FREE, CHARGED], None),
        ([FREE, CHARGED, CHARGED], True),
        ([CHARGED, OTHER, CHARGED], True),
        ([OTHER, OTHER, OTHER], None),
        ([0, 0, 0], None),
        ([CHARGED, CHARGED, FREE], True),
        ([CHARGED, CHARGED, FREE, CHARGED, FREE], True),
        ([CHARGED, CHARGED, FREE, FREE], False),
        ([CHARGED, CHARGED, -5_000_000, OTHER], True),
    ],
)
def test_two_falls_alike_settle_it_and_two_others_anew(fell: list[int], charged: bool | None) -> None:
    known = conclusion(falls(read(*fell)))
    assert (known and known.charged) == charged


@pytest.mark.parametrize(
    ("fell", "floor", "ceiling", "charged"),
    [
        (1_050_000, 1_000_000, 2_000_000, False),
        (1_050_001, 1_000_000, 2_000_000, None),
        (1_900_000, 1_000_000, 2_000_000, True),
        (1_899_999, 1_000_000, 2_000_000, None),
        (2_100_000, 1_000_000, 2_000_000, True),
        (2_100_001, 1_000_000, 2_000_000, None),
        (20_300_000, 20_000_000, 20_600_000, None),
        (0, 0, 600_000, None),
    ],
)
def test_a_fall_follows_a_side_within_five_per_cent_of_it_and_not_of_both(
    fell: int, floor: int, ceiling: int, charged: bool | None
) -> None:
    assert Fall(NOON, NOON + DAY, fell, floor, ceiling).charged is charged


def test_readings_are_added_up_until_the_sides_are_half_a_dollar_apart() -> None:
    readings = [START]
    for _ in range(10):
        readings.append(after(readings[-1], 120_000, floor=20_000, ceiling=120_000))
    found = list(falls(readings))
    assert [(fall.fell, fall.ceiling - fall.floor, fall.until - fall.since) for fall in found] == [
        (600_000, 500_000, 5 * DAY)
    ] * 2
    assert list(falls(readings[:5])) == []
    assert conclusion(found) == Authors(True, found[1])


@pytest.mark.parametrize(
    "change",
    [
        {"unsettled": 150_000},
        {"balance": START.balance + 1},
        {"floor": -1},
        {"ceiling": -1},
        {"asked": NOON - timedelta(seconds=1)},
    ],
)
def test_what_else_moves_the_balance_or_the_ledger_begins_anew(change: dict[str, int]) -> None:
    first, *_ = read()
    moved = START._replace(asked=NOON + timedelta(hours=1))._replace(**change)  # type: ignore[arg-type]
    later = after(moved, CHARGED)
    assert [fall.since for fall in falls([first, moved, later])] == [moved.asked]


def test_a_grant_that_expires_between_two_readings_says_nothing_and_one_that_does_not_is_no_matter() -> None:
    expiring = START._replace(expires=NOON + DAY)
    assert list(falls([expiring, after(expiring, CHARGED)])) == []
    lasting = START._replace(expires=NOON + 2 * DAY)
    assert len(list(falls([lasting, after(lasting, CHARGED)]))) == 1


def test_it_is_said_how_much_of_the_fall_the_ledger_explains() -> None:
    assert said(read(CHARGED, CHARGED)) == "X charged for authors: $7.35 of $7.41 explained"
    assert said(read(7_300_000, 7_300_000)) == "X charged for authors: $7.30 of $7.30 explained"
    assert said(read(FREE, FREE)) == "X did not charge for authors: $2.45 of $2.46 explained"
    assert said(read(FREE)) is None
