"""/compliance/upload/… and /compliance/download/…: where the ids of a job are put and its results are fetched.

With X this is another company's storage: signed addresses, no credentials, no rate limit, errors in XML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from emulator.endpoints.jobs import Jobs, UploadJob
from emulator.http.answer import JSON_LINES, XML, EmulatorAnswer, Problem
from emulator.http.routes import Route, RoutedCall
from emulator.world import snowflake
from emulator.world.world import Removal, RemovedPosts, World


class _Refusal(Problem):
    """The storage's own way to say no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
        self.answer = EmulatorAnswer(status, body.encode(), content_type=XML)


class Storage:
    """Takes ids and gives results."""

    def __init__(self, jobs: Jobs, world: World, removals: RemovedPosts) -> None:
        self._jobs = jobs
        self._world = world
        self._removals = removals

    def routes(self) -> tuple[Route, ...]:
        """Return the addresses."""
        return (
            Route("PUT", "/compliance/upload/", "upload", None, self._upload),
            Route("GET", "/compliance/download/", "download", None, self._download),
        )

    def _upload(self, asked: RoutedCall) -> EmulatorAnswer:
        job = self._job(asked, "upload")
        if asked.now_ms >= job.upload_ends_ms:
            raise _Refusal(403, "ExpiredToken")
        self._jobs.upload(job.id, asked.call.body, asked.now_ms)
        return EmulatorAnswer(200, b"", content_type=XML)

    def _download(self, asked: RoutedCall) -> EmulatorAnswer:
        job = self._job(asked, "download")
        if asked.now_ms >= job.download_ends_ms:
            raise _Refusal(403, "ExpiredToken")
        if job.status(asked.now_ms) != "complete":
            raise _Refusal(404, "NoSuchKey")
        return EmulatorAnswer(200, "".join(self._results(job)).encode(), content_type=JSON_LINES)

    def _job(self, asked: RoutedCall, purpose: str) -> UploadJob:
        job = self._jobs.get(asked.item)
        if job is None or asked.call.params.get("signature") != job.signature(purpose):
            raise _Refusal(403, "SignatureDoesNotMatch")
        return job

    def _results(self, job: UploadJob) -> Iterator[str]:
        """Yield a line for each id that was removed before the job was complete, in the order of the upload."""
        complete_ms = job.complete_ms or 0
        removed = {one: removal for one, removal in self._removals_by_version().items() if removal.at_ms <= complete_ms}
        for post_id in job.ids:
            if post_id in removed:
                yield json.dumps(_result(post_id, removed[post_id])) + "\n"

    def _removals_by_version(self) -> dict[int, Removal]:
        """Return every version's id of what was removed; an id that was named itself keeps its own reason."""
        named = self._removals.all()
        versions = {version: removal for one, removal in named.items() for version in self._world.versions(one)}
        return {**versions, **named}


def _result(post_id: int, removal: Removal) -> dict[str, str]:
    return {
        "id": str(post_id),
        "action": "delete",
        "created_at": snowflake.rfc3339(snowflake.milliseconds(post_id)),
        "redacted_at": snowflake.rfc3339(removal.at_ms),
        "reason": removal.reason,
    }
