"""Stores pages of new tweets in a database until it is told to stop: `storing.py URL PAGES_A_SECOND`. Says each on stdout.

A page is 100 tweets that one tag found, stored in one transaction as a collection does it, but for what X charges.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alchemy import Database
from benchmarks import invented
from collector import figures, runs, tags
from collector.tweets.store import store
from collector.values import AuthorSeen, Find, TagRef, TweetSeen
from formats.ours import own

PAGE = 100
MOST = 1_000_000

Page = list[tuple[TweetSeen, AuthorSeen | None]]


def pages() -> Iterator[Page]:
    """Give pages of tweets that are newer than all others."""
    rows = invented.tweets(MOST, begin=invented.BEGIN + invented.SPAN, span=timedelta(days=20))
    while page := list(islice(rows, PAGE)):
        yield [(archived.tweet, author) for archived, author in map(own, page)]


def stored(database: Database, page: Page, tag: TagRef, run_id: int) -> None:
    """Store a page in one transaction."""
    authors = list({author.id: author for _, author in page if author}.values())
    with database.writing() as session:
        store(session, [Find(tweet, (tag,)) for tweet, _ in page], authors, run_id=run_id)
        figures.page_stored(session, date=datetime.now(UTC), remaining=None)


def main() -> int:
    url, rate = sys.argv[1], float(sys.argv[2])
    with closing(Database(url)) as database:
        with database.writing() as session:
            known, run_id = tags.tracked(session), runs.begin_import(session)
        begun = time.perf_counter()
        for number, page in enumerate(pages()):
            time.sleep(max(begun + number / rate - time.perf_counter(), 0))
            stored(database, page, known[number % len(known)], run_id)
            print(number, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
