"""The whole schema. A database of an earlier revision, 0001 to 0011, is carried over by `database carry-over`.

The tables are those of this revision and not those of models/, which later revisions change. Text on PostgreSQL has the
collation "C", which sorts as SQLite and Python do; without it a column has the collation of the server's installation.
"""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, func

from alchemy import Base, Id, UTCDateTime
from database import partitions
from text.words import RULES

revision = "0012"
down_revision = None

WORDS_ON_SQLITE = """
CREATE VIRTUAL TABLE tweet_words USING fts5(
    words, content='', detail='none', columnsize=0, tokenize="ascii tokenchars '_'"
)
"""
"""Contentless, as the texts are in tweets. To `ascii` every character beyond ASCII is part of a word, so that words that were
extracted before and are separated by spaces are indexed as they are."""
WORDS_ON_POSTGRESQL = """
CREATE TABLE tweet_words (
    rowid bigint NOT NULL, words text[] COLLATE "C" NOT NULL, CONSTRAINT pk_tweet_words PRIMARY KEY (rowid)
) PARTITION BY RANGE (rowid);
CREATE INDEX ix_tweet_words_words ON tweet_words USING gin (words)
"""

METADATA = sa.MetaData(naming_convention=Base.metadata.naming_convention)
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    connection = op.get_bind()
    METADATA.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(WORDS_ON_SQLITE)
        connection.exec_driver_sql("INSERT INTO tweet_words (tweet_words, rank) VALUES ('secure-delete', 1)")
        _index_authors(nulls="")
    else:
        connection.exec_driver_sql(WORDS_ON_POSTGRESQL)
        for name in partitions.KEYS:
            connection.exec_driver_sql(f"CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT")
        _index_authors(nulls=" NULLS LAST")
    connection.execute(counters.insert().values(name="words", label=RULES, value=1))
    connection.execute(marks.insert().values(name="cursor_key", value=secrets.token_hex(32)))


def _index_authors(*, nulls: str) -> None:
    """Create the indexes that list authors by a number, unknown ones last; SQLite sorts nulls last in descending order."""
    for column in ("followers", "tweets"):
        order = sa.text(f"{column} DESC{nulls}")
        op.create_index(f"ix_authors_{column}", "authors", [order, sa.text("coalesce(username, '')"), "id"])


def _table(name: str, *columns: Any, **options: Any) -> Table:
    """Declare a table; those that grow with the tweets are partitioned on PostgreSQL."""
    key = partitions.KEYS.get(name)
    return Table(name, METADATA, *columns, postgresql_partition_by=f"RANGE ({key})" if key else None, **options)


