"""Records of compliance: its jobs, and how far a round over all stored ids has come, in ranges of at most a million.

They are written by the process that holds the compliance lease.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.compliance.redactions import Removals
from collector.runs import lease
from collector.x.app_only import ComplianceJobStatus
from database.statements import upsert
from models import ComplianceJob, StoredCounter, Tweet, Version

LEASE = "compliance"
OPEN = CREATED, UPLOADED, COMPLETE = "created", "uploaded", "complete"
DONE, FAILED = "done", "failed"
T = TypeVar("T")

ANSWERS_KEPT = timedelta(days=6)  # X keeps them for seven
MOST_IDS = 1_000_000
CHUNK = 10_000
COUNTER = "compliance"
AFTER, UNTIL, BEGAN = "after", "until", "began"
STALE_S = 24 * 3600


class JobRecord(NamedTuple):
    """A job that is not done yet: its id here and at X, its state, its URLs, and how many ids it has."""

    id: int
    job_id: str
    state: str
    upload_url: str
    download_url: str
    ids: int


class CheckedIds(NamedTuple):
    """The stored ids beyond `after` up to `until`, and how many there are."""

    after: int
    until: int
    ids: int


@contextmanager
def take_compliance_lease(database: Database) -> Iterator[JobRecords]:
    """Hold the compliance lease during the block; raises DatabaseUnavailable where another process has it."""

    def take(session: Session) -> int | None:
        lease.refuse_while_restoring(session)
        return lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=LEASE)

    token = database.write(take)
    if token is None:
        raise DatabaseUnavailable("another process does compliance")
    try:
        with lease.renewing(database, token, lambda: None, name=LEASE):
            yield JobRecords(database, token)
    except lease.LeaseLost as error:
        raise DatabaseUnavailable("another process does compliance now") from error
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=LEASE))


class JobRecords:
    """The records of a database, written under the token of the compliance lease."""

    def __init__(self, database: Database, token: int) -> None:
        self._database, self._token = database, token

    def unfinished_job(self) -> JobRecord | None:
        """Return the newest unfinished job whose answer X still keeps. Older ones are marked as failed."""
        columns = (getattr(ComplianceJob, name) for name in JobRecord._fields)
        now = datetime.now(UTC)
        unfinished = select(*columns).where(ComplianceJob.state.in_(OPEN)).order_by(ComplianceJob.id.desc())

        def find(session: Session) -> JobRecord | None:
            old = (ComplianceJob.state.in_(OPEN), ComplianceJob.created < now - ANSWERS_KEPT)
            session.execute(update(ComplianceJob).where(*old).values(state=FAILED, ended=now))
            row = session.execute(unfinished).first()
            return JobRecord(*row) if row else None

        return self._write(find)

    def add(self, made: ComplianceJobStatus, id_range: CheckedIds) -> JobRecord:
        """Record a job that was just created at X."""
        urls = {"upload_url": made.upload_url, "download_url": made.download_url}

        def add(session: Session) -> JobRecord:
            _begin_range(session, id_range)
            row = ComplianceJob(job_id=made.id, state=CREATED, created=datetime.now(UTC), ids=id_range.ids, **urls)
            row.removed = row.scrubbed = 0
            session.add(row)
            session.flush()
            return JobRecord(row.id, made.id, CREATED, ids=id_range.ids, **urls)

        return self._write(add)

    def move(self, record: JobRecord, state: str) -> bool:
        """Record the new state of a job, and return whether that ends its round."""
        changes = {"state": state} | ({} if state in OPEN else {"ended": datetime.now(UTC)})

        def move(session: Session) -> bool:
            session.execute(update(ComplianceJob).where(ComplianceJob.id == record.id).values(**changes))
            return state == DONE and _advance(session, record.ids)

        return self._write(move)

    def count(self, record: JobRecord, session: Session, applied: Removals) -> None:
        """Add to the removals of a job, in the transaction that applies them; raises LeaseLost."""
        lease.renew(session, self._token, name=LEASE)
        sums = {name: getattr(ComplianceJob, name) + by for name, by in applied._asdict().items()}
        session.execute(update(ComplianceJob).where(ComplianceJob.id == record.id).values(**sums))

    def removals(self, record: JobRecord) -> Removals:
        """What a job has removed so far."""
        with self._database.reading() as session:
            sums = select(ComplianceJob.removed, ComplianceJob.scrubbed).where(ComplianceJob.id == record.id)
            return Removals(*session.execute(sums).one())

    def _write(self, change: Callable[[Session], T]) -> T:
        def held(session: Session) -> T:
            lease.refuse_while_restoring(session)
            lease.renew(session, self._token, name=LEASE)
            return change(session)

        return self._database.write(held, timeout_s=lease.LASTS_S)


def next_range(database: Database) -> CheckedIds:
    """Return the range that the next job is to check; it has no ids where nothing is stored.

    A round that was interrupted more than a day ago starts again, because what it has checked is due again.
    """
    with database.reading() as session:
        done = _counters(session)
    after = done.get(AFTER, 0) if time.time() - done.get(BEGAN, 0) < STALE_S else 0
    until, count = after, 0
    for chunk in _chunks(database, after):
        chunk = chunk[: MOST_IDS - count]
        until, count = chunk[-1], count + len(chunk)
        if count == MOST_IDS:
            break
    return CheckedIds(after, until, count)


def uploaded_ids(database: Database) -> Iterator[bytes]:
    """Yield the ids of the newest job, ascending, as bytes."""
    with database.reading() as session:
        done = _counters(session)
    until = done.get(UNTIL, 0)
    for chunk in _chunks(database, done.get(AFTER, 0)):
        for one in chunk:
            if one > until:
                return
            yield b"%d" % one


def _begin_range(session: Session, id_range: CheckedIds) -> None:
    """Record the range of the job that is created in this transaction."""
    if id_range.after == 0:
        _store_counter(session, BEGAN, int(time.time()))
    _store_counter(session, AFTER, id_range.after)
    _store_counter(session, UNTIL, id_range.until)


def _advance(session: Session, checked: int) -> bool:
    """Move beyond the range of a job that checked so many ids, and return whether the round is over."""
    over = checked < MOST_IDS
    if over:
        session.execute(delete(StoredCounter).where(StoredCounter.name == COUNTER))
    else:
        _store_counter(session, AFTER, _counters(session).get(UNTIL, 0))
    return over


def _chunks(database: Database, after: int) -> Iterator[list[int]]:
    """Yield the ids of all known versions beyond this one, in short transactions."""
    while True:
        with database.reading() as session:
            found = {
                one
                for column in (Tweet.id, Version.id)
                for one in session.scalars(select(column).where(column > after).order_by(column).limit(CHUNK))
            }
        chunk = sorted(found)[:CHUNK]
        if not chunk:
            return
        yield chunk
        after = chunk[-1]


def _counters(session: Session) -> dict[str, int]:
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == COUNTER))
    return {row.label: row.value for row in rows}


def _store_counter(session: Session, label: str, value: int) -> None:
    upsert(session, StoredCounter, [{"name": COUNTER, "label": label, "value": value}], update=("value",))
