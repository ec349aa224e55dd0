"""Authors of tweets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, Id, UTCDateTime
from models.rollup import EngagementSum


class Author(EngagementSum, Base):
    """An author as of the newest observation, and what their stored tweets add up to. Columns that X did not send are null.

    `id` is X's user id. An author who was imported with a username only has a negative id.
    """

    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    username: Mapped[str | None] = mapped_column(Text, index=True)
    name: Mapped[str | None] = mapped_column(Text)
    followers: Mapped[int | None] = mapped_column(BigInteger)
    observed: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tweets: Mapped[int] = mapped_column(BigInteger, default=0)


Index("ix_authors_username_lower", func.lower(Author.username))
_name = text("coalesce(username, '')")
Index("ix_authors_followers", Author.followers.desc(), _name, Author.id)
Index("ix_authors_tweets", Author.tweets.desc(), _name, Author.id)
Index("ix_authors_engagement", Author.engagement.desc(), _name, Author.id)


class AuthorLookup(Base):
    """An author whom the collections still have to read from X by id, or whom X did not give when it was asked for them.

    `run_id` is the collection that found the author's tweet; `asked_at` is null until X was asked in vain.
    """

    __tablename__ = "author_lookups"

    author_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("authors.id"), primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AuthorPayload(Base):
    """The newest object that X sent of an author, compressed by collector.x.documents."""

    __tablename__ = "author_payloads"

    author_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("authors.id"), primary_key=True, autoincrement=False)
    retrieved: Mapped[datetime] = mapped_column(UTCDateTime)
    body: Mapped[bytes] = mapped_column(LargeBinary)
