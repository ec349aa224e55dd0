"""Reconciliations: what X says it sold, beside the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Reconciliation


class UsageComparison(NamedTuple):
    """How many posts of a billing month X and the ledger had counted when X was asked last (UTC)."""

    asked: datetime
    x_posts: int
    our_posts: int

    @property
    def drift(self) -> int:
        """How many more X counted than the ledger."""
        return self.x_posts - self.our_posts


def newest(session: Session) -> UsageComparison | None:
    """Return the last comparison, or None."""
    columns = select(Reconciliation.asked_at, Reconciliation.x_posts, Reconciliation.our_posts)
    row = session.execute(columns.order_by(Reconciliation.day.desc()).limit(1)).first()
    return UsageComparison._make(row) if row else None
