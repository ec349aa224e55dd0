"""Authors who are read from X by their ids because pages came without them: each unknown or outdated one, once a week at most.

What is to be read is stored with the page, so a crash forgets nobody. The authors of one collection are read in the order of
their ids, 100 a request, so a request whose answer was lost is repeated as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from collector import counters
from collector.tweets.store import store
from collector.values import ObservedAuthor
from database.functions import among
from database.statements import upsert
from models import Author, AuthorLookup

VALID = timedelta(days=7)
MOST = 100


def want_authors(session: Session, ids: Iterable[int | None], run_id: int, *, now: datetime) -> None:
    """Record which of these authors are to be read: not those observed or asked for in the last week."""
    written = {one for one in ids if one is not None}
    if not written:
        return
    session.execute(delete(AuthorLookup).where(among(AuthorLookup.author_id, written), AuthorLookup.asked_at < now - VALID))
    outdated = or_(Author.observed.is_(None), Author.observed < now - VALID)
    wanted = session.scalars(select(Author.id).where(among(Author.id, written), outdated))
    upsert(session, AuthorLookup, [{"author_id": one, "run_id": run_id, "asked_at": None} for one in wanted])


def is_anyone_wanted(session: Session) -> bool:
    """Whether any author is to be read."""
    return bool(session.scalar(select(exists().where(_WAITS))))


def next_authors(session: Session, *, now: datetime) -> Sequence[int]:
    """Return the ids of the authors to be read next, at most 100, and forget those who became known in another way."""
    known = select(Author.id).where(Author.observed >= now - VALID)
    session.execute(delete(AuthorLookup).where(_WAITS, AuthorLookup.author_id.in_(known)))
    first = select(func.min(AuthorLookup.run_id)).where(_WAITS).scalar_subquery()
    waiting = select(AuthorLookup.author_id).where(_WAITS, AuthorLookup.run_id == first)
    return session.scalars(waiting.order_by(AuthorLookup.author_id).limit(MOST)).all()


def store_looked_up(
    session: Session, asked: Collection[int], found: Sequence[ObservedAuthor], *, run_id: int, now: datetime
) -> None:
    """Store the authors that X gave of those asked for. The others are not asked for again in a week.

    Those who were deleted since they were asked for are left out.
    """
    those = among(AuthorLookup.author_id, asked)
    left = set(session.scalars(select(AuthorLookup.author_id).where(those)))
    given = [author for author in found if author.id in left]
    session.execute(delete(AuthorLookup).where(those, AuthorLookup.author_id.in_([author.id for author in given])))
    session.execute(update(AuthorLookup).where(those).values(asked_at=now))
    store(session, [], given, run_id=run_id)
    counters.bump_sequence(session)


_WAITS = AuthorLookup.asked_at.is_(None)
