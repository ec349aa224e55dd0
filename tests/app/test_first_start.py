"""The emulator's own database begins with two weeks of history, and no other database does."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from api import collector_for
from collector import sources
from collector.verification import faults
from queries.collections import collections
from queries.counters import x_now
from queries.reach import reaches
from queries.spend import spend_between
from queries.tags import tracked_tags
from settings import load


def test_the_first_start_of_the_emulators_database_has_fourteen_invented_collections_without_spend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.sqlite.DATA", tmp_path / "data")
    monkeypatch.setattr(sources, "REAL_FILE", tmp_path / "data/tweets.db")
    monkeypatch.setattr(sources, "EMULATED_FILE", tmp_path / "data/emulated.db")
    settings = load({"TAGS": "#sre,#oauth,#devops"}, folder=tmp_path)
    with closing(collector_for(settings)) as collector:
        collector.prepare()
        started = collector.start_first()
        assert started
        newest = collector.outcome(started)
        assert collector.start_first() is None
        with collector.database.reading() as session:
            now, found = x_now(session), collections(session, before=newest.id, most=100)
            assert (newest.state, [one.state for one in found]) == ("done", ["done"] * 14)
            assert {(one.posts, one.ceiling) for one in found} == {(0, 0)}
            assert min(one.tweets_added for one in found) > 0
            assert all(now - one.started >= timedelta(days=1) for one in found)
            assert sources.source_of(session) == "emulator"
            first = int((now - timedelta(days=14, hours=23)).timestamp())
            assert all(one.covers(first, int(now.timestamp()) - 60) for one in reaches(session, now=int(now.timestamp())))
            assert {tag.coverage for tag in tracked_tags(session)} == {1}
            days = {"start": (now - timedelta(days=40)).date(), "end": (now + timedelta(days=2)).date()}
            assert spend_between(session, **days).posts == newest.posts
        assert faults(collector.database, collector.order.billing) == []


def test_another_database_of_the_emulator_begins_empty(tmp_path: Path) -> None:
    settings = load({"TAGS": "#sre", "DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}"}, folder=tmp_path)
    with closing(collector_for(settings)) as collector:
        collector.prepare()
        started = collector.start_first()
        assert started
        assert collector.outcome(started).id == 1
