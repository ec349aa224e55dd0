"""Errors as application/problem+json."""

from __future__ import annotations

import json

from schemas.problems import MEDIA_TYPE, ParameterError, problem


def test_a_problem_has_the_members_of_rfc_9457_the_request_s_id_and_the_original_s_key() -> None:
    body = json.loads(problem(404, "there is nothing at this path", instance="/x", request_id="abc"))
    said = "there is nothing at this path"
    told = {"type": "about:blank", "title": "Not Found", "status": 404, "instance": "/x", "request_id": "abc"}
    assert body == {**told, "detail": said, "message": said}
    assert MEDIA_TYPE == "application/problem+json"


def test_faults_are_named_by_parameter_and_further_members_come_along() -> None:
    faults = [ParameterError("limit", "expected a whole number"), ParameterError("tz", "is empty")]
    body = json.loads(problem(400, "bad", instance="/\udcff", request_id="r", errors=faults, more={"collection": None}))
    assert body["errors"] == [fault._asdict() for fault in faults]
    assert body["collection"] is None
    assert body["instance"] == "/?"  # a lone surrogate is written all the same
