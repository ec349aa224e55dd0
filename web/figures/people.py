"""Authors: the most followed, and those who wrote the most."""

from __future__ import annotations

from sqlalchemy.orm import Session

from queries.activity import Activity
from queries.authors import FOLLOWERS, AuthorRank, author_page
from web.asked import ViewQuery
from web.figures.volume import NOTHING
from web.paths import author_path
from web.tables import ChartFigure, Column, Link, Table
from web.words import number, plural, share

AS_OF = "Followers are as of when X was last asked."
UNNAMED = "not named by X"


def most_followed_figure(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    """Rank authors of wanted tweets by their followers."""
    page = author_page(session, asked.filters, sort=FOLLOWERS, after=None, most=most)
    columns = (Column("Author", "text"), Column("Name", "file"), Column("Followers"), Column("Tweets stored"))
    rows = tuple((_link(rank, asked), rank.author or "", rank.followers, rank.tweets) for rank in page.authors)
    first = page.authors[0] if page.authors else None
    finding = NOTHING
    if first:
        by = "by nobody knows how many" if first.followers is None else f"by {plural(first.followers, 'account')}"
        finding = f"{_name(first)} is the most followed, {by}."
    return ChartFigure("followers", "Most followed authors", finding, Table(columns, rows, bars=2), AS_OF)


def active(found: Activity, asked: ViewQuery) -> ChartFigure:
    """Rank authors by how many of the wanted tweets are theirs."""
    columns = (
        Column("Author", "text"),
        Column("Name", "file"),
        Column("Tweets"),
        Column("Share", "share"),
        Column("Followers"),
    )
    rows = tuple(
        (_link(rank, asked), rank.author or "", rank.tweets, rank.tweets / found.tweets, rank.followers)
        for rank in found.most_active
    )
    return ChartFigure("active", "Most active authors", _leading(found), Table(columns, rows, bars=2), AS_OF)


def _leading(found: Activity) -> str:
    if not found.most_active:
        return NOTHING
    first, part = found.most_active[0], sum(rank.tweets for rank in found.most_active) / found.tweets
    wrote = f"{_name(first)} wrote the most, {number(first.tweets)} of {number(found.tweets)}."
    return f"{wrote} These {len(found.most_active)} wrote {share(part)}." if len(found.most_active) > 1 else wrote


def _link(rank: AuthorRank, asked: ViewQuery) -> object:
    return Link(f"@{rank.username}", author_path(rank.username, asked), rank.author or "") if rank.username else UNNAMED


def _name(rank: AuthorRank) -> str:
    return f"@{rank.username}" if rank.username else rank.author or "an author whom X did not name"
