"""/view/compare: two to five tags over each other, with the form that chooses them."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from queries.tags import tracked_names
from schemas.arguments import ViewArguments
from text.names import key
from web.figures import FIGURES
from web.figures.comparison import FEWEST, MOST, ComparisonInput
from web.site import Route, Site, tidy_redirect
from web.view_query import ViewQuery

PATH = "/view/compare"
FIGURES_SHOWN = ("compare", "sides", "voice", "tongues", "shared")


class CompareArguments(ViewArguments):
    """Parameters of the page: those of other pages, but `tag` names what is compared."""

    def __init__(self) -> None:
        super().__init__(exclude=["any_tag"])


def compare(site: Site) -> Response:
    """Compare the tags, or say what is needed to."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        query = site.parse(session, CompareArguments)
        tags = query.filters.tags
        query = query._replace(filters=query.filters._replace(tags=(), any_tags=tags[:MOST]), compares=True)
        given = ComparisonInput(session, query)
        compares = len(given.keys) >= FEWEST and len(tags) <= MOST
        figures = [figure for name in FIGURES_SHOWN if (figure := FIGURES[name](given))] if compares else []
        values = {"query": query, "figures": figures, "names": [*given.names.values()]} | _choice(session, query, tags)
        return site.page("compare.html", session, query.zone, status=400 if len(tags) > MOST else 200, **values)


def _choice(session: Session, query: ViewQuery, tags: tuple[str, ...]) -> dict[str, Any]:
    """Return what the form offers: the tags that are chosen, those that are not, and the parameters that stay."""
    tracked = tracked_names(session)
    spelled = {key(name): name for name in tracked}
    return {
        "chosen": [spelled.get(tag, tag) for tag in tags[:MOST]],
        "others": [name for name in tracked if key(name) not in tags],
        "too_many": len(tags) if len(tags) > MOST else 0,
        "unknown": [tag for tag in query.filters.any_tags if tag not in ComparisonInput(session, query).names],
        "most": MOST,
        "kept": [pair for pair in query.pairs if pair[0] != "tag"],
    }


ROUTES: tuple[Route, ...] = ((PATH, compare, "GET"),)
