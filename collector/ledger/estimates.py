"""Estimates: how many posts a collection will buy of a tag, by X's own counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector.runs import listings
from collector.runs.tags import TagOrder
from models import Tag
from queries.snowflakes import snowflake_time
from queries.volume import LATELY, expected_posts, usual


def estimate(session: Session, order: TagOrder, *, now: datetime) -> int | None:
    """Return how many posts of a tag a collection will buy, or None where X never counted the tag.

    They are those since the tag was read last, and those of its gaps that X's recent search still reaches; a collection
    buys no more than its order says.
    """
    an_hour = usual(session, order.tag.id, since=now - LATELY, until=now)
    if an_hour is None:
        return None
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == order.tag.id))
    earliest = now - LATELY
    stretches = [(earliest if since_id is None else max(earliest, snowflake_time(since_id)), now)]
    for gap in listings.gaps(session, order.tag.id):
        stretches.append((max(earliest, snowflake_time(gap.since_id or 0)), snowflake_time(gap.before)))
    posts = [expected_posts(session, order.tag.id, since=since, until=until, usual=an_hour) for since, until in stretches]
    return min(order.most, round(sum(posts)))
