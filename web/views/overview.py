"""/: the tweets of a period at a glance, against as long a time before; and /view/tags/{tag}: the same of one tag."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Flask, Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags
from queries import lists
from queries.activity import Activity, activity
from queries.gaps import gap_times
from queries.lists import TweetList
from queries.orders import SortOrder
from queries.tags import tag_name, tracked_names, tracked_tags
from queries.tweets import TweetView, TweetViews
from security.pages import page
from web.asked import ViewQuery
from web.figures import counts, coverage, facets, people, texts, volume, week
from web.figures import tags as of_tags
from web.figures.catalogue import TOP, TOP_TAGS
from web.site import Site, tidy_redirect
from web.tables import ChartFigure

NEWEST_SHOWN = 10
MOST_GAPS = 50
NEWEST = SortOrder("created", descending=True)


class Overview(NamedTuple):
    """What the page shows: totals, the tweets before (None where there is no such time), figures, and the newest tweets."""

    totals: Activity
    before: int | None
    series: ChartFigure
    figures: list[ChartFigure]
    newest: list[TweetView]


def register(app: Flask, site: Site) -> None:
    """Give the app both pages."""

    def overview() -> Response:
        if lead := tidy_redirect():
            return lead
        with site.reading() as session:
            asked = site.parse(session)
            values: dict[str, Any] = {"asked": asked, "tracked": tracked_names(session), "shown": _overview(session, asked)}
            return site.page("overview.html", session, asked.zone, **values)

    def tag_overview(tag: str) -> Response:
        if lead := tidy_redirect():
            return lead
        with site.reading() as session:
            name = tag_name(session, key=_key(tag))
            if name is None:
                raise NotFound("this tag was never tracked here")
            asked = site.parse(session, fixed=(("tag", name.removeprefix("#")),))
            tracked = tracked_tags(session, key=tags.key(name))
            shown = _of_tag(session, asked)
            values: dict[str, Any] = {"asked": asked, "tag": name, "tracked": tracked[0] if tracked else None, "shown": shown}
            values["gaps"] = gap_times(session, keys=[tags.key(name)])[-MOST_GAPS:]
            return site.page("tag.html", session, asked.zone, **values)

    page(app, "/", overview)
    page(app, "/view/tags/<tag>", tag_overview)


def _overview(session: Session, asked: ViewQuery) -> Overview:
    found, totals = counts.volume(session, asked), activity(session, asked.filters, most=TOP)
    figures = [
        of_tags.by_tag(found, asked, TOP_TAGS),
        coverage.coverage(session, asked, TOP_TAGS),
        people.most_followed_figure(session, asked, TOP),
        people.active(totals, asked),
        facets.languages(session, asked, TOP),
        facets.countries(session, asked, TOP),
        texts.beside(session, asked, TOP),
        week.week(session, asked),
    ]
    return Overview(totals, found.total_before, volume.over_time(found, asked, TOP_TAGS), figures, newest(session, asked))


def _of_tag(session: Session, asked: ViewQuery) -> Overview:
    """Return the same without what compares tags, and with X's counts over time."""
    shown, by_x = _overview(session, asked), coverage.over_time(session, asked)
    kept = [figure for figure in shown.figures if figure.name != "tags" and not (by_x and figure.name == "coverage")]
    return shown._replace(figures=[by_x, *kept] if by_x else kept)


def newest(session: Session, asked: ViewQuery) -> list[TweetView]:
    """Return the newest of the wanted tweets."""
    places = lists.page(session, TweetList(asked.filters, NEWEST), after=None, most=NEWEST_SHOWN)
    return TweetViews().rows(session, [place.id for place in places])


def _key(tag: str) -> str:
    try:
        return tags.key(tags.hashtag(tag))
    except tags.InvalidTag as error:
        raise NotFound(str(error)) from error
