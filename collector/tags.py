"""Tracked hashtags: which names are accepted, and which are tracked from the start."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector.values import TagRef
from models import Tag

LONGEST_TAG = 100
EXPECTED = f"a hashtag of 1 to {LONGEST_TAG} letters, digits and underscores that are not all digits"


class TagRefused(ValueError):
    """A name that is no hashtag; its text says what is expected."""


def hashtag(name: str) -> str:
    """Return `name` with exactly one leading #; raises TagRefused, so that no query operator reaches X."""
    bare = unicodedata.normalize("NFC", name.strip()).removeprefix("#")
    if not 1 <= len(bare) <= LONGEST_TAG or bare.isdigit() or not all(map(_belongs, bare)):
        raise TagRefused(f"{name[:120]!r} is not accepted, expected {EXPECTED}")
    return f"#{bare}"


def key(tag: str) -> str:
    """Return the spelling by which hashtags are compared, with #."""
    return "#" + unicodedata.normalize("NFC", tag).removeprefix("#").casefold()


def track_new(session: Session, names: Iterable[str]) -> None:
    """Track each tag that this database has never known; one that was untracked stays so."""
    for name in names:
        tag = hashtag(name)
        if session.scalar(select(Tag.id).where(Tag.key == key(tag))) is None:
            session.add(Tag(key=key(tag), tag=tag, tracked=True, since=datetime.now(UTC)))
            session.flush()


def tracked(session: Session) -> Sequence[TagRef]:
    """Return the tracked tags by name."""
    rows = session.execute(select(Tag.id, Tag.key, Tag.tag).where(Tag.tracked).order_by(Tag.key))
    return [TagRef(*row) for row in rows]


def ensure(session: Session, name: str) -> TagRef:
    """Return a known tag by any spelling; an unknown one becomes known without being tracked. Raises TagRefused."""
    tag = hashtag(name)
    row = session.scalar(select(Tag).where(Tag.key == key(tag)))
    if row is None:
        row = Tag(key=key(tag), tag=tag, tracked=False, since=datetime.now(UTC))
        session.add(row)
        session.flush()
    return TagRef(row.id, row.key, row.tag)


def _belongs(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] in "LMN"
