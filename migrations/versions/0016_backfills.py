"""Adds to collections whether they are backfills. Those of earlier programs count as collections."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the column."""
    op.add_column("runs", sa.Column("backfills", sa.Boolean(), nullable=False, server_default=sa.false()))
