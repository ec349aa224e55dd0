"""Roll-ups: the API's aggregates, kept in the transaction that changes the tweets they count."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Quarter(Base):
    """How many tweets were created in a quarter of an hour; `start` is its epoch second."""

    __tablename__ = "quarters"

    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagLang(Base):
    """How many tweets in a language a tag has found; an unknown language is empty here."""

    __tablename__ = "tag_langs"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    lang: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagHour(Base):
    """How many of the tweets that a tag has found were created in an hour; `start` is its epoch second."""

    __tablename__ = "tag_hours"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)
