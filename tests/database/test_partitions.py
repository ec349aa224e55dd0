"""Parts of the tables on PostgreSQL: few, made ahead, waited for by nobody, and dropped once they are empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from alchemy import Database, open_database
from collector.ledger.prices import Billing, Prices
from collector.runs import runs
from collector.tweets.retention import expire
from collector.tweets.store import store
from collector.values import ObservedAuthor, TaggedTweet, TweetVersion
from collector.verification import faults
from database import partitions
from queries.gaps import first_id
from settings import load
from tests.fixtures import databases

pytestmark = pytest.mark.postgresql
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    with closing(open_database(databases.url_of(tmp_path))) as ready:
        yield ready


def stored(database: Database, *times: datetime, ids: tuple[int, ...] = ()) -> None:
    """Store a tweet of each of these times, and of each of these ids."""
    own = [(first_id(when), when) for when in times] + [(one, NOW) for one in ids]
    finds = [TaggedTweet(TweetVersion(one, (one,), "on call #sre", when, "en", None, None, 7, ()), ()) for one, when in own]

    def add(session: Session) -> None:
        store(session, finds, [ObservedAuthor(7, "ada", "Ada", 3, NOW)], run_id=runs.begin_import(session))

    database.write(add)


def where(database: Database) -> dict[str, int]:
    """Return how many tweets lie in which table."""
    with database.reading() as session:
        rows = session.execute(text("SELECT tableoid::regclass::text, count(*) FROM tweets GROUP BY 1"))
        return {row[0]: row[1] for row in rows}


def parts(database: Database) -> list[range]:
    with database.reading() as session:
        return list(partitions.parts(session))


def adds_up(database: Database) -> bool:
    return faults(database, Billing(Prices.of(load({})))) == []


def test_recent_tweets_have_parts_and_the_next_one_is_made_ahead(database: Database) -> None:
    border = first_id(NOW) // partitions.WIDTH * partitions.WIDTH
    stored(database, NOW - 200 * DAY, ids=(border - 1,))
    assert "tweets_rest" not in where(database)
    assert border // partitions.WIDTH in [part.start // partitions.WIDTH for part in parts(database)]
    stored(database, ids=(border,))
    assert where(database)[f"tweets_{border // partitions.WIDTH}"] == 1


def test_what_is_very_old_or_of_the_future_makes_no_part(database: Database) -> None:
    years = [NOW - timedelta(days=365 * number) for number in range(6, 15)]
    stored(database, *years, ids=(1, 2**63 - 1))
    assert where(database) == {"tweets_rest": 11}
    assert parts(database) == []
    assert adds_up(database)


def test_a_reader_that_holds_a_part_up_is_not_waited_for(database: Database, tmp_path: Path) -> None:
    url = databases.url_of(tmp_path).replace("+psycopg", "")
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM tweets")
        stored(database, NOW)  # and comes back while the reader goes on
    assert where(database) == {"tweets_rest": 1}
    stored(database, NOW - 200 * DAY)
    assert len(where(database)) == 2


def test_retention_removes_what_is_old_and_drops_the_part_that_is_empty(database: Database) -> None:
    stored(database, *(NOW - 400 * DAY + number * timedelta(minutes=1) for number in range(40)), NOW)
    before = parts(database)
    assert expire(database, tweets=100 * DAY, payloads=None, stop=Event()).tweets == 40
    assert sum(where(database).values()) == 1
    assert len(parts(database)) < len(before)
    assert adds_up(database)
