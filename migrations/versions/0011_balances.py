"""The account's balance as X tells it, beside the ledger."""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "balances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked", UTCDateTime(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("balance", "floor", "ceiling", "unsettled")),
        sa.Column("quiet", sa.Boolean(), nullable=False),
        sa.Column("expires", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balances")),
        sqlite_autoincrement=True,
    )
