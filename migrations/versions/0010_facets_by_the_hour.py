"""How many tweets of an hour have which language or country, or no tag, and an index that tells the authors of a period."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime
from database.functions import whole_hour

revision = "0010"
down_revision = "0009"

_tweets = sa.table("tweets", *map(sa.column, ("id", "lang", "country", "country_code")), sa.column("created", UTCDateTime()))
_tweet_tags = sa.table("tweet_tags", sa.column("tweet_id"))
_hours = sa.table("facet_hours", *map(sa.column, ("facet", "start", "value", "tweets")))


def upgrade() -> None:
    op.create_table(
        "facet_hours",
        sa.Column("facet", _text(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", _text(), nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "start", "value", name=op.f("pk_facet_hours")),
        sqlite_with_rowid=False,
    )
    _fill()
    _index()


def _index() -> None:
    """Put an index in the place of another; readers of PostgreSQL are kept out only while the names change."""
    columns = ["created", "id", "author_id"]
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_tweets_created", "tweets")
        op.create_index("ix_tweets_created", "tweets", columns)
        return
    op.create_index("ix_tweets_created_new", "tweets", columns)
    op.drop_index("ix_tweets_created", "tweets")
    op.execute("ALTER INDEX ix_tweets_created_new RENAME TO ix_tweets_created")


def _text() -> sa.Text:
    """Return texts that sort as bytes do, as those of the other tables do."""
    return sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()


def _fill() -> None:
    tweets, unknown = _tweets.c, sa.literal("")
    country = sa.func.coalesce(sa.func.nullif(tweets.country, ""), sa.func.nullif(tweets.country_code, ""), "")
    found = sa.exists().where(_tweet_tags.c.tweet_id == tweets.id)
    _count("lang", sa.func.lower(sa.func.coalesce(tweets.lang, "")))
    _count("country", country)
    _count("tag", unknown, ~found)


def _count(facet: str, value: sa.ColumnElement[str], *wanted: Any) -> None:
    hour, shown = whole_hour(_tweets.c.created).label("hour"), value.label("shown")
    counted = sa.select(sa.literal(facet), hour, shown, sa.func.count()).select_from(_tweets).where(*wanted)
    op.execute(_hours.insert().from_select(_hours.c.keys(), counted.group_by(hour, shown)))
