"""What X gave is kept as it gave it, so that a field that is wanted later is not bought again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api import get_tweets
from collector.runs.collector import Collector
from collector.tweets.deletions import delete_tweet
from collector.x import parsing
from collector.x.client import FIELDS
from collector.x.documents import Unpackable, pack, unpack
from emulator import Emulator
from models import AuthorPayload, Payload
from tests.collector.conftest import MakeCollector, rows
from tests.fixtures.archives import MORNING, page, post, user

KEYS = st.text(max_size=10)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=30)
PARTS = st.recursive(LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3), max_leaves=8)
OBJECTS = st.dictionaries(KEYS, PARTS, max_size=4)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None, derandomize=True)
@given(OBJECTS)
def test_an_object_comes_back_as_it_was_packed(value: dict[str, Any]) -> None:
    assert list(unpack(pack(value)).items()) == list(value.items())


def nested(depth: int, inmost: object = "") -> dict[str, Any]:
    """Return an object of so many levels, its own among them."""
    for level in range(depth):
        inmost = {"in": inmost} if level % 2 else [inmost]
    return {"id": "1", "in": inmost}


@pytest.mark.parametrize("half", ["", "\ud83d"])
def test_what_is_nested_too_deeply_is_refused_and_anything_less_comes_back(half: str) -> None:
    assert unpack(pack(nested(190, half))) == nested(190, half)
    with pytest.raises(Unpackable):
        pack(nested(300, half))


@pytest.mark.parametrize("depth", [300, 50_000])
def test_a_tweet_or_an_author_that_is_nested_too_deeply_costs_no_other(depth: int) -> None:
    body = page(post(1), {**post(2), **nested(depth), "id": "77"}, users=({**user(), **nested(depth), "id": "7001"},))
    read = parsing.page(body, observed=MORNING)
    assert [tweet.text for tweet in read.tweets] == [post(1)["text"]]
    assert read.refused == ("too much is nested in it (id 77)",)
    assert [(author.username, author.payload) for author in read.authors] == [("ada_muster", None)]


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x09abc", b"\x01abc"])
def test_what_was_not_packed_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"no payload|Expecting value"):
        unpack(body)


def sold(emulator: Emulator) -> dict[str, dict[str, Any]]:
    """Ask for the newest page of the first tag as the collector does, without it."""
    names = {name.replace("_fields", ".fields"): value for name, value in FIELDS.items()}
    asked = names | {"query": "#devops -is:retweet", "max_results": "100"}
    answer = requests.get(f"{emulator.url}/2/tweets/search/recent", asked, headers={"Authorization": "Bearer x"}, timeout=9)
    return {post["id"]: post for post in answer.json()["data"]}


def kept(collector: Collector) -> dict[str, dict[str, Any]]:
    return {str(row.id): unpack(row.body) for row in rows(collector.database, select(Payload.id, Payload.body))}


@pytest.mark.dialects
def test_each_tweet_is_kept_as_x_gave_it_and_goes_with_a_deletion(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(TAGS="#devops", TW_NUMBER="20")
    get_tweets(collector)
    found, given_by_x = kept(collector), sold(emulator)
    same = given_by_x.keys() & found.keys()
    assert len(same) > 10
    assert all(json.dumps(found[one]["data"]) == json.dumps(given_by_x[one]) for one in same)
    named = {name for one in found.values() for name in one["data"]}
    assert {"attachments", "referenced_tweets", "in_reply_to_user_id"} <= named
    for tweet_id in found:
        with collector.database.writing() as session:
            delete_tweet(session, int(tweet_id))
    assert [rows(collector.database, select(column)) for column in (Payload.id, AuthorPayload.author_id)] == [[], []]
