"""Presences: in which quarters of an hour authors have tweets, from which the distinct authors of any period follow.

They say how many authors have tweets in a quarter, by how many quarters ago they had tweets before. The rows say where an
author has tweets now; where they had them before follows from the change, of which only the neighbours are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, delete, func, literal_column, select, union_all
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among, instant, pairs, quarter_hour
from database.statements import bulk_execute, bulk_increment
from models import LONGEST_DAY, Presence, Tweet

Key = tuple[Any, ...]
Counts = Counter[Key]
Step = tuple[int, int]
"""A quarter of an hour, and how many quarters after the author's last one; 0 stands for any."""

QUARTER = quarter_hour.seconds
NEVER = -(2**40)


class PresenceRollup:
    """Counts of tweets by author and quarter of an hour (epoch seconds), from which the presences follow."""

    def count(self, session: Session, ids: Collection[int]) -> Counts:
        """Count what the tweets with these ids add."""
        rows = session.execute(_WRITTEN.where(among(Tweet.id, ids)))
        return Counter({(row[0], row[1]): row[2] for row in rows})

    def count_new(self, new: Iterable[tuple[TaggedTweet, Sequence[int]]]) -> Counts:
        """Count what these new tweets add."""
        authored = (tagged for tagged, _ in new if tagged.tweet.author_id is not None)
        return Counter((tagged.tweet.author_id, period_start(tagged, QUARTER)) for tagged in authored)

    def change(self, session: Session, changes: Counts) -> None:
        """Change presences by tweets that were added, and removed (negative counts)."""
        now, before = list[Step](), list[Step]()
        rows = _neighbours(session, [key for key, by in changes.items() if by])
        for _, author_rows in groupby(rows, itemgetter(0)):
            _compare_steps(list(author_rows), changes, now, before)
        counts = Counter(now)
        counts.subtract(Counter(before))
        _change_presences(session, sorted((*step, by) for step, by in counts.items() if by and step[1] < LONGEST_DAY))


def period_start(tagged: TaggedTweet, seconds: int) -> int:
    return int(tagged.tweet.created.timestamp()) // seconds * seconds


def _compare_steps(rows: Sequence[Sequence[Any]], changes: Counts, now: list[Step], before: list[Step]) -> None:
    """Append an author's steps now and before the change: to the quarters that changed, and to the first one after each.

    A step leads to a quarter from the author's last one. `old` is the last quarter before the change: the last one now, unless
    that is new, or one that is gone.
    """
    old, new = NEVER, set[int]()
    for (author, start, tweets, last, following), next_row in zip(rows, [*rows[1:], None], strict=True):
        old = old if last in new else max(old, last)
        if tweets > 0:
            now += (start, 0), (start, (start - last) // QUARTER)
            last = start
        if tweets > changes[author, start]:
            before += (start, 0), (start, (start - old) // QUARTER)
            old = start
        elif tweets > 0:
            new.add(start)
        if following is not None and (next_row is None or following < next_row[1]):
            now.append((following, (following - last) // QUARTER))
            before.append((following, (following - old) // QUARTER))


def _change_presences(session: Session, changes: Sequence[tuple[int, int, int]]) -> None:
    """Add to the numbers of authors by quarter and step, and delete the rows that reach zero."""
    starts, quarters, authors = ([change[n] for change in changes] for n in range(3))
    bulk_increment(session, Presence, {"start": starts, "quarters": quarters, "authors": authors}, ("authors",))
    lower = [change for change in changes if change[2] < 0]
    bulk_execute(session, _REMOVE_EMPTY, {"at": [change[0] for change in lower], "after": [change[1] for change in lower]})


def _neighbours(session: Session, wanted: Collection[tuple[Any, int]]) -> Sequence[Sequence[Any]]:
    """For these authors and quarters: how many tweets, and the author's last quarter before and first after. By author."""
    if not wanted:
        return []
    given = pairs(sorted(wanted))
    bounds = instant(given.c.second).label("since"), instant(given.c.second + QUARTER).label("until")
    one = select(given, *bounds).cte("wanted").prefix_with("MATERIALIZED")
    theirs, since, until = Tweet.author_id == one.c.first, Tweet.created >= one.c.since, Tweet.created >= one.c.until
    tweets = select(func.count()).where(theirs, since, ~until).scalar_subquery()
    last = select(func.coalesce(quarter_hour(func.max(Tweet.created)), NEVER)).where(theirs, ~since).scalar_subquery()
    following = select(quarter_hour(func.min(Tweet.created))).where(theirs, until).scalar_subquery()
    return session.execute(select(one.c.first, one.c.second, tweets, last, following)).all()


_quarter = quarter_hour(Tweet.created).label("quarter")
_authored = Tweet.author_id.is_not(None)
_WRITTEN = select(Tweet.author_id, _quarter, func.count()).where(_authored).group_by(Tweet.author_id, _quarter)
_quarters = select(Tweet.author_id, _quarter).where(_authored).distinct().cte("quarters")
_last = func.lag(_quarters.c.quarter).over(partition_by=_quarters.c.author_id, order_by=_quarters.c.quarter)
_steps = select(_quarters.c.quarter, ((_quarters.c.quarter - _last) // QUARTER).label("step")).cte("steps")
PRESENCES = union_all(
    select(_quarters.c.quarter, literal_column("0"), func.count()).group_by(_quarters.c.quarter),
    select(*_steps.c, func.count()).where(_steps.c.step < LONGEST_DAY).group_by(*_steps.c),
)
_presences: Any = Presence.__table__
_REMOVE_EMPTY = (
    delete(_presences)
    .where(_presences.c.start == bindparam("at"), _presences.c.quarters == bindparam("after"))
    .where(_presences.c.authors == literal_column("0"))
)