_table(
    "leases",
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)
marks = _table(
    "marks",
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
counters = _table(
    "counters",
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
_table(
    "writers",
    Column("name", Text, primary_key=True),
    Column("mark", Text, nullable=False, index=True),
    Column("at", UTCDateTime, nullable=False),
)
_table(
    "scheduled_jobs",
    Column("name", Text, primary_key=True),
    Column("began", UTCDateTime, nullable=False),
    Column("succeeded", UTCDateTime),
    Column("error", Text),
    Column("failure_kind", Text),
)
_table(
    "tags",
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("tag", Text, nullable=False),
    Column("tracked", Boolean, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("from_id", BigInteger),
    Column("since_id", BigInteger),
    Column("lang", Text),
    Column("exclude", Text),
    Column("tw_number", Integer),
    Column("counted_at", UTCDateTime),
)
_table(
    "counts",
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("rules", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("counted", BigInteger, nullable=False),
    Column("asked_at", UTCDateTime, nullable=False),
)
_table(
    "tag_langs",
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("lang", Text, primary_key=True),
    Column("tweets", BigInteger, nullable=False),
)
_table(
    "tag_hours",
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("tweets", BigInteger, nullable=False),
)
_table(
    "runs",
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started", UTCDateTime, nullable=False),
    Column("ended", UTCDateTime),
    Column("tweets_added", Integer, nullable=False),
    Column("posts", Integer, nullable=False),
    Column("users", Integer, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
    Column("milliseconds", Integer),
    Column("error", Text),
    Column("failure_kind", Text),
    Column("token", Integer),
    CheckConstraint("state IN ('running', 'done', 'partial', 'failed')", name="state"),
    CheckConstraint("kind IN ('collection', 'import', 'job')", name="kind"),
    sqlite_autoincrement=True,
)
_table(
    "run_tags",
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("added", Integer, nullable=False),
    Column("reason", Text),
    Column("failure_kind", Text),
    CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
    Index(None, "tag_id", "run_id"),
)
_table(
    "listings",
    Column("id", Integer, primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id"), nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("gap", Boolean, nullable=False),
    Column("expired", Boolean, nullable=False),
    Column("since_id", BigInteger),
    Column("until_id", BigInteger, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("watermark", BigInteger),
    Column("next_token", Text),
    Column("query", Text, nullable=False),
    Column("wanted", Integer),
    Column("pages", Integer, nullable=False),
    Column("span_id", Integer),
    Index(None, "tag_id"),
    Index(
        "uq_listings_tag_id_poll", "tag_id", unique=True, sqlite_where=sa.text("NOT gap"), postgresql_where=sa.text("NOT gap")
    ),
    sqlite_autoincrement=True,
)
_table(
    "backfill_spans",
    Column("id", Integer, primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id"), nullable=False, index=True),
    Column("since_id", BigInteger, nullable=False),
    Column("until_id", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
_table(
    "spends",
    Column("day", Text, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("posts", Integer, nullable=False),
    Column("users", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
)
_table(
    "purchases",
    Column("day", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("object_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
_table(
    "budgets",
    Column("month", Text, primary_key=True),
    Column("until", Text, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)
_table(
    "reservations",
    Column("id", Integer, primary_key=True),
    Column("day", Text, nullable=False),
    Column("last", Text),
    Column("micro", BigInteger, nullable=False),
    Column("posts", Integer, nullable=False),
    Column("in_flight", Boolean, nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("listing_id", Integer),
    Column("request", Text, nullable=False),
    sqlite_autoincrement=True,
)
_table(
    "reconciliations",
    Column("day", Text, primary_key=True),
    Column("asked_at", UTCDateTime, nullable=False),
    Column("x_posts", BigInteger, nullable=False),
    Column("our_posts", BigInteger, nullable=False),
)
_table(
    "balances",
    Column("id", Integer, primary_key=True),
    Column("asked_at", UTCDateTime, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    Column("quiet", Boolean, nullable=False),
    Column("expires", UTCDateTime),
    sqlite_autoincrement=True,
)
authors = _table(
    "authors",
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("username", Text, index=True),
    Column("name", Text),
    Column("followers", BigInteger),
    Column("observed", UTCDateTime),
    Column("tweets", BigInteger, nullable=False),
)
_table(
    "author_payloads",
    Column("author_id", BigInteger, ForeignKey("authors.id"), primary_key=True, autoincrement=False),
    Column("retrieved", UTCDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
tweets = _table(
    "tweets",
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("lang", Text),
    Column("country", Text),
    Column("country_code", Text),
    Column("author_id", BigInteger, ForeignKey("authors.id")),
    Column("rash_id", Integer, ForeignKey("tags.id")),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("followers", BigInteger),
)
_table(
    "id_ranges",
    Column("start", Id, primary_key=True, autoincrement=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
)
_table(
    "versions",
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tweet_id", BigInteger, ForeignKey("tweets.id"), nullable=False, index=True),
)
_table(
    "payloads",
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tweet_id", BigInteger, ForeignKey("tweets.id"), nullable=False, index=True),
    Column("retrieved", UTCDateTime, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
_table(
    "tweet_tags",
    Column("tweet_id", BigInteger, ForeignKey("tweets.id"), primary_key=True),
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Index("ix_tweet_tags_tag_id_tweet_id", "tag_id", "tweet_id"),
    Index("ix_tweet_tags_tag_id_created", "tag_id", "created", "tweet_id"),
    sqlite_with_rowid=False,
)
_table(
    "tombstones",
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("deleted_at", UTCDateTime, nullable=False),
    Column("geo_only", Boolean, nullable=False, server_default=sa.false()),
)
_table(
    "author_tombstones",
    Column("author_id", BigInteger, primary_key=True, autoincrement=False),
    Column("deleted_at", UTCDateTime, nullable=False),
)
_table(
    "compliance_jobs",
    Column("id", Integer, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("ended", UTCDateTime),
    Column("upload_url", Text, nullable=False),
    Column("download_url", Text, nullable=False),
    Column("ids", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("scrubbed", BigInteger, nullable=False),
    CheckConstraint("state IN ('created', 'uploaded', 'complete', 'done', 'failed')", name="state"),
    sqlite_autoincrement=True,
)
_table(
    "hashtags",
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("tag", Text, nullable=False),
    Column("tweets", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
_table(
    "tweet_hashtags",
    Column("tweet_id", BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True),
    Column("hashtag_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
_table(
    "tag_hashtags",
    Column("tag_id", Integer, ForeignKey("tags.id"), primary_key=True),
    Column("hashtag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tweets", BigInteger, nullable=False),
    Index("ix_tag_hashtags_tag_id_tweets", "tag_id", "tweets"),
    sqlite_with_rowid=False,
)
_table(
    "quarters",
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("tweets", BigInteger, nullable=False),
)
_table(
    "presences",
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("quarters", Integer, primary_key=True, autoincrement=False),
    Column("authors", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_table(
    "facet_counts",
    Column("facet", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("tweets", BigInteger, nullable=False),
)
_table(
    "facet_hours",
    Column("facet", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Text, primary_key=True),
    Column("tweets", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


Index("ix_authors_username_lower", func.lower(authors.c.username))
Index("ix_tweets_created", tweets.c.created, tweets.c.id, tweets.c.author_id)
Index("ix_tweets_followers", tweets.c.followers, tweets.c.id)
for name, indexed in (("lang", func.lower(tweets.c.lang)), ("author_id", tweets.c.author_id)):
    Index(f"ix_tweets_{name}_id", indexed, tweets.c.id)
    Index(f"ix_tweets_{name}_created", indexed, tweets.c.created, tweets.c.id)
for place in (tweets.c.country, tweets.c.country_code):
    given: dict[str, Any] = {"sqlite_where": place.is_not(None), "postgresql_where": place.is_not(None)}
    Index(f"ix_tweets_{place.name}_id", place, tweets.c.id, **given)
    Index(f"ix_tweets_{place.name}_created", place, tweets.c.created, tweets.c.id, **given)
