"""Looking back: posts that became searchable only after a poll had passed them.

Once an hour, by X's clock, one page of what lies right below a tag's since_id is read again. X charges for a post once a UTC
day, so only posts that were bought on this day are read again, and only late ones cost anything. The part to be read is stored
with its reservation and forgotten with its page: if the answer is lost, the same request is sent again, on that day only.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from collector import counters
from collector.ledger.ledger import SMALLEST_PAGE
from collector.runs.tags import TagOrder
from collector.values import TagRef
from collector.x.clock import SKEW, Days
from database.functions import among
from models import Listing, StoredCounter, Tag, TweetTag
from queries.counters import LOOK_BACK_SECONDS, USUAL_LOOK_BACK_S
from queries.gaps import first_id, snowflake_time

EVERY = timedelta(hours=1)
SHORTEST_S, LONGEST_S = 30, 2 * 3600
LARGEST_PAGE, MORE_POSTS = 100, 10
LOOKED_BACK, LOOKS_FROM, LOOKS_UNTIL = "looked_back", "looks_back_from", "looks_back_until"
QUERY, QUERIED_FROM = "look_back_query", "look_back_queried_from"
FACTS = (LOOKED_BACK, LOOKS_FROM, LOOKS_UNTIL, LOOK_BACK_SECONDS, QUERY, QUERIED_FROM)


class LookBack(NamedTuple):
    """What is read again: ids between these two, both exclusive, in a page of so many posts."""

    since_id: int
    until_id: int
    posts: int


def is_due(session: Session, order: TagOrder, *, now: datetime) -> bool:
    """Tell whether `begin` may have something to do; it costs no transaction that writes."""
    known = _facts(session, order.tag)
    return LOOKS_FROM in known or known.get(QUERY) != _query_number(order) or _has_passed(known.get(LOOKED_BACK), now)


def begin(session: Session, order: TagOrder, since_id: int, *, now: datetime, days: Days) -> LookBack | None:
    """Return what is to be read again of a tag now, and store it; None if it is not due, or could cost anything twice."""
    if not days.sure:
        return None
    floor = first_id(datetime.combine(days.first, time(), UTC) + SKEW) - 1
    tag, known = order.tag, _facts(session, order.tag)
    if known.get(QUERY) != (query := _query_number(order)):
        known[QUERIED_FROM] = since_id if QUERY in known else 0  # other rules would find posts that were never bought
        counters.note_tag(session, tag, {QUERY: query, QUERIED_FROM: known[QUERIED_FROM]})
    if known.get(LOOKS_FROM, -1) >= max(floor, known[QUERIED_FROM]):
        return LookBack(known[LOOKS_FROM], known[LOOKS_UNTIL], LARGEST_PAGE)
    if not _has_passed(known.get(LOOKED_BACK), now):
        return None
    back = timedelta(seconds=known.get(LOOK_BACK_SECONDS, USUAL_LOOK_BACK_S))
    bought_from = max(floor, known[QUERIED_FROM], _unread_below(session, tag, since_id))
    lowest = max(bought_from, first_id(snowflake_time(since_id) - back) - 1)
    if snowflake_time(since_id) - snowflake_time(lowest) < timedelta(seconds=SHORTEST_S):
        return None
    counters.note_tag(session, tag, {LOOKS_FROM: lowest, LOOKS_UNTIL: since_id + 1})
    return LookBack(lowest, since_id + 1, _page_size(session, tag, lowest, since_id))


def linked(session: Session, tag: TagRef, ids: Set[int]) -> set[int]:
    """Return which of these tweets were found under the tag."""
    return set(session.scalars(select(TweetTag.tweet_id).where(TweetTag.tag_id == tag.id, among(TweetTag.tweet_id, ids))))


def end(session: Session, tag: TagRef, *, until_id: int, late: Set[int], now: datetime) -> None:
    """Record that a tag was looked back on and which tweets were late, and how far to look back the next time."""
    session.execute(
        delete(StoredCounter).where(StoredCounter.name.in_((LOOKS_FROM, LOOKS_UNTIL)), StoredCounter.label == tag.key)
    )
    length = _facts(session, tag).get(LOOK_BACK_SECONDS, USUAL_LOOK_BACK_S)
    depth = (snowflake_time(until_id) - snowflake_time(min(late))).total_seconds() if late else None
    counters.note_tag(session, tag, {LOOKED_BACK: int(now.timestamp()), LOOK_BACK_SECONDS: next_length(length, depth)})
    counters.count_late_posts(session, tag, len(late))


def next_length(length: int, depth: float | None) -> int:
    """Return how many seconds to look back after a look back of `length` whose oldest late post was `depth` seconds down.

    Twice as far where late posts reach into the lower half, so that there may be more below; a tenth less where there was none.
    """
    if depth is None:
        length = length * 9 // 10
    elif depth > length / 2:
        length *= 2
    return min(LONGEST_S, max(SHORTEST_S, length))


def _page_size(session: Session, tag: TagRef, since_id: int, last: int) -> int:
    """Return a page for the posts that are stored and some more: the smaller, the less is reserved."""
    stored = select(func.count()).where(TweetTag.tag_id == tag.id, TweetTag.tweet_id > since_id, TweetTag.tweet_id <= last)
    return min(LARGEST_PAGE, max(SMALLEST_PAGE, (session.scalar(stored) or 0) + MORE_POSTS))


def _query_number(order: TagOrder) -> int:
    return crc32(order.query.encode())


def _has_passed(looked_back: int | None, now: datetime) -> bool:
    """Tell whether an hour has passed; a time in the future was stored by a clock that was wrong."""
    return looked_back is None or not 0 <= now.timestamp() - looked_back < EVERY.total_seconds()


def _unread_below(session: Session, tag: TagRef, since_id: int) -> int:
    """Return the highest id up to which something was not bought: the beginning of the tag's history, or the end of a gap."""
    begins = session.scalar(select(Tag.from_id).where(Tag.id == tag.id))
    gaps = select(func.max(Listing.before)).where(Listing.tag_id == tag.id, Listing.gap, Listing.before <= since_id + 1)
    return max(since_id if begins is None else begins, (session.scalar(gaps) or 0) - 1)


def _facts(session: Session, tag: TagRef) -> dict[str, int]:
    rows = select(StoredCounter.name, StoredCounter.value)
    mine = rows.where(StoredCounter.label == tag.key, StoredCounter.name.in_(FACTS))
    return {row.name: row.value for row in session.execute(mine)}
