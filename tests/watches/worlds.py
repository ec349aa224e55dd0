"""A database whose collections a test writes itself, the watches on it, and a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
from sqlalchemy import delete, func, select, update

from alchemy import Database, open_database
from collector import counters
from collector.runs.tags import ensure, track
from collector.tweets.store import store
from collector.values import Measurement, TaggedTweet, TweetVersion
from models import Listing, Message, Run, Tag, Watch
from queries.counters import SERVICE
from queries.gaps import first_id
from queries.watches import StoredWatch, stored_watch
from tests.fixtures import databases
from tests.fixtures.archives import tweet_id
from watches.definitions import DEFAULTS, WatchDefinition
from watches.evaluating import Evaluator

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TAG = "#sre"


class Posted(NamedTuple):
    """A post: when, its number among those of that time, its text, and its likes."""

    when: datetime
    number: int = 0
    text: str = "on call #sre"
    likes: int = 0

    @property
    def id(self) -> int:
        return tweet_id(self.when, self.number)

    def version(self, now: datetime) -> TweetVersion:
        measured = (Measurement(now.replace(microsecond=0), likes=self.likes),)
        return TweetVersion(self.id, (self.id,), self.text, self.when, "en", None, None, None, ("sre",), measurements=measured)


class Told(NamedTuple):
    """A message as it was recorded."""

    kind: str
    start: datetime
    end: datetime
    tweets: tuple[int, ...] = ()
    held_back: int = 0
    watch: str = "one"


class World:
    """A database of one tag that is collected from `begin` on, and a clock that stands there until it is moved."""

    def __init__(self, database: Database, begin: datetime = START, *, every: timedelta | None = HOUR) -> None:
        self.database, self.now = database, begin
        self.evaluator = self.restarted()
        with database.writing() as session:
            track(session, TAG, None)
            self.tag = ensure(session, TAG)
            edge = first_id(begin) - 1
            session.execute(update(Tag).where(Tag.id == self.tag.id).values(from_id=edge, since_id=edge))
            if every:
                counters.note_schedule(session, SERVICE, every=every.total_seconds(), due=begin.timestamp())

    def restarted(self) -> Evaluator:
        """Let a process that knows nothing evaluate from now on."""
        self.evaluator = Evaluator(self.database, lambda: self.now)
        return self.evaluator

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def collect(
        self,
        *posts: Posted,
        until: datetime | None = None,
        kind: str = "collection",
        backfills: bool = False,
        state: str = "done",
    ) -> int:
        """Record a run that stored these posts, and unless it is another kind of run, that all until now was collected."""
        with self.database.writing() as session:
            times = {"started": self.now, "ended": self.now + MINUTE}
            run = Run(kind=kind, backfills=backfills, state=state, token=1, **times)
            session.add(run)
            session.flush()
            store(session, [TaggedTweet(one.version(self.now), (self.tag,)) for one in posts], (), run_id=run.id)
            if kind == "collection" and not backfills:
                reached = {"since_id": first_id(until or self.now) - 1}
                session.execute(update(Tag).where(Tag.id == self.tag.id).values(reached))
            counters.bump_sequence(session)
            return run.id

    def leave_gaps(self, *gaps: tuple[datetime, datetime]) -> None:
        """Let these be all times that the collections left out."""
        with self.database.writing() as session:
            session.execute(delete(Listing))
            for first, end in gaps:
                ids = {"since_id": first_id(first) - 1, "until_id": first_id(end), "before": first_id(end)}
                session.add(Listing(tag_id=self.tag.id, run_id=1, gap=True, expired=False, query="", pages=0, **ids))
            counters.bump_sequence(session)

    def watch(self, name: str = "one", **keys: Any) -> WatchDefinition:
        """Save a watch that begins now."""
        definition = definition_of(**keys)
        with self.database.writing() as session:
            newest = session.scalars(select(Run.id).order_by(Run.id.desc()).limit(1)).first() or 0
            begun = {
                "changed": self.now,
                "checked_to": definition.begin_of(int(self.now.timestamp())),
                "after_run": newest,
                "held_back": 0,
            }
            session.add(Watch(name=name, definition=definition.written(), **begun))
            counters.bump_sequence(session)
        return definition

    def stored(self, name: str = "one") -> StoredWatch:
        with self.database.reading() as session:
            known = stored_watch(session, name)
        assert known
        return known

    def evaluate(self, name: str | None = "one") -> list[Told]:
        """Evaluate now, and return what that recorded of a watch, or of all."""
        with self.database.reading() as session:
            last = session.scalar(select(func.max(Message.id))) or 0
        self.evaluator.evaluate(threading.Event())
        return [one for one in self.told(last) if name in (None, one.watch)]

    def told(self, after: int = 0) -> list[Told]:
        """Return what was told after a message."""
        columns = select(Message.kind, Message.start, Message.end, Message.tweets, Message.held_back, Message.watch)
        with self.database.reading() as session:
            rows = session.execute(columns.where(Message.id > after).order_by(Message.id)).all()
        return [
            Told(kind, start, end, tuple(orjson.loads(tweets)), held_back, watch)
            for kind, start, end, tweets, held_back, watch in rows
        ]


def definition_of(**keys: Any) -> WatchDefinition:
    """Return a definition with the defaults of its kind."""
    usual = {"filters": "tag=sre", "to": ("team",), **DEFAULTS[keys["kind"]]}
    return WatchDefinition(**usual | keys)


def some(number: int, when: datetime, text: str = "on call #sre") -> Iterator[Posted]:
    """Yield so many posts, from a time on."""
    yield from (Posted(when + timedelta(seconds=at), at, text) for at in range(number))


def quiet_hours(begin: datetime, hours: Iterable[int] | None = None) -> Iterator[Posted]:
    """Yield a post or two of each of these hours after a time, by default of two weeks."""
    for at in hours if hours is not None else range(14 * 24):
        yield from some(1 + at % 2, begin + at * HOUR + 5 * MINUTE)


@contextmanager
def opened() -> Iterator[Database]:
    """Give a database of its own."""
    with TemporaryDirectory() as folder, closing(open_database(databases.url_of(Path(folder)))) as ready:
        yield ready
