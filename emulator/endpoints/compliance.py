"""/2/compliance/jobs: jobs are made, listed and polled; their ids come and go by way of the storage."""

from __future__ import annotations

import json

from emulator.endpoints.jobs import STATUSES, Jobs, UploadJob
from emulator.endpoints.parameters import Params, choice, invalid, refuse_unknown
from emulator.endpoints.render import Json
from emulator.faults.faults import KINDS, PlannedFault
from emulator.http import problems
from emulator.http.answer import Call, EmulatorAnswer, Problem, as_json
from emulator.http.routes import Quota, Route, RoutedCall
from emulator.settings import EmulatorSettings
from emulator.world import snowflake

JOBS = "/2/compliance/jobs"
_TYPES = ("tweets", "users")
_LONGEST_NAME = 64


class Compliance:
    """Answers what concerns jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def routes(self, settings: EmulatorSettings) -> tuple[Route, ...]:
        """Return the endpoints."""
        quota = Quota(settings.compliance_limit)
        return (
            Route("POST", JOBS, "compliance", quota, self._create),
            Route("GET", JOBS, "compliance", quota, self._list, KINDS),
            Route("GET", f"{JOBS}/", "compliance", quota, self._poll, KINDS),
        )

    def _create(self, asked: RoutedCall) -> EmulatorAnswer:
        body = _order(asked.call)
        job = self._jobs.create(
            str(body["type"]),
            str(body["name"]) if "name" in body else None,
            resumable=body.get("resumable") is True,
            origin=f"http://{asked.call.host}",
            now_ms=asked.now_ms,
        )
        return as_json({"data": _job(job, job.status(asked.now_ms))})

    def _list(self, asked: RoutedCall) -> EmulatorAnswer:
        kind, status = _filter_parameters(asked.call.params)
        shown = [self._job_json(job, asked) for job in reversed(self._jobs.all()) if job.type == kind]
        data = [job for job in shown if status in (None, job["status"])]
        meta = {"meta": {"result_count": len(data)}}
        return as_json({"data": data, **meta} if data else meta)

    def _poll(self, asked: RoutedCall) -> EmulatorAnswer:
        refuse_unknown(asked.call.params, ())
        job = self._jobs.get(asked.item)
        if job is None:
            raise Problem(404, problems.plain(404, "Not Found", f"Could not find compliance job with id: [{asked.item}]."))
        return as_json({"data": self._job_json(job, asked)})

    def _job_json(self, job: UploadJob, asked: RoutedCall) -> Json:
        """Return a job as it is now, or as a planned fault makes it look."""
        if _is(asked.fault, "job_failed"):
            self._jobs.fail(job.id)
            job = self._jobs.get(str(job.id)) or job
        status = job.status(asked.now_ms)
        held_up = status == "complete" and _is(asked.fault, "job_in_progress")
        return _job(job, "in_progress" if held_up else status)


def _is(fault: PlannedFault | None, kind: str) -> bool:
    return fault is not None and fault.kind == kind


def _order(call: Call) -> Json:
    """Return the body of a new job. Raises Problem."""
    try:
        body = json.loads(call.body)
    except ValueError as reason:
        raise invalid("The request body is no JSON") from reason
    if not isinstance(body, dict) or not body.keys() <= {"type", "name", "resumable"}:
        raise invalid("The request body must be an object with type and perhaps name and resumable")
    if body.get("type") not in _TYPES:
        raise Problem(400, problems.not_one_of("type", str(body.get("type", "")), _TYPES))
    name = body.get("name", "job")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise invalid(f"name must be a text of 1 to {_LONGEST_NAME} characters", name=str(name))
    if not isinstance(body.get("resumable", False), bool):
        raise invalid("resumable must be true or false", resumable=str(body["resumable"]))
    return body


def _filter_parameters(params: Params) -> tuple[str, str | None]:
    """Return the type and the status that are asked for, None for any. Raises Problem."""
    refuse_unknown(params, ("type", "status", "compliance_job.fields"))
    if "type" not in params:
        raise invalid("The `type` query parameter can not be empty", type="")
    return choice(params, "type", _TYPES), choice(params, "status", STATUSES) if "status" in params else None


def _job(job: UploadJob, status: str) -> Json:
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
