"""Records of compliance jobs: how far each has come. Whoever writes them holds the right to see to compliance."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.compliance import rounds
from collector.compliance.redactions import Removals
from collector.runs import lease
from collector.x.app_only import ComplianceJobStatus
from models import ComplianceJob

LEASE = "compliance"
OPEN = CREATED, UPLOADED, COMPLETE = "created", "uploaded", "complete"
DONE, FAILED = "done", "failed"
T = TypeVar("T")

ANSWERS_KEPT = timedelta(days=6)  # X keeps them for seven


class JobRecord(NamedTuple):
    """A job that is not done yet."""

    id: int
    job_id: str
    state: str
    upload_url: str
    download_url: str
    ids: int


class JobRecords:
    """The records of a database, written under the token of the right."""

    def __init__(self, database: Database, token: int) -> None:
        self._database, self._token = database, token

    def unfinished_job(self) -> JobRecord | None:
        """Return the job that was begun, if X still has its answer."""
        columns = (getattr(ComplianceJob, name) for name in JobRecord._fields)
        now = datetime.now(UTC)
        begun = select(*columns).where(ComplianceJob.state.in_(OPEN)).order_by(ComplianceJob.id.desc())

        def found(session: Session) -> JobRecord | None:
            old = (ComplianceJob.state.in_(OPEN), ComplianceJob.created < now - ANSWERS_KEPT)
            session.execute(update(ComplianceJob).where(*old).values(state=FAILED, ended=now))
            row = session.execute(begun).first()
            return JobRecord(*row) if row else None

        return self._write(found)

    def add(self, made: ComplianceJobStatus, stretch: rounds.IdRange) -> JobRecord:
        """Keep a job that X has just made."""
        urls = {"upload_url": made.upload_url, "download_url": made.download_url}

        def add(session: Session) -> JobRecord:
            rounds.begin(session, stretch)
            row = ComplianceJob(job_id=made.id, state=CREATED, created=datetime.now(UTC), ids=stretch.ids, **urls)
            row.removed = row.scrubbed = 0
            session.add(row)
            session.flush()
            return JobRecord(row.id, made.id, CREATED, ids=stretch.ids, **urls)

        return self._write(add)

    def move(self, record: JobRecord, state: str) -> bool:
        """Note how far a job has come, and return whether its round is over with it."""
        changes = {"state": state} | ({} if state in OPEN else {"ended": datetime.now(UTC)})

        def move(session: Session) -> bool:
            session.execute(update(ComplianceJob).where(ComplianceJob.id == record.id).values(**changes))
            return state == DONE and rounds.advance(session, record.ids)

        return self._write(move)

    def count(self, record: JobRecord, session: Session, applied: Removals) -> None:
        """Add up what came of a job, in the transaction that applies it; raises LeaseLost."""
        lease.renew(session, self._token, name=LEASE)
        sums = {name: getattr(ComplianceJob, name) + by for name, by in applied._asdict().items()}
        session.execute(update(ComplianceJob).where(ComplianceJob.id == record.id).values(**sums))

    def removals(self, record: JobRecord) -> Removals:
        """Return what came of a job so far."""
        with self._database.reading() as session:
            sums = select(ComplianceJob.removed, ComplianceJob.scrubbed).where(ComplianceJob.id == record.id)
            return Removals(*session.execute(sums).one())

    def _write(self, change: Callable[[Session], T]) -> T:
        def held(session: Session) -> T:
            lease.refuse_while_restoring(session)
            lease.renew(session, self._token, name=LEASE)
            return change(session)

        return self._database.write(held, timeout_s=lease.LASTS_S)


@contextmanager
def take_compliance_lease(database: Database) -> Iterator[JobRecords]:
    """Hold the right to see to compliance while the block runs; raises DatabaseUnavailable where another process has it."""

    def take(session: Session) -> int | None:
        lease.refuse_while_restoring(session)
        return lease.take(session, f"{socket.gethostname()}:{os.getpid()}", name=LEASE)

    token = database.write(take)
    if token is None:
        raise DatabaseUnavailable("another process sees to compliance")
    try:
        with lease.renewing(database, token, lambda: None, name=LEASE):
            yield JobRecords(database, token)
    except lease.LeaseLost as error:
        raise DatabaseUnavailable("another process sees to compliance now") from error
    finally:
        with suppress(DatabaseUnavailable):
            database.write(lambda session: lease.give_back(session, token, name=LEASE))
