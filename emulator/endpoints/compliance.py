"""Compliance jobs: they are created, listed and polled below /2/compliance/jobs, and their ids come and go by the storage.

With X the storage is another company's: signed addresses, no credentials, no rate limit, errors in XML.
"""

from __future__ import annotations

import json

from emulator.endpoints.parameters import choice, refuse_unknown
from emulator.http.messages import JSON_LINES, XML, Call, EmulatorAnswer, Json, Problem, as_json, invalid, plain
from emulator.jobs import STATUSES, UploadJob
from emulator.state import EmulatorState, RoutedCall
from emulator.world import snowflake
from emulator.world.world import Removal

_TYPES = ("tweets", "users")
_LONGEST_NAME = 64


def create_job(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Create a job, whose ids are then uploaded to its upload_url."""
    body = _job_body(request.call)
    job = state.jobs.create(
        str(body["type"]),
        str(body["name"]) if "name" in body else None,
        resumable=body.get("resumable") is True,
        origin=f"http://{request.call.host}",
        now_ms=request.now_ms,
    )
    return as_json({"data": _job_json(job, job.status(request.now_ms))})


def list_jobs(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """List the jobs of a type, newest first."""
    params = request.call.params
    refuse_unknown(params, ("type", "status", "compliance_job.fields"))
    if "type" not in params:
        raise invalid("The `type` query parameter can not be empty", type="")
    kind, status = choice(params, "type", _TYPES), choice(params, "status", STATUSES) if "status" in params else None
    shown = [_current(state, job, request) for job in reversed(state.jobs.all()) if job.type == kind]
    data = [job for job in shown if status in (None, job["status"])]
    meta = {"meta": {"result_count": len(data)}}
    return as_json({"data": data, **meta} if data else meta)


def get_job(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    refuse_unknown(request.call.params, ())
    job = state.jobs.get(request.item)
    if job is None:
        raise Problem(404, plain(404, f"Could not find compliance job with id: [{request.item}]."))
    return as_json({"data": _current(state, job, request)})


def upload_ids(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Take the ids of a job."""
    job = _signed_job(state, request, "upload")
    if request.now_ms >= job.upload_ends_ms:
        raise _StorageProblem(403, "ExpiredToken")
    state.jobs.upload(job.id, request.call.body, request.now_ms, seconds=state.settings.compliance_seconds)
    return EmulatorAnswer(200, b"", content_type=XML)


def download_results(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Give a line for each id that was removed before the job was complete, in the order of the upload."""
    job = _signed_job(state, request, "download")
    if request.now_ms >= job.download_ends_ms:
        raise _StorageProblem(403, "ExpiredToken")
    if job.status(request.now_ms) != "complete":
        raise _StorageProblem(404, "NoSuchKey")
    removed = _removals_by_version(state)
    results = [_result(one, removed[one]) for one in job.ids if one in removed and removed[one].at_ms <= (job.complete_ms or 0)]
    body = "".join(json.dumps(result) + "\n" for result in results)
    return EmulatorAnswer(200, body.encode(), content_type=JSON_LINES)


def _current(state: EmulatorState, job: UploadJob, request: RoutedCall) -> Json:
    """Return a job as it is now, or as a planned fault makes it look."""
    fault = request.fault.kind if request.fault else None
    if fault == "job_failed":
        job = state.jobs.fail(job.id)
    status = job.status(request.now_ms)
    return _job_json(job, "in_progress" if status == "complete" and fault == "job_in_progress" else status)


def _job_body(call: Call) -> Json:
    """Return the body of a new job. Raises Problem."""
    try:
        body = json.loads(call.body)
    except ValueError as reason:
        raise invalid("The request body is no JSON") from reason
    if not isinstance(body, dict) or not body.keys() <= {"type", "name", "resumable"}:
        raise invalid("The request body must be an object with type and perhaps name and resumable")
    choice({"type": str(body.get("type", ""))}, "type", _TYPES)
    name = body.get("name", "job")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise invalid(f"name must be a text of 1 to {_LONGEST_NAME} characters", name=str(name))
    if not isinstance(body.get("resumable", False), bool):
        raise invalid("resumable must be true or false", resumable=str(body["resumable"]))
    return body


def _job_json(job: UploadJob, status: str) -> Json:
    everything: Json = {
        "id": str(job.id),
        "type": job.type,
        "name": job.name,
        "status": status,
        "created_at": snowflake.rfc3339(job.created_ms),
        "resumable": job.resumable,
        "upload_url": job.url("upload"),
        "upload_expires_at": snowflake.rfc3339(job.upload_ends_ms),
        "download_url": job.url("download"),
        "download_expires_at": snowflake.rfc3339(job.download_ends_ms),
    }
    return {name: value for name, value in everything.items() if value is not None}


class _StorageProblem(Problem):
    """An error of the storage, in XML."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status)
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
        self.answer = EmulatorAnswer(status, body.encode(), content_type=XML)


def _signed_job(state: EmulatorState, request: RoutedCall, purpose: str) -> UploadJob:
    job = state.jobs.get(request.item)
    if job is None or request.call.params.get("signature") != job.signature(purpose):
        raise _StorageProblem(403, "SignatureDoesNotMatch")
    return job


def _removals_by_version(state: EmulatorState) -> dict[int, Removal]:
    """Return the removal of every version of what was removed; an id that was removed itself keeps its own reason."""
    removals = state.removals.all()
    versions = {version: removal for one, removal in removals.items() for version in state.world.versions(one)}
    return {**versions, **removals}


def _result(post_id: int, removal: Removal) -> dict[str, str]:
    return {
        "id": str(post_id),
        "action": "delete",
        "created_at": snowflake.rfc3339(snowflake.milliseconds(post_id)),
        "redacted_at": snowflake.rfc3339(removal.at_ms),
        "reason": removal.reason,
    }
