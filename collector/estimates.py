"""Estimates: how many posts a collection will buy of a tag, by X's own counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector import listings
from collector.terms import TagOrder
from collector.values import snowflake_time
from models import Tag
from queries.volume import LATELY, expected


def estimate(session: Session, order: TagOrder, *, now: datetime) -> int | None:
    """Return how many posts of a tag a collection will buy, or None where X never counted the tag.

    They are those since the tag was read last, and those of its gaps that X's recent search still reaches; a collection
    buys no more than its order says.
    """
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == order.tag.id))
    earliest = now - LATELY
    stretches = [(earliest if since_id is None else snowflake_time(since_id), now)]
    for gap in listings.gaps(session, order.tag.id):
        stretches.append((snowflake_time(gap.since_id or 0), snowflake_time(gap.before)))
    found = [expected(session, order.tag.id, since=max(earliest, since), until=until, now=now) for since, until in stretches]
    known = [posts for posts in found if posts is not None]
    return min(order.most, round(sum(known))) if known else None
