"""Collections against the emulator: what is bought is stored, once, and told truthfully."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import func, select

import logstash
from api import collector_for, get_tweets
from collector.buying import page_size
from collector.collector import CollectionRunning, Collector, NothingTracked
from collector.sources import EMULATOR, SourceRefused, claim
from emulator import Emulator
from models import Author, Run, Tag, Tweet, TweetTag, Version
from queries import tweets
from queries.collections import CollectionView
from tests.fixtures.environment import MakeSettings


def everything(collector: Collector) -> list[tweets.TweetView]:
    return [view for batch in tweets.in_batches(collector.database) for view in batch]


def count(collector: Collector, table: type) -> int:
    with collector.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def states(view: CollectionView) -> dict[str, str]:
    return {tag.tag: tag.state for tag in view.tags}


def test_a_collection_stores_what_x_sold(collector: Collector, emulator: Emulator) -> None:
    view = get_tweets(collector)
    sold = emulator.ledger.posts()
    assert view.state == "done"
    with collector.database.reading() as session:
        assert set(session.scalars(select(Tweet.version))) <= sold
    assert view.posts == len(sold)
    assert view.tweets_added == len(everything(collector)) > 200
    assert [tag.reason for tag in view.tags] == [None] * 3


def test_collecting_twice_adds_nothing_that_was_there(collector: Collector, emulator: Emulator) -> None:
    emulator.clock.hold()
    collector.clock.tell(emulator.clock.now())
    get_tweets(collector)
    before = everything(collector)
    assert get_tweets(collector).tweets_added == 0
    assert everything(collector) == before


@pytest.fixture
def wide(make_settings: MakeSettings) -> Iterator[Collector]:
    """A collector that reads so much that tags overlap."""
    with closing(collector_for(make_settings(TAGS=""))) as ready:
        ready.prepare()
        yield ready


def test_a_tweet_that_two_tags_found_is_stored_once_and_linked_to_both(wide: Collector) -> None:
    collector = wide
    get_tweets(collector)
    shared = [tweet for tweet in everything(collector) if len(tweet.tags) > 1]
    assert shared
    assert len({tweet.id for tweet in everything(collector)}) == count(collector, Tweet)
    assert all(list(tweet.tags) == sorted(tweet.tags, key=str.casefold) for tweet in shared)


def test_rash_is_the_first_by_name_of_the_tags_that_found_it(wide: Collector) -> None:
    collector = wide
    get_tweets(collector)
    assert all(tweet.rash == tweet.tags[0] for tweet in everything(collector))


def test_rash_stays_that_of_the_earliest_collection(make_settings: MakeSettings, emulator: Emulator) -> None:
    emulator.clock.hold()
    with closing(collector_for(make_settings(TAGS="#remediation", TW_NUMBER="500"))) as first:
        first.prepare()
        get_tweets(first)
    with closing(collector_for(make_settings(TAGS="#logmonitoring", TW_NUMBER="500"))) as second:
        second.prepare()
        get_tweets(second)
        shared = [tweet for tweet in everything(second) if len(tweet.tags) > 1]
    assert shared
    assert {tweet.rash for tweet in shared} == {"#remediation"}


def test_the_number_of_tweets_per_tag_is_kept(make_settings: MakeSettings, emulator: Emulator) -> None:
    with closing(collector_for(make_settings(TW_NUMBER="250", TAGS="#devops"))) as collector:
        collector.prepare()
        view = get_tweets(collector)
    assert 240 < view.posts <= 250
    assert all(int(request.params["max_results"]) <= 100 for request in emulator.requests)


def test_an_edited_tweet_keeps_its_first_id_and_shows_the_newest_text(collector: Collector, emulator: Emulator) -> None:
    emulator.clock.hold()
    get_tweets(collector)
    emulator.clock.advance(3600)
    get_tweets(collector)
    assert count(collector, Version) > 0
    with collector.database.reading() as session:
        version = session.scalars(select(Version)).first()
        assert version
        found = tweets.tweet(session, version.id)
        first = tweets.tweet(session, version.tweet_id)
    assert found == first
    assert found is not None
    assert found.id == version.tweet_id < version.id


def test_authors_that_x_did_not_give_do_not_cost_their_tweets(collector: Collector, emulator: Emulator) -> None:
    emulator.plan("missing_users", times=None)
    view = get_tweets(collector)
    assert view.state == "done"
    assert view.users == 0
    assert {tweet.author for tweet in everything(collector)} == {None}
    assert count(collector, Author) > 0


@pytest.mark.parametrize("kind", ["partial_errors", "odd_created_at", "duplicate_post"])
def test_odd_pages_are_read(collector: Collector, emulator: Emulator, kind: str) -> None:
    emulator.plan(kind, times=None)
    assert get_tweets(collector).state == "done"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("rate_limit", "rate limit"),
        ("rate_limit_no_header", "rate limit"),
        ("rate_limit_past_reset", "rate limit"),
        ("rate_limit_code_88", "rate limit"),
        ("invalid_request", "refuses the request"),
        ("stale_since_id", "'since_id' must be"),
        ("server_500", "unwell"),
        ("server_502", "unwell"),
        ("server_503", "unwell"),
        ("server_504", "unwell"),
        ("html", "unwell"),
        ("html_200", "no JSON"),
        ("empty_body", "unwell"),
        ("list_body", "unwell"),
        ("list_200", "an answer that is no object"),
        ("no_data_key", "counts posts and has none"),
        ("broken_json", "no JSON"),
        ("cut", "cut"),
        ("reset", "no connection"),
        ("hang", "no answer in time"),
    ],
)
def test_a_tag_that_fails_says_why_and_the_others_go_on(
    collector: Collector, emulator: Emulator, kind: str, reason: str
) -> None:
    emulator.plan(kind, times=None, tag="#sre")
    view = get_tweets(collector)
    assert states(view) == {"#devops": "done", "#Observability": "done", "#sre": "failed"}
    assert view.state == "partial"
    assert reason in str(view.tags[-1].reason)
    assert count(collector, Tweet) == view.tweets_added == len(everything(collector))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("usage_cap", "billing blocked until"),
        ("credits_depleted", "billing blocked until credits are bought"),
        ("spend_cap", "billing blocked until 20"),
        ("not_enrolled", "attach it to a project"),
        ("unauthorized", "TWITTER_BEARER_TOKEN"),
    ],
)
def test_where_money_or_credentials_are_refused_the_run_stops(
    collector: Collector, emulator: Emulator, kind: str, reason: str
) -> None:
    emulator.plan(kind, times=None)
    view = get_tweets(collector)
    assert view.state == "failed"
    assert reason in str(view.error)
    assert all(reason in str(tag.reason) for tag in view.tags)
    assert len(emulator.requests) <= 3


@pytest.mark.parametrize("kind", ["server_503", "cut", "reset", "html_200"])
def test_a_short_fault_is_ridden_out(collector: Collector, emulator: Emulator, kind: str) -> None:
    emulator.plan(kind, times=1, tag="#sre")
    assert get_tweets(collector).state == "done"


def test_a_rate_limit_that_ends_soon_is_waited_for_once_by_all(make_settings: MakeSettings, emulator: Emulator) -> None:
    emulator.plan("rate_limit", times=1, seconds=1)
    with closing(collector_for(make_settings(X_RATE_LIMIT_WAIT="5s"))) as collector:
        collector.prepare()
        assert get_tweets(collector).state == "done"
    assert len(emulator.requests) == 4


def test_a_fault_in_the_second_run_leaves_what_the_first_stored(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    before = everything(collector)
    emulator.plan("server_500", times=None)
    view = get_tweets(collector)
    assert view.state == "failed"
    assert view.tweets_added == 0
    assert everything(collector) == before


def test_a_page_is_stored_as_it_arrives_though_a_later_one_fails(make_settings: MakeSettings, emulator: Emulator) -> None:
    emulator.plan("server_500", times=None, after_pages=1)
    with closing(collector_for(make_settings(TW_NUMBER="200", TAGS="#devops"))) as collector:
        collector.prepare()
        view = get_tweets(collector)
        assert view.state == "failed"
        assert view.tweets_added == count(collector, Tweet) == 100


@pytest.mark.parametrize("number", [10, 19, 100, 101, 109, 110, 111, 199, 201, 209, 1000])
def test_pages_add_up_to_the_number_exactly(number: int) -> None:
    sizes, remaining = [], number
    while remaining:
        sizes.append(page_size(remaining))
        remaining -= sizes[-1]
    assert sum(sizes) == number
    assert all(10 <= size <= 100 for size in sizes)


@pytest.fixture
def slow(emulator: Emulator) -> Iterator[Emulator]:
    emulator.latency = 0.5
    yield emulator
    emulator.latency = 0


def test_only_one_collection_runs(collector: Collector, make_settings: MakeSettings, slow: Emulator) -> None:
    started = collector.start()
    with closing(collector_for(make_settings())) as other, pytest.raises(CollectionRunning) as refused:
        other.start()
    assert refused.value.run_id == started.run_id
    started.over.result(30)
    get_tweets(collector)


def test_stopping_ends_at_the_next_page_and_says_so(make_settings: MakeSettings, slow: Emulator) -> None:
    collector = collector_for(make_settings(TW_NUMBER="2000"))
    collector.prepare()
    started = collector.start()
    collector.close()
    assert started.over.done()
    with closing(collector_for(make_settings())) as other:
        view = get_tweets(other)
        assert view.id == started.run_id + 1
        with other.database.reading() as session:
            stopped = session.get(Run, started.run_id)
            assert stopped
            assert stopped.state == "failed"
            assert "interrupted" in str(stopped.error)


def test_a_collector_that_died_is_told_as_failed_and_followed_by_the_next(collector: Collector) -> None:
    with collector.database.writing() as session:
        session.execute(select(1))
        tag = session.scalars(select(Tag)).first()
        assert tag
        run = Run(kind="collection", state="running", started=tag.since, token=99, tweets_added=0, posts=0, users=0)
        session.add(run)
        session.flush()
        run_id = run.id
    view = get_tweets(collector)
    assert view.state == "done"
    with collector.database.reading() as session:
        died = session.get(Run, run_id)
        assert died
        assert died.state == "failed"


def test_nothing_is_collected_without_tags(make_settings: MakeSettings) -> None:
    with closing(collector_for(make_settings())) as collector:
        collector.database.upgrade()
        with pytest.raises(NothingTracked, match="TAGS"):
            collector.start()


def test_invented_and_real_tweets_never_mix(collector: Collector) -> None:
    with collector.database.writing() as session:
        claim(session, EMULATOR)
        tag = session.scalars(select(Tag)).first()
        assert tag
        run = Run(kind="import", state="done", started=tag.since)
        session.add(run)
        session.flush()
        session.add(Tweet(id=1, version=1, text="invented", created=tag.since, run_id=run.id))
    with pytest.raises(SourceRefused, match="invented"):
        collector.start()
    assert count(collector, TweetTag) == 0


def test_secrets_never_reach_the_log(make_settings: MakeSettings, emulator: Emulator) -> None:
    output = io.StringIO()
    logstash.configure("DEBUG", stream=output)
    emulator.plan("unauthorized", times=1, tag="#sre")
    names = ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")
    secrets = {f"TWITTER_{name}": f"marked-{name.lower()}" for name in names}
    with closing(collector_for(make_settings(**secrets))) as collector:
        collector.prepare()
        get_tweets(collector)
    assert {request.status for request in emulator.requests} == {200, 401}
    assert "tag failed" in output.getvalue()
    assert "marked" not in output.getvalue()
