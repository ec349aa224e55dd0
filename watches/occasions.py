"""Occasions: a finding with what is needed to tell it, where it is shown on pages, and the chart of its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from sqlalchemy.orm import Session

from queries.counters import x_now
from queries.filters import Filters
from queries.series import totals
from queries.spikes import WATCHED_S, asked_reaches
from queries.zones import DAY, QUARTER_S, Period
from schemas.times import rfc3339
from text.phrases import moment, number
from watches.definitions import WatchDefinition
from watches.findings import Finding
from watches.sections import Bar, Section
from watches.wording import DATE, when


class Occasion(NamedTuple):
    """A finding of a watch, read at a time (`now`), and the address of the pages."""

    session: Session
    definition: WatchDefinition
    finding: Finding
    site: str
    now: datetime

    @property
    def filters(self) -> Filters:
        """The filters of the watch."""
        return self.definition.asked

    @property
    def period(self) -> Period:
        """The time of the finding in epoch seconds."""
        return int(self.finding.start.timestamp()), int(self.finding.end.timestamp())

    @property
    def when(self) -> str:
        """The bucket in words."""
        return when(self.definition, self.finding.start, self.finding.end, self.now)

    @property
    def x_second(self) -> int:
        """X's clock in epoch seconds."""
        return int(x_now(self.session).timestamp())

    def url(self, path: str, **more: str) -> str:
        """Return the address of a page with the filters and the time zone of the watch."""
        return (
            f"{self.site}{path}?{urlencode([*parse_qsl(self.definition.filters), *more.items(), ('tz', self.definition.tz)])}"
        )

    def tweets_url(self, **more: str) -> str:
        """Return the address of the list of tweets of the time of the finding."""
        return self.url("/view/tweets", since=text_of(self.finding.start), until=text_of(self.finding.end), **more)


def spike_url(occasion: Occasion, start: datetime) -> str:
    """Return the address of the page of the bucket that begins at a time, compared with the same time as the message."""
    since, until = (text_of(time_of(second)) for second in compared_period(occasion))
    name = "day" if occasion.definition.length == DAY else "hour"
    return occasion.url("/view/spike", since=since, until=until, bucket=name, start=text_of(start))


def compared_period(occasion: Occasion) -> Period:
    """Return the time in which a bucket is looked for, until the finding's end."""
    end = occasion.period[1]
    return end - WATCHED_S[occasion.definition.length], end


def chart(occasion: Occasion, periods: list[Period], told: list[bool], bucket: str, more: str = "") -> Section:
    """Return the tweets of each period as bars, those that are `told` emphasized."""
    counts, zone = known_counts(occasion, periods), occasion.definition.zone
    begin = time_of(periods[0][0])
    since = f"{begin.astimezone(zone):{DATE}}" if bucket == "day" else moment(begin, zone, with_zone=True)
    most = f"at most {number(max(count or 0 for count in counts))}"
    unknown = "; nothing was collected where there is no bar" if None in counts else ""
    bars = tuple(Bar(*one) for one in zip(counts, told, strict=True))
    return Section(bars=bars, caption=f"Tweets by {bucket} since {since}, {most}{more}{unknown}")


def known_counts(occasion: Occasion, periods: list[Period]) -> list[int | None]:
    """Return the tweets of each period, None where there are none and a tag asked for was not collected."""
    counts = totals(occasion.session, *counted_in(occasion, periods))
    reaches = asked_reaches(occasion.session, occasion.filters, now=occasion.x_second)
    covered = [all(one.covers(*period) for one in reaches) or occasion.x_second < period[1] for period in periods]
    return [count if count or known else None for count, known in zip(counts, covered, strict=True)]


def counted_in(occasion: Occasion, periods: Sequence[Period]) -> tuple[list[Period], Filters]:
    """Return these periods from a quarter of an hour on, and the filters with their exact bounds, as queries.series counts."""
    since, until = time_of(periods[0][0]), time_of(periods[-1][1])
    whole = (periods[0][0] // QUARTER_S * QUARTER_S, periods[0][1])
    return [whole, *periods[1:]], occasion.filters._replace(since=since, until=until)


def time_of(second: int) -> datetime:
    """Return an epoch second as a time (UTC)."""
    return datetime.fromtimestamp(second, UTC)


def text_of(when: datetime) -> str:
    """Return a time as URLs have it."""
    return rfc3339(when) or ""
