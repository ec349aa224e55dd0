"""What a restore must not forget: the money that was spent, what X said last, and the tweets that were deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from alchemy import Base, upsert
from collector.tweets.deletions import bury
from models import Budget, Figure, Purchase, Reservation, Run, Spend, Tombstone, Tweet
from queries.figures import X_AHEAD, X_REFUSES, x_now

Rows = list[dict[str, Any]]
MONEY = ("posts", "users", "floor", "ceiling")


class Remains(NamedTuple):
    """Rows of the database that is replaced, by column."""

    runs: Rows
    spends: Rows
    purchases: Rows
    reservations: Rows
    tombstones: Rows
    figures: Rows


def remains(session: Session) -> Remains:
    """Return what a copy is to take over from this database."""
    bought, reserved = _rows(session, Spend), _rows(session, Reservation)
    spenders = {row["run_id"] for row in bought + reserved}
    runs = [row for row in _rows(session, Run) if row["id"] in spenders]
    known = [row for row in _rows(session, Figure) if row["name"] in (X_AHEAD, X_REFUSES)]
    return Remains(runs, bought, _rows(session, Purchase), reserved, _rows(session, Tombstone), known)


def take_over(session: Session, left: Remains) -> None:
    """Put them into the restored copy. A collection that the copy lacks comes in without its tweets."""
    known = {run_id: started for run_id, started in session.execute(select(Run.id, Run.started))}  # noqa: C416 (a dict of rows)
    ids = {row["id"]: _run_id(session, row, known) for row in left.runs}
    for row in left.spends:
        entry = row | {"run_id": ids[row["run_id"]]}
        upsert(session, Spend, [entry], update=tuple(entry.keys() - {"day", "run_id"}))
    upsert(session, Purchase, left.purchases)
    session.execute(delete(Reservation))
    session.execute(delete(Budget))
    session.execute(delete(Figure).where(Figure.name.in_((X_AHEAD, X_REFUSES))))
    upsert(session, Figure, left.figures)
    today = x_now(session).date().isoformat()
    for row in left.reservations:
        last = row["last"] or max(row["day"], today)
        session.add(Reservation(**row | {"run_id": ids[row["run_id"]], "in_flight": False, "last": last, "listing_id": None}))
    upsert(session, Tombstone, left.tombstones)
    buried = select(Tweet.id).where(Tweet.id.in_(select(Tombstone.id)))
    for tweet_id in session.scalars(buried).all():
        bury(session, tweet_id)


def _run_id(session: Session, row: dict[str, Any], known: Mapping[int, datetime]) -> int:
    """Return the id of a collection in the copy; what it spent is taken from the database that is replaced.

    `known` is when the copy's own collections began: one with the same id and beginning is the same.
    """
    if known.get(row["id"]) == row["started"]:
        session.execute(update(Run).where(Run.id == row["id"]).values({name: row[name] for name in MONEY}))
        return int(row["id"])
    state = "failed" if row["state"] == "running" else row["state"]
    run = Run(**row | {"id": None, "tweets_added": 0, "state": state})
    session.add(run)
    session.flush()
    return run.id


def _rows(session: Session, table: type[Base]) -> Rows:
    return [dict(row) for row in session.execute(select(*table.__table__.columns)).mappings()]
