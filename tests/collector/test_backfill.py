"""Backfills: a period of the full archive, priced before it is bought, whole afterwards, and nothing bought twice."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import api
from api import get_tweets
from collector.runs.backfill import BackfillIds, BackfillPeriod, _without
from collector.runs.collector import Collector
from collector.verification import faults
from collector.x import client
from collector.x.app_only import AppOnly, CountedPosts, Counting
from emulator import Emulator
from models import Listing, Tag, Tweet, TweetTag
from queries.collections import CollectionView
from queries.gaps import Gap, gaps, snowflake_time
from tests.collector.conftest import MakeCollector, RunApi, asked, rows
from tests.fixtures.clocks import NOON, standing
from tests.fixtures.environment import ROOT, environment, let_lease_run_out

DAY = timedelta(days=1)
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 8, tzinfo=UTC)
ARCHIVE = "/2/tweets/search/all"
ONE_DAY = ("--since", "2026-09-01", "--until", "2026-09-02")
Said = pytest.CaptureFixture[str]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X with fewer tweets, whose archive answers as often as it is asked."""
    with standing(tweets=2_000) as running:
        yield running


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ARCHIVE_EVERY_S", 0.0)


@pytest.fixture
def collector(make_collector: MakeCollector) -> Collector:
    return make_collector(MONTHLY_BUDGET_USD="off", TAGS="#devops,#sre", TW_NUMBER="20")


@pytest.fixture
def run(run_api: RunApi) -> RunApi:
    """Run `python api.py` over one tag, without a budget unless one is given."""
    return partial(run_api, **{"TAGS": "#sre", "TW_NUMBER": "10", "MONTHLY_BUDGET_USD": "off"})


def filled(collector: Collector, since: datetime = SINCE, until: datetime = UNTIL) -> CollectionView:
    return collector.outcome(collector.start(period=BackfillPeriod(since, until)))


def is_whole(collector: Collector, emulator: Emulator, tag: str, since: datetime = SINCE, until: datetime = UNTIL) -> bool:
    """Tell whether all is stored that X knows; an edit may lie on the other side of an end than its first version."""
    known = emulator.count(tag, since, until)
    links = select(Tweet.created).join(TweetTag, TweetTag.tweet_id == Tweet.id).join(Tag, Tag.id == TweetTag.tag_id)
    stored = sum(since <= row.created < until for row in rows(collector.database, links.where(Tag.tag == tag)))
    return known > 10 and abs(stored - known) <= 3


def known_gaps(collector: Collector) -> list[Gap]:
    with collector.database.reading() as session:
        return gaps(session)


def later(collector: Collector, emulator: Emulator, time: timedelta = DAY) -> None:
    """Let X's time go on, and the collector hear of it."""
    emulator.clock.advance(time.total_seconds())
    collector.clock.set_by_answer(emulator.clock.now())


