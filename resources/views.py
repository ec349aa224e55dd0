"""Saved views: names for pages with their filters, which the pages show in their navigation."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import request
from werkzeug.exceptions import NotFound

from collector.views import TooManyViews, delete_view, save_view
from queries.views import saved_views
from resources.api import CollectorResource, no_content, problem_response
from schemas.json_schema import DocumentedAnswer, DocumentedBody, answers, many, reads, record, text
from schemas.views import NEW_VIEW, checked_name, parse_view

VIEW = record(
    "View",
    "A saved view.",
    {"name": text("Its name", minLength=1, maxLength=60), "path": text("The page, with its query", pattern="^/")},
)
VIEWS = record("Views", "The saved views, by name.", {"views": many(VIEW)})
EXAMPLE = {"path": "/view/tags/devops?period=30d"}


class ViewsResource(CollectorResource):
    """The saved views, by name."""

    answers = answers(get=reads(VIEWS, "The views"))

    def get(self) -> Any:
        """List the saved views."""
        with self._database.reading() as session:
            return {"views": saved_views(session)}


class ViewResource(CollectorResource):
    """A saved view."""

    answers = answers(
        put=[
            DocumentedAnswer(200, "The view was saved in place of another", VIEW),
            DocumentedAnswer(201, "The view was saved", VIEW),
            DocumentedAnswer(409, "There are 50 saved views, which is the most"),
        ],
        delete=[DocumentedAnswer(204, "The view was deleted"), DocumentedAnswer(404, "There is no such view")],
    )
    bodies = MappingProxyType(
        {"put": DocumentedBody("The page that it opens", NEW_VIEW, EXAMPLE, is_required=True, is_cross_checked=True)}
    )

    def put(self, view: str) -> Any:
        """Save a view under a name."""
        saved = parse_view(view, request.get_data())
        try:
            is_new = save_view(self._database, saved)
        except TooManyViews as error:
            return problem_response(409, str(error))
        return saved, 201 if is_new else 200

    def delete(self, view: str) -> Any:
        """Delete a saved view; the page itself stays."""
        if not delete_view(self._database, checked_name(view)):
            raise NotFound("there is no saved view with this name")
        return no_content()
