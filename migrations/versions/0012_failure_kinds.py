"""The kind of each recorded failure, by which advice is found."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TEXTS = {"runs": "error", "run_tags": "reason", "chores": "error"}
KINDS = (
    ("X refuses the credentials", "unauthorized"),
    ("X gives no Bearer token", "unauthorized"),
    ("X refuses the app", "not-enrolled"),
    ("billing blocked until credits", "credits"),
    ("billing blocked until X's next", "usage-cap"),
    ("billing blocked", "spend-cap"),
    ("the budget of", "budget"),
    ("what others have reserved", "reserved"),
    ("X's rate limit", "rate-limit"),
    ("X is unwell", "unwell"),
    ("X refuses the request", "refused"),
    ("interrupted:", "interrupted"),
    ("it was broken off", "interrupted"),
    ("the collector failed", "crash"),
    ("it failed unexpectedly", "crash"),
    ("the stored tweets are real", "real-tweets"),
    ("the stored tweets are invented", "invented-tweets"),
)
"""Kinds by the beginning of the sentences that were stored without one."""


def upgrade() -> None:
    for table, text in TEXTS.items():
        op.add_column(table, sa.Column("failure_kind", _text(), nullable=True))
        rows = sa.table(table, sa.column(text), sa.column("failure_kind"))
        kind = sa.case(*((rows.c[text].startswith(begin), kind) for begin, kind in KINDS), else_=None)
        op.execute(sa.update(rows).where(rows.c[text].is_not(None)).values(failure_kind=kind))


def _text() -> sa.Text:
    """Return texts that sort by bytes, like those of the other tables."""
    return sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()
