"""The timeline against a plain count of the tweets that the API shows, whatever has become of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from alchemy import Database
from collector.runs.tags import ensure
from collector.tweets.deletions import delete_author, delete_tweet
from collector.tweets.presences import PRESENCES
from models import Listing, Presence, Run, Tag
from queries.filters import ALL, Filters
from queries.gaps import first_id
from queries.timeline import MOST_BUCKETS, PeriodCount, TimelineSlot, TooManyBuckets, rollup_counts, timeline
from queries.zones import DAY, HOUR, QUARTER
from tests.fixtures.archives import Json, tweet_id, user
from tests.queries.clocks import naive
from tests.queries.invented import add, imported, wanted
from tests.schemas.views import MANY

pytestmark = pytest.mark.dialects
CHANGES = {
    **{"Europe/Berlin": "2025-03-30T01:00:00Z", "America/New_York": "2025-11-02T06:00:00Z", "UTC": "2025-06-01T00:00:00Z"},
    **{"America/Sao_Paulo": "2018-02-18T02:00:00Z", "America/St_Johns": "2010-11-07T02:31:00Z"},
    **{"Australia/Lord_Howe": "2025-04-05T15:00:00Z", "Asia/Kathmandu": "2025-04-05T15:00:00Z"},
    **{"Antarctica/Casey": "2023-03-08T16:00:00Z", "Pacific/Apia": "2011-12-30T10:00:00Z"},
}
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
NEAR_S = 40 * 3600
Written = tuple[datetime, int | None]


def shown(database: Database, filters: Filters = ALL) -> list[Written]:
    """Return the wanted tweets as lists of them show them."""
    return [(view.created, view.author_id) for view in wanted(database, filters)]


def slots(database: Database, *, bucket: timedelta, zone: str = "UTC", filters: Filters = ALL) -> list[TimelineSlot]:
    with database.reading() as session:
        return timeline(session, bucket=bucket, zone=ZoneInfo(zone), filters=filters).slots


def page(created: datetime, author: int | None, *versions: int, username: str | None = None) -> Json:
    """Return a page with a tweet, the newest of these versions."""
    known = [str(one) for one in versions or (tweet_id(created),)]
    named = {} if author is None else {"author_id": str(author)}
    at, users = created.strftime("%Y-%m-%dT%H:%M:%S.000Z"), [] if username is None else [user(author or 0, username=username)]
    post = {"id": known[-1], "text": "invented", "created_at": at, "lang": "en", "edit_history_tweet_ids": known, **named}
    return {"data": [post], "includes": {"users": users}, "meta": {"result_count": 1}}


def row_of(created: datetime, username: str) -> Json:
    """Return a row of ours of an author of whom only the username is known."""
    at, own = created.strftime("%Y-%m-%dT%H:%M:%SZ"), str(tweet_id(created, 1))
    return {"tweet": "invented", "id": own, "created": at, "username": username, "rash": None, "tags": [], "lang": "pt"}


def expected(written: Sequence[Written], zone: str, bucket: timedelta, since: datetime, until: datetime) -> list[TimelineSlot]:
    """Count tweets and authors bucket by bucket."""
    mine, found = [(created, author or 0) for created, author in written if since <= created < until], list[TimelineSlot]()
    period = int(since.timestamp()), int(until.timestamp())
    for start, end in naive(ZoneInfo(zone), bucket, period) if since < until else ():
        low, high = (datetime.fromtimestamp(second, UTC) for second in (start, end))
        within = [author for created, author in mine if low <= created < high]
        found.append(TimelineSlot(low, high, len(within), len({*within} - {0}), None, low < since or high > until))
    return found


@pytest.fixture(scope="module")
def lived(database_backend: str) -> Iterator[Database]:
    """Tweets around changes of clocks, of four authors or nobody; some are edited or deleted, and one author is erased."""
    chance = Random(1)
    with imported() as ready:
        for change in map(datetime.fromisoformat, CHANGES.values()):
            times = [change + timedelta(seconds=chance.randint(-NEAR_S, NEAR_S)) for _ in range(12)]
            for at in (*times, *(change + timedelta(minutes=9 * n) for n in range(12))):
                author = chance.choice([None, 1, 2, 3, 4])
                add(ready, page(at, author, username=None if author is None else f"user_{author}"))
            add(ready, row_of(times[0], "user_1"), page(times[1], 2, tweet_id(times[1]), tweet_id(times[1]) + (60_000 << 22)))
            with ready.writing() as session:
                delete_tweet(session, tweet_id(times[2]))
        delete_author(ready, "user_4")
        with ready.reading() as session:
            kept = session.execute(select(Presence.start, Presence.quarters, Presence.authors)).all()
            assert sorted(map(tuple, kept)) == sorted(map(tuple, session.execute(PRESENCES).all()))
        yield ready


EDGES = st.integers(-NEAR_S, NEAR_S) | st.integers(-160, 160).map(lambda quarter: quarter * 900)


@MANY
@given(st.sampled_from(sorted(CHANGES)), EDGES, EDGES, st.sampled_from([QUARTER, HOUR, DAY]), st.sampled_from([None, "en"]))
def test_the_timeline_is_a_plain_count(lived: Database, zone: str, one: int, other: int, bucket: timedelta, lang: str) -> None:
    since, until = (datetime.fromisoformat(CHANGES[zone]) + timedelta(seconds=edge) for edge in sorted((one, other)))
    mine = expected(shown(lived, Filters(lang=lang)), zone, bucket, since, until)
    assert slots(lived, bucket=bucket, zone=zone, filters=Filters(since=since, until=until, lang=lang)) == mine


MIDDAY = datetime(2025, 6, 1, 12, tzinfo=UTC)


MINUTES = ((0, 1), (1, 2), (22, 1), (82, None))
TWEETS = [page(MIDDAY + timedelta(minutes=minute), author) for minute, author in MINUTES]
"""Three tweets of two authors within 22 minutes, and one of nobody an hour later."""


@pytest.fixture(scope="module")
def small(database_backend: str) -> Iterator[Database]:
    with imported(*TWEETS) as ready:
        yield ready


def counts(database: Database, bucket: timedelta, **asked: Any) -> list[tuple[int, int, bool]]:
    found = slots(database, bucket=bucket, filters=Filters(**asked))
    return [(slot.tweets, slot.authors, slot.partial) for slot in found]


def test_authors_are_distinct_within_each_bucket_and_quarters_without_tweets_are_there(small: Database) -> None:
    assert counts(small, QUARTER) == [(2, 2, False), (1, 1, False), *[(0, 0, False)] * 3, (1, 0, False)]
    assert counts(small, HOUR) == [(3, 2, False), (1, 0, False)]
    assert counts(small, DAY) == [(4, 2, False)]


def test_a_bucket_that_is_cut_counts_what_is_within_and_is_partial(small: Database) -> None:
    since, until = MIDDAY + timedelta(seconds=1), MIDDAY + timedelta(minutes=22)
    assert counts(small, DAY, since=since) == [(3, 2, True)]
    assert counts(small, DAY, until=until) == [(2, 2, True)]
    assert counts(small, HOUR, since=since, until=until) == [(1, 1, True)]
    assert counts(small, HOUR, since=MIDDAY, until=MIDDAY + HOUR) == [(3, 2, False)]
    assert counts(small, HOUR, since=MIDDAY - timedelta(seconds=0.5), until=MIDDAY + HOUR) == [(3, 2, False)]
    assert counts(small, HOUR, since=MIDDAY, until=MIDDAY + timedelta(seconds=0.5)) == [(1, 1, True)]


def test_a_filter_decides_where_the_timeline_begins_and_ends(database_backend: str) -> None:
    with imported(*TWEETS, row_of(MIDDAY + timedelta(hours=3), "eve"), row_of(MIDDAY + timedelta(hours=5), "eve")) as database:
        assert counts(database, HOUR, lang="pt") == [(1, 1, False), (0, 0, False), (1, 1, False)]
        assert counts(database, HOUR, author="eve", until=MIDDAY + timedelta(hours=5)) == [(1, 1, False), (0, 0, False)]
        assert counts(database, HOUR, author="nobody") == []


def test_the_bucket_that_still_runs_is_partial(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queries.timeline.x_now", lambda _: MIDDAY + timedelta(minutes=70))
    assert [partial for _, _, partial in counts(small, HOUR)] == [False, True]


def test_a_bucket_longer_than_presence_reaches_back_is_exact(database_backend: str) -> None:
    first, later = int(MIDDAY.timestamp()), (26, 27, 30, 50)
    more = [page(MIDDAY + timedelta(hours=hour), 1 + hour % 3) for hour in later]
    with imported(*TWEETS, *more) as database, database.reading() as session:
        (found,) = rollup_counts(session, [(first, first + 60 * 3600)]).values()
    assert found == PeriodCount(8, 3)


def test_too_many_buckets_are_refused_before_anything_is_counted(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    until = MIDDAY + MOST_BUCKETS * QUARTER
    assert len(counts(small, QUARTER, since=MIDDAY, until=until)) == MOST_BUCKETS
    monkeypatch.setattr("queries.timeline.rollup_counts", None)
    with pytest.raises(TooManyBuckets):
        counts(small, QUARTER, since=MIDDAY, until=until + timedelta(seconds=1))
    with pytest.raises(TooManyBuckets):
        counts(small, DAY, since=EARLIEST, until=LATEST)


def test_the_ends_of_the_calendar_are_no_error(small: Database) -> None:
    ends = Filters(since=EARLIEST, until=EARLIEST + DAY), Filters(since=LATEST - DAY, until=LATEST), Filters(since=LATEST)
    for zone, asked in product(("America/Sao_Paulo", "Asia/Tokyo"), ends):
        assert slots(small, bucket=DAY, zone=zone, filters=asked) == []


def test_a_gap_in_the_time_and_tags_that_are_asked_makes_a_timeline_incomplete(database_backend: str) -> None:
    """The gap is of #sre, from minute 30 to minute 40; a later one is where nothing is shown."""
    with imported(*TWEETS) as database:
        leave_gap(database, 130, 140)
        assert is_complete(database)
        assert not is_complete(database, since=_minute(125))
        assert is_complete(database, since=_minute(145))
        leave_gap(database, 30, 40)
        within = [(0, 60), (29, 31), (0, 31), (39, 60), (None, None)]
        for since, until in [*within, (0, 30), (40, 60), (None, 30)]:
            bounds = {"since": None if since is None else _minute(since), "until": until and _minute(until)}
            assert is_complete(database, **bounds) is ((since, until) not in within), (since, until)
        for tags, complete in ((("#sre",), False), (("#devops",), True), (("#devops", "#sre"), False)):
            assert is_complete(database, tags=tags, since=MIDDAY, until=MIDDAY + HOUR) is complete


