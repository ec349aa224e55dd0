"""Alembic's entry point, on the connection that `database.migrating` passes: creates the schema, or migrates it.

A new database gets the tables of models/ as they are now and is stamped with the newest revision. Migrations are for databases
that exist already.
"""

import secrets

from alembic import context
from sqlalchemy import Connection, MetaData, Text, UnaryExpression, insert

from alchemy import Base
from database import partitions
from models import DatabaseMark, StoredCounter
from text.words import RULES

WORDS = {
    "sqlite": """
CREATE VIRTUAL TABLE tweet_words USING fts5(
    words, content='', columnsize=0, tokenize="ascii tokenchars '_'"
);
INSERT INTO tweet_words (tweet_words, rank) VALUES ('secure-delete', 1)
""",
    "postgresql": """
CREATE TABLE tweet_words (
    rowid bigint NOT NULL, words text[] COLLATE "C" NOT NULL, CONSTRAINT pk_tweet_words PRIMARY KEY (rowid)
) PARTITION BY RANGE (rowid);
CREATE INDEX ix_tweet_words_words ON tweet_words USING gin (words)
""",
}
"""The full-text index. On SQLite it is contentless, as the texts are in tweets. To `ascii` every character beyond ASCII is part
of a word, so that words that were extracted before and are separated by spaces are indexed as they are."""


def create_schema(connection: Connection) -> None:
    """Create all tables and indexes, and the rows that a new database has."""
    on_postgresql = connection.dialect.name == "postgresql"
    (_postgresql_tables() if on_postgresql else Base.metadata).create_all(connection, checkfirst=False)
    for statement in WORDS[connection.dialect.name].split(";"):
        connection.exec_driver_sql(statement)
    for name in partitions.KEYS if on_postgresql else ():
        connection.exec_driver_sql(f"CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT")
    connection.execute(insert(StoredCounter).values(name="words", label=RULES, value=1))
    connection.execute(insert(DatabaseMark).values(name="cursor_key", value=secrets.token_hex(32)))


def _postgresql_tables() -> MetaData:
    """Return the tables as PostgreSQL needs them to behave as SQLite does.

    Text has the collation "C", which sorts as SQLite and Python do, in place of the collation of the server's installation. In
    descending order null comes last. Tables that grow with the tweets are partitioned.
    """
    tables = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        copy = table.to_metadata(tables)
        for column in copy.columns:
            if isinstance(column.type, Text):
                column.type = Text(collation="C")
        for index in copy.indexes:
            index.expressions = [one.nulls_last() if isinstance(one, UnaryExpression) else one for one in index.expressions]
        if key := partitions.KEYS.get(table.name):
            copy.dialect_options["postgresql"]["partition_by"] = f"RANGE ({key})"
    return tables


context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True, compare_type=True
)
migration = context.get_context()
if migration.get_current_revision() is None:
    create_schema(context.config.attributes["connection"])
    migration.stamp(context.script, "head")
else:
    context.run_migrations()
