"""Authors of tweets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import Id, UTCDateTime


class Author(Base):
    """An author as of their newest observation, and how many of their tweets are stored. What X did not give is null.

    `id` is X's user id; it is negative for an author who was imported with a username only.
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
