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
from collector.collector import Collector
from collector.payloads import Unpackable, packed, unpacked
from collector.tweets.deletions import bury
from collector.x import parsing
from collector.x.client import FIELDS
from emulator import Emulator
from models import AuthorPayload, Payload
from tests.collector.conftest import MakeCollector
from tests.fixtures.archives import MORNING, page, post, user

KEYS = st.text(max_size=10)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
PARTS = st.recursive(LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3), max_leaves=8)
OBJECTS = st.dictionaries(KEYS, PARTS, max_size=4)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None, derandomize=True)
@given(OBJECTS)
def test_an_object_comes_back_as_it_was_packed(value: dict[str, Any]) -> None:
    assert list(unpacked(packed(value)).items()) == list(value.items())


def nested(depth: int, inmost: object = "") -> dict[str, Any]:
    """Return an object of so many levels, its own among them."""
    for level in range(depth):
        inmost = {"in": inmost} if level % 2 else [inmost]
    return {"id": "1", "in": inmost}


@pytest.mark.parametrize("half", ["", "\ud83d"])
def test_what_is_nested_too_deeply_is_refused_and_anything_less_comes_back(half: str) -> None:
    for depth in (10, 190):
        assert unpacked(packed(nested(depth, half))) == nested(depth, half)
    for depth in (300, 1_000, 50_000):
        with pytest.raises(Unpackable):
            packed(nested(depth, half))


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
        unpacked(body)


def sold(emulator: Emulator) -> dict[str, dict[str, Any]]:
    """Ask for the newest page of the first tag as the collector does, without it."""
    names = {name.replace("_fields", ".fields"): value for name, value in FIELDS.items()}
    asked = names | {"query": "#devops", "max_results": "100"}
    answer = requests.get(f"{emulator.url}/2/tweets/search/recent", asked, headers={"Authorization": "Bearer x"}, timeout=9)
    return {post["id"]: post for post in answer.json()["data"]}


def kept(collector: Collector) -> dict[str, dict[str, Any]]:
    with collector.database.reading() as session:
        return {str(row.id): unpacked(row.body) for row in session.execute(select(Payload.id, Payload.body))}


@pytest.mark.dialects
def test_each_tweet_is_kept_as_x_gave_it_and_goes_with_its_author_where_it_is_deleted(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    collector = make_collector(TAGS="#devops", TW_NUMBER="20")
    get_tweets(collector)
    found, given_by_x = kept(collector), sold(emulator)
    same = given_by_x.keys() & found.keys()
    assert len(same) > 10
    assert all(json.dumps(found[one]["data"]) == json.dumps(given_by_x[one]) for one in same)
    for tweet_id in found:
        with collector.database.writing() as session:
            bury(session, int(tweet_id))
    with collector.database.reading() as session:
        assert (session.scalars(select(Payload.id)).all(), session.scalars(select(AuthorPayload.author_id)).all()) == ([], [])
