"""What a backfill quotes where X counts badly, and that it never buys much more than it quoted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import requests

from collector.runs.backfill import BackfillPeriod
from collector.runs.collector import Collector
from collector.verification import faults
from collector.x import app_only, client
from emulator import Emulator
from queries.gaps import gaps
from tests.collector.conftest import MakeCollector, RunApi
from tests.collector.test_backfill import Terminal
from tests.fixtures.clocks import standing

SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
PERIOD = ("--since", "2026-09-01", "--until", "2026-09-04")
PAGE = 100
Said = pytest.CaptureFixture[str]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pretend X with fewer tweets, whose archive answers as often as it is asked."""
    monkeypatch.setattr(client, "ARCHIVE_EVERY_S", 0.0)
    with standing(tweets=10_000) as running:
        yield running


@pytest.fixture
def run(run_api: RunApi) -> RunApi:
    """Run `python api.py` over one tag, without a budget."""
    return partial(run_api, **{"TAGS": "#sre", "TW_NUMBER": "10", "MONTHLY_BUDGET_USD": "off"})


@pytest.fixture
def collector(make_collector: MakeCollector) -> Collector:
    return make_collector(MONTHLY_BUDGET_USD="off", TAGS="#devops,#sre", TW_NUMBER="10")


def test_a_backfill_that_x_did_not_count_stops_after_a_page_and_goes_on_later(
    run: RunApi, emulator: Emulator, capsys: Said
) -> None:
    known = emulator.count("#sre", SINCE, UNTIL)
    assert known > 2 * PAGE
    emulator.plan("counts_no_data", times=None, endpoint="counts_all")
    assert run(*PERIOD, "--yes") == 1
    said = capsys.readouterr().err
    assert "#sre: 0 tweets; X gave no count for 72 hours\n" in said
    assert "0 tweets to buy, by X's own counts: $0.00" in said
    assert "at most 100 tweets are bought before you are asked again: $0.50 for the tweets, $1.50 with" in said
    assert said.count("stopped at 100 tweets, because X has more than it counted") == 1
    assert "are assumed" in said
    assert said.endswith("no terminal to confirm the new price on: the same command continues the backfill\n")
    assert emulator.ledger.total().posts_billed == PAGE
    emulator.clear_faults()
    assert run(*PERIOD, "--yes") == 0
    assert emulator.ledger.twice() == {}
    assert abs(emulator.ledger.total().posts_billed - known) <= 3


def test_on_a_terminal_a_new_price_is_confirmed(
    run: RunApi, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    emulator.plan("counts_no_data", times=None, endpoint="counts_all")
    monkeypatch.setattr(sys, "stdin", Terminal("y\nn\n"))
    assert run(*PERIOD) == 1
    said = capsys.readouterr().err
    assert said.count("tweets to buy") == said.count("[y/N]") == 2
    assert emulator.ledger.total().posts_billed == PAGE
    monkeypatch.setattr(sys, "stdin", Terminal("y\ny\ny\n"))
    assert run(*PERIOD) == 0
    assert emulator.ledger.twice() == {}
    assert emulator.ledger.total().posts_billed > 2 * PAGE


def test_the_price_of_what_x_counted_as_nothing_says_how_much_may_be_bought(
    run: RunApi, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    parse = app_only._parse_counts

    def nothing(response: requests.Response) -> app_only.CountedPosts:
        counted = parse(response)
        return counted._replace(counts=tuple((start, end, 0) for start, end, _ in counted.counts))

    monkeypatch.setattr(app_only, "_parse_counts", nothing)
    assert run(*PERIOD, "--yes") == 1
    _, rest = capsys.readouterr().err.split("stopped at 100 tweets")
    assert "0 tweets to buy" in rest
    assert "the period may hold more: at most 100 tweets are bought before you are asked again: $0.50 for" in rest


@pytest.mark.parametrize(("fault", "calls"), [("counts_early", 2), ("counts_early_token", 3)])
def test_counts_that_end_early_are_continued_at_their_last_hour(
    run: RunApi, emulator: Emulator, capsys: Said, fault: str, calls: int
) -> None:
    emulator.plan(fault, endpoint="counts_all")
    assert run(*PERIOD, "--yes") == 0
    said = capsys.readouterr().err
    assert f"{emulator.count('#sre', SINCE, UNTIL)} tweets to buy" in said
    assert "no count" not in said
    assert emulator.ledger.total().counts_all_calls == calls


def test_counts_that_end_early_again_and_again_are_bounded_and_the_rest_is_unknown(
    run: RunApi, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    emulator.plan("counts_early", times=None, endpoint="counts_all")
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run(*PERIOD) == 1
    said = capsys.readouterr().err
    assert "counting the tweets at X costs at most $0.04" in said
    assert emulator.ledger.total().counts_all_calls == 4
    assert "X gave no count for 4 hours" in said  # of 72: 36, 18, 9, 4
    assert f"#sre: {emulator.count('#sre', SINCE + timedelta(hours=4), UNTIL)} tweets;" in said


@pytest.mark.dialects
def test_the_limit_is_that_of_all_tags_together_and_what_is_left_are_gaps(collector: Collector, emulator: Emulator) -> None:
    quoted = emulator.count("#devops", SINCE, UNTIL) // 2
    view = collector.outcome(collector.start(period=BackfillPeriod(SINCE, UNTIL, quoted)))
    most = quoted + quoted // 10 + PAGE
    assert {tag.tag for tag in view.tags if tag.failure_kind == "quote"} >= {"#sre"}
    assert view.failure_kind == "quote"
    assert most - 10 < emulator.ledger.total().posts_billed <= most
    with collector.database.reading() as session:
        assert {gap.tag for gap in gaps(session)} >= {"#sre"}
    assert faults(collector.database, collector.order.billing) == []
    assert collector.outcome(collector.start(period=BackfillPeriod(SINCE, UNTIL))).state == "done"
    assert emulator.ledger.twice() == {}


def test_a_lost_page_counts_as_bought(collector: Collector, emulator: Emulator) -> None:
    emulator.plan("cut", times=1, endpoint="search_all", tag="#devops")
    emulator.plan("server_500", times=None, endpoint="search_all", tag="#devops")
    view = collector.outcome(collector.start(period=BackfillPeriod(SINCE, UNTIL, 0)))
    assert [tag.failure_kind for tag in view.tags] == ["unwell", "quote"]
    assert emulator.ledger.total().posts_billed == PAGE
