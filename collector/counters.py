"""Updates of the stored counters. They are in the database so that they are right whichever process collects."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.runs.lease import refuse_while_restoring
from collector.values import TagRef
from collector.x.failures import OK, SEARCH, SEARCH_ALL, XFailure
from database.statements import increment, upsert
from models import StoredCounter
from queries.counters import (
    ENDLESS_LISTINGS,
    EPOCH,
    GENERATION,
    LATE_POSTS,
    NOTIFICATIONS,
    RATE_LIMIT_REMAINING,
    SCHEDULE,
    SEQUENCE,
    X_AHEAD,
    X_ANSWERED,
    X_LACKS,
    X_REFUSES,
    X_REQUESTS,
    now_ms,
    x_requests_label,
)

SEARCHES = (SEARCH, SEARCH_ALL)


def bump_sequence(session: Session, *, by: int = 1) -> None:
    """Increase the sequence number, because this transaction changes what the API shows."""
    _increment(session, (SEQUENCE, "", by))


def bump_generation(session: Session, *, by: int = 1) -> None:
    """Increase sequence and generation numbers, because this transaction replaces or deletes the tweets as a whole."""
    _increment(session, (SEQUENCE, "", by), (GENERATION, "", by))


def begin_epoch(session: Session) -> None:
    """Set a random epoch, so that ETags from before are no longer valid, whatever was done to the file in the meantime."""
    _set(session, (EPOCH, "", secrets.randbits(62)))


def request_counter(database: Database) -> Callable[[str, str], None]:
    """Return a function that counts a request to X; it does nothing while the database is away, which fails no request."""

    def count(endpoint: str, outcome: str) -> None:
        def count_unless_restoring(session: Session) -> None:
            refuse_while_restoring(session)
            count_request(session, endpoint, outcome)

        with suppress(DatabaseUnavailable):
            database.write(count_unless_restoring)

    return count


def count_request(session: Session, endpoint: str, outcome: str) -> None:
    """Count a request to X by its endpoint and outcome. The newest outcome of searches is stored with its time."""
    _increment(session, (X_REQUESTS, x_requests_label(endpoint, outcome), 1))
    if endpoint in SEARCHES:
        _set(session, (X_ANSWERED, outcome, now_ms()))


def count_page(
    session: Session, *, date: datetime, remaining: int | None, was_refused: bool = False, endpoint: str = SEARCH
) -> None:
    """Count a page that was bought and stored, and store X's clock and the remaining requests of the rate limit.

    X's clock is stored as the number of seconds by which it is ahead of this machine's. If X refused the collection before,
    the page ends the refusal.
    """
    ahead = round((date - datetime.now(UTC)).total_seconds())
    counters = [
        (X_REQUESTS, x_requests_label(endpoint, OK), 1),
        (SEQUENCE, "", 1),
        (X_AHEAD, "", ahead),
    ]
    counters += [(X_ANSWERED, OK, now_ms())] if endpoint in SEARCHES else []
    counters += [(RATE_LIMIT_REMAINING, "", remaining)] if remaining is not None else []
    session.execute(_COUNT_PAGE, _rows(counters))
    if was_refused:
        session.execute(_END_REFUSAL)


def count_endless_listing(session: Session) -> None:
    """Count a listing that was left because X does not end it."""
    _increment(session, (ENDLESS_LISTINGS, "", 1))


def count_notification(session: Session, destination: str, outcome: str) -> None:
    """Count what became of a try to send a message to a destination: sent, failed, or given_up for good."""
    _increment(session, (NOTIFICATIONS, f"{destination} {outcome}", 1))


def note_refusal(session: Session, failure: XFailure) -> None:
    """Store that X refuses all requests, and until which epoch second, 0 if X did not say."""
    session.execute(_END_REFUSAL)
    _set(session, (X_REFUSES, failure.kind, int(failure.until.timestamp()) if failure.until else 0))


def note_missing_fields(session: Session, names: Iterable[str]) -> None:
    """Store which fields of posts X did not give in the newest collection that brought posts."""
    session.execute(_FORGET_MISSING)
    _set(session, *((X_LACKS, name, now_ms()) for name in names))


def note_tag(session: Session, tag: TagRef, facts: Mapping[str, int]) -> None:
    """Store facts about a tag, by name."""
    _set(session, *((name, tag.key, value) for name, value in facts.items()))


def count_late_posts(session: Session, tag: TagRef, posts: int) -> None:
    """Count posts of a tag that became searchable after a poll had passed them."""
    _increment(session, (LATE_POSTS, tag.key, posts))


def note_schedule(session: Session, keeper: str, *, every: float, due: float) -> None:
    """Store that a process keeps a schedule: the interval in seconds, 0 for none, and the epoch second of the next run."""
    facts = {"seen": time.time(), "every": every, "due": due}
    _set(session, *((SCHEDULE, f"{keeper} {fact}", round(value)) for fact, value in facts.items()))


def _set(session: Session, *counters: tuple[str, str, int]) -> None:
    """Set counters, each a name, a label and a value."""
    upsert(session, StoredCounter, _rows(counters), update=("value",))


def _increment(session: Session, *counters: tuple[str, str, int]) -> None:
    increment(session, StoredCounter, _rows(counters), ("value",))


def _rows(counters: Iterable[tuple[str, str, int]]) -> list[dict[str, str | int]]:
    return [{"name": name, "label": label, "value": value} for name, label, value in counters]


_FORGET_MISSING = delete(StoredCounter.__table__).where(StoredCounter.name == X_LACKS)  # type: ignore[arg-type]
_END_REFUSAL = delete(StoredCounter.__table__).where(StoredCounter.name == X_REFUSES)  # type: ignore[arg-type]
_TABLE = StoredCounter.__tablename__
_COUNT_PAGE = text(
    f"INSERT INTO {_TABLE} (name, label, value) VALUES (:name, :label, :value) ON CONFLICT (name, label) DO UPDATE SET "  # noqa: S608 (constants)
    f"value = excluded.value + CASE WHEN {_TABLE}.name IN ('{X_REQUESTS}', '{SEQUENCE}') THEN {_TABLE}.value ELSE 0 END"
)
