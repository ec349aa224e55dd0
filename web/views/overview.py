"""Overviews of all tweets (/), of a tag (/view/tags/{tag}) and of an author (/view/authors/{username}); figures as CSV."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, make_response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags
from queries import lists
from queries.authors import author_by_username
from queries.filters import SortOrder
from queries.gaps import gap_times
from queries.lists import TweetList
from queries.tags import tag_name, tracked_names, tracked_tags, untracked
from queries.tweets import TweetViews
from text.names import parse_username
from web.charts import ChartFigure
from web.figures import FIGURES
from web.figures.collected import BEFORE_HISTORY, tag_names
from web.figures.volume import FigureInput, TweetVolume
from web.site import Route, Site, tidy_redirect
from web.view_query import ViewQuery, link

BACKFILL = "/view/backfill"
NEWEST_SHOWN = 4
MOST_GAPS = 50
NO_FIGURE = "this figure needs exactly one tag and X's own counts of this period, or two to five tags as any_tag"
MOST_ROWS, MOST_ALONE = 1000, 25
NEWEST_FIRST = SortOrder("created", descending=True)
RANKINGS = ("hashtags", "terms", "links", "active", "followers", "languages", "countries", "coverage", "week")


def overview(site: Site) -> Response:
    """Show the figures of all tweets that match the filters."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        query = site.parse(session)
        given = FigureInput(session, query)
        figures = _figures(given, "volume", "resonated", "tags", *RANKINGS)
        more = {"tracked": tracked_names(session), "spend": _spend(site, session)}
        values = _values(given, figures) | more
        return site.page("overview.html", session, query.zone, **values)


def tag_overview(site: Site, tag: str) -> Response:
    """Show the figures of a tag, its gaps, and the form that changes its rules."""
    if redirect := tidy_redirect():
        return redirect
    return tag_page(site, tag)


def tag_page(site: Site, tag: str, *, form: object = None, status: int = 200) -> Response:
    """Return the page of a tag; a refused `form` takes the place of the one that changes its rules."""
    try:
        key = tags.key(tags.hashtag(tag))
    except tags.InvalidTag as error:
        raise NotFound(str(error)) from error
    with site.reading() as session:
        name = tag_name(session, key=key)
        if name is None:
            raise NotFound("this tag was never tracked here")
        query = site.parse(session, fixed=(("tag", name.removeprefix("#")),))
        given, tracked = FigureInput(session, query), tracked_tags(session, key=key)
        figures = _figures(given, "volume", "resonated", "counts", *RANKINGS)
        if any(figure.name == "counts" for figure in figures):
            figures = [figure for figure in figures if figure.name != "coverage"]
        values = _values(given, figures) | {"tag": name, "tracked": tracked[0] if tracked else None, "form": form}
        gaps = gap_times(session, keys=[key])[-MOST_GAPS:]
        return site.page("tag.html", session, query.zone, status=status, gaps=gaps, **values)


def author(site: Site, username: str) -> Response:
    """Show the figures of an author."""
    if redirect := tidy_redirect():
        return redirect
    name = parse_username(username)
    with site.reading() as session:
        known = author_by_username(session, name.lower()) if name else None
        if known is None or name is None:
            raise NotFound("no tweet of an author with this username is stored")
        query = site.parse(session, fixed=(("author", name),))
        given = FigureInput(session, query)
        figures = _figures(given, "volume", "resonated", "tags", "hashtags", "terms", "links", "languages", "week")
        return site.page("author.html", session, query.zone, author=known, **_values(given, figures))


def figure_page(site: Site, name: str) -> Response:
    """Show a figure alone: some take too long for the pages that lead to them."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        query = site.parse(session)
        figure = _figure(FigureInput(session, query, most=MOST_ALONE), name)
        return site.page("figure.html", session, query.zone, query=query, figure=figure, tracked=tracked_names(session))


def figure_as_csv(site: Site, name: str) -> Response:
    """Return the complete numbers of a figure, with the parameters of the page that shows it."""
    with site.reading() as session:
        figure = _figure(FigureInput(session, site.parse(session), most=MOST_ROWS, most_tags=MOST_ROWS), name)
    response = make_response(figure.table.csv())
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _figure(given: FigureInput, name: str) -> ChartFigure:
    if name not in FIGURES:
        raise NotFound(f"there is no figure with this name, only {', '.join(FIGURES)}")
    if figure := FIGURES[name](given):
        return figure
    raise NotFound(NO_FIGURE)


def _spend(site: Site, session: Session) -> dict[str, Any]:
    """Return what was spent this billing month, the forecast and the budget, in micro-dollars."""
    view = site.collector.outlook(session)
    money = {"used": view.used, "forecast": view.forecast, "budget": site.collector.order.billing.budget}
    return money | {"free": site.is_free(session)}


def _figures(given: FigureInput, *names: str) -> list[ChartFigure]:
    """Return the figures of a page. Where nothing resonated, nothing is said of it."""
    found = [figure for name in names if (figure := FIGURES[name](given))]
    return [figure for figure in found if figure.table.rows or figure.name != "resonated"]


def _values(given: FigureInput, figures: list[ChartFigure]) -> dict[str, Any]:
    """Return what the template of all overviews needs."""
    found, activity = given.volume, given.activity
    unknown = found.is_unknown and not activity.tweets
    keys = lists.page(given.session, TweetList(given.query.filters, NEWEST_FIRST), after=None, most=NEWEST_SHOWN)
    return {
        "query": given.query,
        "untracked": untracked(given.session, given.query.tags),
        "totals": {"tweets": None, "authors": None} if unknown else activity,
        "uncollected": next(found.collected.missing(*given.query.seconds), "") if unknown and given.query.seconds else "",
        "lacking": "" if unknown else found.collected.shortfall,
        "sample": None if given.query.is_narrowed else given.sample,
        "on_x": None if given.query.is_narrowed else given.on_x,
        "not_on_x": tag_names([one.tag for one in given.shares if one.share is None]) if given.on_x else "",
        "counts_twice": len(given.shares) > 1,
        "before": found.total_before,
        "to_backfill": _to_backfill(found, given.query),
        "figures": figures,
        "newest": TweetViews().rows(given.session, [key.id for key in keys]),
    }


def _to_backfill(found: TweetVolume, query: ViewQuery) -> str:
    """Return where to buy the shaded time; empty unless it is all before histories, where no collection reaches."""
    if not found.marks or not all(mark.label.startswith(BEFORE_HISTORY) for mark in found.marks):
        return ""
    first, last = (min(mark.first for mark in found.marks), max(mark.end for mark in found.marks) - 1)
    since, until = (datetime.fromtimestamp(second, query.zone).date() for second in (first, last))
    tags = [("tag", name.removeprefix("#")) for name in query.filters.named_tags]
    return link(BACKFILL, [("since", str(since)), ("until", str(until)), ("tz", query.zone.key), *tags])


ROUTES: tuple[Route, ...] = (
    ("/", overview, "GET"),
    ("/view/tags/<tag>", tag_overview, "GET"),
    ("/view/authors/<username>", author, "GET"),
    ("/view/charts/<name>", figure_page, "GET"),
    ("/view/figures/<name>.csv", figure_as_csv, "GET"),
)
