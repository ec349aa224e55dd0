"""A server that is set up in another way answers the same, and one that can't be used is refused in words."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from alchemy import DatabaseAway, DatabaseNotMigrated, DatabaseUnavailable, open_database
from collector.backups.tables import counts
from models import DatabaseMark, JobState
from tests.fixtures import databases

pytestmark = pytest.mark.postgresql
ODD = (
    *("datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'", "default_transaction_isolation = 'serializable'"),
    *("client_encoding = 'LATIN1'", "lc_messages = 'C'"),
)


@pytest.fixture
def url(tmp_path: Path, database_backend: str) -> str:
    return databases.url_of(tmp_path)


def test_a_database_that_is_set_oddly_answers_the_same(url: str) -> None:
    name = url.rpartition("/")[2]
    for odd in ODD:
        databases.asked(url, f'ALTER DATABASE "{name}" SET {odd}')
    began = datetime(2026, 3, 2, 8, 30, 59, tzinfo=UTC)
    with closing(open_database(url)) as database:
        database.write(lambda session: session.add(JobState(name="odd", began=began)))
        with database.reading() as session:
            assert session.scalar(select(JobState.began)) == began
            assert counts(session)["scheduled_jobs"] == 1
            found = session.scalar(text("SELECT sum(n) FROM (VALUES (9223372036854775807), (9223372036854775807)) AS t (n)"))
            assert (type(found), found) == (int, 2 * 9223372036854775807)


def test_a_database_of_another_encoding_is_refused(url: str) -> None:
    databases.asked(url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    said = r"\Athe database's encoding is LATIN1: make it with ENCODING 'UTF8'\Z"
    with closing(open_database(url.rpartition("/")[0] + "/latin")) as database, pytest.raises(DatabaseUnavailable, match=said):
        database.upgrade()


def test_nobody_there_is_said_without_saying_where(caplog: pytest.LogCaptureFixture) -> None:
    nobody = "postgresql+psycopg://app:geheim@127.0.0.1:9/tweets"
    with closing(open_database(nobody)) as database, pytest.raises(DatabaseAway, match="no primary of the database") as away:
        database.query("SELECT 1")
    assert "127.0.0.1" not in str(away.value)
    reasons = [str(record.__dict__["reason"]) for record in caplog.records]
    assert any("Connection refused" in reason for reason in reasons)
    assert not any("geheim" in reason for reason in reasons)


def test_what_is_not_migrated_is_said(tmp_path: Path, database_backend: str) -> None:
    url = databases.url_of(tmp_path / "new", empty=True)
    with closing(open_database(url)) as database, pytest.raises(DatabaseNotMigrated), database.reading() as session:
        session.scalar(select(DatabaseMark.value))


def test_who_writes_or_asks_waits_for_another_only_so_long(url: str) -> None:
    with closing(open_database(url)) as one, closing(open_database(url)) as other:
        with one.writing() as session:
            session.add(DatabaseMark(name="first", value=""))
            with pytest.raises(DatabaseUnavailable, match="busy"), other.writing():
                pass
            session.execute(text("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(DatabaseUnavailable, match="busy"):
                other.query("SELECT count(*) FROM counters")
        other.write(lambda session: session.add(DatabaseMark(name="second", value="")))
        with one.reading() as session:
            assert set(session.scalars(select(DatabaseMark.name))) >= {"first", "second"}
