"""Pages of X's own objects."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.x.documents import pack, pack_tweet
from queries.payloads import TweetPayload
from schemas.records import record
from schemas.twarc import pages
from tests.fixtures.archives import Json, post, user

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLACE = {"id": "p1", "country": "Colombia"}


def kept(tweet: Json, *, place: Json | None = None, after: int = 0, author: Json | None = None, **more: Any) -> TweetPayload:
    """Return what is kept of a tweet that was retrieved so many hours after noon, and its author an hour later."""
    when, body = NOON + timedelta(hours=after), pack_tweet(tweet, place)
    if author is None:
        return TweetPayload(int(tweet["id"]), body, when, None, None, None)._replace(**more)
    return TweetPayload(int(tweet["id"]), body, when, int(author["id"]), pack(author), when + timedelta(hours=1))


def written(*batches: list[TweetPayload]) -> list[Json]:
    return [json.loads(line) for line in b"".join(pages(batches)).splitlines()]


def test_each_batch_is_a_page_with_each_author_and_place_once() -> None:
    geo = {"place_id": "p1"}
    first, second = ([post(number, geo=geo), post(number + 1, geo=geo)] for number in (0, 2))
    found = written(*([kept(tweet, place=PLACE, author=user()) for tweet in batch] for batch in (first, second)))
    assert [page["data"] for page in found] == [first, second]
    assert [page["includes"] for page in found] == [{"users": [user()], "places": [PLACE]}] * 2


def test_a_page_has_what_was_retrieved_at_one_time_and_names_it_and_the_earlier_one_of_authors() -> None:
    batch = [kept(post(0), after=5, author=user()), kept(post(1), after=3, author=user(7002)), kept(post(2), after=5)]
    found = written(batch)
    assert [page["data"] for page in found] == [[post(1)], [post(0), post(2)]]
    assert [page["__twarc"]["retrieved_at"] for page in found] == ["2026-03-02T15:00:00Z", "2026-03-02T17:00:00Z"]
    assert all("authors_retrieved_at" not in page["__twarc"] for page in found)
    (page,) = written([batch[0]._replace(author_retrieved=NOON)])
    times = {"retrieved_at": "2026-03-02T17:00:00Z", "authors_retrieved_at": "2026-03-02T12:00:00Z"}
    assert times.items() <= page["__twarc"].items()
    read = record(json.dumps(page).encode())
    assert (read.tweets[0].tweet.retrieved, read.authors[0].observed) == (batch[0].retrieved, NOON)


def test_what_has_no_payload_is_left_out_and_a_page_of_nothing_as_well() -> None:
    nothing = kept(post(0), body=None, retrieved=None)
    assert written([nothing]) == []
    assert [page["data"] for page in written([nothing, kept(post(1))], [nothing], [])] == [[post(1)]]


def test_the_newest_and_oldest_id_are_those_of_the_page_by_number() -> None:
    (page,) = written([kept({**post(0), "id": "9"}), kept({**post(1), "id": "10"})])
    assert page["meta"] == {"newest_id": "10", "oldest_id": "9", "result_count": 2}


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    odd = {**post(0, "half \ud83d, whole 🦉"), "\udfff": ["\ud800"]}
    (page,) = written([kept(odd, author=user(name="\udc00"))])
    assert page["data"] == [{**post(0, "half \ufffd, whole 🦉"), "\ufffd": ["\ufffd"]}]
    assert page["includes"]["users"][0]["name"] == "\ufffd"
