"""Comparisons in digests: a day or a week with the one before, by tag, and what of it was not collected.

Nothing is claimed of time that was not collected: a tag is compared only if nearly all of both times was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from queries.reach import TagReach, shown_reaches
from queries.series import of_tags
from queries.tags import tag_name, tracked_keys
from queries.volume import Share, per_tag, rules_changes
from queries.zones import HOUR_S, Period
from text.names import key as key_of
from text.phrases import change, moment, plural, share
from watches.occasions import Occasion, counted_in, time_of
from watches.sections import Item, Section
from watches.wording import listed

MOST_TAGS, MOST_HOLES, MOST_NAMED = 10, 3, 5
NEARLY_ALL = 0.95
"""The least share of both times that must have been collected for a comparison."""


class Compared(NamedTuple):
    """A digest's time and the one before it, in epoch seconds."""

    now: Period
    before: Period


def compared_times(occasion: Occasion) -> Compared:
    """Return the times that are compared; the one before is as long by dates."""
    first, end = occasion.period
    length = timedelta(days=7 if occasion.definition.is_weekly else 1)
    earlier = int((time_of(first).astimezone(occasion.definition.zone) - length).timestamp())
    return Compared((first, end), (earlier, first))


def time_before(occasion: Occasion) -> str:
    return "the week before" if occasion.definition.is_weekly else "the day before"


def _keys(occasion: Occasion) -> list[str]:
    """Return the keys of the tags that the filters name, else of all tracked ones, or of all if none is tracked."""
    named = list(occasion.filters.named_tags) or tracked_keys(occasion.session)
    return named or [key_of(one.tag) for one in shown_reaches(occasion.session, now=occasion.x_second)]


def asked_tags(occasion: Occasion) -> list[TagReach]:
    """Return the reach of each tag in the order of their names; that of one that was never collected is empty."""
    keys, now = _keys(occasion), occasion.x_second
    found = {key_of(one.tag): one for one in shown_reaches(occasion.session, keys=keys, now=now)} if keys else {}
    names = {key: tag_name(occasion.session, key=key) or key for key in keys}
    return [found.get(key, TagReach(name, (), now, now)) for key, name in names.items()]


def is_compared(occasion: Occasion, reach: TagReach, times: Compared) -> bool:
    """Whether nearly all of both times was collected of a tag, by the same rules."""
    first, end = times.before[0], times.now[1]
    changes = rules_changes(occasion.session, keys=[key_of(reach.tag)])
    if any(one.after.timestamp() < end and (one.before is None or one.before.timestamp() > first) for one in changes):
        return False
    return all(reach.share(*time) >= NEARLY_ALL for time in times)


def tags_compared(occasion: Occasion, times: Compared) -> Section:
    """Return each tag's tweets against the time before, the most tweets first."""
    session, reaches = occasion.session, asked_tags(occasion)
    keys = [key_of(one.tag) for one in reaches]
    before, now = (of_tags(session, *counted_in(occasion, [time]), keys=keys) for time in (times.before, times.now))
    counts = {key: (before[key][0].tweets, now[key][0].tweets) for key in keys}
    since, until = (time_of(second) for second in times.now)
    found = {one.tag: one.share for one in per_tag(session, keys=keys, since=since, until=until)} if keys else {}
    ranked = sorted(reaches, key=lambda one: (-counts[key_of(one.tag)][1], one.tag))
    known = [one for one in ranked if one.share(*times.now) >= NEARLY_ALL]
    silent = [one.tag for one in known if not any(counts[key_of(one.tag)])]
    lines = []
    for one in [one for one in ranked if one.tag not in silent][:MOST_TAGS]:
        lines.append(Item(one.tag, _compared(occasion, one, times, *counts[key_of(one.tag)], found.get(one.tag))))
    left = len(ranked) - len(silent) - len(lines)
    more = [Item(said=f"and {plural(left, 'more tag')}")] if left else []
    none = [Item(listed(silent, MOST_NAMED), "no tweets")] if silent else []
    said = [f"In brackets is the change against {time_before(occasion)}."] if any("(" in line.said for line in lines) else []
    if any("coverage" in line.said for line in lines):
        said.append("Coverage is how much of what X counted is stored.")
    return Section("Tags", (" ".join(said),) if said else (), lines=(*lines, *more, *none))


def _compared(occasion: Occasion, reach: TagReach, times: Compared, before: int, now: int, on_x: Share | None) -> str:
    """Return a tag's tweets, how they changed, and their coverage."""
    if not reach.touches(*times.now):
        return f"not collected; {plural(now, 'tweet')} stored" if now else "not collected"
    changed = f" ({change(now, before)})" if is_compared(occasion, reach, times) else ""
    least = "" if reach.share(*times.now) >= NEARLY_ALL else "at least "
    coverage = on_x.coverage if on_x else None
    stored = f", coverage {share(min(1.0, coverage))}" if coverage is not None else ""
    return f"{least}{plural(now, 'tweet')}{changed}{stored}"


def uncollected_times(occasion: Occasion, times: Compared) -> Section:
    """Return what was not collected in this time, but for less than an hour in a row; tags that lack the same are one line."""
    lacking = dict[tuple[Period, ...], list[str]]()
    for one in asked_tags(occasion):
        found = tuple(hole for hole in _holes(one, times.now) if hole[1] - hole[0] >= HOUR_S)
        if found:
            lacking.setdefault(found, []).append(one.tag)
    lines = [Item(listed(tags, MOST_NAMED), _missed(occasion, found, times.now)) for found, tags in lacking.items()]
    more = [Item(said=f"and {plural(len(lines) - MOST_TAGS, 'more tag')}")] if len(lines) > MOST_TAGS else []
    return Section("Not collected", lines=(*lines[:MOST_TAGS], *more))


def _missed(occasion: Occasion, holes: Sequence[Period], period: Period) -> str:
    left, whole, zone = sum(end - start for start, end in holes), period[1] - period[0], occasion.definition.zone
    if left == whole:
        return "nothing in all this time"
    when = [[moment(time_of(second), zone, with_zone=True) for second in hole] for hole in holes]
    spans = [f"{start} to {end}" for start, end in when]
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
