"""Hashtags that are or were tracked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Integer, Text, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Tag(Base):
    """A hashtag with its #, in the spelling first given; `key` is the case-folded spelling, by which it is compared.

    From `from_id` (exclusive) up to `since_id` everything was collected, but for the tag's gaps. `lang` and `exclude` (words
    between commas) and `tw_number` are the tag's own terms; null where it has none. `counted` is when X was last asked for its
    recent counts.
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
    counted: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @hybrid_property
    def terms(self) -> str:
        """Its languages and exclusions as one word, by which what X counted on them is known."""
        return f"{self.lang or ''}/{self.exclude or ''}"

    @terms.inplace.expression
    @classmethod
    def _terms(cls) -> ColumnElement[str]:
        return func.coalesce(cls.lang, "") + "/" + func.coalesce(cls.exclude, "")
