"""Retweets are neither bought nor counted, and what older versions asked without saying so goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from api import get_tweets, job_runner_for
from collector.runs.backfill import BackfillPeriod
from emulator import Emulator
from models import HourlyCount, JobState, Listing, Tag, Tweet, TweetTag
from queries.tags import tracked_coverage
from tests.collector.conftest import MakeCollector, asked, rows
from tests.collector.test_resuming import interrupt
from tests.fixtures.clocks import NOON, standing
from tests.fixtures.environment import MakeSettings

ONE_TAG = {"TAGS": "#devops", "TW_NUMBER": "1000", "MONTHLY_BUDGET_USD": "off", "COUNT_EVERY": "1h"}
APRIL = BackfillPeriod(datetime(2026, 4, 29, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X in which every third post is a retweet."""
    with standing(tweets=4_000, retweets=33) as running:
        yield running


def test_no_retweet_is_ever_bought(make_collector: MakeCollector) -> None:
    collector = make_collector(**ONE_TAG)
    assert collector.outcome(collector.start(period=APRIL)).tweets_added > 10
    assert not any(row.text.startswith("RT @") for row in rows(collector.database, select(Tweet.text)))


def test_counts_are_of_what_searches_find_and_older_ones_are_asked_again(
    make_collector: MakeCollector, make_settings: MakeSettings
) -> None:
    collector = make_collector(**ONE_TAG)
    runner = job_runner_for(collector, make_settings(**ONE_TAG))
    get_tweets(collector)
    runner.run_due()
    counts = select(HourlyCount.start, HourlyCount.counted).where(HourlyCount.rules != "/").order_by(HourlyCount.start)
    counted, stored = rows(collector.database, counts), len(rows(collector.database, select(TweetTag.tweet_id)))
    assert sum(row.counted for row in counted) == pytest.approx(stored, rel=0.05)
    with collector.database.writing() as session:  # as if an older version had counted
        session.execute(update(HourlyCount).values(rules="/"))
        session.execute(update(JobState).values(began=NOON - timedelta(days=99)))
        session.execute(update(Tag).values(counted_at=None))
        assert tracked_coverage(session) == {}
    runner.run_due()
    assert rows(collector.database, counts) == counted


def test_a_listing_begun_without_the_exclusion_goes_on_where_it_stopped(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    with closing(make_collector(**ONE_TAG)) as collector:
        interrupt(collector, pages=1)
        with collector.database.writing() as session:
            session.execute(update(Listing).values(query="#devops"))
    emulator.forget_requests()
    with closing(make_collector(**ONE_TAG)) as collector:
        assert get_tweets(collector).state == "done"
        found = len(rows(collector.database, select(TweetTag.tweet_id)))
    first = next(params for params in asked(emulator) if params["max_results"] != "10")
    assert "next_token" not in first
    assert emulator.ledger.total().posts_served == emulator.ledger.total().posts_billed
    assert abs(found - emulator.count("devops", NOON - timedelta(days=7), NOON)) <= 3
