"""Tombstones: tweets, locations and authors that were deleted here and never come back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, false
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Tombstone(Base):
    """The id of a version of a tweet that no collection, import or restore may bring back; `geo_only`: its location."""

    __tablename__ = "tombstones"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    buried: Mapped[datetime] = mapped_column(UTCDateTime)
    geo_only: Mapped[bool] = mapped_column(default=False, server_default=false())


class AuthorTombstone(Base):
    """The id of an author of whom nothing may come back; a stand-in where only the username is known."""

    __tablename__ = "author_tombstones"

    author_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    buried: Mapped[datetime] = mapped_column(UTCDateTime)
