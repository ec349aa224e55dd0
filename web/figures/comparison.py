"""What tags are compared by: X's counts where they exist for all of them, else the tweets that are stored.

Stored tweets are compared by their numbers only if about the same share of what X counted is stored of each tag.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from queries.filters import Filters
from queries.overlap import TagEngagement, TagOverlap, engagement, languages, newest, overlap
from queries.series import TagSeries, of_tags
from queries.tags import tag_name
from queries.tweets import matching_count
from queries.volume import Share, counted_by_hour
from queries.zones import HOUR, HOUR_S, QUARTER, Axis, Period, axis, buckets, enough_tweets
from text.names import key
from web.figures.collected import CollectedTime, Counts, collected_time
from web.figures.volume import FigureInput, visible_time

FEWEST, MOST = 2, 5
SIMILAR = 1.25
"""Samples compare by their numbers if the largest coverage is at most so many times the smallest."""
ENOUGH = 0.5
"""X's counts are shown if they exist for this share of the hours, or if what is stored does not compare."""
PER, MOST_EXAMINED = 1000, 100_000

Basis = Literal["on X", "stored", "own"]
"""X's counts, stored tweets, or of each tag so many in a thousand of its own stored tweets."""


@dataclass(frozen=True)
class ComparisonInput(FigureInput):
    """What figures that compare the tags of the filter `any_tags` are made from. Unknown tags are left out."""

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The names of the tags by their keys, in the order asked for."""
        found = {one: tag_name(self.session, key=one) for one in self.query.filters.any_tags}
        return {one: name for one, name in found.items() if name is not None}

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the tags, in the order asked for."""
        return tuple(self.names)

    @cached_property
    def basis(self) -> Basis:
        """What is compared."""
        counted = len(self.counted_hours)
        if counted and (counted >= ENOUGH * self.hours_over or not self.is_similar):
            return "on X"
        return "stored" if self.is_similar else "own"

    @cached_property
    def is_similar(self) -> bool:
        """Whether about the same share is stored of each tag; if X counted only some, all is taken to be stored of others."""
        known = [min(1.0, one.coverage) for one in self.on_x_by_key.values() if one and one.coverage is not None]
        known += [1.0] if known and len(known) < len(self.keys) else []
        return max(known, default=1.0) <= SIMILAR * min(known, default=1.0)

    @cached_property
    def on_x_by_key(self) -> Mapping[str, Share | None]:
        """What X counted of each tag in this time, whatever the other filters, and what is stored of that."""
        found = {key(one.tag): one.share for one in self.shares}
        return {one: found.get(one) for one in self.keys}

    @cached_property
    def counted_hours(self) -> Sequence[int]:
        """The hours that X counted for each of the tags, oldest first; none with filters that X's counts ignore."""
        hours = [own.keys() for own in self._counts_of_x.values()]
        return sorted(set(hours[0]).intersection(*hours[1:])) if hours and not self.query.is_narrowed else []

    @cached_property
    def _counts_of_x(self) -> Mapping[str, Mapping[int, int]]:
        first, end = visible_time(self.session, self.query)
        return {one: counted_by_hour(self.session, key=one, first=first, end=end) for one in self.keys}

    @cached_property
    def hours_over(self) -> int:
        """The number of hours of the time shown that are over."""
        first, end = visible_time(self.session, self.query)
        return max(0, end // HOUR_S - -(-first // HOUR_S))

    @cached_property
    def axis(self) -> Axis:
        """The buckets over time: hours or longer for X's counts, which are by the hour."""
        on_x, zone, (first, end) = self.basis == "on X", self.query.zone, visible_time(self.session, self.query)
        tweets = None if on_x else matching_count(self.session, self.query.filters, most=enough_tweets(end - first))
        found = axis(zone, first, end, tweets)
        return Axis(tuple(buckets(zone, HOUR, first, end)), HOUR, 1) if on_x and found.bucket == QUARTER else found

    @cached_property
    def collected(self) -> CollectedTime:
        """How far the tags were collected."""
        return collected_time(self.session, self.query)

    @cached_property
    def counts(self) -> Mapping[str, Sequence[int]]:
        """The stored tweets of each tag by bucket."""
        found = of_tags(self.session, self.axis.periods, self.query.filters, keys=self.keys)
        return {key: [one.tweets for one in own] for key, own in found.items()}

    @cached_property
    def stored(self) -> Sequence[TagSeries]:
        """The stored tweets of each tag by bucket, None where it was not collected."""
        periods = self.axis.periods
        reached = {one: [self.collected.reach(name).touches(*period) for period in periods] for one, name in self.names.items()}
        known = {one: zip(self.counts[one], reached[one], strict=True) for one in self.keys}
        return [TagSeries(name, tuple(n if own else None for n, own in known[one])) for one, name in self.names.items()]

    @cached_property
    def series(self) -> Sequence[TagSeries]:
        """What is drawn of each tag by bucket; None where it is unknown."""
        if self.basis == "on X":
            return [TagSeries(name, self._by_bucket(self._counts_of_x[one])) for one, name in self.names.items()]
        if self.basis == "stored":
            return self.stored
        return [TagSeries(one.tag, _per_thousand(one.counts, _known(self.stored))) for one in self.stored]

    def _by_bucket(self, counts: Mapping[int, int]) -> tuple[int | None, ...]:
        """Sum X's counts by bucket; None for one of which X did not count all hours that are over for all of the tags."""
        sums, hours = Counter[int](), Counter[int]()
        begins, (first, end) = [start for start, _ in self.axis.periods], visible_time(self.session, self.query)
        for hour in self.counted_hours:
            at = bisect(begins, hour) - 1
            sums[at], hours[at] = sums[at] + counts[hour], hours[at] + 1
        whole = [_whole_hours(max(start, first), min(stop, end)) for start, stop in self.axis.periods]
        return tuple(sums[at] if hours[at] and hours[at] >= needed else None for at, needed in enumerate(whole))

    @cached_property
    def known(self) -> Sequence[int]:
        """The buckets in which all of the tags are known, so that they compare."""
        return _known(self.series)

    @cached_property
    def sums(self) -> Mapping[str, int]:
        """What compares of each tag in all, by its key: the counted hours of X, or the buckets in which all are known."""
        if self.basis == "on X":
            return {one: sum(self._counts_of_x[one][hour] for hour in self.counted_hours) for one in self.keys}
        columns = zip(self.keys, self.series, strict=True)
        return {one: sum(series.counts[at] or 0 for at in self.known) for one, series in columns}

    @cached_property
    def overlap(self) -> TagOverlap:
        """The examined tweets and their authors by the tags that they have."""
        return overlap(self.session, self.examined, keys=self.keys)

    @cached_property
    def examined(self) -> Filters:
        """The filters of the tweets that are looked at one by one: the newest ones, where there are very many."""
        return newest(self.session, self.query.filters, most=MOST_EXAMINED)

    @cached_property
    def engagement(self) -> Mapping[str, TagEngagement]:
        """The engagement of each tag's examined tweets."""
        return engagement(self.session, self.examined, keys=self.keys)

    @cached_property
    def languages(self) -> Mapping[str, Counter[str]]:
        """The examined tweets of each tag by language."""
        return languages(self.session, self.examined, keys=self.keys)


def _whole_hours(first: int, end: int) -> int:
    return max(0, end // HOUR_S - -(-first // HOUR_S))


def _known(series: Sequence[TagSeries]) -> list[int]:
    return [at for at, row in enumerate(zip(*(one.counts for one in series), strict=True)) if None not in row]


def _per_thousand(counts: Counts, known: Collection[int]) -> tuple[int | None, ...]:
    """Return how many in a thousand of the known buckets' tweets each of these has."""
    total, own = sum(counts[at] or 0 for at in known), set(known)
    return tuple(round(PER * (count or 0) / total) if total and at in own else None for at, count in enumerate(counts))


def groups(found: ComparisonInput, most: int) -> list[tuple[Period, list[int]]]:
    """Return at most `most` groups of successive buckets: the time of each, and the numbers of the buckets that compare."""
    periods, known = found.axis.periods, set(found.known)
    size = -(-len(periods) // most) or 1
    starts = range(0, len(periods), size)
    parts = [range(start, min(start + size, len(periods))) for start in starts]
    return [((periods[part[0]][0], periods[part[-1]][1]), [at for at in part if at in known]) for part in parts]
