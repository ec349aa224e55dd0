"""In which quarters of an hour authors have tweets, and how long they had none before."""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime
from database.functions import quarter_hour

revision = "0008"
down_revision = "0007"

FARTHEST = 107


def upgrade() -> None:
    op.create_table(
        "presences",
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quarters", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("authors", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("start", "quarters", name=op.f("pk_presences")),
        sqlite_with_rowid=False,
    )
    _fill()


def _fill() -> None:
    presences = sa.table("presences", sa.column("start"), sa.column("quarters"), sa.column("authors"))
    tweets = sa.table("tweets", sa.column("author_id"), sa.column("created", UTCDateTime()))
    columns = (tweets.c.author_id, quarter_hour(tweets.c.created).label("start"))
    written = sa.select(*columns).where(tweets.c.author_id.is_not(None)).distinct().cte("written")
    last = sa.func.lag(written.c.start).over(partition_by=written.c.author_id, order_by=written.c.start)
    steps = sa.select(written.c.start, ((written.c.start - last) // quarter_hour.seconds).label("quarters")).cte("steps")
    every = sa.select(written.c.start, sa.literal(0), sa.func.count()).group_by(written.c.start)
    again = sa.select(*steps.c, sa.func.count()).where(steps.c.quarters <= FARTHEST).group_by(*steps.c)
    op.execute(presences.insert().from_select(["start", "quarters", "authors"], sa.union_all(every, again)))
