"""What PostgreSQL needs: texts that sort as bytes do, tables in parts by tweets' ids, words, and marks of writers.

Columns' own collation is that of the server's installation; "C" is the order in which SQLite and Python sort, and the one in
which only ASCII has lower case.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime
from database import partitions
from text.words import RULES

revision = "0009"
down_revision = "0008"

TEXTS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND data_type = 'text' AND table_name <> 'alembic_version'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS owner, conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND contype IN ('p', 'f', 'u')
AND (conrelid = ANY(:tables) OR confrelid = ANY(:tables)) ORDER BY contype DESC, conname
"""
INDEXES = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY(:tables) AND NOT indisprimary ORDER BY indexrelid
"""
FOLLOWED = "INSERT INTO figures (name, label, value) SELECT 'words', :rules, 1 WHERE NOT EXISTS (SELECT FROM tweets)"
OIDS = "SELECT CAST(CAST(name AS regclass) AS oid) FROM unnest(CAST(:names AS text[])) AS name"


def upgrade() -> None:
    op.create_table(
        "writers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_writers")),
    )
    op.create_index(op.f("ix_writers_mark"), "writers", ["mark"])
    if op.get_bind().dialect.name == "postgresql":
        _sort_as_bytes()
        _words()
        _author_lists()
        _in_parts(op.get_bind())


def _sort_as_bytes() -> None:
    for table, column in op.get_bind().execute(sa.text(TEXTS)).all():
        op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text COLLATE "C"')


def _words() -> None:
    op.execute('CREATE TABLE tweet_words (rowid bigint NOT NULL, words text[] COLLATE "C" NOT NULL)')
    op.create_primary_key("pk_tweet_words", "tweet_words", ["rowid"])
    op.execute("CREATE INDEX ix_tweet_words_words ON tweet_words USING gin (words)")
    op.execute(sa.text(FOLLOWED).bindparams(rules=RULES))


def _author_lists() -> None:
    """Let the sorted lists of authors be read by an index: unknown numbers come last."""
    for column in ("followers", "tweets"):
        op.drop_index(f"ix_authors_{column}", "authors")
        name = sa.text("coalesce(username, '')")
        op.create_index(f"ix_authors_{column}", "authors", [sa.text(f"{column} DESC NULLS LAST"), name, "id"])


def _in_parts(connection: sa.Connection) -> None:
    """Put tables that grow with the tweets in the place of the whole ones, with their rows, keys and indexes."""
    names = list(partitions.KEYS)
    tables = list(connection.scalars(sa.text(OIDS), {"names": names}))
    constraints: Any = connection.execute(sa.text(CONSTRAINTS), {"tables": tables}).all()
    indexes = list(connection.scalars(sa.text(INDEXES), {"tables": tables}))
    for name, key in partitions.KEYS.items():
        op.execute(f"ALTER TABLE {name} RENAME TO {name}_whole")
        op.execute(f"CREATE TABLE {name} (LIKE {name}_whole INCLUDING DEFAULTS) PARTITION BY RANGE ({key})")
        op.execute(f"CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT")
        op.execute(f"INSERT INTO {name} SELECT * FROM {name}_whole")  # noqa: S608 (a constant)
        op.execute(f"DROP TABLE {name}_whole CASCADE")
    for constraint in constraints:
        op.execute(f"ALTER TABLE {constraint.owner} ADD CONSTRAINT {constraint.name} {constraint.definition}")
    for index in indexes:
        op.execute(index)
