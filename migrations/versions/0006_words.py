"""The index of the words of tweets.

SQLite only. It is contentless, for the texts stand in tweets, and `ascii` takes all beyond ASCII for parts of words, so that
words which were found before and are separated by spaces go in as they are.
"""

import sqlalchemy as sa
from alembic import op

from text.words import RULES, index_words

revision = "0006"
down_revision = "0005"

INDEX = """
CREATE VIRTUAL TABLE tweet_words USING fts5(
    words, content='', detail='none', columnsize=0, tokenize="ascii tokenchars '_'"
)
"""
BATCH = 10_000


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    op.get_bind().exec_driver_sql(INDEX)
    op.execute("INSERT INTO tweet_words (tweet_words, rank) VALUES ('secure-delete', 1)")
    _fill(op.get_bind())
    figures = sa.table("figures", sa.column("name"), sa.column("label"), sa.column("value"))
    op.execute(figures.insert().values(name="words", label=RULES, value=1))


def _fill(connection: sa.Connection) -> None:
    after = -1
    batch = "SELECT id, text FROM tweets WHERE id > ? ORDER BY id LIMIT ?"
    while rows := connection.exec_driver_sql(batch, (after, BATCH)).all():
        words = [(row.id, " ".join(index_words(row.text))) for row in rows]
        connection.exec_driver_sql("INSERT INTO tweet_words (rowid, words) VALUES (?, ?)", words)
        after = rows[-1].id
