"""/view/health: how the parts of the service are, and where to look further."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from collector.backups.rotation import newest as newest_copy
from middleware.answer import REPEAT
from queries.tweets import tweet_count
from security.pages import page
from settings import VERSION
from web import parts as service_parts
from web.shipping import shipping
from web.site import Site, tidy_redirect


def register(app: Flask, site: Site) -> None:
    """Give the app the page."""

    def health_at_a_glance() -> Response:
        if lead := tidy_redirect():
            return lead
        zone = site.zone()
        database = site.collector.database
        with site.reading() as session:
            parts = service_parts.parts(session, site.collector, shipping(site.metrics), zone)
            copy = newest_copy(database)
            facts: dict[str, Any] = {
                "program": database.program,
                "size": database.size,
                "tweets": tweet_count(session),
                "backup": copy,
                "version": VERSION,
            }
            del request.environ[REPEAT]  # how log records fare is told by the metrics
            return site.page("health.html", session, zone, parts=parts, facts=facts, outside=site.outside)

    page(app, "/view/health", health_at_a_glance)
