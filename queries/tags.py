"""Tags: their tweets by language, and how each tracked one stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from database.functions import among
from models import Run, RunTag, Tag, TagLang, Tweet, TweetTag
from queries.collections import INTERRUPTED
from queries.counters import live_token, x_now
from queries.filters import ALL, Filters, conditions
from queries.gaps import Gap, gaps
from queries.volume import LATELY, Share, shares


class TagCount(NamedTuple):
    """How many tweets in a language (None where X gave none) a tag has found."""

    tag: str
    lang: str | None
    tweets: int


class TagCollection(NamedTuple):
    """How a tag's newest collection went: its id, when it began (UTC), the tag's state and why it failed."""

    id: int
    started: datetime
    state: str
    reason: str | None


class TrackedTag(NamedTuple):
    """A tracked tag. `lang` and `exclude` are words between commas, None where the tag has no such terms.

    `coverage` is stored by counted of the last seven days, None where X was not asked.
    """

    tag: str
    tweets: int
    last_collection: TagCollection | None
    gaps: Sequence[Gap]
    coverage: float | None
    lang: str | None
    exclude: str | None
    tw_number: int | None


def per_tag(session: Session, filters: Filters = ALL) -> list[list[TagCount]]:
    """Return one list a tag that has wanted tweets, tags by name; in it languages by count, then by name, unknown last.

    A tweet counts once for each tag that found it.
    """
    found = _KEPT if filters == ALL else _COUNTED.where(*conditions(filters, whole=True))
    counted = found.subquery()
    lang = func.nullif(counted.c.lang, "")
    rows = (
        select(Tag.tag, lang, counted.c.tweets)
        .join(counted, counted.c.tag_id == Tag.id)
        .order_by(Tag.key, counted.c.tweets.desc(), lang.nulls_last())
    )
    counts = [TagCount(*row) for row in session.execute(rows)]
    return [list(group) for _, group in groupby(counts, key=lambda row: row.tag)]


_KEPT = select(TagLang.tag_id, TagLang.lang, TagLang.tweets)
_lang = func.coalesce(Tweet.lang, "").label("shown")
_COUNTED = (
    select(TweetTag.tag_id, _lang.label("lang"), func.count().label("tweets"))
    .join(Tweet, Tweet.id == TweetTag.tweet_id)
    .group_by(TweetTag.tag_id, _lang)
)


def tracked_tags(session: Session, *, key: str | None = None) -> list[TrackedTag]:
    """Return the tracked tags by name, or the one with this key."""
    tweets = select(func.coalesce(func.sum(TagLang.tweets), 0)).where(TagLang.tag_id == Tag.id).scalar_subquery()
    newest = select(func.max(RunTag.run_id)).where(RunTag.tag_id == Tag.id).scalar_subquery()
    columns = (Tag.id, Tag.tag, tweets, newest, Tag.lang, Tag.exclude, Tag.tw_number)
    rows = select(*columns).where(Tag.tracked).order_by(Tag.key)
    if key is not None:
        rows = rows.where(Tag.key == key)
    found, left, counted = session.execute(rows).all(), _by_tag(gaps(session)), _lately(session)
    last = _last(session, [row[3] for row in found if row[3] is not None])
    return [
        TrackedTag(tag, count, last.get((run_id, tag_id)), left.get(tag, []), _coverage(counted, tag_id), *terms)
        for tag_id, tag, count, run_id, *terms in found
    ]


def _by_tag(left: Sequence[Gap]) -> Mapping[str, list[Gap]]:
    return {tag: list(own) for tag, own in groupby(left, key=lambda gap: gap.tag)}


def tracked_coverage(session: Session) -> dict[str, float]:
    """Return the coverage of the tracked tags of which X has counted any post in the last seven days."""
    counted, names = _lately(session), session.execute(select(Tag.id, Tag.tag).where(Tag.tracked).order_by(Tag.key))
    found = {tag: _coverage(counted, tag_id) for tag_id, tag in names}
    return {tag: coverage for tag, coverage in found.items() if coverage is not None}


def _lately(session: Session) -> Mapping[int, Share]:
    now = x_now(session)
    return shares(session, since=now - LATELY, until=now)


def _coverage(counted: Mapping[int, Share], tag_id: int) -> float | None:
    return counted[tag_id].coverage if tag_id in counted else None


def tag_ids(session: Session, *, keys: Sequence[str] = ()) -> list[int]:
    """Return the ids of the tags with these keys, tracked or not, or of all tracked ones, by name."""
    wanted = Tag.key.in_(keys) if keys else Tag.tracked
    return list(session.scalars(select(Tag.id).where(wanted).order_by(Tag.key)))


def tracked_names(session: Session) -> list[str]:
    """Return the names of the tracked tags, sorted."""
    return list(session.scalars(select(Tag.tag).where(Tag.tracked).order_by(Tag.key)))


def tracked_keys(session: Session) -> list[str]:
    """Return the keys of the tracked tags, by name."""
    return list(session.scalars(select(Tag.key).where(Tag.tracked).order_by(Tag.key)))


def tag_name(session: Session, *, key: str) -> str | None:
    """Return the name of the tag with this key, tracked or not; None for one that this database has never known."""
    return session.scalar(select(Tag.tag).where(Tag.key == key))


def tracked_id(session: Session, *, key: str) -> int | None:
    """Return the id of the tracked tag with this key."""
    return session.scalar(select(Tag.id).where(Tag.key == key, Tag.tracked))


def _last(session: Session, run_ids: Sequence[int]) -> Mapping[tuple[int, int], TagCollection]:
    """Return how tags went in these collections, by collection and tag."""
    columns = select(RunTag.tag_id, Run.token, Run.id, Run.started, RunTag.state, RunTag.reason)
    rows = session.execute(columns.join(Run, Run.id == RunTag.run_id).where(among(Run.id, sorted(set(run_ids)))))
    live, found = live_token(session), {}
    for tag_id, token, *went in rows:
        last = TagCollection._make(went)
        died = last.state in ("waiting", "running") and token != live
        found[last.id, tag_id] = last._replace(state="failed", reason=INTERRUPTED) if died else last
    return found
