"""Hashtags that are or were tracked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Tag(Base):
    """A hashtag with its #, in the spelling first given; `key` is the case-folded spelling, by which it is compared.

    From `from_id` (exclusive) up to `since_id` everything was collected, but for the tag's gaps. `lang` and `exclude` (words
    between commas) and `tw_number` are the tag's own terms; null where it has none.
    """

    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    tag: Mapped[str] = mapped_column(Text)
    tracked: Mapped[bool]
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    from_id: Mapped[int | None] = mapped_column(BigInteger)
    since_id: Mapped[int | None] = mapped_column(BigInteger)
    lang: Mapped[str | None] = mapped_column(Text)
    exclude: Mapped[str | None] = mapped_column(Text)
    tw_number: Mapped[int | None]