@pytest.mark.dialects
def test_a_period_is_read_whole_and_each_post_bought_once_however_often_asked(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    assert filled(collector).state == "done"
    assert emulator.count("#sre", SINCE, UNTIL) > 100
    assert all(is_whole(collector, emulator, tag) for tag in ("#devops", "#sre"))
    assert emulator.ledger.twice() == {}
    assert faults(collector.database, collector.order.billing) == []
    later(collector, emulator)
    bought = emulator.ledger.total().posts_billed
    assert filled(collector).state == "done"
    assert emulator.ledger.total().posts_billed == bought
    assert filled(collector, SINCE - DAY, UNTIL + DAY).state == "done"
    assert emulator.ledger.twice() == {}
    assert is_whole(collector, emulator, "#sre", SINCE - DAY, UNTIL + DAY)


@pytest.mark.dialects
def test_what_collections_bought_is_left_and_their_gaps_are_filled(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(MONTHLY_BUDGET_USD="off", TAGS="#sre", TW_NUMBER="10")
    get_tweets(collector)
    later(collector, emulator)
    get_tweets(collector)
    assert known_gaps(collector)
    later(collector, emulator, 8 * DAY)
    get_tweets(collector)
    later(collector, emulator)
    assert any(gap.expired for gap in known_gaps(collector))
    since, until = NOON - 3 * DAY, emulator.clock.now()
    assert filled(collector, since, until).state == "done"
    assert emulator.ledger.twice() == {}
    assert known_gaps(collector) == []
    ((reach,),) = rows(collector.database, select(Tag.since_id))
    assert is_whole(collector, emulator, "#sre", since, snowflake_time(reach).replace(microsecond=0))


def test_a_tag_that_was_never_collected_begins_with_its_backfill(collector: Collector, emulator: Emulator) -> None:
    assert filled(collector, NOON - 2 * DAY, NOON).state == "done"
    for wait in (timedelta(hours=1), DAY):
        later(collector, emulator, wait)
        get_tweets(collector)
    assert emulator.ledger.twice() == {}
    assert is_whole(collector, emulator, "#sre", NOON - 2 * DAY, NOON - timedelta(minutes=1))


def test_an_old_period_does_not_begin_the_history_of_a_tag(collector: Collector) -> None:
    assert filled(collector, SINCE, SINCE + DAY).state == "done"
    get_tweets(collector)
    assert known_gaps(collector) == []


def test_a_tag_whose_collection_was_interrupted_is_left_to_be_collected_first(collector: Collector, emulator: Emulator) -> None:
    emulator.plan("server_500", tag="#sre", times=None)
    get_tweets(collector)
    emulator.clear_faults()
    with collector.database.writing() as session:
        tag_id = session.scalar(select(Tag.id).where(Tag.tag == "#sre"))
        session.add(Listing(tag_id=tag_id, run_id=1, until_id=2**60, before=2**60, query="#sre", pages=1))
    view = filled(collector, SINCE, SINCE + DAY)
    assert {tag.tag: tag.state for tag in view.tags} == {"#devops": "done", "#sre": "failed"}
    assert "interrupted" in (view.tags[1].reason or "")


@pytest.mark.dialects
def test_the_budget_ends_a_backfill_which_goes_on_later(make_collector: MakeCollector, emulator: Emulator) -> None:
    open_one = partial(make_collector, TAGS="#devops", TW_NUMBER="10")
    with closing(open_one(MONTHLY_BUDGET_USD="3")) as collector:
        view = filled(collector)
        assert view.state == "failed"
        assert "budget" in (view.tags[0].reason or "")
        assert view.tweets_added > 100
        assert emulator.ledger.total().ceiling <= 3_000
        (gap,) = known_gaps(collector)
        assert gap.expired
    emulator.clock.advance(30 * DAY.total_seconds())
    collector = open_one(MONTHLY_BUDGET_USD="off")
    assert filled(collector).state == "done"
    assert is_whole(collector, emulator, "#devops")
    assert emulator.ledger.twice() == {}


def test_the_archive_is_asked_once_a_second(make_collector: MakeCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ARCHIVE_EVERY_S", 1.05)
    with Emulator(tweets=2_000) as paced:
        view = filled(make_collector(TWITTER_API_URL=paced.url), SINCE, SINCE + timedelta(hours=1))
        assert view.state == "done"
        assert [request.status for request in paced.requests] == [200] * 3


def fill(folder: Path, emulator: Emulator, point: str) -> subprocess.CompletedProcess[str]:
    """Run `python api.py --since …` in a process of its own, perhaps killed at a point."""
    more = {"MONTHLY_BUDGET_USD": "off", "TAGS": "#devops", "X_TIMEOUT": "20s", "PATH": os.environ["PATH"]}
    variables, script = environment(folder, emulator) | more, str(ROOT / "tests/reliability/victim.py")
    period = ("--since", "2026-09-01", "--until", "2026-09-15T00:00:00Z", "--yes")
    command = [sys.executable, script, point, "1", "--unpaced", *period]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


POINTS = ("reserved", "stored", "storing", "sold")
LONG = ("reserved", "stored", "stored", "storing", "sold", "stored", "reserved", "stored", "storing", "stored")


@pytest.mark.reliability
@pytest.mark.process
@pytest.mark.parametrize("points", [POINTS, pytest.param(LONG, marks=pytest.mark.slow)], ids=len)
def test_a_backfill_that_is_killed_again_and_again_buys_nothing_twice(tmp_path: Path, points: tuple[str, ...]) -> None:
    with Emulator(archive_pace=0, tweets=10_000, now=NOON) as emulator:
        for point in points:
            done = fill(tmp_path, emulator, point)
            assert done.returncode == -9, done.stderr[-500:]
            let_lease_run_out(tmp_path)
            if point in ("reserved", "stored"):
                emulator.clock.advance(DAY.total_seconds())  # bought again, it would be billed again
        ended = fill(tmp_path, emulator, "-")
        assert ended.returncode == 0, ended.stderr[-500:]
        assert emulator.ledger.twice() == {}
        known = emulator.count("#devops", SINCE, SINCE + 14 * DAY)
        assert known > 12 * 100
        assert emulator.ledger.total().counts_all_calls == 1
        served, billed = emulator.ledger.total().posts_served, emulator.ledger.total().posts_billed
        assert known - 5 <= billed <= known + 5
        assert served <= billed + 3 * 100  # three answers were lost, and asked for again on the same day


class Terminal(io.StringIO):
    """A terminal on which somebody answers."""

    def isatty(self) -> bool:
        return True


def test_a_price_is_confirmed(run: RunApi, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    known = emulator.count("#sre", SINCE, SINCE + DAY)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run(*ONE_DAY) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run(*ONE_DAY) == 1
    said = capsys.readouterr().err
    assert f"{known} tweets to buy, by X's own counts: ${known * 0.005:.3f}".rstrip("0") in said
    assert "nothing was bought" in said
    assert asked(emulator, ARCHIVE) == []
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert run(*ONE_DAY) == 0
    assert len(asked(emulator, "/2/tweets/counts/all")) == 1
    assert f"{known} tweets added" in capsys.readouterr().err


def test_an_unwell_x_is_asked_again_for_a_count_which_is_paid_once(run: RunApi, emulator: Emulator) -> None:
    emulator.plan("server_503", times=2, endpoint="counts_all")
    assert run(*ONE_DAY, "--yes") == 0
    assert emulator.ledger.total().counts_all_calls == 1


def test_ctrl_c_while_x_counts_buys_nothing_and_says_so(
    run: RunApi, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    def interrupted(*_asked: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AppOnly, "count", interrupted)
    assert run(*ONE_DAY, "--yes") == 1
    assert "nothing was bought" in capsys.readouterr().err
    assert asked(emulator, ARCHIVE) == []


def test_what_is_newer_than_the_last_collection_is_left_to_the_next(run: RunApi, emulator: Emulator, capsys: Said) -> None:
    assert run() == 0
    emulator.clock.advance(DAY.total_seconds())
    assert run("--since", "2026-11-24", "--yes") == 0
    assert "tweets newer than 2026-11-24 12:" in capsys.readouterr().err


def test_what_the_budget_does_not_pay_for_is_said_beforehand(run: RunApi, emulator: Emulator, capsys: Said) -> None:
    assert run("--since", "2026-11-01", "--yes", MONTHLY_BUDGET_USD="0.5") == 1
    assert "the month's budget leaves $0.4" in capsys.readouterr().err
    assert emulator.ledger.total().ceiling <= 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--every 15", "expected a number followed by s, m, h or d"),
        ("--since 2005-01-01", "2010-11-05"),
        ("--since 2026-02-30", "2026-01-31"),
        ("--since 2026-09-02 --until 2026-09-01", "before --until"),
        ("--since 2126-09-02", "before now"),
        ("--yes", "go with --since"),
        ("--since 2026-09-01 --estimate", "not allowed with"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: str, words: str, capsys: Said) -> None:
    with pytest.raises(SystemExit) as stopped:
        api.main(arguments.split())
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


IDS = st.tuples(st.integers(-1, 40), st.integers(0, 42)).map(lambda ends: BackfillIds(min(ends), max(ends) + 1))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(IDS, st.lists(IDS, max_size=5))
def test_what_is_left_is_what_was_not_taken(whole: BackfillIds, taken: list[BackfillIds]) -> None:
    def members(ids: BackfillIds) -> set[int]:
        return set(range(ids.since_id + 1, ids.until_id))

    left = _without(whole, taken)
    assert set().union(*map(members, left)) == members(whole).difference(*map(members, taken))
    assert sum(len(members(one)) for one in left) == len(set().union(*map(members, left)))


def test_a_history_that_ended_long_ago_is_collected_first(run: RunApi, emulator: Emulator, capsys: Said) -> None:
    assert run() == 0
    emulator.clock.advance(20 * DAY.total_seconds())
    period = ("--since", "2026-12-01", "--until", "2026-12-02", "--yes")
    assert run(*period) == 1
    assert "#sre: it was last collected on 2026-11-24: collect once" in capsys.readouterr().err
    assert run() == 0
    assert run(*period) == 0
    known = emulator.count("#sre", SINCE + 91 * DAY, SINCE + 92 * DAY)
    assert f"{known} tweets added" in capsys.readouterr().err
    assert emulator.ledger.twice() == {}


def test_a_token_behind_the_last_hour_is_not_followed(run: RunApi, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    count = AppOnly.count

    def endless(x: AppOnly, asked: Counting, look: Callable[[], None]) -> CountedPosts:
        return count(x, asked._replace(next_token=None), look)._replace(next_token="again")

    monkeypatch.setattr(AppOnly, "count", endless)
    assert run(*ONE_DAY, "--yes") == 0
    assert emulator.ledger.total().counts_all_calls == 1
