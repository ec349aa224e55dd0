"""The first revision. New databases are created at the newest one (migrations/env.py), so it has nothing to do.

A database of an earlier revision, 0001 to 0011, is carried over by `database carry-over`.
"""

revision = "0012"
down_revision = None


def upgrade() -> None:
    """Nothing precedes this revision."""
