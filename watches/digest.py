"""What a digest tells: a day or a week against the one before, what peaked, what was read most, and what it cost.

Nothing is claimed of time that was not collected: a tag is compared only if nearly all of both times was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.authors import activity
from queries.filters import Filters
from queries.links import link_counts
from queries.peaks import peak_finding, spike_peak
from queries.reach import TagReach, shown_reaches
from queries.resonance import top_tweets
from queries.series import of_tags, totals
from queries.spend import Outlook, spend_finding
from queries.spikes import counted_buckets
from queries.tags import tag_name, tracked_keys
from queries.volume import Share, per_tag, rules_changes
from queries.zones import DAY_S, HOUR, HOUR_S, QUARTER_S, Period, buckets
from schemas.times import rfc3339
from text.names import key as key_of
from text.phrases import comparison, moment, plural, share
from watches.sections import Line, Section, Told
from watches.telling import Occasion, chart, spike_url
from watches.wording import listed, quoted, subject

MOST_PEAKS, MOST_LISTED, MOST_TAGS, MOST_HOLES, MOST_NAMED = 3, 5, 10, 3, 5
WEEK_S = 7 * DAY_S
NEARLY_ALL = 0.95
"""The least share of both times that must have been collected for a comparison."""


class Money(NamedTuple):
    """What a digest tells of the spend: how it is read, and the month's budget in micro-dollars, if there is one."""

    outlook: Callable[[Session], Outlook]
    budget: int | None


class Compared(NamedTuple):
    """A digest's time and the one before it, in epoch seconds."""

    now: Period
    before: Period


def digest(occasion: Occasion, money: Money | None) -> Told:
    """Return what is told of a day or a week, whether there are tweets or none."""
    times = compared_times(occasion)
    sections = (
        _tags(occasion, times),
        _chart(occasion, times),
        _missing(occasion, times),
        _peaks(occasion, times),
        *_most(occasion, times),
        Section("Spend", sentences=(spend_finding(money.outlook(occasion.session), money.budget),) if money else ()),
    )
    first, end = (_time(second) for second in times.now)
    return Told(_title(occasion, times), sections, ("All tweets of this time", _within(occasion, first, end)))


