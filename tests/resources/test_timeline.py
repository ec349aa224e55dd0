"""/timeline and the filters of /tweets_per_hour over HTTP; tests/queries has what is counted, and in which buckets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported

MINUTES = ((0, "ada", "en", 4), (3, "bo", "pt", 0), (31, "ada", "en", None), (200, "ada", "pt", 7))

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with four tweets of two people, from 08:30 to 11:50 UTC on 2026-03-02."""
    with shared() as running:
        for minute, name, lang, likes in MINUTES:
            own = str(tweet_id(MORNING + timedelta(minutes=minute)))
            imported(running.collector.database, own_row(minute, id=own, username=name, lang=lang, likes=likes))
        yield running


def bucket(start: str, end: str, tweets: int, authors: int, engagement: int | None) -> dict[str, Any]:
    times = {"start": f"2026-03-02T{start}:00Z", "end": f"2026-03-02T{end}:00Z"}
    return {**times, "tweets": tweets, "authors": authors, "engagement": engagement, "partial": False}


def test_the_timeline_goes_from_the_first_tweet_to_the_last_in_hours_of_utc(service: Service) -> None:
    hours = [("08:00", "09:00", 2, 2, 4), ("09:00", "10:00", 1, 1, None)]
    hours += [("10:00", "11:00", 0, 0, None), ("11:00", "12:00", 1, 1, 7)]
    found = given(service, "/timeline")
    assert list(found) == ["timeline", "timezone", "complete"]
    assert list(found["timeline"][0]) == ["start", "end", "tweets", "authors", "engagement", "partial"]
    assert found == {"timeline": [bucket(*hour) for hour in hours], "timezone": "UTC", "complete": True}


def test_a_zone_cuts_the_buckets_and_times_stay_in_utc(service: Service) -> None:
    found = given(service, "/timeline?tz=Asia/Kathmandu&until=2026-03-02T10:15:00Z")
    hours = [("08:15", "09:15", 3, 2, 4), ("09:15", "10:15", 0, 0, None)]
    assert found == {"timeline": [bucket(*hour) for hour in hours], "timezone": "Asia/Kathmandu", "complete": True}
    [day] = given(service, "/timeline?tz=America/Sao_Paulo&bucket=day")["timeline"]
    assert day == bucket("03:00", "03:00", 4, 2, 11) | {"end": "2026-03-03T03:00:00Z"}


def test_filters_decide_which_tweets_count(service: Service) -> None:
    first: Any
    first, *empty = ("08:00", "09:00", 1, 1, 0), ("09:00", "10:00", 0, 0, None), ("10:00", "11:00", 0, 0, None)
    wanted = {"lang=pt&until=2026-03-02T11:00:00Z": [first, *empty], "tag=sre&author=BO": [first], "tag=devops": []}
    for filters, hours in wanted.items():
        assert given(service, f"/timeline?{filters}")["timeline"] == [bucket(*hour) for hour in hours], filters


def test_by_tag_each_bucket_has_the_tags_that_are_named_else_those_that_are_tracked(service: Service) -> None:
    found = given(service, "/timeline?by=tag&any_tag=%23Unheard&any_tag=SRE&lang=pt&until=2026-03-02T10:00:00Z")
    assert [[*one] for one in found["timeline"]] == [["start", "end", "tweets", "authors", "engagement", "partial", "tags"]] * 2
    unheard = {"tag": "#unheard", "tweets": None, "engagement": None, "complete": False}
    assert [one["tags"] for one in found["timeline"]] == [
        [{"tag": "#sre", "tweets": tweets, "engagement": sum_, "complete": True}, unheard]
        for tweets, sum_ in ((1, 0), (0, None))
    ]
    tracked = {one["tag"] for one in given(service, "/tags")["tags"]}
    assert {one["tag"] for one in given(service, "/timeline?by=tag")["timeline"][0]["tags"]} == tracked


def test_at_most_ten_tags_are_counted_in_each_bucket(service: Service) -> None:
    named = "&".join(f"any_tag=t{number}" for number in range(11))
    assert service.get(f"/timeline?{named}").status_code == 200
    assert service.get(f"/timeline?by=tag&{named}&any_tag=t0".replace("&any_tag=t10", "")).status_code == 200
    answer = service.get(f"/timeline?by=tag&{named}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "any_tag")
    assert service.get("/timeline?by=lang").status_code == 400


def test_a_database_without_tweets_has_an_empty_timeline(fresh: Service) -> None:
    assert given(fresh, "/timeline") == {"timeline": [], "timezone": "UTC", "complete": True}
    assert given(fresh, "/timeline?since=2026-03-02T08:31:00Z&tag=sre")["timeline"] == []


def test_the_hours_of_the_day_take_the_filters(service: Service) -> None:
    for query, hours in {
        "": {8: 2, 9: 1, 11: 1},
        "lang=pt&tz=Asia/Kathmandu": {14: 1, 17: 1},
        "since=2026-03-02T08:31:00Z&until=2026-03-02T11:50:00Z": {8: 1, 9: 1},
        "tag=devops": dict[int, int](),
    }.items():
        rows = [{"at_hour": f"{hour:02d}:00", "tweets": hours.get(hour, 0)} for hour in range(24)]
        assert given(service, f"/tweets_per_hour?{query}") == {"tweets_per_hour": rows}, query
