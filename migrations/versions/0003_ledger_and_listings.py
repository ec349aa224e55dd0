"""Listings, the ledger, roll-ups and tombstones, filled from what is stored.

What earlier collections delivered is booked at X's prices of 2026, $0.005 a post and $0.010 an author, on the day on which the
collection began. Each tag goes on after the newest tweet that a collection found for it.
"""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime
from database.functions import quarter_hour

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _tables()
    _columns()
    _roll_up()
    _book()
    newest = (
        "SELECT max(tweets.version) FROM tweet_tags JOIN tweets ON tweets.id = tweet_tags.tweet_id "
        "JOIN runs ON runs.id = tweet_tags.run_id WHERE tweet_tags.tag_id = tags.id AND runs.kind = 'collection'"
    )
    op.execute(f"UPDATE tags SET since_id = ({newest})")  # noqa: S608 (constants)


def _tables() -> None:
    op.create_table(
        "listings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("gap", sa.Boolean(), nullable=False),
        sa.Column("expired", sa.Boolean(), nullable=False),
        sa.Column("since_id", sa.BigInteger(), nullable=True),
        sa.Column("until_id", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=True),
        sa.Column("next_token", sa.Text(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_listings_run_id_runs")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_listings_tag_id_tags")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_listings_tag_id"), "listings", ["tag_id"])
    op.create_index(
        "uq_listings_tag_id_poll",
        "listings",
        ["tag_id"],
        unique=True,
        sqlite_where=sa.text("NOT gap"),
        postgresql_where=sa.text("NOT gap"),
    )
    op.create_table(
        "spends",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("users", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("ceiling", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_spends_run_id_runs")),
        sa.PrimaryKeyConstraint("day", "run_id", name=op.f("pk_spends")),
    )
    op.create_table(
        "purchases",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "object_id", name=op.f("pk_purchases")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budgets",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_budgets")),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=True),
        sa.Column("micro", sa.BigInteger(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Boolean(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_reservations_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "quarters",
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("start", name=op.f("pk_quarters")),
    )
    op.create_table(
        "tag_langs",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_tag_langs_tag_id_tags")),
        sa.PrimaryKeyConstraint("tag_id", "lang", name=op.f("pk_tag_langs")),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("buried", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
    )


def _columns() -> None:
    op.create_index(op.f("ix_run_tags_tag_id_run_tags_run_id"), "run_tags", ["tag_id", "run_id"])
    op.add_column("tags", sa.Column("since_id", sa.BigInteger(), nullable=True))
    op.add_column("tags", sa.Column("lang", sa.Text(), nullable=True))
    op.add_column("tags", sa.Column("exclude", sa.Text(), nullable=True))
    op.add_column("tags", sa.Column("tw_number", sa.Integer(), nullable=True))
    op.add_column("authors", sa.Column("tweets", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("floor", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("ceiling", sa.BigInteger(), nullable=False, server_default="0"))


def _roll_up() -> None:
    tweets = sa.table("tweets", sa.column("created", UTCDateTime()))
    quarter = quarter_hour(tweets.c.created).label("quarter")
    counted = sa.select(quarter, sa.func.count()).group_by(quarter)
    quarters = sa.table("quarters", sa.column("start"), sa.column("tweets"))
    op.execute(quarters.insert().from_select(["start", "tweets"], counted))
    op.execute(
        "INSERT INTO tag_langs (tag_id, lang, tweets) SELECT tag_id, coalesce(lang, ''), count(*) FROM tweet_tags "
        "JOIN tweets ON tweets.id = tweet_tags.tweet_id GROUP BY 1, 2"
    )
    op.execute("UPDATE authors SET tweets = (SELECT count(*) FROM tweets WHERE tweets.author_id = authors.id)")


def _book() -> None:
    op.execute(
        "UPDATE runs SET floor = posts * 5000, ceiling = posts * 5000 + users * 10000 WHERE kind = 'collection'",
    )
    op.execute(
        "INSERT INTO spends (day, run_id, posts, users, calls, floor, ceiling) "
        "SELECT substr(CAST(started AS text), 1, 10), id, posts, users, 0, floor, ceiling FROM runs "
        "WHERE kind = 'collection' AND posts > 0"
    )
