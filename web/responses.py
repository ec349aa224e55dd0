"""Responses of pages: headers, compression, redirects, and errors as pages with the status and text of the API's problem."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import MethodNotAllowed, NotFound

from schemas.parameters import PARAMETERS, UTC, zone_by_name
from schemas.problems import MEDIA_TYPE
from security.answers import add_etag, compress_response
from security.guard import FINISH_PAGE, page
from web.view_query import canonical, link

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Cache-Control": "private, no-cache",
}
"""Headers of every page: it loads the service's own files only."""

HTML = "text/html"
TITLES = {
    400: "The request is not valid",
    401: "Sign in first",
    403: "This is not allowed",
    404: "Not found",
    409: "Something else is in progress",
    503: "Not available at the moment",
}
LABELS = {name: parameter.label for name, parameter in PARAMETERS.items()} | {
    "period": "Period",
    "tz": "Time zone",
    "sort": "Order",
}


def register(app: Flask, is_invented: Callable[[], bool]) -> None:
    """Render errors of pages for browsers, and answer unknown paths below /view/."""

    def render_problem(response: Response) -> Response:
        response.vary.add("Accept")
        if response.mimetype == MEDIA_TYPE and is_browser():
            _show_problem(response, is_invented=is_invented())
        return response

    def no_page(path: str) -> Response:
        methods = set(app.url_map.bind("localhost").allowed_methods(request.path)) - {"GET", "HEAD"}
        if methods != {"OPTIONS"}:
            raise MethodNotAllowed(sorted(methods))
        raise NotFound("there is no page at this path")

    app.extensions[FINISH_PAGE] = render_problem
    page(app, "/view/<path:path>", no_page)


def is_browser() -> bool:
    """Whether the client accepts HTML by name; programs accept anything."""
    return HTML in {value for value, quality in request.accept_mimetypes if quality > 0}


def html_response(body: str, status: int = 200) -> Response:
    """Return HTML, with an ETag of its content, compressed if the client accepts that."""
    response = make_response(body, status, HEADERS)
    response.vary.add("Accept-Encoding")
    if status == 200:
        add_etag(response, response.get_data())
    compress_response(response).make_conditional(request)
    return response


def redirect_to_page(path: str) -> Response:
    """Redirect to a page (303)."""
    response = make_response(redirect(path, 303))
    response.headers["Cache-Control"] = "no-store"
    return response


def tidy_redirect() -> Response | None:
    """Redirect to the URL without empty parameters, which forms without scripts send; None if there are none."""
    zone = zone_by_name(request.args.get("tz", ""))
    wanted = canonical(request.args, zone or UTC)
    if list(wanted.items(multi=True)) == list(request.args.items(multi=True)):
        return None
    return redirect_to_page(link(request_path(), wanted))


def request_path() -> str:
    """Return this request's path, quoted for a URL."""
    return quote(request.path)


def _show_problem(response: Response, *, is_invented: bool) -> None:
    problem = response.get_json()
    title = TITLES.get(response.status_code, HTTPStatus(response.status_code).phrase)
    values = {"problem": problem, "title": title, "labels": LABELS, "without": _url_without(problem), "back": _return_url()}
    response.set_data(render_template("problem.html", invented=is_invented, **values))
    response.headers["Content-Type"] = f"{HTML}; charset=utf-8"
    response.headers["Content-Security-Policy"] = HEADERS["Content-Security-Policy"]


def _url_without(problem: dict[str, Any]) -> str:
    """Return the page's URL without the wrong parameters; empty if none is wrong."""
    wrong = {error["parameter"] for error in problem.get("errors", ())}
    kept = [pair for pair in request.args.items(multi=True) if pair[0] not in wrong]
    return link(request_path(), MultiDict(kept)) if wrong and request.method == "GET" else ""


def _return_url() -> str:
    """Return the page to open after the sign-in; the sign-in checks that it is one of the service's."""
    where = urlsplit(request.referrer or "") if request.method == "POST" else urlsplit(request.full_path.rstrip("?"))
    return quote(where._replace(scheme="", netloc="", fragment="").geturl() or "/", safe="/")
