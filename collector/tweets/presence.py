"""Presence: in which quarters of an hour authors have tweets, from which the distinct authors of any period follow.

Where an author is present now, the rows say. Where they were before, follows from the change; only neighbours of what has
changed are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, delete, func, literal_column, select, union_all
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among, instant, pairs, quarter_hour
from database.statements import bulk_execute, bulk_increment
from models import LONGEST_DAY, Presence, Tweet

QUARTER = quarter_hour.seconds
Written = Counter[tuple[int | None, int]]  # how many tweets authors have in quarters of an hour
Step = tuple[int, int]  # a quarter of an hour, and how many quarters after the author's last one; 0 stands for any
NEVER = -(2**40)


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep presences right while the tweets with these ids, and no others, are added, changed or removed."""
    before = _authors_by_quarter(session, ids)
    yield
    session.flush()
    changes = _authors_by_quarter(session, ids)
    changes.subtract(before)
    _change(session, changes)


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """Take in tweets that have just been added."""
    tweets = ((find.tweet.author_id, int(find.tweet.created.timestamp()) // QUARTER * QUARTER) for find in finds)
    _change(session, Counter((author, start) for author, start in tweets if author is not None))


def clear(session: Session) -> None:
    """Forget all presences."""
    session.execute(delete(Presence))


def _authors_by_quarter(session: Session, ids: Collection[int]) -> Written:
    rows = session.execute(_WRITTEN.where(among(Tweet.id, ids)))
    return Counter({(row[0], row[1]): row[2] for row in rows})


def _change(session: Session, changes: Written) -> None:
    """Change presences by tweets that were added, and removed (fewer than none)."""
    more, fewer = list[Step](), list[Step]()
    rows = _around(session, [key for key, by in changes.items() if by])
    for _, theirs in groupby(rows, itemgetter(0)):
        _compare(list(theirs), changes, more, fewer)
    counts = Counter(more)
    counts.subtract(Counter(fewer))
    _add(session, [(*step, by) for step, by in counts.items() if by and step[1] < LONGEST_DAY])


def _compare(rows: Sequence[Sequence[Any]], changes: Written, more: list[Step], fewer: list[Step]) -> None:
    """Add the steps of an author now and before, in the quarters that were asked for and in the next that follows on them.

    A step leads to a quarter from the author's last one. `old` is the last before the change: the last now, unless that is
    new, or one that is gone.
    """
    old, new = NEVER, set[int]()
    for (author, start, tweets, last, following), coming in zip(rows, [*rows[1:], None], strict=True):
        old = old if last in new else max(old, last)
        if tweets > 0:
            more += (start, 0), (start, (start - last) // QUARTER)
            last = start
        if tweets > changes[author, start]:
            fewer += (start, 0), (start, (start - old) // QUARTER)
            old = start
        elif tweets > 0:
            new.add(start)
        if following is not None and (coming is None or following < coming[1]):
            more.append((following, (following - last) // QUARTER))
            fewer.append((following, (following - old) // QUARTER))


def _add(session: Session, changes: Sequence[tuple[int, int, int]]) -> None:
    """Add to the numbers of authors; a row that comes to nothing goes."""
    changes = sorted(changes)
    starts, quarters, authors = ([change[n] for change in changes] for n in range(3))
    bulk_increment(session, Presence, {"start": starts, "quarters": quarters, "authors": authors}, ("authors",))
    fewer = [change for change in changes if change[2] < 0]
    bulk_execute(session, _REMOVE_IDLE, {"at": [change[0] for change in fewer], "after": [change[1] for change in fewer]})


def _around(session: Session, asked: Collection[tuple[Any, int]]) -> Sequence[Sequence[Any]]:
    """Return for these quarters of authors, by author: how many tweets, and the author's last quarter before and next after."""
    if not asked:
        return []
    given = pairs(sorted(asked))
    bounds = instant(given.c.second).label("since"), instant(given.c.second + QUARTER).label("until")
    one = select(given, *bounds).cte("asked").prefix_with("MATERIALIZED")
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
_REMOVE_IDLE = (
    delete(_presences)
    .where(_presences.c.start == bindparam("at"), _presences.c.quarters == bindparam("after"))
    .where(_presences.c.authors == literal_column("0"))
)
