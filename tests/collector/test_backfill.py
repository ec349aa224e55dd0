"""Backfills: a period of the full archive, priced before it is bought, whole afterwards, and nothing bought twice."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

import api
from alchemy import Database
from api import collector_for, get_tweets
from collector.backfill import Ids, Period, _without
from collector.collector import Collector
from collector.tags import track
from collector.terms import Terms
from collector.verification import faults
from collector.x import transport
from collector.x.app_only import AppOnly, Counted, Counting
from emulator import Emulator
from models import Listing, Tag, Tweet, TweetTag
from queries.collections import CollectionView
from queries.gaps import gaps
from tests.fixtures import databases
from tests.fixtures.environment import ROOT, MakeSettings, environment, let_lease_run_out

NOON = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
DAY = timedelta(days=1)
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 8, tzinfo=UTC)
ARCHIVE, RECENT = "/2/tweets/search/all", "/2/tweets/search/recent"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose clock stands, and whose archive answers as often as it is asked."""
    with Emulator(archive_pace=0) as running:
        running.clock.hold(NOON)
        yield running


@pytest.fixture(autouse=True)
def _unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ARCHIVE_EVERY_S", 0.0)


@pytest.fixture
def collector(make_settings: MakeSettings) -> Iterator[Collector]:
    with closing(collector_for(make_settings(MONTHLY_BUDGET_USD="off", TAGS="#devops,#sre", TW_NUMBER="50"))) as ready:
        ready.prepare()
        yield ready


def filled(collector: Collector, since: datetime = SINCE, until: datetime = UNTIL) -> CollectionView:
    return collector.outcome(collector.start(period=Period(since, until)))


def stored(collector: Collector, tag: str, since: datetime, until: datetime) -> int:
    """Return how many versions that search shows are stored: one a tweet."""
    with collector.database.reading() as session:
        links = select(Tweet.created).join(TweetTag, TweetTag.tweet_id == Tweet.id).join(Tag, Tag.id == TweetTag.tag_id)
        return sum(since <= when < until for when in session.scalars(links.where(Tag.tag == tag)))


def asked(emulator: Emulator, path: str) -> list[dict[str, str]]:
    return [dict(request.params) for request in emulator.requests if request.path == path]


