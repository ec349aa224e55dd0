"""Collections: how each run over the tags went."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Run, RunTag, Tag
from queries.gaps import Gap, gaps
from queries.leases import live_token

INTERRUPTED = "interrupted: the collector stopped before the end"


class TagOutcome(NamedTuple):
    """What became of a tag; `reason` is None where the state is done."""

    tag: str
    state: str
    added: int
    reason: str | None


class CollectionView(NamedTuple):
    """A collection; `posts` and `users` are what it bought, `floor` and `ceiling` their price in micro-dollars."""

    id: int
    state: str
    started: datetime
    ended: datetime | None
    tweets_added: int
    posts: int
    users: int
    floor: int
    ceiling: int
    error: str | None
    tags: tuple[TagOutcome, ...]
    gaps: tuple[Gap, ...]


def collection(session: Session, collection_id: int) -> CollectionView | None:
    """Return one collection, its tags by name; one whose collector has died is failed, not running."""
    run = session.scalar(select(Run).where(Run.id == collection_id, Run.kind == "collection"))
    if run is None:
        return None
    died = run.state == "running" and run.token != live_token(session)
    state, error = ("failed", INTERRUPTED) if died else (run.state, run.error)
    columns = select(Tag.tag, RunTag.state, RunTag.added, RunTag.reason).join(Tag, Tag.id == RunTag.tag_id)
    rows = session.execute(columns.where(RunTag.run_id == run.id).order_by(Tag.key))
    tags = tuple(_outcome(TagOutcome(*row), died=died) for row in rows)
    return CollectionView(
        run.id,
        state,
        run.started,
        run.ended,
        run.tweets_added,
        run.posts,
        run.users,
        run.floor,
        run.ceiling,
        error,
        tags,
        tuple(gaps(session, run_id=run.id)),
    )


def collections(session: Session, *, before: int | None, most: int) -> list[CollectionView]:
    """Return at most `most` collections, newest first, of those with ids below `before`."""
    ids = select(Run.id).where(Run.kind == "collection").order_by(Run.id.desc()).limit(most)
    if before is not None:
        ids = ids.where(Run.id < before)
    return [view for run_id in session.scalars(ids).all() if (view := collection(session, run_id))]


def latest(session: Session) -> CollectionView | None:
    """Return the collection that started last."""
    newest = session.scalar(select(func.max(Run.id)).where(Run.kind == "collection"))
    return collection(session, newest) if newest else None


def _outcome(tag: TagOutcome, *, died: bool) -> TagOutcome:
    return tag._replace(state="failed", reason=INTERRUPTED) if died and tag.state != "done" else tag
