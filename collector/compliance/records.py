"""Records of compliance jobs and their progress, written by the process that holds the compliance lease."""

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
    """A job that is not done yet: its id here and at X, its state, its URLs, and how many ids it has."""

    id: int
    job_id: str
    state: str
    upload_url: str
    download_url: str
    ids: int


class JobRecords:
    """The records of a database, written under the token of the compliance lease."""

    def __init__(self, database: Database, token: int) -> None:
        self._database, self._token = database, token

    def unfinished_job(self) -> JobRecord | None:
        """Return the newest unfinished job if X still has its answer, and mark those as failed of which it has not."""
        columns = (getattr(ComplianceJob, name) for name in JobRecord._fields)
        now = datetime.now(UTC)
        unfinished = select(*columns).where(ComplianceJob.state.in_(OPEN)).order_by(ComplianceJob.id.desc())

        def find(session: Session) -> JobRecord | None:
            old = (ComplianceJob.state.in_(OPEN), ComplianceJob.created < now - ANSWERS_KEPT)
            session.execute(update(ComplianceJob).where(*old).values(state=FAILED, ended=now))
            row = session.execute(unfinished).first()
            return JobRecord(*row) if row else None

        return self._write(find)

    def add(self, made: ComplianceJobStatus, id_range: rounds.CheckedIds) -> JobRecord:
        """Record a job that was just created at X."""
        urls = {"upload_url": made.upload_url, "download_url": made.download_url}

        def add(session: Session) -> JobRecord:
            rounds.begin(session, id_range)
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
            return state == DONE and rounds.advance(session, record.ids)

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
