"""Tracked hashtags: which names are accepted, and which are tracked from the start."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector import figures
from collector.runs.terms import Rules, TagOrder, join_words
from collector.values import TagRef
from models import Tag
from text.hashtags import LONGEST, LONGEST_WRITTEN, is_name
from text.hashtags import key as key

EXPECTED = f"a hashtag of 1 to {LONGEST} letters, digits and underscores, one a letter, and nothing unseen"


class InvalidTag(ValueError):
    """A name that is no hashtag; its text says what is expected."""


def hashtag(name: str) -> str:
    """Return `name` with exactly one leading #; raises InvalidTag, so that no query operator reaches X."""
    written = name.strip(" \t").removeprefix("#")
    bare = unicodedata.normalize("NFC", written[: LONGEST_WRITTEN + 1])
    if not is_name(bare):
        raise InvalidTag(f"{_printable(name)} is not accepted, expected {EXPECTED}")
    return f"#{bare}"


def _printable(name: str) -> str:
    """Return a name as Python writes it, which is printable, but not longer than a name may be."""
    shown = repr(name[: 2 * LONGEST])
    return shown if len(shown) <= 2 * LONGEST else f"{shown[:LONGEST]}…"


def track_new(session: Session, names: Iterable[str]) -> None:
    """Track each tag that this database has never known; one that was untracked stays so."""
    for name in names:
        tag = hashtag(name)
        if session.scalar(select(Tag.id).where(Tag.key == key(tag))) is None:
            session.add(Tag(key=key(tag), tag=tag, tracked=True, since=datetime.now(UTC)))
            session.flush()


def tracked_tags(session: Session) -> Sequence[TagRef]:
    """Return the tracked tags by name."""
    rows = session.execute(select(Tag.id, Tag.key, Tag.tag).where(Tag.tracked).order_by(Tag.key))
    return [TagRef(*row) for row in rows]


def orders(session: Session, *, most: int) -> Sequence[TagOrder]:
    """Return what each tracked tag asks of X, by name; `most` is the number of a tag without one of its own."""
    rows = session.scalars(select(Tag).where(Tag.tracked).order_by(Tag.key)).all()
    return [_order(row, Rules.of_row(row.lang, row.exclude, row.tw_number), most) for row in rows]


def order(session: Session, tag_id: int, *, most: int) -> TagOrder | None:
    """Return what a tag asks of X now, or None where it isn't tracked any more."""
    row = session.scalar(select(Tag).where(Tag.id == tag_id, Tag.tracked))
    return _order(row, Rules.of_row(row.lang, row.exclude, row.tw_number), most) if row else None


def track(session: Session, name: str, terms: Rules | None) -> bool:
    """Track a tag, with these terms if there are any, and return whether it was not tracked before. Raises InvalidTag.

    A tag that was tracked earlier goes on where it stopped.
    """
    row = session.scalar(select(Tag).where(Tag.id == ensure(session, name).id))
    assert row  # noqa: S101 (it was ensured)
    begins = not row.tracked
    row.tracked = True
    if terms is not None:
        row.lang, row.exclude, row.tw_number = join_words(terms.lang), join_words(terms.exclude), terms.tw_number
    figures.bump_sequence(session)
    return begins


def untrack(session: Session, name: str) -> bool:
    """Stop collecting a tag and return whether it was tracked; its tweets and links stay. Any name that is stored will do."""
    row = session.scalar(select(Tag).where(Tag.key == key(name.strip(" \t")), Tag.tracked))
    if row is None:
        return False
    row.tracked = False
    figures.bump_sequence(session)
    return True


def ensure(session: Session, name: str) -> TagRef:
    """Return a known tag by any spelling; an unknown one becomes known without being tracked. Raises InvalidTag."""
    tag = hashtag(name)
    row = session.scalar(select(Tag).where(Tag.key == key(tag)))
    if row is None:
        row = Tag(key=key(tag), tag=tag, tracked=False, since=datetime.now(UTC))
        session.add(row)
        session.flush()
    return TagRef(row.id, row.key, row.tag)


def _order(row: Tag, terms: Rules, most: int) -> TagOrder:
    return TagOrder(TagRef(row.id, row.key, row.tag), terms.query(row.tag), terms.tw_number or most)
