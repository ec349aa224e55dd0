"""Errors of pages for people: what programs get as a problem, a browser gets as a page with the same status and words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, render_template, request
from werkzeug.datastructures import MultiDict

from schemas.filters import PARAMETERS
from schemas.problems import MEDIA_TYPE
from security.pages import PAGES
from web.asked import link
from web.policy import PAGE
from web.site import Site

HTML = "text/html"
WHAT = {
    400: "This request can't be answered",
    401: "Sign in first",
    403: "This is not yours to do",
    404: "There is nothing here",
    409: "Something else goes on",
    503: "This can't be answered now",
}


LABELS = {name: parameter.label for name, parameter in PARAMETERS.items()}
LABELS |= {"period": "Period", "tz": "Time zone", "sort": "Order"}


def register(app: Flask, site: Site) -> None:
    """Show a page's errors to people as pages."""

    def shown(response: Response) -> Response:
        if request.endpoint in app.extensions.get(PAGES, ()):
            response.vary.add("Accept")
        if response.mimetype != MEDIA_TYPE or request.endpoint not in app.extensions.get(PAGES, ()) or not a_person():
            return response
        problem = response.get_json()
        what = WHAT.get(response.status_code, HTTPStatus(response.status_code).phrase)
        values = {"problem": problem, "what": what, "labels": LABELS, "without": _without(problem), "back": _back()}
        response.set_data(render_template("problem.html", invented=site.is_invented(), **values))
        response.headers["Content-Type"] = f"{HTML}; charset=utf-8"
        response.headers["Content-Security-Policy"] = PAGE["Content-Security-Policy"]
        return response

    app.after_request(shown)


def _without(problem: dict[str, Any]) -> str:
    """Return the URL of the page without the parameters that are at fault, or nothing where no other is left to ask."""
    faulty = {error["parameter"] for error in problem.get("errors", ())}
    kept = [pair for pair in request.args.items(multi=True) if pair[0] not in faulty]
    return link(quote(request.path), MultiDict(kept)) if faulty and request.method == "GET" else ""


def _back() -> str:
    """Return where somebody was whose request is refused: the sign-in leads there if it is a page of ours."""
    where = urlsplit(request.referrer or "") if request.method == "POST" else urlsplit(request.full_path.rstrip("?"))
    return quote(where._replace(scheme="", netloc="", fragment="").geturl() or "/", safe="/")


def a_person() -> bool:
    """Tell whether a browser asks: it names HTML, where programs take anything."""
    return HTML in {value for value, quality in request.accept_mimetypes if quality > 0}
