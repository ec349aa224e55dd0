"""Listings: stretches of X's posts that are being read, or wait to be."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Listing(Base):
    """The posts of a tag with ids between `since_id` and `before`, both exclusive, which are still to be bought.

    X lists newest first, so each stored page lowers `before`; `next_token` continues X's own listing, which began with
    `query`, `since_id` and `until_id`. One listing a tag is the poll that goes on; when it ends, `watermark` becomes the
    tag's since_id. What a poll left over is a gap. An expired one is older than X's recent search reaches.
    One with a `span_id` is read from the full archive by backfills.
    `wanted` is how many posts the poll may still buy. A `since_id` of null reaches back as far as X does.
    """

    __tablename__ = "listings"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    gap: Mapped[bool] = mapped_column(default=False)
    expired: Mapped[bool] = mapped_column(default=False)
    since_id: Mapped[int | None] = mapped_column(BigInteger)
    until_id: Mapped[int] = mapped_column(BigInteger)
    before: Mapped[int] = mapped_column(BigInteger)
    watermark: Mapped[int | None] = mapped_column(BigInteger)
    next_token: Mapped[str | None] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    wanted: Mapped[int | None]
    pages: Mapped[int] = mapped_column(default=0)
    span_id: Mapped[int | None]

    __table_args__ = (
        Index(None, "tag_id"),
        Index(
            "uq_listings_tag_id_poll",
            "tag_id",
            unique=True,
            sqlite_where=text("NOT gap"),
            postgresql_where=text("NOT gap"),
        ),
        {"sqlite_autoincrement": True},
    )


class BackfillSpan(Base):
    """A stretch of a tag's posts that a backfill has read, by ids, both exclusive. While it is read it grows downwards."""

    __tablename__ = "spans"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), index=True)
    since_id: Mapped[int] = mapped_column(BigInteger)
    until_id: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_autoincrement": True},)
