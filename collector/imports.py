"""Imports: tweets of archives, stored in batches, each whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import counters, sources
from collector.backups.sweeping import rewrite_file
from collector.runs import lease, runs, tags
from collector.tweets import erasure, tombstones
from collector.tweets.store import store
from collector.values import ArchivedTweet, ObservedAuthor, TaggedTweet, TagRef, stand_in_id
from database.functions import among
from database.statements import enlarge_cache
from models import Author, Run
from queries.counters import sequence

Links = tuple[tuple[TagRef, ...], TagRef | None]
BATCH = 10_000
LARGEST_BATCH = 32 * 1024 * 1024
CACHE_MB = 32
NAMES = 10_000
REMEMBERED = 200_000
MOST_POSTPONED = 20_000
LARGEST_POSTPONED = 1000
LEASE_TIMEOUT_S = 60


class Import:
    """One import into a database; `tag`, if given, is linked to each of its tweets."""

    def __init__(self, database: Database, *, tag: str | None = None) -> None:
        self._database = database
        self._tweets: list[ArchivedTweet] = []
        self._size = 0
        self._authors: list[ObservedAuthor] = []
        self._known: dict[str, TagRef] = {}
        self._real_ids: dict[int, int] = {}
        self._remembered: dict[int, int] = {}
        self._postponed: dict[int, ObservedAuthor] = {}
        self._sequence = -1
        self.seen = self.added = 0

        def begin(session: Session) -> tuple[TagRef | None, int]:
            sources.require(session, sources.REAL)
            return tags.ensure(session, tag) if tag else None, runs.begin_import(session)

        self._tag, self._run_id = database.write(begin, timeout_s=LEASE_TIMEOUT_S)

    def add(self, tweets: Sequence[ArchivedTweet], authors: Sequence[ObservedAuthor]) -> None:
        """Add the tweets and authors of a line to the present batch."""
        self.seen += len(tweets)
        self._authors += authors
        for left, tweet in zip(range(len(tweets) - 1, -1, -1), tweets, strict=True):
            self._tweets.append(tweet)
            self._size += _size(tweet)
            if len(self._tweets) >= BATCH or self._size >= LARGEST_BATCH:
                self._flush()
                self._authors += authors if left else ()

    def end(self) -> None:
        """Store the rest, close the run, and erase from the database file what turned out to be deleted."""
        self._flush(last=True)
        self._database.write(
            lambda session: runs.end_import(session, self._run_id, added=self.added), timeout_s=LEASE_TIMEOUT_S
        )
        erasure.erase(self._database, rewrite=rewrite_file)

    def _flush(self, *, last: bool = False) -> None:
        if not self._tweets and not self._authors and not self._postponed:
            return
        known, postponed = dict(self._known), dict(self._postponed)

        def store_batch(session: Session) -> int:
            self._known, self._postponed = dict(known), dict(postponed)  # undo what a failed transaction changed
            enlarge_cache(session, CACHE_MB)
            lease.refuse_while_restoring(session)
            if session.get(Run, self._run_id) is None:
                raise DatabaseUnavailable("a copy of the database was put back meanwhile: import again")
            sources.claim(session, sources.REAL)
            if self._is_memory_outdated(session) or last:
                self._remembered.clear()
            if not self._remembered or len(self._postponed) > MOST_POSTPONED:
                self._store_postponed(session)
            self._real_ids |= _ids_by_username(session, self._authors)
            added = store(session, self._with_tags(session), self._observations_to_store(), run_id=self._run_id)
            counters.bump_sequence(session)
            return added

        self.added += self._database.write(store_batch, timeout_s=LEASE_TIMEOUT_S)
        self._tweets, self._authors, self._size = [], [], 0

    def _is_memory_outdated(self, session: Session) -> bool:
        """Tell whether the stored authors may differ from what this import remembers, or are too many to remember.

        They are the same while nobody else has changed anything; only stand-ins may have been replaced. If authors were
        deleted, each observation counts, because its username may be a deleted one.
        """
        now, nameless = sequence(session), any(author.id < 0 for author in self._authors)
        alone, self._sequence = now == self._sequence, now + 1
        return nameless or not alone or len(self._remembered) > REMEMBERED or tombstones.has_author_tombstones(session)

    def _store_postponed(self, session: Session) -> None:
        """Store the postponed observations, except of authors who have been removed meanwhile."""
        left = set(session.scalars(select(Author.id).where(among(Author.id, self._postponed))))
        store(session, [], [author for author in self._postponed.values() if author.id in left], run_id=self._run_id)
        self._postponed = {}

    def _observations_to_store(self) -> list[ObservedAuthor]:
        """Return the observations to store now: not those already stored (exports repeat the author with each tweet).

        Each page observes its authors anew, and a change of followers rewrites all tweets of the author. So the newest
        observation of an author who is stored is postponed until the end, or until many are.
        """
        real = self._real_ids
        people = [author._replace(id=real[author.id]) if author.id in real else author for author in self._authors]
        remembered, postponed, now = self._remembered, self._postponed, list[ObservedAuthor]()
        can_postpone = bool(remembered)
        for author in people:
            if remembered.get(author.id) == hash(author):
                continue
            if can_postpone and author.id in remembered and _replaces_older(author):
                if author.id not in postponed or author.observed >= postponed[author.id].observed:
                    postponed[author.id] = author
            else:
                now += [postponed.pop(author.id), author] if author.id in postponed else [author]
            remembered[author.id] = hash(author)
        if any(author.id < 0 for author in people):
            remembered.clear()
        return now

    def _with_tags(self, session: Session) -> list[TaggedTweet]:
        """Link tweets of our own exports to the tags that found them, others to the tracked tags among their hashtags."""
        tracked = {tag.key: tag for tag in tags.tracked_tags(session)}
        linked: dict[tuple[tuple[str, ...], str | None], Links] = {}
        tagged = []
        for tweet, named, rash in self._tweets:
            if named is None:
                links = self._links({tracked[key] for key in map(tags.key, tweet.hashtags) if key in tracked}, None)
            elif (named, rash) in linked:
                links = linked[named, rash]
            else:
                found = {self._ensure_tag(session, name) for name in named}
                links = linked[named, rash] = self._links(found, self._ensure_tag(session, rash) if rash else None)
            if tweet.author_id in self._real_ids:
                tweet = tweet._replace(author_id=self._real_ids[tweet.author_id])
            tagged.append(TaggedTweet(tweet, *links))
        return tagged

    def _links(self, found: set[TagRef], rash: TagRef | None) -> Links:
        """Return the tags to link, by name, with the import's own tag and the rash, and the rash."""
        return tuple(sorted(found | {tag for tag in (self._tag, rash) if tag}, key=attrgetter("key"))), rash

    def _ensure_tag(self, session: Session, name: str) -> TagRef:
        if name not in self._known:
            self._known[name] = tags.ensure(session, name)
        return self._known[name]


