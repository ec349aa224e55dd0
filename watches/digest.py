"""What a digest tells: a day or a week against the one before, what peaked, what was read most, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.authors import activity
from queries.filters import Filters
from queries.links import link_counts
from queries.peaks import peak_finding, spike_peak
from queries.resonance import top_tweets
from queries.series import totals
from queries.spend import Outlook, spend_finding
from queries.spikes import counted_buckets
from queries.zones import DAY_S, HOUR, QUARTER_S, buckets
from text.phrases import comparison, moment, plural, sentence
from watches.comparing import (
    NEARLY_ALL,
    Compared,
    asked_tags,
    compared_times,
    is_compared,
    tags_compared,
    time_before,
    uncollected_times,
)
from watches.occasions import Occasion, chart, counted_in, spike_url, text_of, time_of
from watches.sections import Item, Section, Told
from watches.uncollected import nothing_collected
from watches.wording import quoted, subject

MOST_PEAKS, MOST_LISTED = 3, 5
WEEK_S = 7 * DAY_S


class Money(NamedTuple):
    """What a digest tells of the spend: how it is read, and the month's budget in micro-dollars, if there is one."""

    outlook: Callable[[Session], Outlook]
    budget: int | None


def digest(occasion: Occasion, money: Money | None) -> Told:
    """Return what is told of a day or a week, whether there are tweets or none."""
    times = compared_times(occasion)
    spend = Section("Spend", sentences=(spend_finding(money.outlook(occasion.session), money.budget),) if money else ())
    [before], [tweets] = (totals(occasion.session, *counted_in(occasion, [time])) for time in (times.before, times.now))
    if not tweets and not any(one.touches(*times.now) for one in asked_tags(occasion)):
        told = nothing_collected(occasion, f"in {_span(occasion, times)}")
        return told._replace(sections=(*told.sections, spend))
    sections = (
        tags_compared(occasion, times),
        _chart(occasion, times),
        uncollected_times(occasion, times),
        _peaks(occasion, times),
        *_most(occasion, times),
        spend,
    )
    first, end = (time_of(second) for second in times.now)
    return Told(_title(occasion, times, before, tweets), sections, ("All tweets of this time", _within(occasion, first, end)))


def _span(occasion: Occasion, times: Compared) -> str:
    """Return the time in words, such as `the week to Mon 30 Nov 2026, 08:00 UTC`."""
    end = moment(time_of(times.now[1]), occasion.definition.zone, with_zone=True)
    return f"the {'week' if occasion.definition.is_weekly else 'day'} to {end}"


def _title(occasion: Occasion, times: Compared, before: int, tweets: int) -> str:
    reaches, of = asked_tags(occasion), subject(occasion.definition)
    least = "" if all(one.share(*times.now) >= NEARLY_ALL for one in reaches) else "at least "
    said = f"{least}{plural(tweets, 'tweet')} in {_span(occasion, times)}"
    if all(is_compared(occasion, one, times) for one in reaches):
        changed = comparison(tweets, before, than=time_before(occasion))
        said += f", {changed}" if changed else ""
    return f"{of}: {said}" if of else sentence(said)


def _chart(occasion: Occasion, times: Compared) -> Section:
    """Return the days of both weeks, or the hours of a day."""
    zone = occasion.definition.zone
    if not occasion.definition.is_weekly:
        periods = [(max(one, times.now[0]), min(end, times.now[1])) for one, end in buckets(zone, HOUR, *times.now)]
        return chart(occasion, periods, [False] * len(periods), "hour")
    begin = time_of(times.before[0]).astimezone(zone)
    edges = [int((begin + timedelta(days=days)).timestamp()) // QUARTER_S * QUARTER_S for days in range(1, 14)]
    periods = list(pairwise([times.before[0], *edges, times.now[1]]))
    return chart(occasion, periods, [False] * 7 + [True] * 7, "day", "; the last 7 are this week's")


def _peaks(occasion: Occasion, times: Compared) -> Section:
    """Return the highest spikes among the hours that end in this time, oldest first, and why."""
    session, filters, zone, end = occasion.session, occasion.filters, occasion.definition.zone, times.now[1]
    first, _ = next(buckets(zone, HOUR, *times.now))
    period = (min(first, end - WEEK_S), end)
    counted = counted_buckets(session, filters, bucket=HOUR, zone=zone, period=period, now=occasion.x_second)
    found = [one for one in counted.spikes if one.first >= first]
    highest = sorted(sorted(found, key=lambda one: one.tweets)[-MOST_PEAKS:])
    peaks = [spike_peak(session, filters, one, counted) for one in highest]
    return Section(
        "Peaks",
        lines=tuple(
            Item(said=peak_finding(one, zone, with_zone=True), url=spike_url(occasion, one.start), label="See why")
            for one in peaks
        ),
    )


def _most(occasion: Occasion, times: Compared) -> Iterator[Section]:
    """Yield the tweets with the most engagement, the most active authors, and what was linked to the most."""
    session, since, until = occasion.session, time_of(times.now[0]), time_of(times.now[1])
    filters = occasion.filters._replace(since=since, until=until)
    tweets = tuple(quoted(top_tweets(session, filters, most=MOST_LISTED), occasion.definition.zone))
    yield Section("Tweets with the most engagement", tweets=tweets)
    authors = [one for one in activity(session, filters, most=MOST_LISTED).most_active if one.username]
    yield Section("Most active authors", lines=tuple(Item(f"@{one.username}", plural(one.tweets, "tweet")) for one in authors))
    yield Section("Links", lines=tuple(_links(session, filters)))


def _links(session: Session, filters: Filters) -> Iterator[Item]:
    for one in link_counts(session, "url", filters, limit=MOST_LISTED):
        yield Item(said=f"{plural(one.tweets, 'tweet')} by {plural(one.authors, 'author')}", url=one.name)


def _within(occasion: Occasion, first: datetime, end: datetime) -> str:
    return occasion.url("/view/tweets", since=text_of(first), until=text_of(end), sort="-engagement")
