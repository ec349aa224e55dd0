"""Payloads: objects as X gave them, so that a field that is wanted later is not bought again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Payload(Base):
    """A version of a tweet as X gave it, with its place; `id` is the version's, `body` packed by collector.payloads."""

    __tablename__ = "payloads"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id"), index=True)
    retrieved: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class AuthorPayload(Base):
    """An author as X gave them last."""

    __tablename__ = "author_payloads"

    author_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("authors.id"), primary_key=True, autoincrement=False)
    retrieved: Mapped[datetime] = mapped_column(UTCDateTime)
    body: Mapped[bytes] = mapped_column(LargeBinary)
