"""/spikes over HTTP: which hours are spikes, and what stands out in them; tests/queries has the rule itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queries.causes import causes
from queries.filters import ALL
from queries.spikes import counted_buckets
from tests.fixtures.archives import Json, page, tweet_id, user, x_time
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

HOUR, HOURS = timedelta(hours=1), 48
SINCE = datetime(2026, 3, 2, tzinfo=UTC)
BURST = SINCE + 30 * HOUR
TIMES = "since=2026-03-02&until=2026-03-04"
PEOPLE = {name: number for number, name in enumerate(("ada", "bea", "cem", "dia"), 1)}

pytestmark = pytest.mark.dialects


def posted(when: datetime, number: int, text: str, author: str, *, likes: int | None = None, **more: Any) -> Json:
    own = str(tweet_id(when, number))
    numbers = {} if likes is None else {"public_metrics": {"like_count": likes}}
    author_id = str(PEOPLE[author])
    return {"id": own, "text": text, "created_at": x_time(when), "lang": "en", "author_id": author_id, **numbers, **more}


def linking(url: str) -> Json:
    return {"entities": {"urls": [{"url": "https://t.co/a", "expanded_url": url}]}}


def usual() -> Iterator[Json]:
    """Two tweets an hour of the time before and of the period; one in two has a link, one in eight tells of an outage."""
    for at in range(-HOURS, HOURS):
        when = SINCE + at * HOUR + HOUR / 4
        yield posted(when, 0, f"quiet release {at} #sre", "ada", **linking("https://example.org/a"))
        yield posted(when, 1, f"small outage {at} #devops" if at % 4 == 0 else f"quiet night {at} #devops", "dia")


def burst() -> Iterator[Json]:
    """Eighteen tweets of one hour more: ten of bea, five of cem, three of dia, the first with the most likes."""
    for at in range(18):
        author = "bea" if at < 10 else "cem" if at < 15 else "dia"
        quoted: Json = {"referenced_tweets": [{"type": "quoted", "id": "1"}]} if at % 4 == 0 else {}
        link = linking("https://www.status.example/now" if at % 2 else "https://example.org/b")
        likes = None if at == 1 else 100 - at
        yield posted(BURST + (at + 20) * HOUR / 60, at, f"outage {at}: status page #sre", author, likes=likes, **link, **quoted)


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with two tweets an hour of four days, and a burst on the fourth; collected from 00:15 on."""
    with shared() as running:
        people = tuple(user(number, name.title(), name) for name, number in PEOPLE.items())
        imported(running.collector.database, page(*usual(), *burst(), users=people))
        yield running


def test_a_spike_is_told_with_what_stands_out_in_it_against_the_time_before(service: Service) -> None:
    [found] = given(service, f"/spikes?{TIMES}")["spikes"]
    assert found == {
        "start": "2026-03-03T06:00:00Z",
        "end": "2026-03-03T07:00:00Z",
        "tweets": 20,
        "expected": 2,
        "quotes_share": 5 / 20,
        "top_authors_share": 19 / 20,
        "tags": [{"tag": "#sre", "tweets": 19, "lift": 1.9}],
        "terms": [
            {"term": "page", "tweets": 18, "lift": None},
            {"term": "status", "tweets": 18, "lift": None},
            {"term": "status page", "tweets": 18, "lift": None},
            {"term": "outage", "tweets": 18, "lift": 7.69},
        ],
        "domains": [{"domain": "status.example", "tweets": 9, "lift": None}],
        "authors": [
            {"username": "bea", "tweets": 10},
            {"username": "cem", "tweets": 5},
            {"username": "dia", "tweets": 4},
        ],
        "top": [str(tweet_id(BURST + (at + 20) * HOUR / 60, at)) for at in (0, 2, 3)],
    }


def test_in_brief_the_same_terms_and_authors_stand_out(service: Service) -> None:
    """As pages say them in a sentence."""
    [told] = given(service, f"/spikes?{TIMES}")["spikes"]
    first, end = (int(datetime.fromisoformat(told[name]).timestamp()) for name in ("start", "end"))
    since, until = (int(when.timestamp()) for when in (SINCE, SINCE + HOURS * HOUR))
    with service.collector.database.reading() as session:
        counted = counted_buckets(session, ALL, bucket=HOUR, zone=UTC, period=(since, until), now=until)
        [why] = causes(session, ALL, [(first, end)], counted, is_brief=True)
    assert [one.term for one in why.terms] == [one["term"] for one in told["terms"]]
    assert [one.username for one in why.authors] == [one["username"] for one in told["authors"]]
    assert why.domains == []


def test_without_a_time_before_no_lift_is_known(service: Service) -> None:
    [found] = given(service, "/spikes?since=2026-02-28&until=2026-03-04")["spikes"]
    assert found["terms"][0] == {"term": "page", "tweets": 18, "lift": None}
    assert [one["lift"] for one in found["tags"]] == [None]
    assert found["expected"] == 2


def test_filters_decide_what_counts(service: Service) -> None:
    either = {"any_tag=sre&any_tag=devops": 20, "any_tag=sre&any_tag=never_known": None}
    for wanted, tweets in {
        "tag=sre": 19,
        "q=status": 18,
        "author=bea": 10,
        "tag=devops": None,
        "lang=pt": None,
        **either,
    }.items():
        found = given(service, f"/spikes?{TIMES}&{wanted}")["spikes"]
        assert [one["tweets"] for one in found] == ([tweets] if tweets else []), wanted


def test_a_zone_cuts_hours_and_days(service: Service) -> None:
    [found] = given(service, f"/spikes?{TIMES}&tz=Asia/Kathmandu")["spikes"]
    assert (found["start"], found["tweets"]) == ("2026-03-03T06:15:00Z", 20)
    assert given(service, f"/spikes?{TIMES}&bucket=day") == {"spikes": []}  # four days are too few


def test_what_was_not_collected_is_no_spike_and_no_time_before(service: Service) -> None:
    assert given(service, f"/spikes?{TIMES}&tag=never_known") == {"spikes": []}
    assert given(service, "/spikes?since=2026-03-03T06:10:00Z&until=2026-03-04") == {"spikes": []}  # cut by the bound


def test_seven_days_are_asked_for_unless_times_are_given(service: Service) -> None:
    assert given(service, "/spikes") == {"spikes": []}
    assert len(given(service, "/spikes?until=2026-03-04")["spikes"]) == 1
    assert given(service, "/spikes?until=2026-03-03") == {"spikes": []}


def test_too_many_hours_are_refused(service: Service) -> None:
    far = datetime.now(UTC) - timedelta(days=3000)
    imported(service.collector.database, page(posted(far, 0, "first of all #sre", "ada")))
    body = problem(service.get("/spikes?since=2010-01-01"), 400)
    assert [one["parameter"] for one in body["errors"]] == ["bucket"]
