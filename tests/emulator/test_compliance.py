"""Compliance jobs: made, filled, polled and read."""

from __future__ import annotations

import http.client
from contextlib import closing

import pytest

from emulator import Emulator
from tests.emulator.client import BEARER, JOBS, Client, made


def test_a_new_job_has_the_shape_of_x_and_addresses_by_the_name_that_was_called(client: Client) -> None:
    job = client.create(name="nightly")
    assert {name: value for name, value in job.items() if name not in ("id", "upload_url", "download_url")} == {
        **{"type": "tweets", "name": "nightly", "status": "created", "created_at": "2026-11-24T12:00:00.000Z"},
        **{"upload_expires_at": "2026-11-24T12:15:00.000Z", "download_expires_at": "2026-12-01T12:00:00.000Z"},
        "resumable": False,
    }
    assert job["id"].isdecimal()
    assert client.poll(job) == job
    assert "name" not in client.create()
    headers = {**BEARER, "Host": f"localhost:{client.port}"}
    named = client.send("POST", JOBS, headers=headers, body=b'{"type":"tweets"}').body["data"]
    assert named["upload_url"].startswith(f"http://localhost:{client.port}/compliance/upload/{named['id']}?signature=")


def test_only_removed_ids_are_reported_with_when_and_why(emulator: Emulator, client: Client) -> None:
    ids = client.search("#devops").ids
    job, clean = client.create(), client.create()
    emulator.clock.advance(5)
    emulator.remove(ids[3], ids[5])
    emulator.remove(ids[7], reason="suspended")
    emulator.remove(12, 4, 0, 10**19 - 1, reason="bounced")
    client.upload(job, *ids[:6], 12, 0, 10**19 - 1)
    found = client.download(job)
    reported = ((ids[3], "deleted"), (ids[5], "deleted"), (12, "bounced"))
    assert len(found) == 5
    for line, (post, reason) in zip(found[:3], reported, strict=True):
        at = made(post).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"id": str(post), "action": "delete", "created_at": at, "reason": reason}
        assert line == {**told, "redacted_at": "2026-11-24T12:00:05.000Z"}
    history = next(one["edit_history_tweet_ids"] for one in client.every("#sre") if len(one["edit_history_tweet_ids"]) > 1)
    emulator.remove(int(history[-1]))
    client.upload(job, history[0])  # with one version, all are removed
    assert [line["id"] for line in client.download(job)] == history[:1]
    client.upload(clean, *ids[10:])
    assert client.poll(clean)["status"] == "complete"
    emulator.clock.advance(1)
    emulator.remove(ids[10])  # after the end of this job
    assert client.download(clean) == []


def test_a_second_upload_replaces_the_first_and_judges_see_the_ids(emulator: Emulator, client: Client) -> None:
    emulator.remove(1, 2, 3)
    job = client.create(name="seen")
    client.upload(job, 1, 2)
    client.upload(job, 3, 4)
    assert [line["id"] for line in client.download(job)] == ["3"]
    (seen,) = emulator.jobs
    assert (str(seen.id), seen.type, seen.name, seen.ids) == (job["id"], "tweets", "seen", (3, 4))
    assert seen.status(emulator.clock.now_ms()) == "complete"
    assert not any(emulator.ledger.total())


def test_a_job_without_an_upload_expires(emulator: Emulator, client: Client) -> None:
    job, filled = client.create(), client.create()
    client.upload(filled, 1)
    emulator.clock.advance(899)
    assert client.poll(job)["status"] == "created"
    assert client.fetch(job).status == 404
    emulator.clock.advance(1)
    assert [client.poll(one)["status"] for one in (job, filled)] == ["expired", "complete"]
    assert {client.upload(one, 1).status for one in (job, filled)} == {403}
    assert client.download(filled) == []
    emulator.clock.advance(7 * 24 * 3600)
    assert client.fetch(filled).status == 403


@pytest.mark.parametrize(("purpose", "method"), [("upload_url", "PUT"), ("download_url", "GET")])
def test_an_address_without_its_signature_is_refused(client: Client, purpose: str, method: str) -> None:
    job, other = client.create(), client.create()
    client.upload(job, 1)
    path, signature = client.target(job[purpose]).split("?")
    for query in ("", "signature=", client.target(other[purpose]).split("?")[1], signature[:-1]):
        reply = client.send(method, f"{path}?{query}", body=b"2" if method == "PUT" else None)
        assert reply.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in reply.raw


def test_jobs_are_listed_by_type_and_status_newest_first(client: Client) -> None:
    first, second, people = client.create(), client.create(), client.create(type="users")
    client.upload(second, 1)
    second = client.poll(second)
    assert client.get(JOBS, type="tweets").body["data"] == [second, first]
    assert client.get(JOBS, type="users").body == {"data": [people], "meta": {"result_count": 1}}
    assert client.get(JOBS, type="tweets", status="complete").body["data"] == [second]
    assert client.get(JOBS, type="tweets", status="failed").body == {"meta": {"result_count": 0}}


def test_polls_of_all_jobs_share_a_limit(client: Client) -> None:
    jobs = [client.create(), client.create()]
    polls = [client.get(f"{JOBS}/{jobs[nth % 2]['id']}") for nth in range(151)]
    assert [poll.status for poll in polls] == [200] * 150 + [429]
    assert [polls[0].headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining")] == ["150", "149"]
    assert client.get(JOBS, type="tweets").status == 200


def test_what_is_no_id_fails_a_job_and_so_may_a_plan(emulator: Emulator, client: Client) -> None:
    emulator.plan("job_failed", endpoint="compliance")
    for ids in ((1,), (1, "id"), ("-1",), ("1.5",), ("1" * 20,)):
        job = client.create()
        client.upload(job, *ids)
        assert [client.poll(job)["status"] for _ in range(2)] == ["failed", "failed"]
        assert client.fetch(job).status == 404


def test_very_many_ids_can_be_uploaded_also_in_chunks(emulator: Emulator, client: Client) -> None:
    ids = range(1_900_000_000_000_000_000, 1_900_000_000_000_100_000)  # 2 MB: other bodies may have 1 MB
    job = client.create()
    assert client.upload(job, *ids).status == 200
    assert len(emulator.jobs[0].ids) == 100_000
    with closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=60)) as connection:
        target, parts = client.target(job["upload_url"]), [b"12\n", b"13\n1", b"4\n"]
        connection.request("PUT", target, body=iter(parts), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().read() == b""
        connection.request("GET", target)
        assert connection.getresponse().status == 405
    assert emulator.jobs[0].ids == (12, 13, 14)