def _size(archived: ArchivedTweet) -> int:
    """Return the approximate size of a tweet in bytes: usually a few hundred, in malicious archives up to a megabyte."""
    tweet = archived.tweet
    lists = sum(map(len, (tweet.versions, tweet.hashtags, archived.tags or (), tweet.mentions, tweet.measurements)))
    return 4 * (len(tweet.text) + sum(map(len, tweet.links))) + len(tweet.payload or b"") + 100 * lists


def _replaces_older(author: ObservedAuthor) -> bool:
    """Tell whether this observation is complete, so that no older one adds anything, and short."""
    if author.username is None or author.name is None or author.followers is None or author.payload is None:
        return False
    return 4 * len(author.name) + len(author.payload) <= LARGEST_POSTPONED


def _ids_by_username(session: Session, authors: Sequence[ObservedAuthor]) -> dict[int, int]:
    """Return the real ids of authors who came with only a username (a negative id) and are stored under it, in any case.

    Most are stored in the same spelling, which an index finds; for the others all authors are read.
    """
    names = {author.username for author in authors if author.id < 0 and author.username}
    found = _ids(session, Author.username, names)
    others = {name.lower() for name in names if stand_in_id(name) not in found}
    return found | _ids(session, func.lower(Author.username), others)


def _ids(session: Session, spelling: Any, names: Iterable[str]) -> dict[int, int]:
    """Return the ids of authors with these usernames, by their stand-in ids."""
    left, found = sorted(names), dict[int, int]()
    for start in range(0, len(left), NAMES):
        known = select(Author.username, Author.id).where(spelling.in_(left[start : start + NAMES]), Author.id >= 0)
        found |= {stand_in_id(str(row.username)): row.id for row in session.execute(known)}
    return found