def compared_times(occasion: Occasion) -> Compared:
    """Return the times that are compared, which begin and end with quarters of an hour; the one before is as long by dates."""
    first, end = (second // QUARTER_S * QUARTER_S for second in occasion.period)
    length = timedelta(days=7 if occasion.definition.is_weekly else 1)
    earlier = int((_time(first).astimezone(occasion.definition.zone) - length).timestamp()) // QUARTER_S * QUARTER_S
    return Compared((first, end), (earlier, first))


def _title(occasion: Occasion, times: Compared) -> str:
    before, tweets = totals(occasion.session, [times.before, times.now], occasion.filters)
    reaches = _reaches(occasion)
    changed = all(_compares(occasion, one, times) for one in reaches) and comparison(tweets, before, than=_before(occasion))
    least = "" if all(one.share(*times.now) >= NEARLY_ALL for one in reaches) else "at least "
    span, of = "week" if occasion.definition.is_weekly else "day", subject(occasion.definition)
    until = moment(_time(times.now[1]), occasion.definition.zone)
    said = f"{least}{plural(tweets, 'tweet')} in the {span} to {until}"
    return (
        f"{of}: {said}{f', {changed}' if changed else ''}"
        if of
        else f"{said[:1].upper()}{said[1:]}{f', {changed}' if changed else ''}"
    )


def _before(occasion: Occasion) -> str:
    return "the week before" if occasion.definition.is_weekly else "the day before"


def _keys(occasion: Occasion) -> list[str]:
    """Return the keys of the tags that the filters name, else of all tracked ones, or of all if none is tracked."""
    named = list(occasion.filters.named_tags) or tracked_keys(occasion.session)
    return named or [key_of(one.tag) for one in shown_reaches(occasion.session, now=occasion.x_second)]


def _reaches(occasion: Occasion) -> list[TagReach]:
    """Return the reach of each tag in the order of their names; that of one that was never collected is empty."""
    keys, now = _keys(occasion), occasion.x_second
    found = {key_of(one.tag): one for one in shown_reaches(occasion.session, keys=keys, now=now)} if keys else {}
    names = {key: tag_name(occasion.session, key=key) or key for key in keys}
    return [found.get(key, TagReach(name, (), now, now)) for key, name in names.items()]


def _compares(occasion: Occasion, reach: TagReach, times: Compared) -> bool:
    """Whether nearly all of both times was collected of a tag, by the same rules."""
    first, end = times.before[0], times.now[1]
    changes = rules_changes(occasion.session, keys=[key_of(reach.tag)])
    if any(one.after.timestamp() < end and (one.before is None or one.before.timestamp() > first) for one in changes):
        return False
    return all(reach.share(*time) >= NEARLY_ALL for time in times)


def _tags(occasion: Occasion, times: Compared) -> Section:
    """Return each tag's tweets against the time before, the most tweets first."""
    session, reaches = occasion.session, _reaches(occasion)
    keys = [key_of(one.tag) for one in reaches]
    counts = of_tags(session, [times.before, times.now], occasion.filters, keys=keys)
    since, until = (_time(second) for second in times.now)
    found = {one.tag: one.share for one in per_tag(session, keys=keys, since=since, until=until)} if keys else {}
    ranked = sorted(reaches, key=lambda one: (-counts[key_of(one.tag)][1].tweets, one.tag))
    known = [one for one in ranked if one.share(*times.now) >= NEARLY_ALL]
    silent = [one.tag for one in known if not any(part.tweets for part in counts[key_of(one.tag)])]
    lines = []
    for one in [one for one in ranked if one.tag not in silent][:MOST_TAGS]:
        before, now = (part.tweets for part in counts[key_of(one.tag)])
        lines.append(Line(one.tag, _compared(occasion, one, times, before, now, found.get(one.tag))))
    left = len(ranked) - len(silent) - len(lines)
    more = [Line(said=f"and {plural(left, 'more tag')}")] if left else []
    none = [Line(listed(silent, MOST_NAMED), "no tweets")] if silent else []
    return Section("Tags", lines=(*lines, *more, *none))


def _compared(occasion: Occasion, reach: TagReach, times: Compared, before: int, now: int, on_x: Share | None) -> str:
    """Return a tag's tweets, how they changed, and how many of X's they are, as the end of a sentence."""
    if not reach.touches(*times.now):
        return f"not collected; {plural(now, 'tweet')} stored" if now else "not collected"
    changed = comparison(now, before, than=_before(occasion)) if _compares(occasion, reach, times) else ""
    least = "" if reach.share(*times.now) >= NEARLY_ALL else "at least "
    coverage = on_x.coverage if on_x else None
    stored = f"{share(min(1.0, coverage))} of what X counted is stored" if coverage is not None else ""
    return f"{least}{plural(now, 'tweet')}{changed and f', {changed}'}{stored and f'; {stored}'}"


def _chart(occasion: Occasion, times: Compared) -> Section:
    """Return the days of both weeks, or the hours of a day."""
    zone = occasion.definition.zone
    if not occasion.definition.is_weekly:
        periods = [(max(one, times.now[0]), min(end, times.now[1])) for one, end in buckets(zone, HOUR, *times.now)]
        return chart(occasion, periods, [False] * len(periods), "hour")
    begin = _time(times.before[0]).astimezone(zone)
    edges = [int((begin + timedelta(days=days)).timestamp()) // QUARTER_S * QUARTER_S for days in range(14)]
    periods = list(pairwise([*edges, times.now[1]]))
    return chart(occasion, periods, [one[0] >= times.now[0] for one in periods], "day", "; the last 7 are this week's")


def _missing(occasion: Occasion, times: Compared) -> Section:
    """Return what was not collected in this time, but for less than an hour in a row; tags that lack the same are one line."""
    lacking = dict[tuple[Period, ...], list[str]]()
    for one in _reaches(occasion):
        found = tuple(hole for hole in _holes(one, times.now) if hole[1] - hole[0] >= HOUR_S)
        if found:
            lacking.setdefault(found, []).append(one.tag)
    lines = [Line(listed(tags, MOST_NAMED), _missed(occasion, found, times.now)) for found, tags in lacking.items()]
    more = [Line(said=f"and {plural(len(lines) - MOST_TAGS, 'more tag')}")] if len(lines) > MOST_TAGS else []
    return Section("Not collected", lines=(*lines[:MOST_TAGS], *more))


def _missed(occasion: Occasion, holes: Sequence[Period], period: Period) -> str:
    left, whole, zone = sum(end - start for start, end in holes), period[1] - period[0], occasion.definition.zone
    if left == whole:
        return "nothing in all this time"
    spans = [f"{moment(_time(start), zone)} to {moment(_time(end), zone)}" for start, end in holes]
    more = f" and {plural(len(spans) - MOST_HOLES, 'more time')}" if len(spans) > MOST_HOLES else ""
    return f"{left / HOUR_S:,.0f} of {whole / HOUR_S:,.0f} hours: {', '.join(spans[:MOST_HOLES])}{more}"


def _holes(reach: TagReach, period: Period) -> list[Period]:
    """Return the parts of a period that were not collected, oldest first."""
    found, at = list[Period](), period[0]
    for first, end in reach.periods:
        if at < min(first, period[1]):
            found.append((at, min(first, period[1])))
        at = max(at, end)
    return [*found, (at, period[1])] if at < period[1] else found


def _peaks(occasion: Occasion, times: Compared) -> Section:
    """Return the highest spikes of this time, oldest first, and why."""
    session, filters, zone, end = occasion.session, occasion.filters, occasion.definition.zone, times.now[1]
    period = (min(times.now[0], end - WEEK_S), end)
    counted = counted_buckets(session, filters, bucket=HOUR, zone=zone, period=period, now=occasion.x_second)
    found = [one for one in counted.spikes if one.first >= times.now[0]]
    highest = sorted(sorted(found, key=lambda one: one.tweets)[-MOST_PEAKS:])
    peaks = [spike_peak(session, filters, one, counted) for one in highest]
    return Section(
        "Peaks",
        lines=tuple(Line(said=peak_finding(one, zone), url=spike_url(occasion, one.start), label="See why") for one in peaks),
    )


def _most(occasion: Occasion, times: Compared) -> Iterator[Section]:
    """Yield the tweets with the most engagement, the most active authors, and what was linked to the most."""
    session, since, until = occasion.session, _time(times.now[0]), _time(times.now[1])
    filters = occasion.filters._replace(since=since, until=until)
    tweets = tuple(quoted(top_tweets(session, filters, most=MOST_LISTED), occasion.definition.zone))
    yield Section("Tweets with the most engagement", tweets=tweets)
    authors = [one for one in activity(session, filters, most=MOST_LISTED).most_active if one.username]
    yield Section("Most active authors", lines=tuple(Line(f"@{one.username}", plural(one.tweets, "tweet")) for one in authors))
    yield Section("Links", lines=tuple(_links(session, filters)))


def _links(session: Session, filters: Filters) -> Iterator[Line]:
    for one in link_counts(session, "url", filters, limit=MOST_LISTED):
        yield Line(said=f"{plural(one.tweets, 'tweet')} by {plural(one.authors, 'author')}", url=one.name)


def _within(occasion: Occasion, first: datetime, end: datetime) -> str:
    return occasion.url("/view/tweets", since=rfc3339(first) or "", until=rfc3339(end) or "", sort="-engagement")


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
