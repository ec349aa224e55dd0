"""What sorted lists are read by: ids that are SQLite's row numbers, followers beside tweets, and indexes.

A key signs the cursors of the lists. SQLite can't change a table's primary key, so tables are written anew, as its
documentation of ALTER TABLE describes.
"""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from alchemy import Id, UTCDateTime
from database.functions import whole_hour

revision = "0005"
down_revision = "0004"

ROWID_KEYS = ("authors", "tweets")
NAME = sa.text("coalesce(username, '')")


def upgrade() -> None:
    _columns()
    if op.get_bind().dialect.name == "sqlite":
        for table in ROWID_KEYS:
            _write_anew(table, "BIGINT NOT NULL", "INTEGER NOT NULL")
        _write_anew("tweet_tags", ", created VARCHAR(20)", ", created VARCHAR(20) NOT NULL")
    else:
        op.alter_column("tweet_tags", "created", nullable=False)
    _indexes()
    _ranges()
    marks = sa.table("marks", sa.column("name"), sa.column("value"))
    op.execute(marks.insert().values(name="cursor_key", value=secrets.token_hex(32)))


def _columns() -> None:
    op.add_column("tweets", sa.Column("followers", sa.BigInteger(), nullable=True))
    op.add_column("tweet_tags", sa.Column("created", UTCDateTime(), nullable=True))
    op.execute("UPDATE tweets SET followers = (SELECT followers FROM authors WHERE authors.id = tweets.author_id)")
    op.execute("UPDATE tweet_tags SET created = (SELECT created FROM tweets WHERE tweets.id = tweet_tags.tweet_id)")
    op.drop_index("ix_tweets_author_id", "tweets")
    op.drop_index("ix_tweets_created", "tweets")
    op.drop_index("ix_authors_username", "authors")
    op.drop_index("ix_tweet_tags_tag_id_tweet_tags_tweet_id", "tweet_tags")


def _write_anew(table: str, old: str, new: str) -> None:
    """Replace a table by one of the same columns and rows, in whose definition one part is another."""
    connection = op.get_bind()
    stored = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :name")
    definition = connection.scalar(stored, {"name": table})
    rest = definition.partition("(")[2]
    if old not in rest:
        raise sa.exc.CompileError(f"{table} is not as it was made")
    connection.exec_driver_sql(f"CREATE TABLE {table}_anew ({rest.replace(old, new, 1)}")
    connection.exec_driver_sql(f"INSERT INTO {table}_anew SELECT * FROM {table} ORDER BY 1")  # noqa: S608 (constants)
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_anew RENAME TO {table}")


def _indexes() -> None:
    op.create_index("ix_authors_username", "authors", ["username"])
    op.create_index("ix_authors_username_lower", "authors", [sa.text("lower(username)")])
    op.create_index("ix_authors_followers", "authors", [sa.text("followers DESC"), NAME, "id"])
    op.create_index("ix_authors_tweets", "authors", [sa.text("tweets DESC"), NAME, "id"])
    op.create_index("ix_tweets_created", "tweets", ["created", "id"])
    op.create_index("ix_tweets_followers", "tweets", ["followers", "id"])
    for name, column in (("lang", sa.text("lower(lang)")), ("author_id", "author_id")):
        op.create_index(f"ix_tweets_{name}_id", "tweets", [column, "id"])
        op.create_index(f"ix_tweets_{name}_created", "tweets", [column, "created", "id"])
    for name in ("country", "country_code"):
        given = sa.text(f"{name} IS NOT NULL")
        options: dict[str, Any] = {"sqlite_where": given, "postgresql_where": given}
        op.create_index(f"ix_tweets_{name}_id", "tweets", [name, "id"], **options)
        op.create_index(f"ix_tweets_{name}_created", "tweets", [name, "created", "id"], **options)
    op.create_index("ix_tweet_tags_tag_id_tweet_id", "tweet_tags", ["tag_id", "tweet_id"])
    op.create_index("ix_tweet_tags_tag_id_created", "tweet_tags", ["tag_id", "created", "tweet_id"])


def _ranges() -> None:
    op.create_table(
        "id_ranges",
        sa.Column("start", Id, autoincrement=False, nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("start", name=op.f("pk_id_ranges")),
    )
    ranges = sa.table("id_ranges", sa.column("start"), sa.column("first_id"), sa.column("last_id"))
    tweets = sa.table("tweets", sa.column("id"), sa.column("created", UTCDateTime()))
    hour = whole_hour(tweets.c.created).label("hour")
    found = sa.select(hour, sa.func.min(tweets.c.id), sa.func.max(tweets.c.id)).group_by(hour)
    op.execute(ranges.insert().from_select(["start", "first_id", "last_id"], found))
