"""Overviews of all tweets (/), of a tag (/view/tags/{tag}) and of an author (/view/authors/{username})."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Flask, Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags
from queries import lists
from queries.authors import Activity, activity, author_by_username
from queries.filters import SortOrder
from queries.gaps import gap_times
from queries.lists import TweetList
from queries.tags import tag_name, tracked_names, tracked_tags
from queries.tweets import TweetView, TweetViews
from security.pages import page
from text import usernames
from web.charts import ChartFigure
from web.figures import counts, coverage, rankings, volume
from web.responses import tidy_redirect
from web.site import Site
from web.view_query import ViewQuery

TOP, TOP_TAGS = 10, 12
NEWEST_SHOWN = 10
MOST_GAPS = 50
NEWEST_FIRST = SortOrder("created", descending=True)


class Overview(NamedTuple):
    """Totals, tweets in the time before (None if not known), the figure over time, other figures, and the newest tweets."""

    totals: Activity
    before: int | None
    series: ChartFigure
    figures: list[ChartFigure]
    newest: list[TweetView]


def register(app: Flask, site: Site) -> None:
    """Add the pages."""

    def overview() -> Response:
        if redirect := tidy_redirect():
            return redirect
        with site.reading() as session:
            query = site.parse(session)
            values: dict[str, Any] = {"query": query, "tracked": tracked_names(session), "shown": _overview(session, query)}
            return site.page("overview.html", session, query.zone, **values)

    def tag_overview(tag: str) -> Response:
        if redirect := tidy_redirect():
            return redirect
        with site.reading() as session:
            name = tag_name(session, key=_key(tag))
            if name is None:
                raise NotFound("this tag was never tracked here")
            query = site.parse(session, fixed=(("tag", name.removeprefix("#")),))
            tracked = tracked_tags(session, key=tags.key(name))
            values: dict[str, Any] = {"query": query, "tag": name, "tracked": tracked[0] if tracked else None}
            values["shown"] = _tag_overview(session, query)
            values["gaps"] = gap_times(session, keys=[tags.key(name)])[-MOST_GAPS:]
            return site.page("tag.html", session, query.zone, **values)

    def author(username: str) -> Response:
        if redirect := tidy_redirect():
            return redirect
        name = usernames.username(username)
        with site.reading() as session:
            known = author_by_username(session, name.lower()) if name else None
            if known is None or name is None:
                raise NotFound("no tweet of an author with this username is stored")
            query = site.parse(session, fixed=(("author", name),))
            shown = _author_overview(session, query)
            return site.page("author.html", session, query.zone, query=query, author=known, shown=shown)

    page(app, "/", overview)
    page(app, "/view/tags/<tag>", tag_overview)
    page(app, "/view/authors/<username>", author)


def _overview(session: Session, query: ViewQuery) -> Overview:
    found, totals = counts.volume(session, query), activity(session, query.filters, most=TOP)
    figures = [
        volume.by_tag(found, query, TOP_TAGS),
        coverage.coverage(session, query, TOP_TAGS),
        rankings.most_followed(session, query, TOP),
        rankings.most_active(totals, query),
        rankings.languages(session, query, TOP),
        rankings.countries(session, query, TOP),
        rankings.related(session, query, TOP),
        volume.by_hour_of_week(session, query),
    ]
    series = volume.over_time(found, query, TOP_TAGS)
    return Overview(totals, found.total_before, series, figures, _newest(session, query))


def _tag_overview(session: Session, query: ViewQuery) -> Overview:
    """Return the overview of a tag, with X's counts over time instead of comparisons between tags."""
    shown, counts_of_x = _overview(session, query), coverage.over_time(session, query)
    left_out = ("tags", "coverage") if counts_of_x else ("tags",)
    figures = [figure for figure in shown.figures if figure.name not in left_out]
    return shown._replace(figures=[counts_of_x, *figures] if counts_of_x else figures)


def _author_overview(session: Session, query: ViewQuery) -> Overview:
    found, totals = counts.volume(session, query), activity(session, query.filters, most=1)
    figures = [
        volume.by_tag(found, query, TOP_TAGS),
        rankings.languages(session, query, TOP),
        rankings.related(session, query, TOP),
        volume.by_hour_of_week(session, query),
    ]
    series = volume.over_time(found, query, TOP_TAGS)
    return Overview(totals, found.total_before, series, figures, _newest(session, query))


def _newest(session: Session, query: ViewQuery) -> list[TweetView]:
    keys = lists.page(session, TweetList(query.filters, NEWEST_FIRST), after=None, most=NEWEST_SHOWN)
    return TweetViews().rows(session, [key.id for key in keys])


def _key(tag: str) -> str:
    try:
        return tags.key(tags.hashtag(tag))
    except tags.InvalidTag as error:
        raise NotFound(str(error)) from error
