"""How long facets and authors of a period take on a SQLite file, in process, one after the other.

    .venv/bin/python benchmarks/periods.py FILE [--since 2026-10-24T00:00:00Z] [--until 2026-10-31T00:00:00Z] [--rounds 9]

The file must be of this program's revision of the schema; nothing is written. Facets are asked for the period itself and, so
that it begins and ends within an hour, for one that is shorter by some minutes at both ends.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from alchemy import Database
from models import Tweet
from queries.facets import facets
from queries.filters import Filters, conditions

CUT = timedelta(minutes=17, seconds=23)
MOST = 10

Question = Callable[[Session], object]


def questions(period: Filters, cut: Filters) -> dict[str, Question]:
    """Return what is asked, by name."""
    own = conditions(period)
    number, authors = func.count(), select(Tweet.author_id, func.count()).where(*own).group_by(Tweet.author_id)
    asked: dict[str, Question] = {
        f"facets by {by}, {name}": lambda session, by=by, of=of: facets(session, by, of)  # type: ignore[misc]
        for name, of in (("whole hours", period), ("hours cut", cut))
        for by in ("lang", "country", "tag")
    }
    asked["tweets and distinct authors"] = lambda session: session.execute(
        select(number, func.count(distinct(Tweet.author_id))).where(*own)
    ).all()
    asked["most active authors"] = lambda session: session.execute(authors.order_by(number.desc()).limit(MOST)).all()
    return asked


def milliseconds(database: Database, question: Question, rounds: int) -> list[float]:
    """Return how long each round took but the first, which fills caches."""
    found = []
    for _ in range(rounds + 1):
        with database.reading() as session:
            began = time.perf_counter()
            question(session)
            found.append((time.perf_counter() - began) * 1000)
    return found[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--since", type=datetime.fromisoformat, default=datetime.fromisoformat("2026-10-24T00:00:00Z"))
    parser.add_argument("--until", type=datetime.fromisoformat, default=datetime.fromisoformat("2026-10-31T00:00:00Z"))
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    period = Filters(since=asked.since, until=asked.until)
    cut = Filters(since=asked.since + CUT, until=asked.until - CUT)
    with closing(Database(f"sqlite:///{asked.file.resolve()}")) as database:
        for name, question in questions(period, cut).items():
            took = milliseconds(database, question, asked.rounds)
            print(f"{name}: {statistics.median(took):.1f} ms ({min(took):.1f} to {max(took):.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
