"""What a restore must preserve: the money spent, X's latest answers, the newest schedule, what was deleted, what was told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alchemy import Base
from collector.tweets.deletions import apply_location_tombstones, apply_tombstones
from database.statements import skip_ids, upsert
from models import (
    AuthorTombstone,
    Balance,
    Budget,
    DatabaseMark,
    Feed,
    Message,
    Notification,
    Purchase,
    Reservation,
    Run,
    Spend,
    StoredCounter,
    ToldTweet,
    Tombstone,
    Tweet,
    Watch,
)
from queries import refreshing
from queries.counters import SCHEDULE, SEQUENCE, X_AHEAD, X_BILLING_DAY, X_LACKS, X_REFUSES, x_now
from queries.schedule import CHOSEN, schedule_choice

Rows = list[dict[str, Any]]
MONEY = ("posts", "users", "floor", "ceiling")
TELLING: tuple[type[Base], ...] = (Watch, ToldTweet, Message, Notification, Feed)
"""Tables of what people are told: a backup's would tell again what was told since, and open a feed that was closed."""
KEPT_COUNTERS = (X_AHEAD, X_BILLING_DAY, X_REFUSES, X_LACKS, SCHEDULE, refreshing.DAY, refreshing.GONE)

log = logging.getLogger(__name__)


class PreservedRows(NamedTuple):
    """Rows of the database that is replaced, by column. None: they can't be read, or don't match the rest."""

    runs: Rows
    spends: Rows
    purchases: Rows | None
    reservations: Rows | None
    tombstones: Rows
    authors: Rows
    counters: Rows | None
    balances: Rows
    marks: Rows
    telling: list[Rows] | None
    last_run: int

    @property
    def sequence(self) -> int:
        """The sequence of changes, which the restored database must exceed."""
        return max((int(row["value"]) for row in self.counters or [] if row["name"] == SEQUENCE), default=0)


def preserved_rows(session: Session) -> PreservedRows:
    """Read what has to be added to a backup before it replaces this database; a damaged table yields nothing."""
    session.scalar(text("SELECT count(*) FROM alembic_version"))  # raises where there is no database at all
    runs, reserved = _rows(session, Run) or [], _rows(session, Reservation)
    ledger = _rows(session, Spend)
    damaged, bought = ledger is None, _by_runs(runs) if ledger is None else ledger
    spenders = {row["run_id"] for row in bought + (reserved or [])}
    return PreservedRows(
        [row for row in runs if row["id"] in spenders],
        bought,
        None if damaged else _rows(session, Purchase) or [],
        reserved,
        _rows(session, Tombstone) or [],
        _rows(session, AuthorTombstone) or [],
        _rows(session, StoredCounter),
        _rows(session, Balance) or [],
        _rows(session, DatabaseMark) or [],
        _telling(session),
        max((row["id"] for row in runs), default=0),
    )


def add_preserved_rows(session: Session, preserved: PreservedRows) -> None:
    """Add the preserved rows to the restored database. A collection that the backup lacks is added without its tweets."""
    skip_ids(session, cast(Table, Run.__table__), preserved.last_run)
    copied = session.execute(select(Run.id, Run.started, Run.token)).all()
    known = {(run.started, run.token): run.id for run in copied}
    ids = {row["id"]: _import_run(session, row, known.get((row["started"], row["token"]))) for row in preserved.runs}
    numbers = {run.id for run in copied}
    for row in _reconstructed_runs(preserved):
        ids[row["id"]] = _import_run(session, row, row["id"] if row["id"] in numbers else None)
    session.execute(delete(Spend).where(Spend.run_id.in_(ids.values())))
    for row in preserved.spends:
        if row["run_id"] in ids:
            entry = row | {"run_id": ids[row["run_id"]]}
            upsert(session, Spend, [entry], update=tuple(entry.keys() - {"day", "run_id"}))
    if preserved.purchases is None:
        session.execute(delete(Purchase))  # the days of a ledger that was made up from its collections are another's
    else:
        upsert(session, Purchase, preserved.purchases)
    session.execute(delete(Budget))
    if preserved.counters is not None:
        session.execute(delete(StoredCounter).where(StoredCounter.name.in_(KEPT_COUNTERS)))
        upsert(session, StoredCounter, [row for row in preserved.counters if row["name"] in KEPT_COUNTERS])
    _add_later_balances(session, preserved.balances)
    _keep_newest_schedule(session, preserved.marks)
    _keep_refreshing(session, preserved.marks)
    if preserved.reservations is not None:
        _replace_reservations(session, preserved.reservations, ids)
    _replace_telling(session, preserved.telling)
    upsert(session, Tombstone, [row for row in preserved.tombstones if row["geo_only"]])
    upsert(session, Tombstone, [row for row in preserved.tombstones if not row["geo_only"]], update=("geo_only",))
    upsert(session, AuthorTombstone, preserved.authors)
    apply_tombstones(session)
    apply_location_tombstones(session)


