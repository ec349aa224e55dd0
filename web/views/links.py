"""/view/links/{domain}: the pages of a domain that tweets link to, and the newest of these tweets."""

from __future__ import annotations

from typing import Any

from flask import Response
from werkzeug.exceptions import NotFound

from queries.links import is_linked, link_counts, newest_linking
from queries.tags import tracked_names
from queries.tweets import TweetViews
from web.site import Route, Site, tidy_redirect

MOST_PAGES, MOST_TWEETS = 25, 12


def domain(site: Site, name: str) -> Response:
    """Show the pages of a domain, those in the most tweets first, with links to the outside."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        if not is_linked(session, name):
            raise NotFound("no stored tweet links to this domain")
        query = site.parse(session)
        pages = link_counts(session, "url", query.filters, limit=MOST_PAGES + 1, domain=name)
        newest = newest_linking(session, name, query.filters, most=MOST_TWEETS)
        values: dict[str, Any] = {"domain": name, "pages": pages[:MOST_PAGES], "more": len(pages) > MOST_PAGES}
        values |= {"tweets": TweetViews().rows(session, newest), "tracked": tracked_names(session)}
        return site.page("links.html", session, query.zone, query=query, **values)


ROUTES: tuple[Route, ...] = (("/view/links/<name>", domain, "GET"),)
