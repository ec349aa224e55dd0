"""Watches: what people asked to be told, the messages that told it or are to, and feeds. Nothing here has a tweet's text."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Watch(Base):
    """A watch by name, and how far it was checked.

    `definition` is the watch as the API shows it, JSON without its name. What began before `checked_to` is not checked again;
    tweets of runs after `after_run` with ids above `after_tweet`, the newest one that a deletion of the database or a restore
    removed, are new to it. `told_to` is the start of the newest bucket that was told, `silent_since`
    the time since which nothing was collected, if that was told; these times are epoch seconds. `held_back` counts the messages
    that quiet hours or the limit a day held back since the last one.
    """

    __tablename__ = "watches"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    definition: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime] = mapped_column(UTCDateTime)
    checked_to: Mapped[int] = mapped_column(BigInteger)
    after_run: Mapped[int] = mapped_column(BigInteger)
    after_tweet: Mapped[int] = mapped_column(BigInteger, default=0)
    told_to: Mapped[int | None] = mapped_column(BigInteger)
    silent_since: Mapped[int | None] = mapped_column(BigInteger)
    held_back: Mapped[int] = mapped_column(default=0)

    __table_args__ = ({"sqlite_autoincrement": True},)


class ToldTweet(Base):
    """A tweet that a watch has told, or held back, so that it is not told again; the tweet may be deleted since."""

    __tablename__ = "told_tweets"

    watch_id: Mapped[int] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True)
    tweet_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Message(Base):
    """What a watch found, written into words when it is sent.

    `definition` is the watch's as of then. `start` and `end` are the time it is about, `tweets` the ids of tweets as a JSON
    list, `found` when it was recorded, `held_back` how many messages before it were held back.
    """

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    watch_id: Mapped[int]
    watch: Mapped[str] = mapped_column(Text)
    definition: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    start: Mapped[datetime] = mapped_column(UTCDateTime)
    end: Mapped[datetime] = mapped_column(UTCDateTime)
    tweets: Mapped[str] = mapped_column(Text)
    held_back: Mapped[int] = mapped_column(default=0)
    found: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("ix_messages_watch_id_found", "watch_id", "found"), {"sqlite_autoincrement": True})


class Notification(Base):
    """A message to one destination. `next_try` is when a waiting one is sent next; `error` is why the last try failed.

    `is_claimed` says that a try was begun whose outcome is not recorded: the process that made it may have died.
    """

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    destination: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime] = mapped_column(UTCDateTime)
    is_claimed: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state"),
        Index("ix_notifications_state_id", "state", "id"),
        {"sqlite_autoincrement": True},
    )


class Feed(Base):
    """A feed that can be read with a key: the SHA-256 of the key in hex, and the path with its query, to which it is bound."""

    __tablename__ = "feeds"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    key_hash: Mapped[str] = mapped_column(Text, unique=True)
    created: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = ({"sqlite_autoincrement": True},)
