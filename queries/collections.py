"""Collections: the state and the result of each run over the tags."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from models import Run, RunTag, Tag
from queries.counters import live_token
from queries.gaps import Gap, gaps

INTERRUPTED_KIND = "interrupted"
INTERRUPTED = "interrupted: the collector stopped before the end"
TELLS_AGE = or_(~Run.backfills, Run.state != "done")
"""Collections that say how new the data is: not backfills, unless they need attention."""


class TagOutcome(NamedTuple):
    """The result of a tag in a collection; `reason` is None where the state is done."""

    tag: str
    state: str
    added: int
    reason: str | None
    failure_kind: str | None = None


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
    failure_kind: str | None = None
    backfills: bool = False

    @property
    def problem(self) -> tuple[str, str | None] | None:
        """The reason and the kind of its failure, or else of the first tag that failed; None if nothing failed."""
        failures = [(self.error, self.failure_kind), *((tag.reason, tag.failure_kind) for tag in self.tags)]
        return next(((reason, kind) for reason, kind in failures if reason), None)


def collection(session: Session, collection_id: int) -> CollectionView | None:
    """Return a collection, its tags by name; if its collector has died, it is failed, not running."""
    found = _views(session, select(Run).where(Run.id == collection_id, Run.kind == "collection"))
    return found[0] if found else None


def collections(session: Session, *, before: int | None, most: int) -> list[CollectionView]:
    """Return at most `most` collections, newest first, of those with ids below `before`."""
    runs = select(Run).where(Run.kind == "collection").order_by(Run.id.desc()).limit(most)
    return _views(session, runs if before is None else runs.where(Run.id < before))


def latest(session: Session) -> CollectionView | None:
    """Return the collection that started last; a backfill that is done says nothing about how new the data is."""
    found = _views(session, select(Run).where(Run.kind == "collection", TELLS_AGE).order_by(Run.id.desc()).limit(1))
    return found[0] if found else None


def as_broken_off(view: CollectionView, reason: str) -> CollectionView:
    """Return a collection as failed if its record, which could not be closed, still says that it is running."""
    if view.state != "running":
        return view
    tags = tuple(tag if tag.state == "done" else tag._replace(state="failed", reason=reason) for tag in view.tags)
    return view._replace(state="failed", error=reason, tags=tags)


def _views(session: Session, query: Select[Run]) -> list[CollectionView]:
    runs = session.scalars(query).all()
    ids, token = [run.id for run in runs], None
    if any(run.state == "running" for run in runs):
        token = live_token(session)
    outcomes: dict[int, list[TagOutcome]] = {run_id: [] for run_id in ids}
    columns = select(RunTag.run_id, Tag.tag, RunTag.state, RunTag.added, RunTag.reason, RunTag.failure_kind)
    joined = columns.join(Tag, Tag.id == RunTag.tag_id)
    for run_id, *outcome in session.execute(joined.where(RunTag.run_id.in_(ids)).order_by(Tag.key)):
        outcomes[run_id].append(TagOutcome._make(outcome))
    left = gaps(session, run_ids=ids)
    return [_view(run, token, outcomes[run.id], [gap for gap in left if gap.run_id == run.id]) for run in runs]


def _view(run: Run, token: int | None, tags: Sequence[TagOutcome], left: Sequence[Gap]) -> CollectionView:
    died = run.state == "running" and run.token != token
    state, error, kind = ("failed", INTERRUPTED, INTERRUPTED_KIND) if died else (run.state, run.error, run.failure_kind)
    money = (run.posts, run.users, run.floor, run.ceiling)
    shown = tuple(_outcome(tag, died=died) for tag in tags)
    return CollectionView(
        run.id, state, run.started, run.ended, run.tweets_added, *money, error, shown, tuple(left), kind, run.backfills
    )


def _outcome(tag: TagOutcome, *, died: bool) -> TagOutcome:
    if died and tag.state != "done":
        return tag._replace(state="failed", reason=INTERRUPTED, failure_kind=INTERRUPTED_KIND)
    return tag
