"""The first tables: tweets, authors, tags, runs, leases and marks."""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "authors",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("followers", sa.BigInteger(), nullable=True),
        sa.Column("observed", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authors")),
    )
    op.create_index(op.f("ix_authors_username"), "authors", ["username"])
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started", UTCDateTime(), nullable=False),
        sa.Column("ended", UTCDateTime(), nullable=True),
        sa.Column("tweets_added", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("users", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('collection', 'import')", name=op.f("ck_runs_kind")),
        sa.CheckConstraint("state IN ('running', 'done', 'partial', 'failed')", name=op.f("ck_runs_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("tracked", sa.Boolean(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("key", name=op.f("uq_tags_key")),
    )
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_run_tags_state")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_tags_run_id_runs")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_run_tags_tag_id_tags")),
        sa.PrimaryKeyConstraint("run_id", "tag_id", name=op.f("pk_run_tags")),
    )
    op.create_table(
        "tweets",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created", UTCDateTime(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_code", sa.Text(), nullable=True),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("rash_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name=op.f("fk_tweets_author_id_authors")),
        sa.ForeignKeyConstraint(["rash_id"], ["tags.id"], name=op.f("fk_tweets_rash_id_tags")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_tweets_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tweets")),
    )
    op.create_index(op.f("ix_tweets_author_id"), "tweets", ["author_id"])
    op.create_index(op.f("ix_tweets_created"), "tweets", ["created"])
    op.create_table(
        "tweet_tags",
        sa.Column("tweet_id", sa.BigInteger(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_tweet_tags_run_id_runs")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_tweet_tags_tag_id_tags")),
        sa.ForeignKeyConstraint(["tweet_id"], ["tweets.id"], name=op.f("fk_tweet_tags_tweet_id_tweets")),
        sa.PrimaryKeyConstraint("tweet_id", "tag_id", name=op.f("pk_tweet_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tweet_tags_tag_id_tweet_tags_tweet_id"), "tweet_tags", ["tag_id", "tweet_id"])
    op.create_table(
        "versions",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tweet_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tweet_id"], ["tweets.id"], name=op.f("fk_versions_tweet_id_tweets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_tweet_id"), "versions", ["tweet_id"])
