"""GET /terms: what stands out in the matching tweets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.archives import own_row
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with eight tweets of #sre, of which the last four tell of an outage, and one that no tag found."""
    with shared() as running:
        imported(
            running.collector.database,
            *(own_row(number, f"#sre the deploy of team{number}") for number in range(4)),
            *(own_row(number, "Status page: an Outage, @ada! https://t.co/a") for number in range(4, 7)),
            own_row(7, "outage during the deploy"),
            own_row(8, "status page", tags=[], rash=None),
        )
        yield running


def test_terms_stand_out_against_the_rest_of_the_same_tags(service: Service) -> None:
    answer = given(service, "/terms?tag=sre&since=2026-03-02T08:34:00Z")
    assert answer == {
        "terms": [
            {"term": "outage", "tweets": 4, "share": 1.0, "lift": None, "score": 11.09},
            {"term": "page", "tweets": 3, "share": 0.75, "lift": None, "score": 6.09},
            {"term": "status", "tweets": 3, "share": 0.75, "lift": None, "score": 6.09},
            {"term": "status page", "tweets": 3, "share": 0.75, "lift": None, "score": 6.09},
        ],
        "sampled": 4,
        "of": 4,
    }
    assert given(service, "/terms?tag=sre&until=2026-03-02T08:38:00Z&q=deploy&limit=1")["terms"] == [
        {"term": "deploy", "tweets": 5, "share": 1.0, "lift": None, "score": 10.59}
    ]
    first = given(service, "/terms?since=2026-03-02T08:34:00Z")["terms"][0]
    assert first == {"term": "outage", "tweets": 4, "share": 0.8, "lift": None, "score": 7.36}


def test_without_a_rest_terms_come_by_their_tweets(service: Service) -> None:
    terms = given(service, "/terms?tag=sre")["terms"]
    assert [(row["term"], row["tweets"]) for row in terms] == [
        *(("deploy", 5), ("outage", 4), ("page", 3), ("status", 3), ("status page", 3))
    ]
    assert {row["lift"] for row in terms} == {row["score"] for row in terms} == {None}
    assert given(service, "/terms?tag=nowhere") == {"terms": [], "sampled": 0, "of": 0}


@pytest.mark.parametrize("limit", [0, 201])
def test_at_most_200_terms_are_listed(service: Service, limit: int) -> None:
    assert problem(service.get(f"/terms?limit={limit}"), 400)["errors"][0]["parameter"] == "limit"
