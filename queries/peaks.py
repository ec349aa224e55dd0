"""Peaks: an hour, a day or another bucket of a chart, and what stands out in it, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.causes import Causes, ExplainedSpike, TermCause, causes
from queries.filters import Filters
from queries.series import totals
from queries.spikes import BucketCount, CountedBuckets, Spike, season_place
from queries.tags import tag_name
from queries.zones import HOUR, Period
from text.phrases import UNBROKEN, enumeration, moment, number, plural, sentence, share

MOST_TERMS, MOST_OTHERS = 2, 3
MOSTLY = 0.5
"""The share of tweets from which on they are mostly of a tag, or by some authors."""
MUCH = 1 / 3
"""The share from which on authors are named."""
NEARLY_ALL = 0.8
"""The share of a word's tweets from which on a pair with it says the same."""
FEW_TIMES = 3
"""Below so many times the usual, the number has a decimal."""


class Peak(NamedTuple):
    """A bucket of a chart: its times (UTC), its tweets, how many are expected (None if unknown), and what stands out in it.

    `tags` are the names of the tags that the page asks for. One that `is_open` is not over, or was not collected completely.
    """

    start: datetime
    end: datetime
    tweets: int
    expected: float | None
    is_spike: bool
    is_open: bool
    tags: tuple[str, ...]
    causes: Causes

    @property
    def times(self) -> str:
        """How many times the expected count this is, as `6 times the usual`; empty if that is unknown."""
        if self.expected is None or self.is_open:
            return ""
        if not self.expected:
            return f"although none is usual {'on this weekday' if self.end - self.start > 12 * HOUR else 'at this hour'}"
        ratio = self.tweets / self.expected
        return f"{ratio:,.0f} times the usual" if ratio >= FEW_TIMES else f"{ratio:.1f} times the usual"


def spike_peak(session: Session, filters: Filters, spike: Spike, counted: CountedBuckets) -> Peak:
    """Return a spike with what stands out in it, as far as few of its tweets tell."""
    [why] = causes(session, filters, [(spike.first, spike.end)], counted, is_brief=True)
    tags = _asked_tags(session, filters)
    return Peak(_time(spike.first), _time(spike.end), spike.tweets, spike.expected, True, False, tags, why)


def explained_peak(session: Session, filters: Filters, spike: ExplainedSpike) -> Peak:
    """Return a spike whose causes are known."""
    times, why = (spike.start, spike.end), Causes(*spike[4:])
    return Peak(*times, spike.tweets, spike.expected, True, False, _asked_tags(session, filters), why)


def bucket_peak(
    session: Session, filters: Filters, bucket: timedelta, zone: tzinfo, period: Period, counted: CountedBuckets
) -> Peak:
    """Return any bucket with what stands out in it."""
    [tweets] = totals(session, [period], filters._replace(since=None, until=None))
    [why] = causes(session, filters, [period], counted)
    expected = counted.expected(BucketCount(*period, season_place(period[0], bucket, zone), tweets))
    is_spike = any(one.first == period[0] for one in counted.spikes)
    is_open = all(one.first != period[0] for one in (*counted.values, *counted.baseline))
    tags = _asked_tags(session, filters)
    return Peak(_time(period[0]), _time(period[1]), tweets, expected, is_spike, is_open, tags, why)


def peak_finding(peak: Peak, zone: ZoneInfo, *, of: str = "Tweets", with_zone: bool = False) -> str:
    """Return when the tweets peaked, with the zone's name if that is asked for, how high, and why, as a sentence."""
    usual = f", {peak.times}" if peak.times else ""
    reasons = ", ".join(peak_reasons(peak))
    who, when = " with ".join(peak.tags) or of, moment(peak.start, zone, with_zone=with_zone)
    return f"{who} peaked at {number(peak.tweets)} on {when}{usual}{reasons and ': '}{reasons}."


def bucket_finding(peak: Peak, zone: ZoneInfo, *, has_spikes: bool = False) -> str:
    """Return how many tweets a bucket has, how usual that is, and what stands out in it, as sentences.

    `has_spikes` is of one that is not compared by itself, because an hour in it, or the hour that it is in, is a spike.
    """
    if peak.is_spike:
        return peak_finding(peak, zone)
    why = f" {told}" if (told := standing_out(peak)) else ""
    if peak.is_open:
        return f"{plural(peak.tweets, 'tweet')} so far: this time is not over, or was not collected completely.{why}"
    usual = f" {number(peak.expected)} are expected." if peak.expected is not None else ""
    verdict = "" if has_spikes else ", which is no spike"
    return f"{plural(peak.tweets, 'tweet')}{verdict}.{usual}{why}"


def leading_terms(terms: Sequence[TermCause], most: int = MOST_TERMS) -> list[str]:
    """Return the first terms, without words of which a listed pair says nearly the same, and pairs that share a word."""
    pairs = [one for one in terms if " " in one.term]
    said = {word for pair in pairs for word in pair.term.split() for one in terms if _is_said(one, word, pair)}
    named = list[str]()
    for one in terms:
        if one.term not in said and not any(set(one.term.split()) & set(other.split()) for other in named):
            named.append(one.term)
    return named[:most]


def _is_said(one: TermCause, word: str, pair: TermCause) -> bool:
    return one.term == word and pair.tweets >= NEARLY_ALL * one.tweets


def standing_out(peak: Peak) -> str:
    """Return what stands out in a bucket as a sentence, empty if nothing does; authors alone need no more words."""
    reasons = list(peak_reasons(peak))
    if reasons and reasons == list(_leading_authors(peak)):
        return f"{sentence(reasons[0])}."
    return f"What stands out: {', '.join(reasons)}." if reasons else ""


def peak_reasons(peak: Peak) -> Iterator[str]:
    """Yield the tag that most tweets have, the terms that stand out, and the authors of most tweets."""
    if not peak.tweets:
        return
    first = next(iter(peak.causes.tags), None)
    if first and not peak.tags and first.tweets >= MOSTLY * peak.tweets:
        yield f"{share(first.tweets / peak.tweets)} with {first.tag}".replace(" ", UNBROKEN)
    if terms := leading_terms(peak.causes.terms):
        yield enumeration(f"“{term}”" for term in terms)
    yield from _leading_authors(peak)


def _leading_authors(peak: Peak) -> Iterator[str]:
    """Yield who wrote most of the tweets or else at least a third, as few names as suffice."""
    sums = list(accumulate(one.tweets for one in peak.causes.authors))
    for least, words in ((MOSTLY, "mostly by {}, who wrote {}"), (MUCH, "{1} by {0}")):
        enough = next((at for at, tweets in enumerate(sums) if tweets >= least * peak.tweets), None)
        if enough is not None:
            names = enumeration(f"@{one.username}" for one in peak.causes.authors[: enough + 1])
            yield words.format(names, share(sums[enough] / peak.tweets).replace(" ", UNBROKEN))
            return


def _asked_tags(session: Session, filters: Filters) -> tuple[str, ...]:
    """Return what to call the tags that a tweet must have; those of which it must have any are one of them."""
    both = (filters.tags, filters.any_tags)
    needed, others = ([tag_name(session, key=key) or key for key in keys] for keys in both)
    some = [" or ".join(others) if len(others) <= MOST_OTHERS else f"any of {len(others)} tags"] if others else []
    return (*needed, *some)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
