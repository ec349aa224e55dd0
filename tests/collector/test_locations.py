"""A location that was withdrawn at X is gone from the tweet and from what X gave of it, and nothing brings it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from alchemy import Database
from collector.runs import runs
from collector.tweets.deletions import delete_tweet, scrub_location
from collector.tweets.store import store
from collector.tweets.tombstones import without_location
from collector.values import TaggedTweet
from collector.x import parsing
from collector.x.documents import pack, unpack
from models import Payload, Tombstone, Tweet, Version
from tests.collector.conftest import rows
from tests.fixtures.archives import edited, page, post, user

PLACE = {"id": "p1", "full_name": "Springfield", "country": "Elbonia", "country_code": "EB"}
WHEN = datetime(2026, 3, 3, tzinfo=UTC)


pytestmark = pytest.mark.dialects


def stored(database: Database, *posts: dict[str, Any]) -> None:
    """Store X's objects as a collection does, each with its place."""
    located = [{**one, "geo": {"place_id": "p1"}} for one in posts]
    found = parsing.page(page(*located, users=(user(),), places=[PLACE]), observed=WHEN)
    with database.writing() as session:
        store(session, [TaggedTweet(tweet, ()) for tweet in found.tweets], found.authors, run_id=runs.begin_import(session))


def number(minute: int) -> int:
    return int(post(minute)["id"])


def scrubbed(database: Database, minute: int) -> bool:
    with database.writing() as session:
        return scrub_location(session, number(minute))


def countries(database: Database) -> dict[int, tuple[str | None, str | None]]:
    found = rows(database, select(Tweet.id, Tweet.country, Tweet.country_code))
    return {one: (country, code) for one, country, code in found}


def given(database: Database) -> dict[int, dict[str, Any]]:
    return {row.id: unpack(row.body) for row in rows(database, select(Payload.id, Payload.body))}


def tombstones(database: Database) -> dict[int, bool]:
    return {row.id: row.geo_only for row in rows(database, select(Tombstone.id, Tombstone.geo_only))}


def test_the_location_goes_and_the_tweet_stays(database: Database) -> None:
    stored(database, post(1), post(2))
    assert scrubbed(database, 1)
    assert not scrubbed(database, 1)
    assert countries(database) == {number(1): (None, None), number(2): ("Elbonia", "EB")}
    kept = given(database)
    assert kept[number(1)] == {"data": post(1)}
    assert kept[number(2)] == {"data": {**post(2), "geo": {"place_id": "p1"}}, "includes": {"places": [PLACE]}}


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_every_version_loses_it_whichever_is_named(database: Database, asked: int) -> None:
    stored(database, edited(1, text="one"), edited(1, 2, text="two"), edited(1, 2, 3, text="three"))
    assert scrubbed(database, asked)
    assert countries(database) == {number(1): (None, None)}
    assert [body.get("includes") or body["data"].get("geo") for body in given(database).values()] == [None] * 3
    assert tombstones(database) == {number(minute): True for minute in (1, 2, 3)}
    assert {row.id for row in rows(database, select(Version.id))} == {number(2), number(3)}


def test_neither_the_same_nor_a_further_version_brings_it_back(database: Database) -> None:
    stored(database, edited(1, 2, text="two"))
    scrubbed(database, 1)
    for again in (edited(1, 2, text="two"), edited(1, 2, 3, text="three"), edited(3, text="three"), edited(1, text="one")):
        stored(database, again)
        assert countries(database) == {number(1): (None, None)}
        assert "Elbonia" not in str(given(database))
    assert [row.text for row in rows(database, select(Tweet.text))] == ["three"]


def test_a_tweet_that_is_not_stored_yet_comes_without_it(database: Database) -> None:
    assert not scrubbed(database, 1)
    stored(database, post(1))
    assert countries(database) == {number(1): (None, None)}
    assert given(database) == {number(1): {"data": post(1)}}


@pytest.mark.parametrize("with_history", [edited(1, 2, text="two"), edited(1, 2, 3, text="three")])
def test_a_version_that_was_stored_apart_does_not_bring_it_back(database: Database, with_history: dict[str, Any]) -> None:
    stored(database, post(1), edited(2, text="two"))
    scrubbed(database, 1)
    stored(database, with_history)
    assert countries(database) == {number(1): (None, None)}
    assert "Elbonia" not in str(given(database))


def test_a_whole_deletion_after_it_counts_and_a_location_after_that_changes_nothing(database: Database) -> None:
    stored(database, post(1))
    scrubbed(database, 1)
    with database.writing() as session:
        assert delete_tweet(session, number(1))
    assert tombstones(database) == {number(1): False}
    assert not scrubbed(database, 1)
    assert tombstones(database) == {number(1): False}
    stored(database, post(1))
    assert countries(database) == {}


def test_a_payload_that_can_not_be_read_goes(database: Database) -> None:
    stored(database, post(1))
    with database.writing() as session:
        session.execute(Payload.__table__.update().values(body=b"\x09 Elbonia"))  # type: ignore[attr-defined]
    scrubbed(database, 1)
    assert given(database) == {}


def test_what_else_came_with_a_place_stays_and_what_has_no_location_stays_byte_for_byte() -> None:
    for whole in ({"data": {"id": "1"}}, {"data": None}, {"data": {"id": "1"}, "includes": {"media": [1]}}, {}):
        assert without_location(pack(whole)) == pack(whole)
    body = pack({"data": {"id": "1", "geo": {}}, "includes": {"places": [PLACE], "media": [1]}})
    assert unpack(without_location(body) or b"") == {"data": {"id": "1"}, "includes": {"media": [1]}}
