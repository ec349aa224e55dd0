"""Tracking and untracking hashtags while the service runs, each in a transaction of its own."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from alchemy import Database
from collector.runs import lease, tags
from collector.runs.tags import Rules
from queries.tags import TrackedTag, tracked_tags

log = logging.getLogger(__name__)


def track(database: Database, name: str, rules: Rules | None) -> tuple[bool, TrackedTag]:
    """Track a hashtag, with these rules if given, else with those it has; return whether it was untracked before, and the tag.

    Raises InvalidTag, DatabaseUnavailable.
    """

    def change(session: Session) -> tuple[bool, TrackedTag]:
        lease.refuse_while_restoring(session)
        return tags.track(session, name, rules), tracked_tags(session, key=tags.key(name))[0]

    begins, shown = database.write(change)
    log.info("tag tracked", extra={"tag": shown.tag})
    return begins, shown


def untrack(database: Database, name: str) -> bool:
    """Stop collecting a hashtag, whose tweets stay, and return whether it was tracked; raises DatabaseUnavailable."""

    def change(session: Session) -> bool:
        lease.refuse_while_restoring(session)
        return tags.untrack(session, name)

    found = database.write(change)
    if found:
        log.info("tag untracked", extra={"tag": name})
    return found
