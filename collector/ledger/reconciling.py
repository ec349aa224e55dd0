"""Reconciling: X's own count of what it sold in a billing month, beside the ledger's, once a day.

X calls its deduplication a soft guarantee, and other programs may use the same project, so the two may differ. A drift that
grows is what an operator wants to hear of.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from alchemy import Database
from collector.ledger.prices import Billing
from collector.runs import lease
from collector.x.app_only import AppOnly
from database.statements import upsert
from models import Reconciliation
from queries.spend import spend_between

log = logging.getLogger(__name__)


def reconcile(database: Database, x: AppOnly, billing: Billing) -> None:
    """Ask X, which is free, and keep both counts; raises XFailure, DatabaseUnavailable."""
    usage = x.usage()
    day = usage.observed.date()
    month = billing.month(day)

    def keep(session: Session) -> int:
        lease.refuse_while_restoring(session)
        ours = spend_between(session, start=month.start, end=month.end).posts
        row = {"day": day.isoformat(), "asked_at": usage.observed, "x_posts": usage.posts, "our_posts": ours}
        upsert(session, Reconciliation, [row], update=("asked_at", "x_posts", "our_posts"))
        return ours

    ours = database.write(keep)
    log.info("ledger compared with X", extra={"posts": ours, "posts_by_x": usage.posts})
