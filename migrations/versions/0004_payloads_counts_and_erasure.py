"""Payloads, X's counts, backfills, reconciliation, compliance, and the roll-up of tags by the hour.

A tag's history begins at the oldest tweet that a collection found for it.
"""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime
from database.functions import whole_hour

revision = "0004"
down_revision = "0003"

KINDS = "kind IN ('collection', 'import', 'chore')"


def upgrade() -> None:
    _payloads()
    _counts()
    _governance()
    _columns()
    _kinds()
    _roll_up()
    oldest = (
        "SELECT min(tweet_tags.tweet_id) - 1 FROM tweet_tags JOIN runs ON runs.id = tweet_tags.run_id "
        "WHERE tweet_tags.tag_id = tags.id AND runs.kind = 'collection'"
    )
    op.execute(f"UPDATE tags SET from_id = ({oldest}) WHERE since_id IS NOT NULL")  # noqa: S608 (constants)


def _payloads() -> None:
    op.create_table(
        "payloads",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tweet_id", sa.BigInteger(), nullable=False),
        sa.Column("retrieved", UTCDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tweet_id"], ["tweets.id"], name=op.f("fk_payloads_tweet_id_tweets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payloads")),
    )
    op.create_index(op.f("ix_payloads_tweet_id"), "payloads", ["tweet_id"])
    op.create_index(op.f("ix_payloads_retrieved"), "payloads", ["retrieved"])
    op.create_table(
        "author_payloads",
        sa.Column("author_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("retrieved", UTCDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name=op.f("fk_author_payloads_author_id_authors")),
        sa.PrimaryKeyConstraint("author_id", name=op.f("pk_author_payloads")),
    )


def _counts() -> None:
    op.create_table(
        "counts",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("asked", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_counts_tag_id_tags")),
        sa.PrimaryKeyConstraint("tag_id", "terms", "start", name=op.f("pk_counts")),
    )
    op.create_table(
        "tag_hours",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_tag_hours_tag_id_tags")),
        sa.PrimaryKeyConstraint("tag_id", "start", name=op.f("pk_tag_hours")),
    )


def _governance() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("asked", UTCDateTime(), nullable=False),
        sa.Column("x_posts", sa.BigInteger(), nullable=False),
        sa.Column("our_posts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_reconciliations")),
    )
    op.create_table(
        "compliance_jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created", UTCDateTime(), nullable=False),
        sa.Column("ended", UTCDateTime(), nullable=True),
        sa.Column("upload_url", sa.Text(), nullable=False),
        sa.Column("download_url", sa.Text(), nullable=False),
        sa.Column("ids", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("scrubbed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('created', 'uploaded', 'complete', 'done', 'failed')", name=op.f("ck_compliance_jobs_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compliance_jobs")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "author_tombstones",
        sa.Column("author_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("buried", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("author_id", name=op.f("pk_author_tombstones")),
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("began", UTCDateTime(), nullable=False),
        sa.Column("succeeded", UTCDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chores")),
    )
    op.create_table(
        "spans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("since_id", sa.BigInteger(), nullable=False),
        sa.Column("until_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_spans_tag_id_tags")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spans")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_spans_tag_id"), "spans", ["tag_id"])


def _columns() -> None:
    op.add_column("tags", sa.Column("from_id", sa.BigInteger(), nullable=True))
    op.add_column("tags", sa.Column("counted", UTCDateTime(), nullable=True))
    op.add_column("listings", sa.Column("span_id", sa.Integer(), nullable=True))
    op.add_column("tombstones", sa.Column("geo_only", sa.Boolean(), nullable=False, server_default=sa.false()))


def _kinds() -> None:
    """Let runs be chores. SQLite changes a CHECK only in its schema's text, as its documentation of ALTER TABLE has it."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_runs_kind"), "runs", type_="check")
        op.create_check_constraint(op.f("ck_runs_kind"), "runs", KINDS)
        return
    op.execute("PRAGMA writable_schema=ON")
    op.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, '''collection'', ''import'')', '''collection'', ''import'', ''chore'')') "
        "WHERE type = 'table' AND name = 'runs'"
    )
    op.execute("PRAGMA writable_schema=RESET")


def _roll_up() -> None:
    hours = sa.table("tag_hours", sa.column("tag_id"), sa.column("start"), sa.column("tweets"))
    tweets = sa.table("tweets", sa.column("id"), sa.column("created", UTCDateTime()))
    links = sa.table("tweet_tags", sa.column("tweet_id"), sa.column("tag_id"))
    hour = whole_hour(tweets.c.created).label("hour")
    counted = sa.select(links.c.tag_id, hour, sa.func.count()).join(tweets, tweets.c.id == links.c.tweet_id)
    op.execute(hours.insert().from_select(["tag_id", "start", "tweets"], counted.group_by(links.c.tag_id, hour)))
