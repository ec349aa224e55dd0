"""Imports: tweets of archives, stored in batches, each whole."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from alchemy import Database
from collector import figures, lease, runs, sources, tags
from collector.tweets.store import store
from collector.values import AuthorSeen, Find, TagRef, TweetSeen
from models import Author

ArchivedTweet = tuple[TweetSeen, tuple[str, ...] | None, str | None]
BATCH = 500


class Import:
    """One import into a database; `tag` is linked to every tweet of it."""

    def __init__(self, database: Database, *, tag: str | None = None) -> None:
        self._database = database
        self._tweets: list[ArchivedTweet] = []
        self._authors: list[AuthorSeen] = []
        self._known: dict[str, TagRef] = {}
        self._same: dict[int, int] = {}
        self.seen = self.added = 0
        with database.writing() as session:
            sources.require(session, sources.REAL)
            self._tag = tags.ensure(session, tag) if tag else None
            self._run_id = runs.begin_import(session)

    def add(self, tweets: Sequence[ArchivedTweet], authors: Sequence[AuthorSeen]) -> None:
        """Take what a line holds; it is stored with its batch."""
        self.seen += len(tweets)
        self._authors += authors
        for tweet in tweets:
            self._tweets.append(tweet)
            if len(self._tweets) >= BATCH:
                self._flush()

    def end(self) -> None:
        """Store the rest and close the run."""
        self._flush()
        with self._database.writing() as session:
            runs.end_import(session, self._run_id, added=self.added)

    def _flush(self) -> None:
        if not self._tweets and not self._authors:
            return
        with self._database.writing() as session:
            lease.refuse_while_restoring(session)
            sources.claim(session, sources.REAL)
            self._same |= _known_by_username(session, self._authors)
            authors = [author._replace(id=self._same.get(author.id, author.id)) for author in self._authors]
            figures.changed(session)
            self.added += store(session, self._finds(session), authors, run_id=self._run_id)
        self._tweets, self._authors = [], []

    def _finds(self, session: Session) -> list[Find]:
        """Link our own rows to the tags that found them, others to the tracked tags among their hashtags."""
        tracked = {tag.key: tag for tag in tags.tracked(session)}
        finds = []
        for tweet, named, rash in self._tweets:
            if named is None:
                found = {tracked[key] for key in map(tags.key, tweet.hashtags) if key in tracked}
            else:
                found = {self._ensured(session, name) for name in named}
            first = self._ensured(session, rash) if rash else None
            found |= {tag for tag in (self._tag, first) if tag}
            author_id = self._same.get(tweet.author_id or 0, tweet.author_id)
            finds.append(Find(tweet._replace(author_id=author_id), tuple(sorted(found, key=_by_name)), first))
        return finds

    def _ensured(self, session: Session, name: str) -> TagRef:
        if name not in self._known:
            self._known[name] = tags.ensure(session, name)
        return self._known[name]


def _by_name(tag: TagRef) -> str:
    return tag.key


def _known_by_username(session: Session, authors: Sequence[AuthorSeen]) -> dict[int, int]:
    """Return the real ids of authors who came with a username only (a negative id) and are known by it."""
    nameless = {author.username: author.id for author in authors if author.id < 0}
    names, found = list(nameless), dict[int, int]()
    for start in range(0, len(names), BATCH):
        known = select(Author.username, Author.id).where(Author.username.in_(names[start : start + BATCH]), Author.id > 0)
        found |= {nameless[row.username]: row.id for row in session.execute(known)}
    return found
