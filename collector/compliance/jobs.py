"""Compliance jobs: upload all stored ids to X in batches, and apply its answers. An interrupted job is continued.

A job is created at X, its ids are uploaded, X processes them, the answer is applied: each step is recorded before the next one
begins, and each can be repeated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from functools import partial
from operator import add
from typing import NamedTuple

from alchemy import Database
from collector.backups.sweeping import rewrite_file
from collector.compliance.records import (
    COMPLETE,
    CREATED,
    DONE,
    FAILED,
    OPEN,
    UPLOADED,
    JobRecord,
    JobRecords,
    next_range,
    take_compliance_lease,
    uploaded_ids,
)
from collector.compliance.redactions import apply
from collector.tweets import erasure
from collector.x.app_only import AppOnly
from collector.x.failures import RetryPolicy, Stopped, Tries, XFailure, unwell

log = logging.getLogger(__name__)

NAME = "hashtag-monitor"
MOST_FAILED = 3


class WaitingJob(NamedTuple):
    """How long to wait for X, in seconds: first and longest pause between two checks, and at most in all."""

    first: float = 1.0
    longest: float = 30.0
    most: float = 3600.0


class ComplianceResult(NamedTuple):
    """How many jobs were applied, for how many ids, and with which result. `waiting`: X has not finished the last one."""

    jobs: int = 0
    ids: int = 0
    removed: int = 0
    scrubbed: int = 0
    waiting: bool = False


class JobUnfinished(Exception):
    """X takes longer with a job than `WaitingJob` allows."""


def comply(
    database: Database,
    x: AppOnly,
    *,
    stop: threading.Event,
    retry_policy: RetryPolicy | None = None,
    waiting: WaitingJob | None = None,
) -> ComplianceResult:
    """Have X check all stored ids and apply its answers; raises XFailure, DatabaseUnavailable.

    It ends early when `stop` is set and where X takes too long. The next call continues what was begun.
    """
    with take_compliance_lease(database) as records:
        try:
            return _ComplianceRun(database, x, records, stop, retry_policy or RetryPolicy(), waiting or WaitingJob()).run()
        finally:
            erasure.erase(database, rewrite=None if stop.is_set() else rewrite_file)


class _ComplianceRun:
    """One round over all ids."""

    def __init__(
        self,
        database: Database,
        x: AppOnly,
        records: JobRecords,
        stop: threading.Event,
        retry_policy: RetryPolicy,
        waiting: WaitingJob,
    ) -> None:
        self._database, self._x, self._records = database, x, records
        self._stop, self._waiting = stop, waiting
        self._tries = Tries(retry_policy, stop, _log_failure, x.clock)

    def run(self) -> ComplianceResult:
        """Do one job after the other."""
        sums, failed, over = ComplianceResult(), 0, False
        try:
            while not over and not self._stop.is_set() and (record := self._records.unfinished_job() or self._create_job()):
                state, over = self._complete(record)
                if state == DONE:
                    removals = self._records.removals(record)
                    more = (1, record.ids, removals.removed, removals.scrubbed)
                    sums = ComplianceResult(*map(add, sums, more))
                    log.info("compliance job applied", extra={"ids": record.ids, **removals._asdict()})
                elif (failed := failed + 1) == MOST_FAILED:
                    raise unwell(f"{MOST_FAILED} compliance jobs failed")
        except JobUnfinished:
            return sums._replace(waiting=True)
        except Stopped:
            pass
        return sums

    def _create_job(self) -> JobRecord | None:
        """Make a job at X, or return None where nothing is stored."""
        ids = next_range(self._database)
        return self._records.add(self._tries.ask(lambda: self._x.create_job(NAME)), ids) if ids.ids else None

    def _complete(self, record: JobRecord) -> tuple[str, bool]:
        """Do the remaining steps of a job, and return how it ended and whether that ends the round; raises Stopped."""
        steps = {CREATED: self._upload, UPLOADED: self._wait, COMPLETE: self._apply}
        state, over = record.state, False
        while state in OPEN:
            if self._stop.is_set():
                raise Stopped
            state = steps[state](record)
            over = self._records.move(record, state)
        if state == FAILED:
            log.warning("compliance job failed at X", extra={"job": record.job_id})
        return state, over

    def _upload(self, record: JobRecord) -> str:
        """Upload the ids, unless X has them: its response may have been lost."""
        if (status := self._status(record)) == CREATED:
            try:
                self._tries.ask(lambda: self._x.upload(record.upload_url, uploaded_ids(self._database)))
            except XFailure:
                if (status := self._status(record)) == CREATED:
                    raise
        return FAILED if status == FAILED else UPLOADED

    def _wait(self, record: JobRecord) -> str:
        """Wait until X has processed the ids; raises JobUnfinished, Stopped."""
        delay, deadline = self._waiting.first, time.monotonic() + self._waiting.most
        while (status := self._status(record)) not in (COMPLETE, FAILED):
            if time.monotonic() > deadline:
                raise JobUnfinished
            if self._stop.wait(delay):
                raise Stopped
            delay = min(2 * delay, self._waiting.longest)
        return status

    def _apply(self, record: JobRecord) -> str:
        """Apply X's answer; after a broken connection it is read again from its beginning."""

        def download_and_apply() -> None:
            lines = self._stoppable(self._x.download(record.download_url))
            apply(self._database, lines, partial(self._records.count, record))

        try:
            self._tries.ask(download_and_apply)
        except XFailure:
            if self._status(record) != FAILED:
                raise
            return FAILED
        return DONE

    def _stoppable(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self._stop.is_set():
                raise Stopped
            yield line

    def _status(self, record: JobRecord) -> str:
        """Return created, complete or failed, or another word of X's while it processes; a job that X forgot has failed."""
        try:
            status = self._tries.ask(lambda: self._x.job(record.job_id)).status
        except XFailure as failure:
            if failure.kind != "refused":
                raise
            return FAILED
        return FAILED if status == "expired" else status


def _log_failure(failure: XFailure) -> None:
    log.warning("X did not answer about compliance", extra={"reason": str(failure)})
