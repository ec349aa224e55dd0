"""/view/authors/{username}: what an author wrote, and when."""

from __future__ import annotations

from flask import Flask, Response
from werkzeug.exceptions import NotFound

from queries.activity import activity
from queries.authors import author_by_username
from security.pages import page
from text import usernames
from web.figures import counts, facets, tags, texts, volume, week
from web.figures.catalogue import TOP, TOP_TAGS
from web.site import Site, tidy_redirect
from web.views.overview import Overview, newest


def register(app: Flask, site: Site) -> None:
    """Give the app the page."""

    def author(username: str) -> Response:
        if lead := tidy_redirect():
            return lead
        name = usernames.username(username)
        with site.reading() as session:
            known = author_by_username(session, name.lower()) if name else None
            if known is None or name is None:
                raise NotFound("no tweet of an author with this username is stored")
            asked = site.parse(session, fixed=(("author", name),))
            found = counts.volume(session, asked)
            figures = [
                tags.by_tag(found, asked, TOP_TAGS),
                facets.languages(session, asked, TOP),
                texts.beside(session, asked, TOP),
                week.week(session, asked),
            ]
            totals = activity(session, asked.filters, most=1)
            shown = Overview(
                totals, found.total_before, volume.over_time(found, asked, TOP_TAGS), figures, newest(session, asked)
            )
            return site.page("author.html", session, asked.zone, asked=asked, author=known, shown=shown)

    page(app, "/view/authors/<username>", author)
