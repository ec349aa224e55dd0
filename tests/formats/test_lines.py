"""NDJSON and ids: what is written is read back as the same tweets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from formats import rows
from formats.records import record
from queries.tweets import TweetView
from tests.formats.views import MANY, views


@MANY
@given(st.lists(views(), max_size=4))
def test_a_line_is_read_back_as_the_tweet_that_was_written(batch: list[TweetView]) -> None:
    lines = b"".join(rows.lines([[rows.encoded(view) for view in batch], []])).splitlines()
    assert len(lines) == len(batch)
    for line, view in zip(lines, batch, strict=True):
        read = record(line)
        assert not read.refused
        ((tweet, tags, rash),) = read.tweets
        assert (tweet.id, tweet.version, tweet.versions) == (view.id, view.version, view.versions)
        assert (tweet.text, tweet.created, tweet.lang) == (view.text, view.created, view.lang)
        assert (tweet.country, tweet.country_code, tweet.author_id) == (view.country, view.country_code, view.author_id)
        assert (tags, rash) == (view.tags, view.rash)
        assert [author[:5] for author in read.authors] == (
            [(view.author_id, view.username, view.author, view.followers, view.observed)] if view.author_id else []
        )


@MANY
@given(st.lists(st.lists(st.integers(0, 2**63 - 1), max_size=2), max_size=2))
def test_ids_are_one_a_line(batches: list[list[int]]) -> None:
    assert b"".join(rows.ids(batches)).decode().split() == [str(own) for batch in batches for own in batch]
