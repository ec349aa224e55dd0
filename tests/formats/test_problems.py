"""Errors as application/problem+json."""

from __future__ import annotations

import json
from http import HTTPStatus

from formats.problems import MEDIA_TYPE, Fault, problem


def test_a_problem_has_the_members_of_rfc_9457_the_request_s_id_and_the_original_s_key() -> None:
    body = json.loads(problem(404, "there is nothing at this path", instance="/x", request_id="abc"))
    assert body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at this path",
        "instance": "/x",
        "request_id": "abc",
        "message": "there is nothing at this path",
    }
    assert MEDIA_TYPE == "application/problem+json"


def test_faults_are_named_by_parameter_and_further_members_come_along() -> None:
    faults = [Fault("limit", "expected a whole number"), Fault("tz", "is empty")]
    body = json.loads(problem(400, "bad", instance="/\udcff", request_id="r", errors=faults, more={"collection": None}))
    assert body["errors"] == [
        {"parameter": "limit", "detail": "expected a whole number"},
        {"parameter": "tz", "detail": "is empty"},
    ]
    assert body["collection"] is None
    assert body["instance"] == "/?"  # a lone surrogate is written all the same


def test_the_title_is_the_status_s_phrase() -> None:
    for status in (400, 401, 403, 404, 405, 406, 409, 413, 421, 500, 503):
        body = json.loads(problem(status, "x", instance="/", request_id="r"))
        assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)
