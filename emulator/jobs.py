"""Compliance jobs: ids that a caller uploads to learn which of them were removed.

X's documentation: ids are taken for 15 minutes, results are kept for 7 days.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from emulator.world import snowflake
from emulator.world.seeded_random import hash_number

_UPLOAD_MS = 15 * 60_000
_DOWNLOAD_MS = 7 * 24 * 3600 * 1000
STATUSES = ("created", "in_progress", "failed", "complete", "expired")


@dataclass(frozen=True)
class UploadJob:
    """A job at an instant; instants are milliseconds since 1970, None before the upload.

    origin: the address under which the emulator was called. ids: in the order of the upload.
    """

    id: int
    type: str
    name: str | None
    resumable: bool
    origin: str
    created_ms: int
    uploaded_ms: int | None = None
    complete_ms: int | None = None
    ids: tuple[int, ...] = ()
    failed: bool = False

    @property
    def upload_ends_ms(self) -> int:
        """When the last upload may come."""
        return self.created_ms + _UPLOAD_MS

    @property
    def download_ends_ms(self) -> int:
        """When the results are deleted."""
        return self.created_ms + _DOWNLOAD_MS

    def status(self, now_ms: int) -> str:
        """Return one of STATUSES."""
        if self.complete_ms is None:
            return "expired" if now_ms >= self.upload_ends_ms else "created"
        if now_ms < self.complete_ms:
            return "in_progress"
        return "failed" if self.failed else "complete"

    def url(self, purpose: str) -> str:
        """Return the address for upload or download; whoever has it needs no credentials."""
        return f"{self.origin}/compliance/{purpose}/{self.id}?signature={self.signature(purpose)}"

    def signature(self, purpose: str) -> str:
        """Return what proves that an address came from us."""
        return f"{hash_number(f'{purpose} {self.id}') % (1 << 256):064x}"


class UploadJobs:
    """All jobs. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, UploadJob] = {}

    def create(self, kind: str, name: str | None, *, resumable: bool, origin: str, now_ms: int) -> UploadJob:
        """Return a new job of tweets or users."""
        with self._lock:
            job = UploadJob(snowflake.first_id(now_ms) + len(self._known), kind, name, resumable, origin, now_ms)
            self._known[job.id] = job
            return job

    def upload(self, job_id: int, body: bytes, now_ms: int, *, seconds: float) -> None:
        """Replace the ids of a job, one a line, and complete it after so many seconds; what isn't an id makes it fail."""
        lines = body.split()
        failed = not all(line.isdigit() and len(line) <= 19 for line in lines)
        ids = () if failed else tuple(map(int, lines))
        complete_ms = now_ms + round(seconds * 1000)
        with self._lock:
            job = self._known[job_id]
            self._known[job_id] = replace(job, uploaded_ms=now_ms, complete_ms=complete_ms, ids=ids, failed=failed)

    def fail(self, job_id: int) -> UploadJob:
        """Make a job fail at once and for good if it was uploaded, and return it."""
        with self._lock:
            job = self._known[job_id]
            if job.uploaded_ms is not None:
                self._known[job_id] = replace(job, complete_ms=job.uploaded_ms, failed=True)
            return self._known[job_id]

    def get(self, text: str) -> UploadJob | None:
        """Return the job with an id, which is part of an address."""
        return self._known.get(int(text)) if text.isascii() and text.isdigit() else None

    def all(self) -> list[UploadJob]:
        """Return every job, oldest first."""
        with self._lock:
            return list(self._known.values())
