"""Checks of buckets: spikes, thresholds, and times in which nothing was collected.

Buckets are checked in their order. One in which all tags asked for were collected is compared; one in which they were not is
waited for, and passed over once the grace after its end is over. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.filters import conditions_by_period
from queries.reach import TagReach, collected_together
from queries.series import totals
from queries.spikes import asked_reaches, spikes_as_they_end
from queries.timeline import counts_by_period
from queries.watches import StoredWatch
from queries.zones import FIRST, QUARTER_S, Period, buckets
from watches.checks import CheckResult, CheckTime, Found, found_in
from watches.definitions import WatchDefinition
from watches.findings import UNCOLLECTED

FEW = 12
"""Buckets whose tweets are searched one by one; for more, all tweets that have the words are looked up."""


class BucketStep(NamedTuple):
    """A bucket, and whether it is settled: compared or passed over, which it can be from `at` on.

    `hole` is the first time of it in which a tag asked for was not collected, None if there is none; `is_told` says whether
    that is to be told now.
    """

    bucket: Period
    hole: Period | None
    is_settled: bool
    at: int
    is_told: bool = False


def collected_time(session: Session, definition: WatchDefinition, *, now: int) -> TagReach:
    """Return when all tags that the filters name were collected, without such a tag all tracked ones."""
    together = collected_together(asked_reaches(session, definition.asked, now=now))
    return TagReach("", together, together[0][0] if together else FIRST, now)


def check_buckets(session: Session, watch: StoredWatch, definition: WatchDefinition, time: CheckTime) -> CheckResult:
    """Check the buckets of a watch that began since it was checked; one that is neither a spike's nor a threshold's has no more
    to tell of them than that nothing was collected."""
    begin = max(watch.checked_to, time.x - time.latest_s - time.grace)
    whole = [one for one in buckets(definition.zone, definition.length, begin, time.x + 1) if one[0] >= begin]
    collected = collected_time(session, definition, now=time.x)
    steps = bucket_steps(whole, collected, watch, time)
    told = _told(session, watch, definition, time, whole, steps)
    found = list(_findings(definition, whole, steps, told))
    return CheckResult(found, _moved(watch, steps, told), _again(steps, time))


def bucket_steps(whole: Sequence[Period], collected: TagReach, watch: StoredWatch, time: CheckTime) -> list[BucketStep]:
    """Return the steps through successive buckets, until the first one that is waited for.

    What was not collected before the watch began is not told.
    """
    steps, silent, earliest = list[BucketStep](), watch.silent_since is not None, 0
    began = int(watch.changed.timestamp())
    for bucket in whole:
        hole = None if collected.covers(*bucket) else collected.hole_from(bucket[0])
        if hole and hole[0] == bucket[0] and not silent:
            hole = max(min(began, bucket[0]), collected.hole_before(bucket[0])), hole[1]
        earliest = max(earliest, bucket[1] + (time.grace if hole else 0))
        is_told = hole is not None and not silent and bucket[0] >= began and hole[0] + time.grace <= time.x
        at = min(earliest, hole[0] + time.grace) if hole and is_told else earliest
        steps.append(BucketStep(bucket, hole, hole is None or earliest <= time.x, at, is_told))
        silent = hole is not None and (silent or is_told)
        if not steps[-1].is_settled:
            break
    return steps


def _told(
    session: Session,
    watch: StoredWatch,
    definition: WatchDefinition,
    time: CheckTime,
    whole: Sequence[Period],
    steps: Sequence[BucketStep],
) -> set[int]:
    """Return the starts of the buckets that are to be told."""
    collected = {step.bucket for step in steps if step.hole is None}
    if definition.kind == "spike":
        ends, zone = {end for _, end in collected}, definition.zone
        found = spikes_as_they_end(session, definition.asked, bucket=definition.length, zone=zone, ends=ends, now=time.x)
        return {one.first for one in found}
    if definition.less_than is not None:
        return {first for first, tweets in _counts(session, definition, collected) if tweets < definition.less_than}
    if definition.more_than is not None:
        wanted = [one for one in _open_to(whole, steps, time) if watch.told_to is None or one[0] > watch.told_to]
        return {first for first, tweets in _counts(session, definition, wanted) if tweets > definition.more_than}
    return set()


def _open_to(whole: Sequence[Period], steps: Sequence[BucketStep], time: CheckTime) -> Sequence[Period]:
    """Return the buckets of which it can be said that they have more than a number, the running one included.

    While a collection runs, these end with the first that is waited for: it may still be told, and that in order.
    """
    waiting = time.running is not None and bool(steps) and not steps[-1].is_settled
    return whole[: len(steps)] if waiting else whole


def _counts(session: Session, definition: WatchDefinition, wanted: Collection[Period]) -> list[tuple[int, int]]:
    """Return the starts of buckets with their tweets."""
    if not wanted:
        return []
    if definition.asked.search and len(wanted) <= FEW:
        by_period = counts_by_period(session, sorted(wanted), conditions_by_period(definition.asked))
        return [(bucket[0], by_period[bucket].tweets) for bucket in sorted(wanted)]
    span = min(wanted)[0], max(wanted)[1]
    every = list(buckets(definition.zone, definition.length, *span))
    counted = zip(every, totals(session, every, definition.asked), strict=True)
    return [(bucket[0], tweets) for bucket, tweets in counted if bucket in wanted]


def _findings(
    definition: WatchDefinition, whole: Iterable[Period], steps: Sequence[BucketStep], told: Collection[int]
) -> Iterable[Found]:
    """Yield what is told of each bucket: that nothing was collected, and that it is one of those told."""
    by_bucket, waits = {step.bucket: step for step in steps}, definition.more_than is None
    for bucket in whole:
        step = by_bucket.get(bucket)
        if step and step.hole and step.is_told:
            yield found_in(UNCOLLECTED, step.hole, at=step.at)
        if bucket[0] in told:
            yield found_in(definition.kind, bucket, at=step.at if step and waits else bucket[1])


def _moved(watch: StoredWatch, steps: Sequence[BucketStep], told: Collection[int]) -> StoredWatch:
    silent, checked_to = watch.silent_since, watch.checked_to
    for step in steps:
        silent = step.hole[0] if step.hole and step.is_told else silent if step.hole else None
        checked_to = step.bucket[1] if step.is_settled else checked_to
    return watch._replace(checked_to=checked_to, silent_since=silent, told_to=max(told, default=watch.told_to))


def _again(steps: Sequence[BucketStep], time: CheckTime) -> int:
    """Return when the next bucket may end, or the grace of the one that is waited for."""
    ends = [(time.x // QUARTER_S + 1) * QUARTER_S]
    if steps and (hole := steps[-1].hole):
        ends += [hole[0] + time.grace, steps[-1].bucket[1] + time.grace]
    return min(end for end in ends if end > time.x)
