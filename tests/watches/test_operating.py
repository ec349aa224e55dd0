"""What people and operators see of sending: /notifications, tests, /readyz, metrics, Health. Nobody else is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from emulator import Emulator
from models import JobState, Notification
from queries.watches import stored_watch
from tests.fixtures.environment import environment
from tests.fixtures.receiver import Receiver, receiving
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from watches.findings import Finding
from watches.outbox import record
from watches.trying import TrialOutcome

TAGS = {"kind": "threshold", "filters": "tag=devops", "to": ["team", "me"], "more_than": 1}


@pytest.fixture
def service(tmp_path: Path, emulator: Emulator, receiver: Receiver, database_backend: str) -> Iterator[Service]:
    """A service with two destinations and a watch."""
    urls = f"team={receiver.url('team')};me={receiver.url('me')}"
    with in_process(
        tmp_path, **environment(tmp_path, emulator), NOTIFY_URLS=urls, PUBLIC_URL="https://ours.example"
    ) as running:
        assert running.request("PUT", "/watches/outages", json=TAGS).status_code == 201
        yield running


def find(service: Service, *starts: datetime) -> None:
    """Record findings of the watch, of hours in which nothing was collected: these have words without any tweet."""

    def change(session: Any) -> None:
        watch = stored_watch(session, "outages")
        assert watch
        found = [Finding("uncollected", start, start + timedelta(hours=3)) for start in starts]
        record(session, watch, found, held_back=0, now=datetime.now(UTC))

    service.collector.database.write(change)


def send(service: Service) -> None:
    service.app.extensions["job_runner"].run_due()


HOURS = [datetime(2026, 11, 30, hour, tzinfo=UTC) for hour in (1, 5, 9)]


@pytest.mark.dialects
def test_notifications_are_listed_newest_first_in_pages(service: Service) -> None:
    find(service, *HOURS)
    waiting = service.get("/notifications").json()["notifications"]
    assert {(one["state"], one["tries"], one["error"], one["sent_at"]) for one in waiting} == {("waiting", 0, None, None)}
    send(service)
    listed, path = [], "/notifications?limit=4"
    while path:
        answer = service.get(path)
        page = answer.json()
        listed += page["notifications"]
        path = page["next"]
        assert answer.headers.get("Link") == (f'<{path}>; rel="next"' if path else None)
    assert [one["id"] for one in listed] == sorted((one["id"] for one in listed), reverse=True)
    assert [(one["to"], one["start"]) for one in listed] == [
        (to, start.isoformat().replace("+00:00", "Z")) for start in reversed(HOURS) for to in ("me", "team")
    ]
    assert {(one["watch"], one["state"], one["tries"], one["error"]) for one in listed} == {("outages", "sent", 1, None)}
    assert all(one["sent_at"] for one in listed)
    again = service.get("/notifications", headers={"If-None-Match": service.get("/notifications").headers["ETag"]})
    assert again.status_code == 304
    for wrong in ("?limit=0", "?cursor=x", "?watch=outages", "?limit=1001"):
        assert service.get(f"/notifications{wrong}").status_code == 400
    assert service.request("HEAD", "/notifications").status_code == 200


def test_what_is_sent_has_its_id_its_words_and_links_to_the_pages(service: Service, receiver: Receiver) -> None:
    find(service, HOURS[0])
    send(service)
    ids = {one["to"]: one["id"] for one in service.get("/notifications").json()["notifications"]}
    assert {one.path.strip("/"): one.body["id"] for one in receiver.seen} == ids
    assert "https://ours.example/view/watches" in receiver.seen[0].body["message"]


def test_a_test_tries_each_destination_at_once(service: Service, receiver: Receiver) -> None:
    answer = service.request("POST", "/watches/outages/test")
    assert (answer.status_code, answer.json()) == (200, {"sent": ["team", "me"], "failed": []})
    assert {one.body["title"].partition(" was")[0] for one in receiver.seen} == {
        "Test: Nothing of #devops"
    }  # as in its preview
    find(service, *HOURS)
    receiver.seen.clear()
    receiver.answers["me"] = 500
    answer = service.request("POST", "/watches/outages/test")
    failed = [{"to": "me", "error": "it answered 500 (Internal Server Error)"}]
    assert (answer.status_code, answer.json()) == (200, {"sent": ["team"], "failed": failed})
    assert {one.body["title"].partition(" was")[0] for one in receiver.seen} == {"Test: Nothing of #devops"}
    receiver.answers["team"] = 302
    answer = service.request("POST", "/watches/outages/test")
    assert answer.status_code == 502
    assert "team: it answered 302: redirects are not followed" in answer.json()["detail"]
    assert service.request("POST", "/watches/others/test").status_code == 404
    assert service.request("GET", "/watches/outages/test").status_code == 405
    assert {one["state"] for one in service.get("/notifications").json()["notifications"]} == {"waiting"}


def test_a_test_of_a_watch_that_has_told_nothing_says_so(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watches.trying.newest_finding", lambda *_given, **_more: None)
    assert service.request("POST", "/watches/outages/test").status_code == 200
    assert {one.body["title"] for one in receiver.seen} == {"Test: A message of the watch “outages”"}
    assert "It has told nothing yet." in receiver.seen[0].body["message"]


def test_a_test_has_a_time_limit_and_does_not_run_twice_at_once(
    service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        service.app.extensions["trials"], "_send", _waiting(begun := threading.Event(), go := threading.Event())
    )
    with service.in_background("/livez"):
        thread = threading.Thread(target=service.request, args=("POST", "/watches/outages/test"))
        thread.start()
        assert begun.wait(LONGEST_WAIT_S)
        assert service.request("POST", "/watches/outages/test").status_code == 409
        go.set()
        thread.join(LONGEST_WAIT_S)
    monkeypatch.undo()
    receiver.answers["me"] = "hang"
    outcome = service.app.extensions["trials"].try_watch("outages", seconds=0.5)
    assert [one.to for one in outcome.failed if "too slowly" in one.error][-1:] == ["me"]
    receiver.release.set()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("test ")])


def _waiting(begun: threading.Event, go: threading.Event) -> Any:
    def wait(*_given: Any) -> Any:
        begun.set()
        go.wait(LONGEST_WAIT_S)
        return TrialOutcome(["team"], [])

    return wait


@pytest.mark.parametrize(
    ("token", "status"), [("read-only-token-0123456789", 403), (None, 401), ("full-token-0123456789", 200)]
)
def test_a_test_needs_the_scope_of_changes(
    tmp_path: Path, emulator: Emulator, receiver: Receiver, database_backend: str, token: str | None, status: int
) -> None:
    tokens = {"API_TOKEN": "full-token-0123456789", "API_READ_TOKEN": "read-only-token-0123456789"}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    full = {"Authorization": f"Bearer {tokens['API_TOKEN']}"}
    with in_process(tmp_path, **environment(tmp_path, emulator), **tokens, NOTIFY_URLS=f"team={receiver.url()}") as service:
        service.request("PUT", "/watches/outages", json={**TAGS, "to": ["team"]}, headers=full)
        assert service.request("POST", "/watches/outages/test", headers=headers).status_code == status
    assert len(receiver.seen) == (status == 200)


def metrics(service: Service) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(service.get("/metrics").text)
    return {
        (sample.name.removeprefix("twitterapi_notifications_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("twitterapi_notifications_")
    }


def test_operators_see_which_destination_fails_since_when_and_why(service: Service, receiver: Receiver) -> None:
    assert metrics(service)["total", "team", "sent"] == 0
    find(service, HOURS[0])
    receiver.answers["me"] = 500
    send(service)
    shown = metrics(service)
    assert (shown["total", "team", "sent"], shown["total", "me", "failed"], shown["waiting", "me"]) == (1, 1, 1)
    assert shown["failing_seconds", "team"] == shown["waiting_seconds", "team"] == 0 <= shown["failing_seconds", "me"]
    ready = service.get("/readyz")
    assert ready.status_code == 200
    team, me = (ready.json()["destinations"][name] for name in ("team", "me"))
    assert team == {"name": "team", "waiting": 0, "waiting_since": None, "failing_since": None, "error": None}
    assert (me["waiting"], me["error"]) == (1, "it answered 500 (Internal Server Error)")
    assert me["failing_since"] == me["waiting_since"] is not None
    page = service.get("/view/health", headers={"Accept": "text/html"}).text
    assert "Destination “me”" in page
    assert "it answered 500 (Internal Server Error). 1 message waits." in page
    for text in (page, ready.text, service.get("/metrics").text, service.get("/notifications").text, service.log.read_text()):
        assert str(receiver.port) not in text.replace(service.url, "")
    receiver.answers.clear()
    find(service, HOURS[1])
    wait_until(lambda: _sends_again(service))
    assert service.get("/readyz").json()["destinations"]["me"]["failing_since"] is None
    assert "messages sent. None waits." in service.get("/view/health", headers={"Accept": "text/html"}).text


def _sends_again(service: Service) -> bool:
    """Send to a destination whose message is due by now."""
    past = datetime.now(UTC) - timedelta(minutes=1)
    with service.collector.database.writing() as session:
        session.execute(update(Notification).values(next_try=past).where(Notification.state == "waiting"))
        session.execute(update(JobState).values(began=past))
    send(service)
    return {one["state"] for one in service.get("/notifications").json()["notifications"]} == {"sent"}


ELSEWHERE = (
    *(
        "json://{}",
        "jsons://{}",
        "http://{}",
        "https://{}",
        "xml://{}",
        "form://{}",
        "slack://{}",
        "ntfy://{}",
        "gotify://{}/t",
    ),
    *("mailto://{}?to=a@b.example", "file://{}", "apprise://{}/t", "team=json://{}", "json://{}#team", "json://team@{}"),
    *("//{}", "{}", "team@{}", "team/../{}", "http://{}/team", "TEAM", "team ", " team", "team\n", "team;json://{}"),
)


def test_no_url_but_the_operators_is_ever_requested(service: Service, emulator: Emulator) -> None:
    with receiving() as elsewhere:
        here = f"127.0.0.1:{elsewhere.port}"
        urls = [text.format(here) for text in ELSEWHERE] + [
            f"json://{host}:{elsewhere.port}" for host in ("localhost", "0", "[::1]")
        ]
        tried = 0
        for url in urls:
            places = (
                {"to": [url]},
                {"to": ["team", url]},
                {"filters": f"tag=devops&q={quote(url)}"},
                {"filters": f"author={quote(url)}"},
            )
            for place in (*places, {"filters": f"url={quote(url)}"}, {"name": url}):
                body: dict[str, Any] = {**TAGS, "to": ["team"], **place}
                service.request("PUT", f"/watches/{tried}", json=body)
                tried += 1
            service.request("PUT", f"/watches/{quote(url, safe='')}", json={**TAGS, "to": ["team"]})
            service.request("POST", f"/watches/{quote(url, safe='')}/test")
        assert tried >= 100
        for watch in service.get("/watches").json()["watches"]:
            assert set(watch["to"]) <= {"team", "me"}
            service.request("POST", f"/watches/{quote(watch['name'], safe='')}/test")
        find(service, *HOURS)
        send(service)
        assert elsewhere.seen == []
