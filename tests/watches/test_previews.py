"""Previews: the same messages, in the same words, as evaluating step by step has recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from queries.zones import DAY
from tests.watches.worlds import HOUR, MINUTE, START, Posted, World, definition_of, opened, some
from watches.definitions import WatchDefinition
from watches.findings import Finding
from watches.messages import render
from watches.previews import MOST, PreviewedMessage, preview, spikes_from

pytestmark = pytest.mark.dialects
WRITE = partial(render, site="http://here.example")
BEFORE, HOURS = 72, 50
BEGIN = START + BEFORE * HOUR
GAP = BEGIN + 23 * HOUR + 10 * MINUTE, BEGIN + 25 * HOUR + 10 * MINUTE
"""Two hours that are never collected, for which three buckets are passed over."""
BURSTS = [BEFORE + at for at in (5, 6, 9, 30, 32, 40)]
KINDS: dict[str, dict[str, Any]] = {
    "spike": {"kind": "spike"},
    "spike, limited": {"kind": "spike", "quiet": "09:00-16:00", "tz": "Europe/Berlin", "most_a_day": 2},
    "fewer": {"kind": "threshold", "less_than": 2, "most_a_day": 6, "tz": "Asia/Kathmandu"},
    "fewer, limited": {"kind": "threshold", "less_than": 1, "quiet": "00:00-02:30"},
    "more": {"kind": "threshold", "more_than": 4, "bucket": "day", "filters": "q=outage", "tz": "Asia/Kathmandu"},
    "more, limited": {"kind": "threshold", "more_than": 0, "quiet": "02:30-03:30"},
    "more, at night": {"kind": "threshold", "more_than": 0, "quiet": "01:00-05:00"},
    "new": {"kind": "new", "filters": "q=outage", "max_tweets": 20, "most_a_day": 2, "quiet": "15:00-17:00"},
    "digest": {"kind": "digest", "every": "1d", "at": "05:45", "tz": "Asia/Kathmandu"},
}


def posts(hour: int) -> Iterator[Posted]:
    """Yield the posts of an hour: one or two, and forty during some."""
    yield from some(1 + hour % 2, START + hour * HOUR + 4 * MINUTE)
    if hour in BURSTS:
        yield from some(40, START + hour * HOUR + 20 * MINUTE, "outage again #sre")


def stepped(world: World, definitions: dict[str, WatchDefinition]) -> dict[str, list[PreviewedMessage]]:
    """Collect and evaluate every hour, and return what was sent at once."""
    sent = {name: list[PreviewedMessage]() for name in definitions}
    for hour in range(BEFORE, BEFORE + HOURS):
        world.pass_time(hours=1)
        world.collect(*posts(hour))
        found = world.evaluate(None)
        with world.database.reading() as session:
            for one in found:
                finding = Finding(one.kind, one.start, one.end, one.tweets)
                of = session, one.watch, definitions[one.watch], finding
                message = WRITE(*of, held_back=one.held_back, now=world.now)
                assert message
                sent[one.watch].append(PreviewedMessage(one.start, message.title, message.text))
    return sent


def test_a_preview_is_what_was_sent(database_backend: str) -> None:
    """Only what was told of a day that was running, or of a time that was not collected, has other words by now."""
    with opened() as database:
        world = World(database)
        world.now = BEGIN
        world.collect(*(one for hour in range(BEFORE) for one in posts(hour)))
        world.leave_gaps(GAP)
        definitions = {name: world.watch(name, **keys) for name, keys in KINDS.items()}
        sent = stepped(world, definitions)
        for name, definition in definitions.items():
            with database.reading() as session:
                found = preview(session, name, definition, since=BEGIN, now=world.now, write=WRITE)
            assert [one.start for one in found] == [one.start for one in sent[name]][-MOST:], name
            pairs = list(zip(found, sent[name][-MOST:], strict=True))
            told = [pair for pair in pairs if name != "more" and "was collected since" not in pair[0].title]
            assert [one for one, _ in told] == [other for _, other in told], name
            assert pairs, name


def test_a_preview_begins_with_the_first_collection_and_ends_now(database_backend: str) -> None:
    with opened() as database:
        world = World(database)
        world.pass_time(hours=3)
        world.collect(*some(3, START))
        show = partial(preview, name="one", write=WRITE)
        with database.reading() as session:
            fewer = definition_of(kind="threshold", less_than=1)
            found = show(session, definition=fewer, since=START - 14 * DAY, now=world.now)
            assert [one.start for one in found] == [START + HOUR, START + 2 * HOUR]
            assert show(session, definition=fewer, since=world.now + timedelta(days=1), now=world.now) == []
            more = definition_of(kind="threshold", more_than=2)
            assert [one.start for one in show(session, definition=more, since=START, now=world.now)] == [START]


@pytest.mark.parametrize(("bucket", "hours"), [("hour", 25), ("day", 25 * 24)])
def test_spikes_can_be_told_once_24_buckets_are_collected(database_backend: str, bucket: str, hours: int) -> None:
    with opened() as database:
        world = World(database, START + 50 * MINUTE)

        def told_from(**keys: Any) -> datetime | None:
            with database.reading() as session:
                return spikes_from(session, definition_of(**{"kind": "spike", "bucket": bucket, **keys}), now=world.now)

        assert told_from(filters="tag=unknown") is told_from(kind="new") is None
        world.pass_time(hours=1)
        world.collect()
        assert told_from() == START + hours * HOUR
        world.pass_time(days=30)
        world.collect()
        assert told_from() == START + hours * HOUR
        world.leave_gaps((START + 80 * MINUTE, START + 81 * MINUTE))
        assert told_from() == START + (hours + (bucket == "hour")) * HOUR


def test_an_hour_that_runs_is_told_as_of_now(database_backend: str) -> None:
    with opened() as database:
        world = World(database)
        world.pass_time(minutes=20)
        world.collect(*some(3, START))
        more = definition_of(kind="threshold", more_than=2, quiet="01:00-02:00")
        with database.reading() as session:
            [found] = preview(session, "one", more, since=START, now=world.now, write=WRITE)
        assert "3 tweets so far" in found.title
