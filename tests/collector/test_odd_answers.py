"""What only a broken or a hostile X says: it fails what was asked, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import format_datetime
from threading import Event

import pytest
from requests.structures import CaseInsensitiveDict

from collector.x import clock
from collector.x.app_only import AppOnly
from collector.x.client import Access, Search, X
from collector.x.failures import (
    DAILY_LIMIT,
    RATE_LIMIT,
    FailureScope,
    RetryPolicy,
    Tries,
    XFailure,
    classify,
    moved,
)
from tests.fixtures.clocks import NOON
from tests.reliability.enemy import Enemy, Said, enemy


@pytest.fixture(scope="module")
def x() -> Iterator[Enemy]:
    with enemy() as one:
        yield one


@pytest.mark.parametrize("url", ["https://[x]/", "ftp://x/", "file:///etc/passwd", "http://other.example/", "https://\x00"])
def test_a_job_s_odd_url_is_not_opened(x: Enemy, url: str) -> None:
    with closing(AppOnly(Access(x.url, bearer_token="any", timeout=1))) as asked:
        with pytest.raises(XFailure):
            list(asked.download(url))
        with pytest.raises(XFailure):
            asked.upload(url, [b"1"])


@pytest.mark.parametrize("value", ["x" * 20_000, "", 5, None, ["x"], "a\n"])
def test_a_job_with_odd_parts_is_none(x: Enemy, value: object) -> None:
    x.says(Said(json.dumps({"data": {"id": "1", "status": "created", "upload_url": value, "download_url": value}}).encode()))
    with closing(AppOnly(Access(x.url, bearer_token="any", timeout=5))) as asked:
        try:
            made = asked.create_job("name")
        except XFailure:
            return
        assert made.upload_url == "a\n"
        with pytest.raises(XFailure):
            asked.upload(made.upload_url, [b"1"])


@pytest.mark.parametrize(
    "said", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "31 Dec 9999 23:59:59 -2359", "x"]
)
def test_a_date_at_which_there_were_no_tweets_is_none(said: str) -> None:
    assert clock.date(said) is None


def test_a_packed_answer_is_unpacked_no_further_than_an_answer_may_be(x: Enemy) -> None:
    x.says(Said(gzip.compress(b" " * (40 * 2**20), 1), headers={"Content-Encoding": "gzip"}))
    with closing(X(Access(x.url, bearer_token="any", timeout=5))) as client, pytest.raises(XFailure, match="more than 16 MB"):
        client.search(Search("#sre", 10))


def test_no_redirect_is_followed_by_a_request_or_by_the_files_of_a_job(x: Enemy) -> None:
    """Credentials would go to whoever the answer names."""
    with enemy() as other, closing(AppOnly(Access(x.url, None, "key", "secret", timeout=5))) as app:
        for status in (301, 302, 303, 307, 308):
            x.says(Said(b"", status, {"Location": f"{other.url}/2/usage/tweets"}))
            for request in (
                app.usage,
                lambda: app.upload(f"{x.url}/file", [b"1"]),
                lambda: list(app.download(f"{x.url}/file")),
            ):
                with pytest.raises(XFailure, match=str(status)):
                    request()
        assert other.asked == 0


@pytest.mark.parametrize(
    ("location", "origin"),
    [
        ("https://api.x.com/2/tweets?a=b#c", "https://api.x.com"),
        ("https://API.X.com:8443", "https://api.x.com:8443"),
        ("http://api.x.com/", None),
        ("https://user@api.x.com/", None),
        ("https://api.x.com:x/", None),
        ("https://[::1]/", None),
        ("https://evil\u202e.com/", None),
        ("/2/tweets", None),
        ("https://api.twitter.com/3/tweets", None),
        ("", None),
    ],
)
def test_only_an_origin_that_may_be_x_s_is_suggested(location: str, origin: str | None) -> None:
    failure = moved(301, location, "https://api.twitter.com")
    assert (failure.kind, failure.reach) == ("moved", FailureScope.RUN)
    assert ("TWITTER_API_URL" in str(failure)) == (origin is not None)
    assert origin is None or str(failure).endswith(f"TWITTER_API_URL={origin}")


WINDOW = {"x-rate-limit-reset": str(int(NOON.timestamp()) + 60)}
DAY = {"x-app-limit-24hour-reset": str(int(NOON.timestamp()) + 3600)}
LIMITED = (
    ({"Retry-After": "7"}, RATE_LIMIT, timedelta(seconds=7)),
    ({"Retry-After": format_datetime(NOON + timedelta(minutes=5))}, RATE_LIMIT, timedelta(minutes=5)),
    ({"Retry-After": "soon"}, RATE_LIMIT, None),
    ({"Retry-After": "7", "x-rate-limit-remaining": "0"} | WINDOW, RATE_LIMIT, timedelta(minutes=1)),
    ({"Retry-After": "7", "x-rate-limit-remaining": "9"} | WINDOW, RATE_LIMIT, timedelta(seconds=7)),
    ({"x-rate-limit-remaining": "9"} | WINDOW, RATE_LIMIT, timedelta(minutes=1)),
    (DAY | WINDOW, DAILY_LIMIT, timedelta(hours=1)),
    ({"x-user-limit-24hour-reset": str(int(NOON.timestamp()) + 3600)}, DAILY_LIMIT, timedelta(hours=1)),
    ({"x-app-limit-24hour-remaining": "5"} | DAY | WINDOW, RATE_LIMIT, timedelta(minutes=1)),
)


@pytest.mark.parametrize(("headers", "kind", "after"), LIMITED)
def test_a_limit_ends_when_the_header_says_that_belongs_to_it(
    headers: dict[str, str], kind: str, after: timedelta | None
) -> None:
    failure = classify(429, CaseInsensitiveDict({"Date": format_datetime(NOON)} | headers), b"")
    assert (failure.kind, failure.until) == (kind, after and NOON + after)


def test_a_limit_of_24_hours_stops_the_schedule_for_a_day_at_most() -> None:
    clock_of_x = clock.XClock()
    clock_of_x.set_by_answer(NOON)
    tries = Tries(RetryPolicy(), Event(), lambda _failure: None, clock_of_x)
    late = NOON + timedelta(days=400)

    def limited() -> None:
        raise XFailure(DAILY_LIMIT, FailureScope.REQUEST, "X's limit is reached", until=late)

    with pytest.raises(XFailure, match=f"until {late:%Y-%m-%d %H:%M} UTC") as failure:
        tries.ask(limited)
    assert failure.value.reach is FailureScope.RUN
    assert failure.value.until is not None
    assert failure.value.until - NOON < timedelta(days=1, seconds=60)