def test_time_in_which_a_tag_was_not_collected_makes_a_timeline_incomplete(
    database_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """#sre was collected until minute 100 and #devops only until minute 30; it is minute 110."""
    monkeypatch.setattr("queries.timeline.x_now", lambda _: _minute(110))
    with imported(*TWEETS) as database:
        for tag, end in (("#sre", 100), ("#devops", 30)):
            collect(database, tag, -60, end)
        for tags, bounds, complete in (
            (("#sre",), {"since": MIDDAY, "until": _minute(60)}, True),
            (("#sre",), {"since": MIDDAY, "until": _minute(900)}, True),  # what is not over is not missing
            (("#sre",), {"since": _minute(-61), "until": MIDDAY}, False),
            (("#devops",), {"since": MIDDAY, "until": _minute(30)}, True),
            (("#devops",), {"since": MIDDAY, "until": _minute(60)}, False),
            ((), {"since": MIDDAY, "until": _minute(60)}, False),
            (("#never",), {"since": MIDDAY, "until": _minute(60)}, False),
        ):
            assert is_complete(database, tags=tags, **bounds) is complete, (tags, bounds)


def collect(database: Database, tag: str, first: int, end: int) -> None:
    with database.writing() as session:
        ensure(session, "#never")
        row = session.get_one(Tag, ensure(session, tag).id)
        row.tracked, row.from_id, row.since_id = True, first_id(_minute(first)), first_id(_minute(end))


def leave_gap(database: Database, first: int, end: int) -> None:
    with database.writing() as session:
        for tag in ("#sre", "#devops"):
            ensure(session, tag)
        tag_id, run_id = session.scalar(select(Tag.id).where(Tag.tag == "#sre")), session.scalar(select(Run.id))
        since_id, until_id = first_id(_minute(first)) - 1, first_id(_minute(end))
        of = {"tag_id": tag_id, "run_id": run_id, "gap": True, "query": "#sre", "since_id": since_id}
        session.add(Listing(**of, until_id=until_id, before=until_id))


def is_complete(database: Database, **asked: Any) -> bool:
    with database.reading() as session:
        return timeline(session, bucket=HOUR, zone=UTC, filters=Filters(**asked)).complete


def _minute(minute: int) -> datetime:
    return MIDDAY + timedelta(minutes=minute)
