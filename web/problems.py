"""Errors of pages for people: what programs get as a problem, a browser gets as a page with the same status and words."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, render_template, request

from formats.problems import MEDIA_TYPE
from guard.pages import PAGES
from web.policy import PAGE
from web.site import Site

HTML = "text/html"
WHAT = {
    400: "This can't be asked so",
    401: "Sign in first",
    403: "This is not yours to do",
    404: "There is nothing here",
    409: "Something else goes on",
    503: "This can't be answered now",
}


def register(app: Flask, site: Site) -> None:
    """Show a page's errors to people as pages."""

    def shown(response: Response) -> Response:
        if request.endpoint in app.extensions.get(PAGES, ()):
            response.vary.add("Accept")
        if response.mimetype != MEDIA_TYPE or request.endpoint not in app.extensions.get(PAGES, ()) or not a_person():
            return response
        problem = response.get_json()
        what = WHAT.get(response.status_code, HTTPStatus(response.status_code).phrase)
        response.set_data(render_template("problem.html", problem=problem, what=what, invented=site.invented()))
        response.headers["Content-Type"] = f"{HTML}; charset=utf-8"
        response.headers["Content-Security-Policy"] = PAGE["Content-Security-Policy"]
        return response

    app.after_request(shown)


def a_person() -> bool:
    """Tell whether a browser asks: it names HTML, where programs take anything."""
    return HTML in {value for value, quality in request.accept_mimetypes if quality > 0}
