"""Tags: their tweets by language, and the state of the tracked ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from database.functions import among
from models import Run, RunTag, Tag, TagLang, Tweet, TweetTag
from queries.collections import INTERRUPTED, TELLS_AGE
from queries.counters import live_token, x_now
from queries.engagement import summed
from queries.filters import ALL, Filters, conditions
from queries.gaps import Gap, gaps
from queries.volume import LATELY, Share, shares
from text.names import key as key_of


class TagCount(NamedTuple):
    """How many tweets a tag has found in a language; None is for tweets without a language."""

    tag: str
    lang: str | None
    tweets: int


class TagCollection(NamedTuple):
    """A tag's newest collection: its id, when it began (UTC), the tag's state in it, and why the tag failed."""

    id: int
    started: datetime
    state: str
    reason: str | None


class TrackedTag(NamedTuple):
    """A tracked tag. Its rules `lang` and `exclude` are separated by commas; None if the tag has no such rule.

    `engagement` is the sum of its tweets', None if none of theirs is known. `coverage` is that of the last seven days, None if
    X was not asked.
    """

    tag: str
    tweets: int
    engagement: int | None
    last_collection: TagCollection | None
    gaps: Sequence[Gap]
    coverage: float | None
    lang: str | None
    exclude: str | None
    tw_number: int | None


def per_tag(session: Session, filters: Filters = ALL) -> list[list[TagCount]]:
    """Return a list for each tag with matching tweets, tags by name; languages in it by count, then name, unknown last.

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
    sums = func.coalesce(func.sum(TagLang.tweets), 0), summed(TagLang.engagement)
    tweets, engagement = (select(one).where(TagLang.tag_id == Tag.id).scalar_subquery() for one in sums)
    runs = select(RunTag.run_id).join(Run, Run.id == RunTag.run_id).where(RunTag.tag_id == Tag.id, TELLS_AGE)
    newest = runs.order_by(RunTag.run_id.desc()).limit(1).scalar_subquery()
    columns = (Tag.id, Tag.tag, tweets, engagement, newest, Tag.lang, Tag.exclude, Tag.tw_number)
    rows = select(*columns).where(Tag.tracked).order_by(Tag.key)
    if key is not None:
        rows = rows.where(Tag.key == key)
    found, recent = session.execute(rows).all(), _recent_shares(session)
    unread = {tag: list(own) for tag, own in groupby(gaps(session), key=lambda gap: gap.tag)}
    last = _last(session, [row[4] for row in found if row[4] is not None])
    return [
        TrackedTag(tag, count, known, last.get((run_id, tag_id)), unread.get(tag, []), _coverage(recent, tag_id), *rules)
        for tag_id, tag, count, known, run_id, *rules in found
    ]


def tracked_coverage(session: Session) -> dict[str, float]:
    """Return the coverage of the tracked tags of which X has counted any post in the last seven days."""
    recent, tags = _recent_shares(session), session.execute(select(Tag.id, Tag.tag).where(Tag.tracked).order_by(Tag.key))
    found = {tag: _coverage(recent, tag_id) for tag_id, tag in tags}
    return {tag: coverage for tag, coverage in found.items() if coverage is not None}


def _recent_shares(session: Session) -> Mapping[int, Share]:
    now = x_now(session)
    return shares(session, since=now - LATELY, until=now)


def _coverage(recent: Mapping[int, Share], tag_id: int) -> float | None:
    return recent[tag_id].coverage if tag_id in recent else None


def tag_ids(session: Session, *, keys: Sequence[str] = ()) -> list[int]:
    """Return the ids of the tags with these keys, tracked or not, or of all tracked ones, by name."""
    wanted = Tag.key.in_(keys) if keys else Tag.tracked
    return list(session.scalars(select(Tag.id).where(wanted).order_by(Tag.key)))


def tracked_names(session: Session) -> list[str]:
    """Return the names of the tracked tags, sorted."""
    return list(session.scalars(select(Tag.tag).where(Tag.tracked).order_by(Tag.key)))


def tag_numbers(session: Session) -> dict[str, int]:
    """Return each tag that was ever tracked with its number, which it keeps: 1 is the first one that was tracked."""
    return {tag: number for number, tag in session.execute(select(Tag.id, Tag.tag))}


def tracked_keys(session: Session) -> list[str]:
    """Return the keys of the tracked tags, by name."""
    return list(session.scalars(select(Tag.key).where(Tag.tracked).order_by(Tag.key)))


def tag_name(session: Session, *, key: str) -> str | None:
    """Return the name of the tag with this key, tracked or not; None if this database has never had it."""
    return session.scalar(select(Tag.tag).where(Tag.key == key))


def untracked(session: Session, names: Sequence[str]) -> list[str]:
    """Return those of some hashtags that are not tracked."""
    return [name for name in names if tracked_id(session, key=key_of(name)) is None]


def tracked_id(session: Session, *, key: str) -> int | None:
    """Return the id of the tracked tag with this key."""
    return session.scalar(select(Tag.id).where(Tag.key == key, Tag.tracked))


def _last(session: Session, run_ids: Sequence[int]) -> Mapping[tuple[int, int], TagCollection]:
    """Return the tags' results in these collections, by collection and tag."""
    columns = select(RunTag.tag_id, Run.token, Run.id, Run.started, RunTag.state, RunTag.reason)
    rows = session.execute(columns.join(Run, Run.id == RunTag.run_id).where(among(Run.id, sorted(set(run_ids)))))
    live, found = live_token(session), {}
    for tag_id, token, *columns_of_tag in rows:
        last = TagCollection._make(columns_of_tag)
        died = last.state in ("waiting", "running") and token != live
        found[last.id, tag_id] = last._replace(state="failed", reason=INTERRUPTED) if died else last
    return found
