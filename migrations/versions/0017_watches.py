"""Adds watches, the messages that they send, and feeds."""

import sqlalchemy as sa
from alembic import op

from alchemy import UTCDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table(
        "watches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("changed", UTCDateTime(), nullable=False),
        sa.Column("checked_to", sa.BigInteger(), nullable=False),
        sa.Column("after_run", sa.BigInteger(), nullable=False),
        sa.Column("after_tweet", sa.BigInteger(), nullable=False),
        sa.Column("told_to", sa.BigInteger(), nullable=True),
        sa.Column("silent_since", sa.BigInteger(), nullable=True),
        sa.Column("held_back", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_watches"),
        sa.UniqueConstraint("name", name="uq_watches_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "told_tweets",
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("tweet_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["watch_id"], ["watches.id"], name="fk_told_tweets_watch_id_watches", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("watch_id", "tweet_id", name="pk_told_tweets"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("watch", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("start", UTCDateTime(), nullable=False),
        sa.Column("end", UTCDateTime(), nullable=False),
        sa.Column("tweets", sa.Text(), nullable=False),
        sa.Column("held_back", sa.Integer(), nullable=False),
        sa.Column("found", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_watch_id_found", "messages", ["watch_id", "found"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", UTCDateTime(), nullable=False),
        sa.Column("is_claimed", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="ck_notifications_state"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_notifications_message_id_messages", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_message_id", "notifications", ["message_id"])
    op.create_index("ix_notifications_state_id", "notifications", ["state", "id"])
    op.create_table(
        "feeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("created", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.UniqueConstraint("key_hash", name="uq_feeds_key_hash"),
        sqlite_autoincrement=True,
    )
