"""What is said of a bucket: how usual it is, and what stands out in it."""

from __future__ import annotations

import pytest

from queries.causes import BucketAuthor, Causes, TermCause
from queries.peaks import Peak, standing_out
from tests.fixtures.views import HOUR, HOUR_NOW


def peak(*, hours: int = 1, expected: float = 5, words: tuple[str, ...] = (), by_one: int = 0) -> Peak:
    """Return a peak of a hundred tweets with these words, of which one author wrote so many."""
    terms, authors = [TermCause(word, 50, None) for word in words], [BucketAuthor("ada", by_one)] if by_one else []
    why = Causes(0, 0, [], terms, [], authors, [])
    return Peak(HOUR_NOW, HOUR_NOW + hours * HOUR, 100, expected, True, False, ("#sre",), why)


@pytest.mark.parametrize(
    ("words", "by_one", "said"),
    [
        (("outage",), 55, "What stands out: “outage”, mostly by @ada, who wrote 55 %."),
        ((), 55, "Mostly by @ada, who wrote 55 %."),
        ((), 40, "40 % by @ada."),
        (("outage",), 0, "What stands out: “outage”."),
        ((), 0, ""),
    ],
)
def test_what_stands_out_is_a_sentence(words: tuple[str, ...], by_one: int, said: str) -> None:
    assert standing_out(peak(words=words, by_one=by_one)).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("hours", "expected", "said"),
    [
        (1, 5, "20 times the usual"),
        (1, 0, "although none is usual at this hour"),
        (23, 0, "although none is usual on this weekday"),
    ],
)
def test_what_is_usual_is_that_of_the_hour_or_the_weekday(hours: int, expected: float, said: str) -> None:
    assert peak(hours=hours, expected=expected).times == said