def test_a_period_is_read_whole_and_each_post_bought_once(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    view = filled(collector)
    assert view.state == "done"
    for tag in ("#devops", "#sre"):
        known = emulator.count(tag, SINCE, UNTIL)
        assert known - 3 <= stored(collector, tag, SINCE, UNTIL) <= known  # an edit may lie before its first version's day
        assert known > 500
    assert emulator.ledger.twice() == {}
    assert faults(collector.database, collector.order.billing) == []


def test_the_same_period_again_costs_nothing_on_another_day(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    filled(collector)
    emulator.clock.advance(DAY.total_seconds())
    bought = emulator.ledger.total().posts_billed
    assert filled(collector).state == "done"
    assert emulator.ledger.total().posts_billed == bought


def test_overlapping_periods_buy_only_what_is_new(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    filled(collector)
    emulator.clock.advance(DAY.total_seconds())
    assert filled(collector, SINCE - DAY, UNTIL + DAY).state == "done"
    assert emulator.ledger.twice() == {}
    known = emulator.count("#sre", SINCE - DAY, UNTIL + DAY)
    assert known - 3 <= stored(collector, "#sre", SINCE - DAY, UNTIL + DAY) <= known


def later(collector: Collector, emulator: Emulator, time: timedelta) -> None:
    """Let X's time go on, and the collector hear of it."""
    emulator.clock.advance(time.total_seconds())
    collector.clock.tell(emulator.clock.now())


def test_what_collections_bought_is_not_bought_again_and_their_gaps_are_filled(
    collector: Collector, emulator: Emulator
) -> None:
    get_tweets(collector)
    later(collector, emulator, DAY)
    get_tweets(collector)
    with collector.database.reading() as session:
        assert gaps(session)
    later(collector, emulator, 8 * DAY)
    get_tweets(collector)
    later(collector, emulator, DAY)
    with collector.database.reading() as session:
        assert any(gap.expired for gap in gaps(session))
    since, until = NOON - 3 * DAY, emulator.clock.now()
    assert filled(collector, since, until).state == "done"
    assert emulator.ledger.twice() == {}
    with collector.database.reading() as session:
        assert gaps(session) == []
        reach = min(since_id or 0 for since_id in session.scalars(select(Tag.since_id)))
    for tag in ("#devops", "#sre"):
        end = datetime.fromtimestamp((reach >> 22) / 1000 + 1288834974.657, UTC).replace(microsecond=0)
        known = emulator.count(tag, since, end)
        assert abs(stored(collector, tag, since, end) - known) <= 3


def test_a_tag_that_was_never_collected_begins_with_its_backfill(collector: Collector, emulator: Emulator) -> None:
    assert filled(collector, NOON - 2 * DAY, NOON).state == "done"
    later(collector, emulator, timedelta(hours=1))
    get_tweets(collector)
    later(collector, emulator, DAY)
    get_tweets(collector)
    assert emulator.ledger.twice() == {}
    known = emulator.count("#sre", NOON - 2 * DAY, NOON - timedelta(minutes=1))
    assert abs(stored(collector, "#sre", NOON - 2 * DAY, NOON - timedelta(minutes=1)) - known) <= 3


def test_a_tag_whose_collection_was_interrupted_is_left_to_be_collected_first(collector: Collector, emulator: Emulator) -> None:
    emulator.plan("server_500", tag="#sre", times=None)
    get_tweets(collector)
    emulator.clear_faults()
    with collector.database.writing() as session:
        tag_id = session.scalar(select(Tag.id).where(Tag.tag == "#sre"))
        session.add(Listing(tag_id=tag_id, run_id=1, until_id=2**60, before=2**60, query="#sre", pages=1))
    view = filled(collector)
    assert {tag.tag: tag.state for tag in view.tags} == {"#devops": "done", "#sre": "failed"}
    assert "interrupted" in (view.tags[1].reason or "")


def test_the_budget_ends_a_backfill_which_goes_on_later(make_settings: MakeSettings, emulator: Emulator) -> None:
    settings = {"TAGS": "#devops", "TW_NUMBER": "10"}
    with closing(collector_for(make_settings(**settings, MONTHLY_BUDGET_USD="8"))) as collector:
        collector.prepare()
        view = filled(collector)
        assert view.state == "failed"
        assert "budget" in (view.tags[0].reason or "")
        assert view.tweets_added > 100
        assert emulator.ledger.total().ceiling <= 8_000
        with collector.database.reading() as session:
            (gap,) = gaps(session)
            assert gap.expired
    emulator.clock.advance(30 * DAY.total_seconds())
    with closing(collector_for(make_settings(**settings, MONTHLY_BUDGET_USD="off"))) as collector:
        assert filled(collector).state == "done"
        known = emulator.count("#devops", SINCE, UNTIL)
        assert known - 3 <= stored(collector, "#devops", SINCE, UNTIL) <= known
    assert emulator.ledger.twice() == {}


def test_the_archive_is_asked_once_a_second(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ARCHIVE_EVERY_S", 1.05)
    with Emulator() as paced:
        collector.source = collector.source._replace(access=collector.source.access._replace(url=paced.url))  # type: ignore[attr-defined]
        view = filled(collector, SINCE, SINCE + timedelta(hours=3))
        assert view.state == "done"
        assert {request.status for request in paced.requests} == {200}


def fill(
    folder: Path, emulator: Emulator, *arguments: str, point: str = "-", count: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run `python api.py --since …` in a process of its own, perhaps killed at a point."""
    variables = environment(folder, emulator) | {"MONTHLY_BUDGET_USD": "off", "TAGS": "#devops", "X_TIMEOUT": "20s"}
    script = str(ROOT / "tests/reliability/victim.py")
    command = [sys.executable, script, point, "1", "--unpaced", *arguments]
    variables |= {"PATH": os.environ["PATH"]}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


PERIOD = ("--since", "2026-09-01", "--until", "2026-09-15T00:00:00Z", "--yes")


POINTS = ("reserved", "stored", "storing", "sold")
LONG = ("reserved", "stored", "stored", "storing", "sold", "stored", "reserved", "stored", "storing", "stored")


@pytest.mark.parametrize("points", [POINTS, pytest.param(LONG, marks=pytest.mark.slow)], ids=len)
def test_a_backfill_that_is_killed_again_and_again_buys_nothing_twice(tmp_path: Path, points: tuple[str, ...]) -> None:
    with Emulator(archive_pace=0, tweets=10_000) as emulator:
        emulator.clock.hold(NOON)
        for point in points:
            done = fill(tmp_path, emulator, *PERIOD, point=point)
            assert done.returncode == -9, done.stderr[-500:]
            let_lease_run_out(tmp_path)
            if point in ("reserved", "stored"):
                emulator.clock.advance(DAY.total_seconds())  # bought again, it would be billed again
        ended = fill(tmp_path, emulator, *PERIOD)
        assert ended.returncode == 0, ended.stderr[-500:]
        assert emulator.ledger.twice() == {}
        known = emulator.count("#devops", SINCE, SINCE + 14 * DAY)
        assert known > 12 * 100
        assert emulator.ledger.total().counts_all_calls == 1
        served, billed = emulator.ledger.total().posts_served, emulator.ledger.total().posts_billed
        assert known - 5 <= billed <= known + 5
        assert served <= billed + 3 * 100  # three answers were lost, and asked for again on the same day


def run(folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, *arguments: str, **more: str) -> int:
    settings = environment(folder, emulator) | {"TAGS": "#sre", "TW_NUMBER": "10", "MONTHLY_BUDGET_USD": "off"} | more
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return api.main(arguments)


class Terminal(io.StringIO):
    """A terminal on which somebody answers."""

    def isatty(self) -> bool:
        return True


def test_the_price_is_shown_and_confirmed_before_anything_is_bought(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = emulator.count("#sre", SINCE, SINCE + DAY)
    period = ("--since", "2026-09-01", "--until", "2026-09-02")
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run(tmp_path, emulator, monkeypatch, *period) == 1
    said = capsys.readouterr().err
    assert f"{known} tweets to buy, by X's own counts: ${known * 0.005:.3f}".rstrip("0") in said
    assert "nothing was bought" in said
    assert asked(emulator, ARCHIVE) == []
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert run(tmp_path, emulator, monkeypatch, *period) == 0
    assert len(asked(emulator, "/2/tweets/counts/all")) == 1
    assert f"{known} tweets added" in capsys.readouterr().err


def test_without_a_terminal_it_says_how_to_confirm(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-09-01", "--until", "2026-09-02") == 2
    assert "--yes" in capsys.readouterr().err
    assert asked(emulator, ARCHIVE) == []


def test_what_the_budget_does_not_pay_for_is_said_beforehand(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-09-01", "--yes", MONTHLY_BUDGET_USD="0.5") == 1
    said = capsys.readouterr().err
    assert "the month's budget leaves $0.4" in said
    assert emulator.ledger.total().ceiling <= 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday"], "2026-01-31"),
        (["--since", "2005-01-01"], "2010-11-05"),
        (["--since", "2026-02-30"], "2026-01-31"),
        (["--since", "2026-09-02", "--until", "2026-09-01"], "before --until"),
        (["--since", "2126-09-02"], "before now"),
        (["--until", "2026-09-01"], "go with --since"),
        (["--yes"], "go with --since"),
        (["--since", "2026-09-01", "--estimate"], "not allowed with"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        api.main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


IDS = st.tuples(st.integers(-1, 40), st.integers(0, 42)).map(lambda ends: Ids(min(ends), max(ends) + 1))


@given(IDS, st.lists(IDS, max_size=5))
def test_what_is_left_is_what_was_not_taken(whole: Ids, taken: list[Ids]) -> None:
    def members(ids: Ids) -> set[int]:
        return set(range(ids.since_id + 1, ids.until_id))

    left = _without(whole, taken)
    assert set().union(*map(members, left)) == members(whole).difference(*map(members, taken))
    assert sum(len(members(one)) for one in left) == len(set().union(*map(members, left)))


def test_a_history_that_ended_long_ago_is_collected_first(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, emulator, monkeypatch) == 0
    emulator.clock.advance(20 * DAY.total_seconds())
    period = ("--since", "2026-12-01", "--until", "2026-12-02", "--yes")
    assert run(tmp_path, emulator, monkeypatch, *period) == 1
    assert "#sre: it was last collected on 2026-11-24: collect once" in capsys.readouterr().err
    assert run(tmp_path, emulator, monkeypatch) == 0
    assert run(tmp_path, emulator, monkeypatch, *period) == 0
    known = emulator.count("#sre", SINCE + 91 * DAY, SINCE + 92 * DAY)
    assert f"{known} tweets added" in capsys.readouterr().err
    assert emulator.ledger.twice() == {}


def test_what_is_newer_than_the_last_collection_is_left_to_the_next_and_that_is_said(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, emulator, monkeypatch) == 0
    emulator.clock.advance(DAY.total_seconds())
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-11-24", "--yes") == 0
    assert "what is newer than 2026-11-24 12:" in capsys.readouterr().err


def test_an_old_period_does_not_begin_the_history_of_a_tag(collector: Collector, emulator: Emulator) -> None:
    assert filled(collector, SINCE, SINCE + DAY).state == "done"
    get_tweets(collector)
    with collector.database.reading() as session:
        assert gaps(session) == []


def test_a_price_is_told_by_what_was_counted_on_the_same_terms(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\nn\n"))
    period = ("--since", "2026-09-01", "--until", "2026-09-02")
    assert run(tmp_path, emulator, monkeypatch, "--estimate") == 0
    database = Database(databases.url_of(tmp_path))
    with closing(database), database.writing() as session:
        track(session, "#sre", Terms(lang=("de",)))
    assert run(tmp_path, emulator, monkeypatch, *period) == 1
    narrow = capsys.readouterr().err
    with closing(Database(str(database.url))) as again, again.writing() as session:
        track(session, "#sre", Terms())
    assert run(tmp_path, emulator, monkeypatch, *period) == 1
    whole = capsys.readouterr().err
    known = emulator.count("#sre", SINCE, SINCE + DAY)
    assert f"{known} tweets to buy" in whole
    assert f"{known} tweets to buy" not in narrow


def test_an_unwell_x_is_asked_again_for_a_count(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.plan("server_503", times=2, endpoint="counts_all")
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-09-01", "--until", "2026-09-02", "--yes") == 0
    assert emulator.ledger.total().counts_all_calls == 1


def test_counts_that_do_not_end_are_not_paid_for_without_end(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = AppOnly.count
    tokens = iter(range(1000))

    def endless(x: AppOnly, asked: Counting) -> Counted:
        return count(x, asked._replace(next_token=None))._replace(next_token=str(next(tokens)))

    monkeypatch.setattr(AppOnly, "count", endless)
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-09-01", "--until", "2026-09-02", "--yes") == 1
    assert "don't come to an end" in capsys.readouterr().err
    assert emulator.ledger.total().counts_all_calls == 2


def test_ctrl_c_while_x_counts_buys_nothing_and_says_so(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_x: AppOnly, _asked: Counting) -> Counted:
        raise KeyboardInterrupt

    monkeypatch.setattr(AppOnly, "count", interrupted)
    assert run(tmp_path, emulator, monkeypatch, "--since", "2026-09-01", "--until", "2026-09-02", "--yes") == 1
    assert "nothing was bought" in capsys.readouterr().err
    assert asked(emulator, ARCHIVE) == []
