"""Collections against the emulator: what is bought is stored, once, and told truthfully."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

import pytest
from sqlalchemy import func, select, update

from alchemy import Database
from api import collector_for, get_tweets
from collector.runs import lease
from collector.runs.buying import page_size
from collector.runs.collector import CollectionRunning, Collector, NothingTracked
from collector.sources import EMULATOR, SourceRefused, claim
from emulator import Emulator
from models import Author, Lease, Run, Tweet, TweetTag
from queries.collections import INTERRUPTED
from queries.counters import live_token
from queries.lists import TweetList, batches
from queries.tweets import TweetView, TweetViews
from tests.collector.conftest import MakeCollector, RunApi, rows
from tests.fixtures.clocks import NOON
from tests.fixtures.environment import MakeSettings
from tests.fixtures.waiting import wait_until


def test_a_reason_is_said_once_with_its_tags(run_api: RunApi, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.plan("credits_depleted", times=None)
    emulator.plan("credits_depleted", times=None, endpoint="usage")
    assert run_api() == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "credits" in line and line.startswith("#")]
    reason = "billing blocked until credits are bought: no credits are left at X"
    assert said == [f"#devops, #Observability, #sre: {reason}"]


def everything(collector: Collector) -> list[TweetView]:
    return [view for batch in batches(collector.database, TweetList(), TweetViews()) for view in batch]


def count(collector: Collector, table: type) -> int:
    return int(rows(collector.database, select(func.count()).select_from(table))[0][0])


def tags(faults: Iterable[str]) -> str:
    """Return the setting of one tag for each fault."""
    return ",".join(f"#{kind}" for kind in faults)


@pytest.fixture
def few(make_collector: MakeCollector) -> Collector:
    """A collector that buys ten tweets a tag."""
    return make_collector(TW_NUMBER="10", X_RETRIES="1")


def test_the_emulator_is_asked_without_the_proxy_of_the_environment(few: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    get_tweets(few)
    assert count(few, Tweet)


@pytest.mark.dialects
def test_a_collection_stores_what_x_sold_and_the_next_adds_nothing(collector: Collector, emulator: Emulator) -> None:
    collector.clock.set_by_answer(emulator.clock.now())
    view = get_tweets(collector)
    sold, before = emulator.ledger.posts(), everything(collector)
    assert view.state == "done"
    assert {row.version for row in rows(collector.database, select(Tweet.version))} <= sold
    assert (view.posts, view.tweets_added) == (len(sold), len(before))
    assert len(before) > 200
    assert [tag.reason for tag in view.tags] == [None] * 3
    assert get_tweets(collector).tweets_added == 0
    assert everything(collector) == before


@pytest.mark.dialects
def test_a_tweet_that_two_tags_found_is_stored_once_and_its_rash_is_the_first_by_name(make_collector: MakeCollector) -> None:
    """All ten tags read so much that they overlap."""
    collector = make_collector(TAGS="")
    get_tweets(collector)
    found = everything(collector)
    shared = [tweet for tweet in found if len(tweet.tags) > 1]
    assert shared
    assert len({tweet.id for tweet in found}) == count(collector, Tweet)
    assert all(list(tweet.tags) == sorted(tweet.tags, key=str.casefold) for tweet in shared)
    assert all(tweet.rash == tweet.tags[0] for tweet in found)


def test_authors_that_x_did_not_give_do_not_cost_their_tweets(few: Collector, emulator: Emulator) -> None:
    emulator.plan("missing_users", times=None)
    view = get_tweets(few)
    assert (view.state, view.users) == ("done", 0)
    assert {tweet.author for tweet in everything(few)} == {None}
    assert count(few, Author) > 0


def test_odd_pages_are_read_and_short_faults_are_ridden_out(make_collector: MakeCollector, emulator: Emulator) -> None:
    faults = dict.fromkeys(("partial_errors", "odd_created_at", "duplicate_post"))
    faults |= dict.fromkeys(("server_503", "cut", "reset", "html_200"), 1)
    for kind, times in faults.items():
        emulator.plan(kind, times=times, tag=f"#{kind}")
    view = get_tweets(make_collector(TAGS=tags(faults), TW_NUMBER="10", X_RETRIES="1"))
    assert {tag.tag: tag.state for tag in view.tags} == {f"#{kind}": "done" for kind in faults}


LIMITS = ("rate_limit", "rate_limit_no_header", "rate_limit_past_reset", "rate_limit_code_88")
UNWELL = ("server_500", "server_502", "server_503", "server_504", "html", "empty_body", "list_body")
FAULTS = {
    **dict.fromkeys(LIMITS, "rate limit"),
    **dict.fromkeys(UNWELL, "unwell"),
    **dict.fromkeys(("html_200", "broken_json"), "no JSON"),
    "invalid_request": "refuses the request",
    "stale_since_id": "'since_id' must be",
    "cloudflare_403": "Cloudflare, which protects X, blocks requests from this machine (Ray ID 9f0c1d2e3b4a5968-FRA)",
    "cloudflare_1015": "Cloudflare's rate limit, which protects X, is reached until 12:20:30 UTC",
    "list_200": "an answer that is no object",
    "no_data_key": "counts posts and has none",
    "cut": "cut",
    "reset": "no connection",
}
SILENCE = {"hang": "no answer in time"}


@pytest.mark.parametrize(("faults", "timeout"), [(FAULTS, "20s"), (SILENCE, "1s")], ids=["said", "silence"])
def test_a_tag_that_fails_says_why_and_the_others_go_on(
    make_collector: MakeCollector, emulator: Emulator, faults: dict[str, str], timeout: str
) -> None:
    for kind in faults:
        emulator.plan(kind, times=None, tag=f"#{kind}")
    well = {"#devops": None, "#sre": None}
    collector = make_collector(TAGS=",".join([*well, tags(faults)]), TW_NUMBER="10", X_RETRIES="1", X_TIMEOUT=timeout)
    view = get_tweets(collector)
    assert view.state == "partial"
    said = {tag.tag[1:]: tag.reason or "" for tag in view.tags if tag.state == "failed"}
    assert said.keys() == faults.keys()
    assert [kind for kind, reason in faults.items() if reason not in said[kind]] == []
    assert {tag.tag: tag.reason for tag in view.tags if tag.state == "done"} == well
    assert count(collector, Tweet) == view.tweets_added == len(everything(collector)) > 0


@pytest.mark.parametrize("kind", ["rate_limit", "cloudflare_1015", "app_limit"])
def test_a_limit_that_ends_soon_is_waited_for_once_by_all(make_collector: MakeCollector, emulator: Emulator, kind: str) -> None:
    emulator.plan(kind, times=1, seconds=1)
    assert get_tweets(make_collector(TW_NUMBER="10", X_RATE_LIMIT_WAIT="5s")).state == "done"
    assert len(emulator.requests) == 4


def test_a_page_is_stored_as_it_arrives_though_a_later_one_fails(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.plan("server_500", times=None, after_pages=1)
    collector = make_collector(TW_NUMBER="200", TAGS="#devops")
    view = get_tweets(collector)
    assert view.state == "failed"
    assert view.tweets_added == count(collector, Tweet) == 100


def test_pages_add_up_to_the_number_exactly() -> None:
    for number in (10, 19, 100, 101, 109, 110, 111, 199, 201, 209, 1000):
        sizes, remaining = [], number
        while remaining:
            sizes.append(page_size(remaining))
            remaining -= sizes[-1]
        assert sum(sizes) == number
        assert all(10 <= size <= 100 for size in sizes)


@pytest.mark.dialects
def test_only_one_collection_runs(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.latency = 0.5
    collector = make_collector(TW_NUMBER="10")
    started = collector.start()
    with pytest.raises(CollectionRunning) as refused:
        make_collector().start()
    assert refused.value.run_id == started.run_id
    emulator.latency = 0
    started.over.result(60)
    assert get_tweets(collector).id == started.run_id + 1


def test_stopping_ends_at_the_next_page_and_says_so(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.latency = 0.2
    collector = make_collector(TW_NUMBER="2000")
    started = collector.start()
    wait_until(lambda: emulator.requests)
    collector.close()
    assert started.over.done()
    assert rows(collector.database, select(Run.state, Run.error)) == [("failed", INTERRUPTED)]


@pytest.mark.dialects
def test_a_collector_that_died_is_told_as_failed_and_followed_by_the_next(few: Collector) -> None:
    with few.database.writing() as session:
        session.add(Run(id=9, kind="collection", state="running", started=NOON, token=99, tweets_added=0, posts=0, users=0))
    assert get_tweets(few).state == "done"
    assert rows(few.database, select(Run.state).where(Run.id == 9)) == [("failed",)]


def test_nothing_is_collected_without_tags(make_settings: MakeSettings) -> None:
    with closing(collector_for(make_settings())) as collector, pytest.raises(NothingTracked, match="TAGS"):
        collector.start()


def test_invented_and_real_tweets_never_mix(collector: Collector) -> None:
    with collector.database.writing() as session:
        claim(session, EMULATOR)
        run = Run(kind="import", state="done", started=NOON)
        session.add(run)
        session.flush()
        session.add(Tweet(id=1, version=1, text="invented", created=NOON, run_id=run.id))
    with pytest.raises(SourceRefused, match="invented"):
        collector.start()
    assert count(collector, TweetTag) == 0


def take(database: Database) -> int:
    """Take the lease and return its token, 0 while another holds it."""
    with database.writing() as session:
        return lease.take(session, "a test") or 0


def set_end(database: Database, seconds: float) -> None:
    with database.writing() as session:
        session.execute(update(Lease).values(expires=int((time.time() + seconds) * 1000)))


@pytest.mark.dialects
def test_a_lease_has_one_holder_and_each_holder_a_greater_token(database: Database) -> None:
    first = take(database)
    assert (first > 0, take(database)) == (True, 0)
    with database.writing() as session:
        lease.give_back(session, first)
    assert take(database) == first + 1


@pytest.mark.dialects
def test_a_dead_holder_loses_it_and_can_not_write_any_more(database: Database) -> None:
    first = take(database)
    set_end(database, -1)
    assert take(database) == first + 1 > 1
    with pytest.raises(lease.LeaseLost), database.writing() as session:
        lease.renew(session, first)


@pytest.mark.dialects
@pytest.mark.parametrize("ahead", [3_600, 30 * 86_400])
def test_an_end_that_a_wrong_clock_wrote_does_not_shut_everybody_out(database: Database, ahead: float) -> None:
    """It was set back since, by an hour or a month: no holder asks for so much."""
    first = take(database)
    set_end(database, ahead)
    with database.reading() as session:
        assert live_token(session) is None
    assert take(database) == first + 1 > 1
