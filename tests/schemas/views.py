"""Tweets as queries give them, with whatever a database can hold in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from collector.values import Measurement
from collector.x.parsing import LARGEST_COUNT, LARGEST_ID
from queries.tweets import TweetView

MANY = settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIRST = datetime(2010, 11, 5, tzinfo=UTC)
PLAIN = st.characters(codec="utf-8", exclude_characters="\0")
ODD_STARTS = ["=1+1", "+1", "-1", "@ada", "\t=1", "\r=1", "\n=1", "'", "''=1", "＝1", '"', '"=1",', ",", ";", " =1", "000"]
HOSTILE = ["\x01\x1f\x7f", "\u202eabc\u2066", "\u2028\u2029\ufeff", "\U0010ffff", '"\\\n\r\t', "x" * 999, "é" * 1000]
TEXTS = (
    st.text(PLAIN, min_size=1, max_size=60)
    | st.builds(str.__add__, st.sampled_from(ODD_STARTS), st.text(PLAIN, max_size=20))
    | st.sampled_from(HOSTILE)
)
USERNAMES = st.from_regex("[A-Za-z0-9_]{1,50}", fullmatch=True)
TAGS = st.sampled_from(["#devops", "#sre", "#Ärger", "#日本語", "#x1"])
LINKS = st.sampled_from(["https://example.com", "https://example.com/a?b=1,2", "http://müller.example:8080/ü"])
KINDS = st.sets(st.sampled_from(["media", "reply", "quote"]))
COUNTS = st.none() | st.integers(0, LARGEST_COUNT)
SECONDS = st.integers(0, 10**9).map(lambda seconds: FIRST + timedelta(seconds=seconds))


def numbers(measurement: Measurement) -> dict[str, Any]:
    """Return the numbers of a tweet; without any, it was never measured."""
    found = dict(zip(Measurement._fields[1:], measurement[1:], strict=True))
    measured = measurement.at if any(number is not None for number in found.values()) else None
    return {**found, "engagement": measurement.engagement, "measured": measured}


NUMBERS = st.builds(Measurement, SECONDS, *[COUNTS] * 6).map(numbers)


@st.composite
def views(draw: st.DrawFn) -> TweetView:
    """Return a tweet; its ids are of the time of snowflakes."""
    versions = sorted(draw(st.sets(st.integers(2**35, LARGEST_ID), min_size=1, max_size=3)))
    author_id = draw(st.none() | st.integers(1, LARGEST_ID))
    author, username = draw(st.none() | TEXTS), draw(st.none() | USERNAMES)
    names = {"author": author, "username": username} if author_id else {"author": None, "username": None}
    tags = tuple(sorted(draw(st.sets(TAGS)), key=str.casefold))
    links = tuple(sorted(draw(st.sets(LINKS, max_size=2))))
    kinds = (*draw(KINDS), *(("link",) if links else ()))
    return TweetView(
        id=versions[0],
        text=draw(TEXTS),
        created=draw(SECONDS),
        lang=draw(st.none() | TEXTS),
        country=draw(st.none() | TEXTS),
        country_code=draw(st.none() | TEXTS),
        author_id=author_id,
        followers=draw(st.none() | st.integers(0, LARGEST_ID)) if author_id else None,
        observed=draw(SECONDS) if author_id else None,
        rash=draw(st.sampled_from(tags)) if tags else None,
        tags=tags,
        version=draw(st.sampled_from(versions)),
        versions=tuple(versions),
        **names,
        **draw(NUMBERS),
        has=tuple(name for name in ("media", "link", "reply", "quote") if name in kinds),
        links=links,
        mentions=tuple(sorted(draw(st.sets(USERNAMES.map(str.lower), max_size=2)))),
    )
