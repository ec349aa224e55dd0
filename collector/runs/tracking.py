"""Tracking: which hashtags are collected from now on, as people decide it while the service runs."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from alchemy import Database
from collector.runs import lease, tags
from collector.runs.terms import Rules
from queries.tags import TrackedTag, tracked_tags

log = logging.getLogger(__name__)


def track(database: Database, name: str, terms: Rules | None) -> tuple[bool, TrackedTag]:
    """Track a hashtag, on these terms if any are given, else on those it has; tell whether it was not tracked before.

    Raises InvalidTag, DatabaseUnavailable.
    """

    def change(session: Session) -> tuple[bool, TrackedTag]:
        lease.refuse_while_restoring(session)
        return tags.track(session, name, terms), tracked_tags(session, key=tags.key(name))[0]

    begins, shown = database.write(change)
    log.info("tag tracked", extra={"tag": shown.tag})
    return begins, shown


def untrack(database: Database, name: str) -> bool:
    """Stop collecting a hashtag, whose tweets stay, and tell whether it was tracked; raises as `track` does."""

    def change(session: Session) -> bool:
        lease.refuse_while_restoring(session)
        return tags.untrack(session, name)

    found = database.write(change)
    if found:
        log.info("tag untracked", extra={"tag": name})
    return found
