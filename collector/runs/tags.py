"""Tracked hashtags: which names are accepted, the rules by which X is searched for each, and when they are tracked."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

import queries.tags
from alchemy import Database
from collector import counters
from collector.runs import lease
from collector.values import TagRef
from models import Tag
from text.names import InvalidTag as InvalidTag
from text.names import hashtag as hashtag
from text.names import key as key

log = logging.getLogger(__name__)

LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?")
MOST_LANGUAGES = 20
NO_RETWEETS = "-is:retweet"
"""Searches give no retweets since 2026-05-04 and did before, and counts count them: without them, both mean the same."""
EXCLUSIONS = {"quotes": "is:quote", "replies": "is:reply"}


class Rules(NamedTuple):
    """What a tag is limited to, so that unwanted posts aren't bought; never raw query operators.

    `lang` are languages, of which a post has one; `exclude` are kinds of posts to leave out; both are sorted. `tw_number` is
    how many posts a collection may buy, or None for the default.
    """

    lang: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tw_number: int | None = None

    @classmethod
    def of_row(cls, lang: str | None, exclude: str | None, tw_number: int | None) -> Rules:
        """Return the rules stored in a row of tags."""
        return cls(_split(lang), _split(exclude), tw_number)

    def query(self, tag: str) -> str:
        """Return the query for X; with MOST_LANGUAGES languages it stays below X's limit of 512 characters."""
        languages = " OR ".join(f"lang:{lang}" for lang in self.lang)
        excluded = [f"-{EXCLUSIONS[kind]}" for kind in self.exclude]
        return " ".join(filter(None, [tag, f"({languages})" if len(self.lang) > 1 else languages, *excluded, NO_RETWEETS]))


class TagOrder(NamedTuple):
    """A tag that is collected: its query, and the most posts that a collection may buy of it."""

    tag: TagRef
    query: str
    most: int


def tracked_tags(session: Session) -> Sequence[TagRef]:
    """Return the tracked tags by name."""
    rows = session.execute(select(Tag.id, Tag.key, Tag.tag).where(Tag.tracked).order_by(Tag.key))
    return [TagRef(*row) for row in rows]


def orders(session: Session, *, most: int) -> Sequence[TagOrder]:
    """Return what to collect of each tracked tag, by name; `most` is the number for tags that have none of their own."""
    return [_order(row, most) for row in session.scalars(select(Tag).where(Tag.tracked).order_by(Tag.key))]


def order(session: Session, tag_id: int, *, most: int) -> TagOrder | None:
    """Return what to collect of a tag now, or None if it isn't tracked any more."""
    row = session.scalar(select(Tag).where(Tag.id == tag_id, Tag.tracked))
    return _order(row, most) if row else None


def track_new(session: Session, names: Iterable[str]) -> None:
    """Track each tag that this database has never known; a tag that was untracked stays untracked."""
    for name in names:
        tag = hashtag(name)
        if session.scalar(select(Tag.id).where(Tag.key == key(tag))) is None:
            session.add(Tag(key=key(tag), tag=tag, tracked=True, since=datetime.now(UTC)))
            session.flush()


def track(session: Session, name: str, rules: Rules | None) -> bool:
    """Track a tag, with these rules if given, and return whether it was untracked before. Raises InvalidTag.

    A tag that was tracked earlier continues where it stopped.
    """
    row = session.scalar(select(Tag).where(Tag.id == ensure(session, name).id))
    assert row  # noqa: S101 (`ensure` has stored it)
    begins = not row.tracked
    row.tracked = True
    if rules is not None:
        row.lang, row.exclude, row.tw_number = join_words(rules.lang), join_words(rules.exclude), rules.tw_number
    counters.bump_sequence(session)
    return begins


def untrack(session: Session, name: str) -> bool:
    """Stop collecting a tag and return whether it was tracked; its tweets and links stay. Accepts any name that is stored."""
    row = session.scalar(select(Tag).where(Tag.key == key(name.strip(" \t")), Tag.tracked))
    if row is None:
        return False
    row.tracked = False
    counters.bump_sequence(session)
    return True


def start_tracking(database: Database, name: str, rules: Rules | None) -> tuple[bool, queries.tags.TrackedTag]:
    """Track a hashtag in a transaction of its own, with these rules if given; return whether it was untracked, and the tag.

    Raises InvalidTag, DatabaseUnavailable.
    """

    def change(session: Session) -> tuple[bool, queries.tags.TrackedTag]:
        lease.refuse_while_restoring(session)
        return track(session, name, rules), queries.tags.tracked_tags(session, key=key(name))[0]

    begins, shown = database.write(change)
    log.info("tag tracked", extra={"tag": shown.tag})
    return begins, shown


def stop_tracking(database: Database, name: str) -> bool:
    """Untrack a hashtag in a transaction of its own, and return whether it was tracked; raises DatabaseUnavailable."""

    def change(session: Session) -> bool:
        lease.refuse_while_restoring(session)
        return untrack(session, name)

    found = database.write(change)
    if found:
        log.info("tag untracked", extra={"tag": name})
    return found


def ensure(session: Session, name: str) -> TagRef:
    """Return a known tag by any spelling; an unknown one is stored without being tracked. Raises InvalidTag."""
    tag = hashtag(name)
    row = session.scalar(select(Tag).where(Tag.key == key(tag)))
    if row is None:
        row = Tag(key=key(tag), tag=tag, tracked=False, since=datetime.now(UTC))
        session.add(row)
        session.flush()
    return TagRef(row.id, row.key, row.tag)


def join_words(words: Iterable[str]) -> str | None:
    """Return words as a row of tags stores them: each once, sorted."""
    return ",".join(sorted(set(words))) or None


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _order(row: Tag, most: int) -> TagOrder:
    rules = Rules.of_row(row.lang, row.exclude, row.tw_number)
    return TagOrder(TagRef(row.id, row.key, row.tag), rules.query(row.tag), rules.tw_number or most)
