"""Compliance jobs: made, filled, polled and read."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client

JOBS = "/2/compliance/jobs"


@pytest.fixture
def patient(noon: datetime) -> Iterator[Emulator]:
    """One whose jobs take a minute."""
    with Emulator(seed=1, now=noon, compliance_seconds=60) as running:
        yield running


def test_a_new_job_has_the_shape_of_x(client: Client) -> None:
    job = client.create(name="nightly")
    assert {name: value for name, value in job.items() if name not in ("id", "upload_url", "download_url")} == {
        "type": "tweets",
        "name": "nightly",
        "status": "created",
        "created_at": "2026-11-24T12:00:00.000Z",
        "resumable": False,
        "upload_expires_at": "2026-11-24T12:15:00.000Z",
        "download_expires_at": "2026-12-01T12:00:00.000Z",
    }
    assert job["id"].isdecimal()
    assert client.poll(job) == job
    assert "name" not in client.create()


def test_a_job_without_removed_posts_ends_with_nothing_to_report(client: Client) -> None:
    job = client.create()
    assert client.upload(job, *client.search("#devops").ids).status == 200
    assert client.poll(job)["status"] == "complete"
    assert client.download(job) == []


def test_only_removed_ids_are_reported_with_when_and_why(emulator: Emulator, client: Client) -> None:
    ids = client.search("#devops").ids
    job = client.create()
    emulator.clock.advance(5)
    emulator.remove(ids[3], ids[5])
    emulator.remove(ids[7], reason="suspended")
    emulator.remove(12, 4, reason="bounced")
    client.upload(job, *ids[:6], 12)
    assert client.download(job) == [
        {
            "id": str(post),
            "action": "delete",
            "created_at": created(post),
            "redacted_at": "2026-11-24T12:00:05.000Z",
            "reason": reason,
        }
        for post, reason in ((ids[3], "deleted"), (ids[5], "deleted"), (12, "bounced"))
    ]


def created(post: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=(post >> 22) + 1288834974657)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_versions_of_an_edited_post_are_reported_together(emulator: Emulator, client: Client) -> None:
    histories = [tweet["edit_history_tweet_ids"] for tweet in client.every("#devops")]
    first, *_, last = next(history for history in histories if len(history) > 1)
    emulator.remove(int(last))
    job = client.create()
    client.upload(job, first)
    assert [line["id"] for line in client.download(job)] == [first]


def test_a_removal_after_the_end_of_a_job_is_for_the_next_one(emulator: Emulator, client: Client) -> None:
    post = client.search("#devops").ids[0]
    early = client.create()
    client.upload(early, post)
    emulator.clock.advance(1)
    emulator.remove(post)
    late = client.create()
    client.upload(late, post)
    assert (client.download(early), len(client.download(late))) == ([], 1)


def test_a_second_upload_replaces_the_first(emulator: Emulator, client: Client) -> None:
    emulator.remove(1, 2, 3)
    job = client.create()
    client.upload(job, 1, 2)
    client.upload(job, 3)
    assert [line["id"] for line in client.download(job)] == ["3"]
    assert [one.ids for one in emulator.jobs] == [(3,)]


def test_a_job_takes_as_long_as_is_set(patient: Emulator, reader: Client) -> None:
    client = type(reader)(patient.port)
    job = client.create()
    client.upload(job, 1)
    patient.clock.advance(59)
    assert client.poll(job)["status"] == "in_progress"
    assert client.send("GET", client.target(job["download_url"])).status == 404
    patient.clock.advance(1)
    assert client.poll(job)["status"] == "complete"
    patient.compliance_seconds = 5
    client.upload(job, 1)
    assert client.poll(job)["status"] == "in_progress"


def test_a_job_without_an_upload_expires(emulator: Emulator, client: Client) -> None:
    job, filled = client.create(), client.create()
    client.upload(filled, 1)
    emulator.clock.advance(899)
    assert client.poll(job)["status"] == "created"
    assert client.send("GET", client.target(job["download_url"])).status == 404
    emulator.clock.advance(1)
    assert [client.poll(one)["status"] for one in (job, filled)] == ["expired", "complete"]
    assert {client.upload(one, 1).status for one in (job, filled)} == {403}
    assert client.download(filled) == []
    emulator.clock.advance(7 * 24 * 3600)
    assert client.send("GET", client.target(filled["download_url"])).status == 403


def test_what_is_no_id_makes_a_job_fail(client: Client) -> None:
    for nonsense in ("id", "-1", "1.5", "1" * 20):
        job = client.create()
        client.upload(job, 1, nonsense)
        assert client.poll(job)["status"] == "failed"
        assert client.send("GET", client.target(job["download_url"])).status == 404


@pytest.mark.parametrize("purpose", ["upload_url", "download_url"])
def test_an_address_without_its_signature_is_refused(client: Client, purpose: str) -> None:
    job, other = client.create(), client.create()
    client.upload(job, 1)
    path, signature = client.target(job[purpose]).split("?")
    method = "PUT" if purpose == "upload_url" else "GET"
    foreign = client.target(other[purpose]).split("?")[1]
    for query in ("", "signature=", foreign, signature[:-1]):
        reply = client.send(method, f"{path}?{query}", body=b"2" if method == "PUT" else None)
        assert reply.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in reply.raw


def test_addresses_bear_the_name_under_which_the_emulator_was_called(client: Client) -> None:
    headers = {"Authorization": "Bearer x", "Host": f"localhost:{client.port}"}
    job = client.send("POST", JOBS, headers=headers, body=b'{"type":"tweets"}').body["data"]
    assert job["upload_url"].startswith(f"http://localhost:{client.port}/compliance/upload/{job['id']}?signature=")


def test_jobs_are_listed_by_type_and_status_newest_first(client: Client) -> None:
    first, second, people = client.create(), client.create(), client.create(type="users")
    client.upload(second, 1)
    assert [job["id"] for job in client.get(JOBS, type="tweets").body["data"]] == [second["id"], first["id"]]
    assert client.get(JOBS, type="users").body == {"data": [people], "meta": {"result_count": 1}}
    assert [job["id"] for job in client.get(JOBS, type="tweets", status="complete").body["data"]] == [second["id"]]
    assert client.get(JOBS, type="tweets", status="failed").body == {"meta": {"result_count": 0}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"places"}',
        b'{"type":"tweets","name":5}',
        b'{"type":"tweets","name":"%s"}' % (b"n" * 65),
        b'{"type":"tweets","resumable":"yes"}',
        b'{"type":"tweets","colour":1}',
    ],
)
def test_what_x_refuses_is_an_invalid_request(client: Client, body: bytes) -> None:
    reply = client.send("POST", JOBS, headers={"Authorization": "Bearer x"}, body=body)
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")
    assert reply.headers["x-rate-limit-limit"] == "150"


def test_lists_and_polls_are_refused_as_x_refuses_them(client: Client) -> None:
    for wrong in ("", "type=places", "type=tweets&status=done", "type=tweets&colour=red"):
        assert client.send("GET", f"{JOBS}?{wrong}", headers={"Authorization": "Bearer x"}).status == 400
    assert [client.get(f"{JOBS}/{text}").status for text in ("12", "twelve", "12/13")] == [404] * 3


def test_jobs_want_a_bearer_token(client: Client, oauth1: dict[str, str]) -> None:
    job = client.create()
    for method, path in (("POST", JOBS), ("GET", f"{JOBS}?type=tweets"), ("GET", f"{JOBS}/{job['id']}")):
        refused = client.send(method, path, headers=oauth1)
        assert (refused.status, refused.body["title"]) == (403, "Unsupported Authentication")
        assert client.send(method, path).status == 401


def test_polls_of_all_jobs_share_a_limit_of_150(client: Client) -> None:
    jobs = [client.create(), client.create()]
    replies = [client.get(f"{JOBS}/{jobs[nth % 2]['id']}") for nth in range(151)]
    assert [reply.status for reply in replies] == [200] * 150 + [429]
    assert [replies[0].headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining")] == ["150", "149"]
    assert client.get(JOBS, type="tweets").status == 200


def test_a_poll_may_be_made_to_wait_and_a_job_to_fail(emulator: Emulator, client: Client) -> None:
    emulator.plan("job_in_progress", times=2, endpoint="compliance")
    job = client.create()
    client.upload(job, 1)
    assert [client.poll(job)["status"] for _ in range(3)] == ["in_progress", "in_progress", "complete"]
    emulator.plan("job_failed", endpoint="compliance")
    assert [client.poll(job)["status"] for _ in range(2)] == ["failed", "failed"]
    assert client.send("GET", client.target(job["download_url"])).status == 404


def test_what_concerns_polls_is_for_compliance_only(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="endpoint compliance"):
        emulator.plan("job_failed")


def test_a_download_may_be_cut_in_the_middle(emulator: Emulator, client: Client) -> None:
    emulator.remove(*range(1, 101))
    job = client.create()
    client.upload(job, *range(1, 101))
    emulator.plan("cut", endpoint="download")
    with pytest.raises(http.client.IncompleteRead) as broken:
        client.download(job)
    assert json.loads(broken.value.partial.splitlines()[0])["id"] == "1"
    emulator.plan("broken_json", endpoint="download")
    with pytest.raises(ValueError, match="line 1"):
        client.download(job)
    assert len(client.download(job)) == 100


@pytest.mark.parametrize("kind", ["reset", "hang", "server_503"])
def test_an_upload_that_fails_gives_the_job_nothing(emulator: Emulator, client: Client, kind: str) -> None:
    job = client.create()
    emulator.plan(kind, endpoint="upload", seconds=0)
    try:
        assert client.upload(job, 1).status == 503
    except (ConnectionError, http.client.HTTPException):
        assert kind in ("reset", "hang")
    assert client.poll(job)["status"] == "created"
    assert client.upload(job, 1).status == 200


def test_an_upload_may_be_taken_and_its_answer_lost(emulator: Emulator, client: Client) -> None:
    job = client.create()
    emulator.plan("cut", endpoint="upload")
    with pytest.raises(http.client.RemoteDisconnected):
        client.upload(job, 1)
    assert client.poll(job)["status"] == "complete"


def test_a_million_ids_can_be_uploaded_also_in_chunks(emulator: Emulator, client: Client) -> None:
    ids = range(1_900_000_000_000_000_000, 1_900_000_000_001_000_000)
    job = client.create()
    body = "\n".join(map(str, ids)).encode()
    assert client.send("PUT", client.target(job["upload_url"]), body=body).status == 200
    assert len(emulator.jobs[0].ids) == 1_000_000
    with closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=20)) as connection:
        target, parts = client.target(job["upload_url"]), [b"12\n", b"13\n1", b"4\n"]
        connection.request("PUT", target, body=iter(parts), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().read() == b""
        connection.request("GET", target)
        assert connection.getresponse().status == 405
    assert emulator.jobs[0].ids == (12, 13, 14)


def test_other_bodies_stay_small(client: Client) -> None:
    headers = {"Authorization": "Bearer x", "Content-Length": "1000001"}
    assert client.send("POST", JOBS, headers=headers).status == 413
    assert client.send("POST", JOBS, headers={**headers, "Content-Length": "many"}).status == 400


def test_compliance_is_free(emulator: Emulator, client: Client) -> None:
    job = client.create()
    client.upload(job, 1)
    client.download(job)
    assert not any(emulator.ledger.total())


def test_judges_see_the_jobs_and_their_ids(emulator: Emulator, client: Client) -> None:
    job: dict[str, Any] = client.create(name="seen")
    client.upload(job, 5, 4)
    (seen,) = emulator.jobs
    assert (str(seen.id), seen.type, seen.name, seen.ids) == (job["id"], "tweets", "seen", (5, 4))
    assert seen.status(emulator.clock.now_ms()) == "complete"
