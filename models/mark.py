"""Marks: single facts about the whole database."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class DatabaseMark(Base):
    """A named fact, such as the source of the tweets."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
