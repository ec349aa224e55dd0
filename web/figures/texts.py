"""Hashtags in the texts of tweets, beside those that are tracked; for one tag, those that occur with it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from queries.related import related_hashtags
from queries.tags import tracked_id, tracked_keys
from queries.texts import Hashtags, hashtags
from web.asked import ViewQuery
from web.paths import tweets_path
from web.tables import ChartFigure, Column, Link, Table
from web.words import plural, share, times

LIFT = "Lift says how many times as often it occurs with the tag as in all tweets: 1 × is by chance."
BY_CHANCE = 1.05
NONE = "No other hashtags in these texts."


def beside(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    """Rank the hashtags of the texts; with one tracked tag alone, by what is related to it."""
    keys = asked.filters.tags
    known = tracked_id(session, key=keys[0]) if len(keys) == 1 else None
    return _related_figure(session, asked, known, most) if known else _among(session, asked, most)


def _among(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    found = hashtags(session, asked.filters, most=most, besides=tracked_keys(session))
    columns = (Column("Hashtag", "text"), Column("Tweets"), Column("Share", "share"))
    rows = tuple((_link(row.tag, asked), row.tweets, row.share) for row in found.rows)
    return ChartFigure("hashtags", "Related hashtags", _finding(found), Table(columns, rows, bars=1), _note(found))


def _related_figure(session: Session, asked: ViewQuery, tag_id: int, most: int) -> ChartFigure:
    found = related_hashtags(session, tag_id, limit=most, filters=asked.filters._replace(tags=()))
    columns = (Column("Hashtag", "text"), Column("Tweets"), Column("Share", "share"), Column("Lift", "lift"))
    rows = tuple((_link(row.tag, asked), row.tweets, row.share, row.lift) for row in found)
    closest = max(found, key=lambda row: row.lift, default=None)
    finding = NONE
    if closest:
        finding = f"{found[0].tag} stands in {share(found[0].share)} of its tweets."
        if closest.lift > BY_CHANCE:
            finding = f"{finding} Of these, {closest.tag} is tied to it most: {times(closest.lift)} as often as in all tweets."
    return ChartFigure("hashtags", "Related hashtags", finding, Table(columns, rows, bars=1), LIFT)


def _finding(found: Hashtags) -> str:
    if not found.rows:
        return NONE
    return f"{found.rows[0].tag} is the most frequent beside the tracked tags, in {share(found.rows[0].share)} of the texts."


def _note(found: Hashtags) -> str:
    return "" if found.whole else f"Counted in the newest {plural(found.among, 'tweet')}, for there are more."


def _link(tag: str, asked: ViewQuery) -> Link:
    return Link(tag, tweets_path(asked, q=tag.removeprefix("#")))
