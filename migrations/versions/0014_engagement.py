"""Adds the numbers of tweets with their earlier measurements and their sums, and the tables of links and mentions.

The rows are filled by collector.tweets.rereading from the payloads, when the program has prepared the database.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime

revision = "0014"
down_revision = "0013"

NUMBERS = ("likes", "reposts", "replies", "quotes", "bookmarks", "views")
SUMMED = ("authors", "quarters", "tag_langs", "tag_hours", "facet_counts", "facet_hours")
FLAGS = ("has_media", "has_link", "is_reply", "is_quote")


def upgrade() -> None:
    """Create the columns, empty tables and indexes."""
    for name in (*NUMBERS, "engagement"):
        op.add_column("tweets", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("tweets", sa.Column("measured", UTCDateTime(), nullable=True))
    for name in FLAGS:
        op.add_column("tweets", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for table in SUMMED:
        op.add_column(table, sa.Column("known", sa.BigInteger(), nullable=False, server_default="0"))
        op.add_column(table, sa.Column("engagement", sa.BigInteger(), nullable=True))
    by_name = (sa.text("coalesce(username, '')"), "id")
    op.create_index("ix_authors_engagement", "authors", [sa.text("engagement DESC"), *by_name])
    _create_tables()
    op.drop_index("ix_tweets_created", "tweets")
    op.create_index("ix_tweets_created", "tweets", ["created", "id", "author_id", "engagement"])
    op.create_index("ix_tweets_engagement", "tweets", ["engagement", "id", "likes", "reposts", "views"])
    for name in FLAGS[:3]:
        where = sa.column(name, sa.Boolean()).is_(True)
        for by, columns in (("id", ["id"]), ("created", ["created", "id"])):
            op.create_index(f"ix_tweets_{name}_{by}", "tweets", columns, sqlite_where=where, postgresql_where=where)


def _create_tables() -> None:
    postgresql = op.get_context().dialect.name == "postgresql"
    text = sa.Text(collation="C") if postgresql else sa.Text()
    links: tuple[sa.Column[Any], ...] = (
        sa.Column("url", text, nullable=False),
        sa.Column("domain", text, nullable=False),
        sa.Column("created", UTCDateTime(), nullable=False),
    )
    _create_table("tweet_links", *links, key="url")
    op.create_index("ix_tweet_links_domain", "tweet_links", ["domain", "tweet_id"])
    op.create_index("ix_tweet_links_created", "tweet_links", ["created", "domain", "tweet_id"])
    _create_table("tweet_mentions", sa.Column("username", text, nullable=False), key="username")
    numbers = (sa.Column(name, sa.BigInteger(), nullable=True) for name in NUMBERS)
    _create_table("measurements", sa.Column("at", UTCDateTime(), nullable=False), *numbers, key="at")


def _create_table(name: str, *columns: sa.Column[Any], key: str) -> None:
    op.create_table(
        name,
        sa.Column("tweet_id", sa.BigInteger(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["tweet_id"], ["tweets.id"], name=f"fk_{name}_tweet_id_tweets", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tweet_id", key, name=f"pk_{name}"),
        sqlite_with_rowid=False,
    )
