"""The outbox: messages that are to be sent, recorded in the transaction that moves their watch on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
from sqlalchemy import insert
from sqlalchemy.orm import Session

from models import Message, Notification
from queries.watches import StoredWatch
from watches.definitions import read_definition
from watches.findings import Finding


def record(session: Session, watch: StoredWatch, findings: Sequence[Finding], *, held_back: int, now: datetime) -> None:
    """Record findings, oldest first, as messages to each destination; the first says how many were held back before."""
    for number, finding in enumerate(findings):
        values = {"watch_id": watch.id, "watch": watch.name, "definition": watch.definition, "found": now}
        values |= {"kind": finding.kind, "start": finding.start, "end": finding.end}
        values |= {"tweets": orjson.dumps(finding.tweets).decode(), "held_back": 0 if number else held_back}
        message_id = session.scalars(insert(Message).values(**values).returning(Message.id)).one()
        for name in read_definition(watch.definition).to:
            waiting = {"message_id": message_id, "destination": name, "state": "waiting", "tries": 0, "next_try": now}
            session.execute(insert(Notification).values(**waiting))
