"""Authors by look-up: pages come without them, each is read by id once a week at most, and nothing is bought twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from alchemy import Database
from api import get_tweets
from collector.backups.backups import drop
from collector.runs import authors as reading
from collector.runs.collector import Collector
from collector.tweets.deletions import delete_tweet
from collector.tweets.lookups import want_authors
from collector.verification import faults
from emulator import Emulator
from models import Author, AuthorLookup, Reservation, Tweet
from queries.counters import last_answer
from queries.service import service_metrics
from queries.spend import spend_between
from tests.collector.conftest import MakeCollector, RunApi, asked, rows
from tests.fixtures.clocks import NOON
from tests.fixtures.readings import settle_authors

USERS, SEARCH = "/2/users", "/2/tweets/search/recent"
LOOKUP = {"AUTHORS": "lookup", "TW_NUMBER": "50"}
WEEK_S = 7 * 86_400


def looked_up(emulator: Emulator) -> list[list[int]]:
    """Return the ids of each request for users."""
    return [[int(one) for one in params["ids"].split(",")] for params in asked(emulator, USERS)]


def waiting(database: Database) -> set[int]:
    return {one for (one,) in rows(database, select(AuthorLookup.author_id).where(AuthorLookup.asked_at.is_(None)))}


def writers(database: Database) -> set[int]:
    return {one for (one,) in rows(database, select(Tweet.author_id).distinct())}


def unknown(database: Database) -> set[int]:
    return {one for (one,) in rows(database, select(Author.id).where(Author.observed.is_(None)))}


def booked(collector: Collector) -> tuple[int, int, int, int]:
    """Return the posts and users of the ledger, and its floor and ceiling in thousandths of a dollar."""
    with collector.database.reading() as session:
        spent = spend_between(session, start=NOON.date(), end=NOON.date() + timedelta(days=30))
    return spent.posts, spent.users, spent.floor // 1000, spent.ceiling // 1000


def sold(emulator: Emulator) -> tuple[int, int, int, int]:
    total = emulator.ledger.total()
    return total.posts_billed, total.users_billed, total.floor, total.ceiling


@pytest.mark.dialects
def test_authors_are_read_after_the_pages_100_at_once_and_booked(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(**LOOKUP)
    assert get_tweets(collector).state == "done"
    assert {params["expansions"] for params in asked(emulator, SEARCH)} == {"geo.place_id"}
    requests = looked_up(emulator)
    assert set().union(*requests) == writers(collector.database)
    assert [len(one) for one in requests[:-1]] == [100] * (len(requests) - 1)
    assert [request.path for request in emulator.requests][-len(requests) :] == [USERS] * len(requests)
    assert booked(collector) == sold(emulator)
    assert booked(collector)[2:] == (sold(emulator)[3],) * 2  # X charges for users who are asked for, so both bounds have them
    assert rows(collector.database, select(Reservation.id)) == []
    assert faults(collector.database, collector.order.billing) == []
    (named,) = rows(collector.database, select(func.count()).where(Tweet.followers.is_not(None)))
    assert named[0] > 100


def test_known_authors_and_those_whom_x_did_not_give_are_not_read_again_for_a_week(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    collector = make_collector(**LOOKUP)
    get_tweets(collector)
    known, absent = writers(collector.database), unknown(collector.database)
    assert absent
    assert waiting(collector.database) == set()
    for seconds, expected in ((WEEK_S - 3600, set()), (7200, known)):
        emulator.forget_requests()
        emulator.clock.advance(seconds)
        again(collector, known)
        assert known & set().union(*looked_up(emulator)) == expected


def again(collector: Collector, ids: Iterable[int]) -> None:
    """Read authors as if a page had brought a tweet of each of them."""
    with collector.database.writing() as session:
        want_authors(session, ids, 1, now=collector.clock.now())
    get_tweets(collector)


def test_until_an_author_is_known_a_tweet_has_none(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.plan("server_503", times=None, endpoint="users")
    collector = make_collector(**LOOKUP)
    assert get_tweets(collector).state == "done"
    assert unknown(collector.database) == waiting(collector.database) == writers(collector.database)
    emulator.clear_faults()
    get_tweets(collector)
    assert waiting(collector.database) == set()
    assert len(unknown(collector.database)) < 10
    assert booked(collector) == sold(emulator)


def test_an_answer_about_authors_does_not_hide_that_searches_fail(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.plan("server_503", times=None, endpoint="users")
    collector = make_collector(**LOOKUP)
    get_tweets(collector)
    emulator.clear_faults()
    emulator.plan("cloudflare_403", times=None)
    get_tweets(collector)
    assert waiting(collector.database) == set()
    with collector.database.reading() as session:
        outcome, _ = last_answer(session) or (None, None)
    assert outcome == "blocked"


@pytest.mark.parametrize("kind", ["cut", "hang", "broken_json"])
def test_a_lost_answer_is_asked_for_again_and_not_paid_twice(
    make_collector: MakeCollector, emulator: Emulator, kind: str
) -> None:
    collector = make_collector(**LOOKUP, X_TIMEOUT="1s")
    emulator.plan(kind, times=1, endpoint="users")
    get_tweets(collector)
    assert looked_up(emulator)[0] == looked_up(emulator)[1]
    assert booked(collector) == sold(emulator)


@pytest.mark.parametrize("lost", ["before the answer", "before storing"])
def test_after_a_crash_the_same_authors_are_read_and_their_price_is_booked_once(
    make_collector: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    collector = make_collector(**LOOKUP)
    with monkeypatch.context() as patch:

        def die(*_args: object, **_more: object) -> None:
            raise RuntimeError

        patch.setattr(reading, "users" if lost == "before the answer" else "store_looked_up", die)
        patch.setattr(reading.AuthorReader, "_release", lambda *_args, **_more: None)
        get_tweets(collector)
    first = looked_up(emulator)[0]
    other = make_collector(**LOOKUP)
    get_tweets(other)
    assert looked_up(emulator)[1] == first
    assert booked(other) == sold(emulator)
    assert waiting(other.database) == set()
    (held,) = rows(other.database, select(func.sum(Reservation.micro)))
    assert held[0] <= 200_000  # a tenth of the lost request's worst case, and those whom X did not give


def test_the_budget_limits_how_many_authors_are_read(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(**LOOKUP | {"TAGS": "#devops", "MONTHLY_BUDGET_USD": "0.40"})
    get_tweets(collector)
    spent = emulator.ledger.total()
    assert (spent.posts_billed, spent.users_looked_up) == (50, 15)
    assert waiting(collector.database)
    assert booked(collector) == sold(emulator)


def test_auto_looks_authors_up_only_where_the_balance_showed_that_they_are_charged(make_collector: MakeCollector) -> None:
    assert shown(make_collector(AUTHORS="auto")) is False
    for charged in (True, False):
        collector = make_collector(AUTHORS="auto")
        settle_authors(collector.database, charged=charged)
        assert shown(collector) is charged
    assert shown(make_collector()) is False


def shown(collector: Collector) -> bool:
    with collector.database.reading() as session:
        return collector.looks_up_authors(session)


def test_the_estimate_says_how_authors_are_read(run_api: RunApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_api("--estimate", TW_NUMBER="10", AUTHORS="lookup") == 0
    said = "at most $0.15 for the tweets, $0.45 if all authors have to be looked up, each once a week at most\n"
    assert said in capsys.readouterr().err


def test_who_waits_is_a_metric(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.plan("server_503", times=None, endpoint="users")
    collector = make_collector(**LOOKUP)
    get_tweets(collector)
    with collector.database.reading() as session:
        assert service_metrics(session).authors_waiting == len(waiting(collector.database)) > 0


@pytest.mark.dialects
def test_a_deleted_author_and_a_dropped_database_leave_nobody_to_read(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    emulator.plan("server_503", times=None, endpoint="users")
    collector = make_collector(**LOOKUP)
    get_tweets(collector)
    before = waiting(collector.database)
    tweet_ids = [one for (one,) in rows(collector.database, select(Tweet.id))]
    one = rows(collector.database, select(Tweet.author_id).where(Tweet.id == tweet_ids[0]))[0][0]
    for (tweet_id,) in rows(collector.database, select(Tweet.id).where(Tweet.author_id == one)):
        with collector.database.writing() as session:
            delete_tweet(session, tweet_id)
    assert waiting(collector.database) == before - {one}
    drop(collector.database)
    assert rows(collector.database, select(AuthorLookup.author_id)) == []
