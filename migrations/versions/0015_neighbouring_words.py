"""Recreates the full-text index with the positions of words. SQLite only: PostgreSQL's lists of words are ordered already.

The service fills it at its start, because the rules by which texts are read have changed with it.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

INDEX = """
CREATE VIRTUAL TABLE tweet_words USING fts5(
    words, content='', columnsize=0, tokenize="ascii tokenchars '_'"
)
"""


def upgrade() -> None:
    """Replace the table tweet_words by an empty one."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE tweet_words")
        op.execute(INDEX)
        op.execute("INSERT INTO tweet_words (tweet_words, rank) VALUES ('secure-delete', 1)")
