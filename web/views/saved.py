"""/view/saved: saved views, which are names for pages with their filters; saves and deletes them."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, request
from marshmallow import Schema

from collector.views import MOST_VIEWS, TooManyViews, ViewExists, delete_view, save_view
from queries.views import SavedView, saved_views
from schemas.arguments import load_arguments
from schemas.parameters import UTC, Parameter, Zone
from schemas.views import EXPECTED_NAME, EXPECTED_PATH, LONGEST_NAME, parse_name, parse_path
from web.site import Route, Site, redirect_to_page
from web.view_query import link

PATH = "/view/saved"


class SavedArguments(Schema):
    """Parameters of the page: a view that the form offers to save."""

    name, path = (Parameter(str, "a text", {}) for _ in range(2))
    tz = Zone()


class SaveForm(NamedTuple):
    """The form that saves a view as it was filled in, its errors by field, and the page that has its name already."""

    name: str = ""
    path: str = "/"
    errors: tuple[tuple[str, str], ...] = ()
    taken: str = ""

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty if nothing is."""
        return dict(self.errors).get(name, "")


def saved_page(site: Site) -> Response:
    """List the saved views below the form that saves one."""
    read = load_arguments(SavedArguments(), request.args)
    return _page(site, SaveForm(read.get("name", ""), read.get("path", "/")))


def save_form(site: Site) -> Response:
    """Save a view; errors are shown in the form. A view with the same name is replaced only after a question."""
    form = SaveForm(request.form.get("name", ""), request.form.get("path", ""))
    view, errors = _checked(form)
    if view is None:
        return _page(site, form._replace(errors=errors), status=400)
    try:
        save_view(site.collector.database, view, replaces="replace" in request.form)
    except ViewExists as error:
        return _page(site, form._replace(name=view.name, taken=error.path), status=409)
    except TooManyViews as error:
        return _page(site, form._replace(errors=(("name", str(error)),)), status=409)
    return redirect_to_page(f"{PATH}#saved")


def delete_saved(site: Site) -> Response:
    """Delete a view, and fill the form in with it, so that it can be saved again."""
    name = request.form.get("name", "")
    with site.collector.database.reading() as session:
        path = {view.name: view.path for view in saved_views(session)}.get(name)
    delete_view(site.collector.database, name)
    return redirect_to_page(link(PATH, [("name", name), ("path", path)] if path else []))


def _checked(form: SaveForm) -> tuple[SavedView | None, tuple[tuple[str, str], ...]]:
    """Return the view that a form describes, or None and what is wrong with it by field."""
    errors, read = list[tuple[str, str]](), dict[str, str]()
    for field, parse, expected in (("name", parse_name, EXPECTED_NAME), ("path", parse_path, EXPECTED_PATH)):
        try:
            read[field] = parse(getattr(form, field))
        except ValueError:
            errors.append((field, f"expected {expected}"))
    return (None, tuple(errors)) if errors else (SavedView(**read), ())


def _page(site: Site, form: SaveForm, *, status: int = 200) -> Response:
    zone = load_arguments(SavedArguments(), request.args)["tz"] if request.method == "GET" else UTC
    with site.reading() as session:
        is_gone = status == 200 and form.name and form.name not in {view.name for view in saved_views(session)}
        values = {"form": form, "is_gone": is_gone, "most": MOST_VIEWS, "longest": LONGEST_NAME}
        return site.page("saved.html", session, zone, status=status, **values)


ROUTES: tuple[Route, ...] = (
    (PATH, saved_page, "GET"),
    (PATH, save_form, "POST"),
    (f"{PATH}/delete", delete_saved, "POST"),
)
