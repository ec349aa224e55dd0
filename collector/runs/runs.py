"""Records of runs: collections, imports, and scheduled jobs that buy something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, and_, bindparam, case, exists, func, select, update
from sqlalchemy.orm import Session

from collector.runs.tags import TagOrder
from collector.values import Failure, TagRef
from models import Run, RunTag
from queries.collections import INTERRUPTED, INTERRUPTED_KIND
from queries.counters import live_token

INTERRUPTION = Failure(INTERRUPTED_KIND, INTERRUPTED)
IS_RUNNING = and_(Run.kind == "collection", Run.state == "running")


def begin(session: Session, orders: Sequence[TagOrder], *, token: int, backfills: bool = False) -> int:
    """Record a collection over these tags, or a backfill, and return its id."""
    run = Run(kind="collection", backfills=backfills, state="running", started=datetime.now(UTC), token=token)
    session.add(run)
    session.flush()
    session.add_all(RunTag(run_id=run.id, tag_id=order.tag.id, state="waiting") for order in orders)
    return run.id


def end_interrupted(session: Session) -> None:
    """Close the collections that an earlier lease holder left running."""
    for run_id in session.scalars(select(Run.id).where(IS_RUNNING)).all():
        end(session, run_id, failure=INTERRUPTION)


def begin_import(session: Session) -> int:
    """Record an import and return its run's id."""
    run = Run(kind="import", state="running", started=datetime.now(UTC))
    session.add(run)
    session.flush()
    return run.id


def begin_job_run(session: Session) -> int:
    """Record a scheduled job that buys something, and return its run's id."""
    now = datetime.now(UTC)
    run = Run(kind="job", state="done", started=now, ended=now)
    session.add(run)
    session.flush()
    return run.id


def set_tag_state(session: Session, run_id: int, tag: TagRef, state: str, failure: Failure | None = None) -> None:
    """Record the state of a tag; `failure` says why it failed."""
    row = update(RunTag).where(RunTag.run_id == run_id, RunTag.tag_id == tag.id)
    kind, reason = failure or (None, None)
    session.execute(row.values(state=state, reason=reason, failure_kind=kind))


def add_page(session: Session, run_id: int, tag: TagRef, *, added: int, done: bool) -> None:
    """Add the new tweets of a stored page to its tag, which is `done` if nothing is left to be read of it.

    The total of the collection is counted with the page's price, by ledger.settle.
    """
    session.execute(_ADD_TO_TAG, {"run": run_id, "tag": tag.id, "more": added, "reached": "done" if done else None})


def end(session: Session, run_id: int, *, failure: Failure | None = None, seconds: float | None = None) -> None:
    """Close a collection: done if all its tags are, failed if none is, else partial. Unfinished tags become failed."""
    open_tags = failure or INTERRUPTION
    unfinished = update(RunTag).where(RunTag.run_id == run_id, RunTag.state.in_(["waiting", "running"]))
    session.execute(unfinished.values(state="failed", reason=open_tags.reason, failure_kind=open_tags.kind))
    done = exists().where(RunTag.run_id == run_id, RunTag.state == "done")
    failed = exists().where(RunTag.run_id == run_id, RunTag.state == "failed")
    state = case((~done, "failed"), (failed, "partial"), else_="done")
    milliseconds = None if seconds is None else round(seconds * 1000)
    kind, reason = (case((done & ~failed, None), else_=value) for value in failure or (None, None))
    ended = {"state": state, "ended": datetime.now(UTC), "error": reason, "failure_kind": kind, "milliseconds": milliseconds}
    session.execute(update(Run).where(Run.id == run_id).values(**ended))


def end_import(session: Session, run_id: int, *, added: int) -> None:
    """Close an import."""
    values = {"state": "done", "ended": datetime.now(UTC), "tweets_added": added}
    session.execute(update(Run).where(Run.id == run_id).values(**values))


def newest_start(session: Session) -> datetime | None:
    """Return when the newest collection that is no backfill began (UTC), or None."""
    collected = select(Run.started).where(Run.kind == "collection", ~Run.backfills)
    return session.scalar(collected.order_by(Run.id.desc()).limit(1))


def is_any_recorded(session: Session) -> bool:
    """Return whether a collection or a backfill has ever begun."""
    return session.scalar(select(Run.id).where(Run.kind == "collection").limit(1)) is not None


def running(session: Session) -> int | None:
    """Return the id of the collection that runs, or None."""
    return session.scalar(select(Run.id).where(IS_RUNNING, Run.token == live_token(session)))


_tags: Any = RunTag.__table__
_ADD_TO_TAG = (
    update(_tags)
    .where(_tags.c.run_id == bindparam("run"), _tags.c.tag_id == bindparam("tag"))
    .values(added=_tags.c.added + bindparam("more"), state=func.coalesce(bindparam("reached", type_=Text), _tags.c.state))
)
