"""Hostile JSON: the parser gives tweets that a database can hold, or reasons, and never raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.values import ObservedAuthor, TweetVersion
from collector.x.parsing import LARGEST_ID
from schemas.records import ArchiveRecord, record
from tests.fixtures.archives import own_row, page, post, user
from tests.schemas.views import MANY

TEXT = st.text(st.characters(categories=None), max_size=20)  # all of Unicode, NUL and lone surrogates too
ODD_TIMES = ["2026-01-01", "0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00+23:59"]
ODD_TEXTS = ["", "#", "#sre", "0", "-1", "1" * 19, "9" * 19, "9" * 20, "\0", "\ud800", "١", "a\nb:1: c", *ODD_TIMES]
ODD_VALUES: list[Any] = [*ODD_TEXTS, None, True, False, 0, -1, 5, 2**63 - 1, 2**63, 2**70, 1.5, float("nan")]
ODD_VALUES += [[], {}, [[]], [None], [5], {"": 0}]
ODD = st.sampled_from(ODD_TEXTS)
NUMBER = st.integers(-(2**80), 2**80) | st.floats() | st.sampled_from([0, -1, LARGEST_ID, LARGEST_ID + 1, 10**400])
ANY = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | ODD, inner, max_size=4),
    max_leaves=8,
)
NAMES = """data includes users tweets posts places meta errors next_token id text created_at lang author_id author username name
    public_metrics followers_count geo place_id country country_code entities hashtags tag note_tweet note_post
    edit_history_tweet_ids edit_history_post_ids __twarc retrieved_at tweet created followers rash tags observed"""
KEYS = st.sampled_from(NAMES.split())
OBJECT: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(KEYS, ANY, max_size=8),
    lambda inner: st.dictionaries(KEYS, ANY | inner | st.lists(inner, max_size=3), max_size=8),
    max_leaves=6,
)
Path = tuple[Any, ...]
EARLIEST, LATEST = datetime(2006, 3, 21, tzinfo=UTC), datetime(2081, 1, 1, tzinfo=UTC)


def assert_can_be_stored(read: ArchiveRecord) -> None:
    for archived in read.tweets:
        assert_tweet_fits(archived.tweet)
        for tag in (*(archived.tags or ()), *filter(None, [archived.rash])):
            assert tag.startswith("#")
            tag.encode()
    for author in read.authors:
        assert_author_fits(author)
    for reason in read.refused:
        assert reason.isprintable()
        assert len(reason) < 400


def assert_tweet_fits(tweet: TweetVersion) -> None:
    assert 0 <= tweet.id <= tweet.version <= LARGEST_ID
    assert tweet.version in tweet.versions
    assert list(tweet.versions) == sorted(set(tweet.versions))
    assert EARLIEST <= tweet.created < LATEST
    assert tweet.text
    assert tweet.author_id is None or abs(tweet.author_id) <= LARGEST_ID
    for text in (tweet.text, tweet.lang, tweet.country, tweet.country_code, *tweet.hashtags):
        assert_text_fits(text)


def assert_author_fits(author: ObservedAuthor) -> None:
    assert abs(author.id) <= LARGEST_ID
    assert author.followers is None or 0 <= author.followers <= LARGEST_ID
    assert author.observed.tzinfo is UTC
    assert_text_fits(author.username)
    assert_text_fits(author.name)


def assert_text_fits(text: str | None) -> None:
    assert text is None or ("\0" not in text and text.encode().decode() == text)


def line_of(value: object) -> bytes:
    return json.dumps(value).encode()


def parts(value: object) -> Iterator[Path]:
    """Return the way to every part of a value, itself included, by keys and indexes."""
    yield ()
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from ((key, *path) for path in parts(part))


def changed(value: Any, path: Path, to: object) -> Any:
    """Return the value with the part that the path leads to replaced."""
    if not path:
        return to
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


@MANY
@given(st.binary(max_size=60) | st.text(st.characters(categories=["P", "N", "Zs"]), max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    assert_can_be_stored(record(line))


NOTE = {"text": "long #sre", "entities": {}}
GOOD = [
    page(
        post(0, geo={"place_id": "p"}, entities={"hashtags": [{"tag": "sre"}]}, note_tweet=NOTE),
        users=(user(),),
        places=[{"id": "p", "country": "Colombia", "country_code": "CO"}],
        retrieved=datetime(2026, 3, 2, 12, tzinfo=UTC),
    ),
    {**post(0), "author": user(), "geo": {"country": "Colombia"}, "__twarc": {"retrieved_at": "2026-03-02T12:00:00Z"}},
    own_row(0, author_id="7001", observed="2026-03-02T12:00:00Z"),
    {"tweets": [own_row(0), own_row(1)]},
]


PARTS = [(good, path) for good in GOOD for path in parts(good)]
WHOLE: list[tuple[object, Path]] = [(None, ())]


@pytest.mark.parametrize("good", GOOD, ids=["page", "flattened", "row", "answer"])
def test_an_odd_value_in_any_place_of_a_good_line_is_read_or_refused(good: object) -> None:
    for path, wrong in product(parts(good), ODD_VALUES):
        assert_can_be_stored(record(line_of(changed(good, path, wrong))))


@MANY
@given(st.sampled_from(PARTS) | st.sampled_from(WHOLE), ANY | OBJECT)
def test_anything_in_any_place_of_a_good_line_is_read_or_refused(part: tuple[object, Path], wrong: object) -> None:
    good, path = part
    assert_can_be_stored(record(line_of(changed(good, path, wrong))))
