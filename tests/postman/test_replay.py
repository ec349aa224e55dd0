"""Each request of the collection, sent to the real server, answers with the status that its own tests expect."""

from __future__ import annotations

from collections.abc import Iterable

import requests

from emulator import Emulator
from tests.fixtures.processes import Server
from tests.fixtures.waiting import LONGEST_WAIT_S
from tests.postman.collection import Call, Variables, calls, document, resolved, variables

Statuses = list[tuple[str, int]]


def replayed(sent: Iterable[Call], known: Variables) -> Statuses:
    """Send the requests one after the other, as Postman does, and return the status of each."""
    statuses = []
    for call in sent:
        answer = requests.request(call.method, resolved(call.url, known), timeout=LONGEST_WAIT_S)
        statuses.append((call.name, answer.status_code))
        known = {**known, **call.captured(answer)}
    return statuses


def expected(sent: Iterable[Call]) -> Statuses:
    return [(call.name, call.status) for call in sent]


def test_a_run_from_top_to_bottom_answers_as_expected_and_leaves_tweets(server: Server) -> None:
    sent = calls(document())
    known = {**variables(document()), "baseUrl": server.url, "collectionId": "404404"}  # until GET /database tells a real one
    assert replayed(sent, known) == expected(sent)
    assert server.get("/tweets").json()["tweets"]


def test_a_service_that_answers_otherwise_is_noticed(emulator: Emulator) -> None:
    sent = [call for call in calls(document()) if call.name in ("Page", "Alive", "Ready")]
    known = {**variables(document()), "baseUrl": emulator.url}
    assert replayed(sent, known) == [("Page", 404), ("Alive", 404), ("Ready", 404)] != expected(sent)