def _by_runs(runs: Rows) -> Rows:
    """Ledger entries in place of those that can't be read: what each collection bought, on the day on which it began."""
    money = [row for row in runs if row["ceiling"]]
    return [
        {"day": row["started"].date().isoformat(), "run_id": row["id"], "calls": 0, **{name: row[name] for name in MONEY}}
        for row in money
    ]


def _reconstructed_runs(preserved: PreservedRows) -> Rows:
    """Collections that can't be read any more, as far as the ledger knows them."""
    known, found = {row["id"] for row in preserved.runs}, dict[int, dict[str, Any]]()
    for row in [*preserved.spends, *(preserved.reservations or [])]:
        if row["run_id"] not in known:
            began = datetime.fromisoformat(row["day"]).replace(tzinfo=UTC)
            new = {"id": row["run_id"], "kind": "collection", "state": "failed", "error": "its record was damaged"}
            times = {"started": began, "ended": began, "token": None}
            run = found.setdefault(row["run_id"], new | times | dict.fromkeys(MONEY, 0))
            if "floor" in row:
                run.update({name: run[name] + row[name] for name in MONEY})
    return list(found.values())


def _add_later_balances(session: Session, balances: Rows) -> None:
    """Add the readings of the balance that were made after the backup."""
    known = set(session.scalars(select(Balance.asked_at)))
    later = [row | {"id": None} for row in sorted(balances, key=lambda row: row["id"]) if row["asked_at"] not in known]
    session.add_all(Balance(**row) for row in later)


def _keep_newest_schedule(session: Session, marks: Rows) -> None:
    """Keep the schedule that was chosen last: a backup must not start again what was switched off since."""
    newest = schedule_choice(session)
    chosen = [row for row in marks if row["name"] == CHOSEN and row["value"] > (newest.value if newest else "")]
    upsert(session, DatabaseMark, chosen, update=("value",))


def _keep_refreshing(session: Session, marks: Rows) -> None:
    """Keep refreshing off or on as it was. A look that was ordered before the backup is not done once more for money."""
    session.execute(delete(DatabaseMark).where(DatabaseMark.name == refreshing.ORDER))
    if marks:
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == refreshing.OFF))
        upsert(session, DatabaseMark, [row for row in marks if row["name"] == refreshing.OFF])


def _telling(session: Session) -> list[Rows] | None:
    """Return the rows of watches, messages and feeds; None if one of the tables can't be read."""
    found = [_rows(session, table) for table in TELLING]
    newest = _newest_tweet(session)
    for watch in found[0] or []:
        watch["after_tweet"] = max(watch["after_tweet"], newest)
    return None if None in found else [rows for rows in found if rows is not None]


def _newest_tweet(session: Session) -> int:
    """Return the id of the newest tweet that is replaced: what is older is not new when it is collected again."""
    try:
        return session.scalar(select(func.max(Tweet.id))) or 0
    except DBAPIError:
        return 0


def _replace_telling(session: Session, telling: list[Rows] | None) -> None:
    """Put watches, messages and feeds in place of the backup's; of a damaged database, the backup's feeds are closed too."""
    for table in reversed(TELLING):
        if telling is not None or table in (Message, Notification, Feed):
            session.execute(delete(table))
    for table, rows in zip(TELLING, telling or [], strict=False):
        skip_ids(session, cast(Table, table.__table__), max((row["id"] for row in rows if "id" in row), default=0))
        upsert(session, table, rows)


def _replace_reservations(session: Session, rows: Rows, ids: Mapping[int, int]) -> None:
    today = x_now(session).date().isoformat()
    session.execute(delete(Reservation))
    for row in rows:
        if row["run_id"] in ids:
            last = max(row["last"] or row["day"], today if row["in_flight"] else "")
            changed = {"id": None, "run_id": ids[row["run_id"]], "in_flight": False, "last": last, "listing_id": None}
            session.add(Reservation(**row | changed))
    session.flush()


def _import_run(session: Session, row: dict[str, Any], same: int | None) -> int:
    """Add a collection unless the backup has it as `same`, set what it spent to the replaced database's, and return its id.

    A collection is the same if it began at the same time under the same token of the lease, which grows with each: an earlier
    restore may have given it another id. One whose record is damaged is recognised by its id.
    """
    if same is not None:
        session.execute(update(Run).where(Run.id == same).values({name: row[name] for name in MONEY}))
        return same
    state = "failed" if row["state"] == "running" else row["state"]
    run = Run(**row | {"id": None, "tweets_added": 0, "state": state})
    session.add(run)
    session.flush()
    return run.id


def _rows(session: Session, table: type[Base]) -> Rows | None:
    try:
        return [dict(row) for row in session.execute(select(*table.__table__.columns)).mappings()]
    except DBAPIError as error:
        log.error("table not taken over", extra={"reason": f"{table.__tablename__}: {error.orig}"})
        return None
