"""The timeline against a plain count of the tweets that the API shows, whatever has become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alchemy import Database
from collector.copies.backups import drop
from collector.tags import ensure
from collector.tweets.deletions import bury, bury_author
from collector.tweets.presence import PRESENCES
from models import Listing, Presence, Run, Tag, Tweet
from queries import periods
from queries.filters import ALL, Filters
from queries.hours import per_hour
from queries.periods import rolled_up
from queries.snowflakes import first_id
from queries.timeline import MOST_BUCKETS, Slot, TooManyBuckets, timeline
from queries.zones import DAY, HOUR, QUARTER
from tests.fixtures.archives import Json, tweet_id, user
from tests.queries.clocks import naive
from tests.queries.invented import add, imported, wanted

pytestmark = pytest.mark.dialects
CHANGES = {
    "Europe/Berlin": "2025-03-30T01:00:00Z",
    "America/New_York": "2025-11-02T06:00:00Z",
    "America/Sao_Paulo": "2018-02-18T02:00:00Z",
    "Australia/Lord_Howe": "2025-04-05T15:00:00Z",
    "Asia/Kathmandu": "2025-04-05T15:00:00Z",
    "America/St_Johns": "2010-11-07T02:31:00Z",
    "Antarctica/Casey": "2023-03-08T16:00:00Z",
    "Pacific/Apia": "2011-12-30T10:00:00Z",
    "UTC": "2025-06-01T00:00:00Z",
}
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
NEAR_S = 40 * 3600
Written = tuple[datetime, int | None]


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shown(database: Database, filters: Filters = ALL) -> list[Written]:
    """Return the wanted tweets as lists of them show them."""
    return [(view.created, view.author_id) for view in wanted(database, filters)]


def check(database: Database) -> None:
    """Compare what is kept with a recount."""
    with database.reading() as session:
        kept = session.execute(select(Presence.start, Presence.quarters, Presence.authors)).all()
        assert sorted(map(tuple, kept)) == sorted(map(tuple, session.execute(PRESENCES).all()))


def slots(database: Database, *, bucket: timedelta, zone: str = "UTC", filters: Filters = ALL) -> list[Slot]:
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


@dataclass(frozen=True)
class Step:
    """Something that happens: at a second from the middle of an example, to an author or the tweet of a number."""

    kind: str
    second: int
    author: int


kinds = st.sampled_from(["post"] * 6 + ["many", "many", "row", "row", "nobody", "edit", "bury", "name", "author", "drop"])
steps = st.lists(st.builds(Step, kinds, st.integers(-NEAR_S, NEAR_S), st.integers(1, 4)), min_size=4, max_size=20)


def happen(database: Database, step: Step, middle: datetime) -> None:
    at = middle + timedelta(seconds=step.second)
    with database.reading() as session:
        ids = list(session.scalars(select(Tweet.id).order_by(Tweet.id)))
    if step.kind in ("post", "name"):
        add(database, page(at, step.author, username=f"user_{step.author}" if step.kind == "name" else None))
    elif step.kind == "many":
        add(database, *(page(at + timedelta(minutes=9 * n), 1 + (step.author + n) % 4) for n in range(12)))
    elif step.kind == "row":
        add(database, row_of(at, f"user_{step.author}"))
    elif step.kind == "nobody":
        add(database, page(at, None))
    elif step.kind == "author" and step.author == 4:
        bury_author(database, "user_4")
    elif step.kind == "drop" and step.author == 1:
        drop(database)
    elif ids and step.kind == "edit":
        first = ids[step.second % len(ids)]
        add(database, page(at, step.author, first, first + (60_000 << 22)))
    elif ids and step.kind == "bury":
        with database.writing() as session:
            bury(session, ids[step.second % len(ids)])


def expected(written: Sequence[Written], zone: str, bucket: timedelta, asked: Filters) -> list[Slot]:
    """Count tweets and authors bucket by bucket."""
    begin, stop = asked.since or EARLIEST, asked.until or LATEST
    mine = sorted(((created, author or 0) for created, author in written if begin <= created < stop))
    if not mine and not (asked.since and asked.until):
        return []
    first, end = asked.since or mine[0][0], asked.until or mine[-1][0] + timedelta(seconds=1)
    found = []
    for start, until in naive(ZoneInfo(zone), bucket, (int(first.timestamp()), int(end.timestamp()))) if first < end else ():
        low, high = (datetime.fromtimestamp(second, UTC) for second in (start, until))
        within = [author for created, author in mine if low <= created < high]
        found.append(Slot(low, high, len(within), len({*within} - {0}), low < begin or high > stop))
    return found


def compare(data: st.DataObject, zone: str, happened: list[Step]) -> None:
    middle = when(CHANGES[zone])
    with imported() as database:
        for step in happened:
            happen(database, step, middle)
            check(database)
        edges = st.none() | st.integers(-NEAR_S, NEAR_S) | st.integers(-160, 160).map(lambda quarter: quarter * 900)
        for bucket in (QUARTER, HOUR, DAY):
            since, until = sorted((data.draw(edges), data.draw(edges)), key=lambda edge: edge or 0)
            asked = Filters(since=_after(middle, since), until=_after(middle, until))
            for lang in (None, "en"):
                mine = expected(shown(database, Filters(lang=lang)), zone, bucket, asked)
                assert slots(database, bucket=bucket, zone=zone, filters=asked._replace(lang=lang)) == mine


@pytest.mark.parametrize("examples", [5, pytest.param(80, marks=pytest.mark.slow)])
def test_the_timeline_is_a_plain_count_whatever_happened(database_backend: str, examples: int) -> None:
    some = settings(deadline=None, max_examples=examples, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    some(given(st.data(), st.sampled_from(sorted(CHANGES)), steps)(compare))()


def _after(middle: datetime, second: int | None) -> datetime | None:
    return None if second is None else middle + timedelta(seconds=second)


MIDDAY = when("2025-06-01T12:00:00Z")


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


def test_a_period_without_tweets_is_filled_with_nothing(small: Database) -> None:
    long_ago = MIDDAY - timedelta(days=900)
    assert counts(small, HOUR, since=long_ago, until=long_ago + 3 * HOUR) == [(0, 0, False)] * 3
    assert counts(small, HOUR, since=long_ago, until=long_ago) == []
    assert counts(small, HOUR, until=long_ago) == counts(small, HOUR, since=MIDDAY + DAY) == []


def test_a_filter_decides_where_the_timeline_begins_and_ends(database_backend: str) -> None:
    with imported(*TWEETS, row_of(MIDDAY + timedelta(hours=3), "eve"), row_of(MIDDAY + timedelta(hours=5), "eve")) as database:
        assert counts(database, HOUR, lang="pt") == [(1, 1, False), (0, 0, False), (1, 1, False)]
        assert counts(database, HOUR, author="eve", until=MIDDAY + timedelta(hours=5)) == [(1, 1, False), (0, 0, False)]
        assert counts(database, HOUR, author="nobody") == []
        for asked in (Filters(lang="pt"), Filters(since=_minute(1)), Filters(until=_minute(22)), Filters(min_followers=9)):
            hours = Counter(created.astimezone(ZoneInfo("Asia/Kathmandu")).hour for created, _ in shown(database, asked))
            with database.reading() as session:
                found = per_hour(session, zone=ZoneInfo("Asia/Kathmandu"), filters=asked)
            assert found == [(hour, hours[hour]) for hour in range(24)]


def test_the_bucket_that_still_runs_is_partial(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queries.timeline.x_now", lambda _: MIDDAY + timedelta(minutes=70))
    assert [partial for _, _, partial in counts(small, HOUR)] == [False, True]


def test_a_bucket_longer_than_presence_reaches_back_is_exact(database_backend: str) -> None:
    first, later = int(MIDDAY.timestamp()), (26, 27, 30, 50)
    more = [page(MIDDAY + timedelta(hours=hour), 1 + hour % 3) for hour in later]
    with imported(*TWEETS, *more) as database, database.reading() as session:
        (found,) = rolled_up(session, [(first, first + 60 * 3600)]).values()
    assert found == (8, 3)


def test_too_many_buckets_are_refused_before_anything_is_counted(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    until = MIDDAY + MOST_BUCKETS * QUARTER
    assert len(counts(small, QUARTER, since=MIDDAY, until=until)) == MOST_BUCKETS
    monkeypatch.setattr(periods, "rolled_up", None)
    with pytest.raises(TooManyBuckets):
        counts(small, QUARTER, since=MIDDAY, until=until + timedelta(seconds=1))
    with pytest.raises(TooManyBuckets):
        counts(small, DAY, since=EARLIEST, until=LATEST)


def test_the_ends_of_the_calendar_are_no_error(small: Database) -> None:
    for zone in ("America/Sao_Paulo", "Asia/Tokyo"):
        for asked in (
            Filters(since=EARLIEST, until=EARLIEST + DAY),
            Filters(since=LATEST - DAY, until=LATEST),
            Filters(since=LATEST),
        ):
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
