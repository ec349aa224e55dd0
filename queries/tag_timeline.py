"""The timeline by tag: the tweets of each of several tags in the same buckets of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Tag
from queries import reach
from queries.counters import x_now
from queries.filters import Filters
from queries.reach import TagReach
from queries.series import TweetSum, of_tags
from queries.tags import tracked_keys
from queries.timeline import TimelineSlot, counted_period
from queries.zones import FIRST, Period

MOST_TAGS = 10


class TagSlot(NamedTuple):
    """A tag's matching tweets in a bucket; None if it was collected in no part of it, complete if it was in all of it.

    `engagement` is the sum of theirs as far as it is known; None if none is.
    """

    tag: str
    tweets: int | None
    engagement: int | None
    complete: bool


class TooManyTags(Exception):
    """More than MOST_TAGS are asked for, or tracked where none is."""


def by_tag(session: Session, slots: Sequence[TimelineSlot], filters: Filters) -> list[list[TagSlot]]:
    """Return a list for each bucket of a timeline: the tags of `any_tags`, else all tracked ones, by name.

    A tweet counts for each of the tags that found it. What is outside of `since` and `until` is no part of a bucket. An
    unknown tag was never collected. Raises TooManyTags.
    """
    keys = sorted(filters.any_tags or tracked_keys(session))
    if len(keys) > MOST_TAGS:
        raise TooManyTags
    counts = of_tags(session, [(int(slot.start.timestamp()), int(slot.end.timestamp())) for slot in slots], filters, keys=keys)
    reaches, parts = _reaches(session, keys), [counted_period(slot, filters) for slot in slots]
    columns = [
        [_slot(one, found, part) for found, part in zip(counts[key], parts, strict=True)] for key, one in reaches.items()
    ]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in slots]


def _slot(reach: TagReach, found: TweetSum, part: Period) -> TagSlot:
    known = reach.touches(*part)
    return TagSlot(reach.tag, found.tweets if known else None, found.engagement if known else None, reach.covers(*part))


def _reaches(session: Session, keys: Sequence[str]) -> dict[str, TagReach]:
    """Return the reach of each of these tags by key, in the order given; an unknown tag has its key as its name."""
    names = {tag: key for key, tag in session.execute(select(Tag.key, Tag.tag).where(Tag.key.in_(keys)))}
    now = int(x_now(session).timestamp())
    known = {names[one.tag]: one for one in reach.reaches(session, keys=keys, now=now)} if keys else {}
    return {key: known.get(key, TagReach(key, (), now, FIRST)) for key in keys}
