"""Adds the list of authors who are to be read from X by their ids."""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table author_lookups, empty."""
    op.create_table(
        "author_lookups",
        sa.Column("author_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name="fk_author_lookups_author_id_authors"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_author_lookups_run_id_runs"),
        sa.PrimaryKeyConstraint("author_id", name="pk_author_lookups"),
    )
