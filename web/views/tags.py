"""/view/tags: the tracked hashtags and their rules, and forms to track one, change its rules and untrack it."""

from __future__ import annotations

from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from flask import Response, request
from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags
from collector.runs.tags import InvalidTag
from queries.tags import TrackedTag, tag_name, tracked_id, tracked_tags
from schemas.arguments import load_arguments
from schemas.parameters import PARAMETERS, UTC, Zone
from schemas.problems import BadInput, ParameterError
from schemas.rules import parse_rules
from web.site import Route, Site, is_browser, redirect_to_page, tidy_redirect
from web.view_query import link
from web.views.overview import tag_page

PATH = "/view/tags"
MOST_DIGITS = 9
NOT_TRACKED = "this tag is not tracked"


class TagsArguments(Schema):
    """Parameters of the list: a tag that was untracked and may be tracked again, and the time zone."""

    untracked = PARAMETERS["tag"]
    tz = Zone()


class TrackForm(NamedTuple):
    """The form that tracks a hashtag as it was filled in, and its errors by field.

    `has_rules` is false if all rules are empty: a tag that has rules then keeps them.
    """

    tag: str = ""
    lang: str = ""
    exclude: tuple[str, ...] = ()
    tw_number: str = ""
    has_rules: bool = True
    errors: tuple[ParameterError, ...] = ()

    @classmethod
    def from_request(cls) -> TrackForm:
        """Read the form of this request."""
        text = {name: request.form.get(name, "").strip() for name in ("tag", "lang", "tw_number")}
        exclude = tuple(request.form.getlist("exclude"))
        has_rules = bool(text["lang"] or exclude or text["tw_number"])
        return cls(text["tag"], text["lang"], exclude, text["tw_number"], has_rules)

    def body(self) -> bytes:
        """Return the rules as a body of the API."""
        lang = self.lang.replace(",", " ").split()
        whole = self.tw_number.isascii() and self.tw_number.isdigit() and len(self.tw_number) <= MOST_DIGITS
        number: Any = int(self.tw_number) if whole else self.tw_number or None
        return orjson.dumps({"lang": lang, "exclude": self.exclude, "tw_number": number})

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty if nothing is."""
        return next((error.detail.removesuffix(", or null") for error in self.errors if error.parameter == name), "")


def list_of_tags(site: Site) -> Response:
    """List the tracked tags above an empty form."""
    if redirect := tidy_redirect():
        return redirect
    read = load_arguments(TagsArguments(), request.args)
    with site.reading() as session:
        return _page(site, session, read["tz"], TrackForm(), untracked=read.get("untracked", ""))


def track(site: Site) -> Response:
    """Track a tag; a browser gets errors in the form."""
    form = TrackForm.from_request()
    shown = _track(site, form)
    if isinstance(shown, TrackedTag):
        return redirect_to_page(f"{PATH}#tag-{shown.tag.removeprefix('#')}")
    with site.reading() as session:
        return _page(site, session, UTC, form._replace(errors=shown), status=400)


def change_rules(site: Site, tag: str) -> Response:
    """Change the rules of a tracked tag; a browser gets errors in the form of the tag's page."""
    with site.reading() as session:
        if tracked_id(session, key=tags.key(tag)) is None:
            raise NotFound(NOT_TRACKED)
    form = TrackForm.from_request()._replace(tag=tag, has_rules=True)
    shown = _track(site, form)
    if isinstance(shown, TrackedTag):
        return redirect_to_page(f"{PATH}#tag-{shown.tag.removeprefix('#')}")
    return tag_page(site, tag, form=form._replace(errors=shown), status=400)


def _track(site: Site, form: TrackForm) -> TrackedTag | tuple[ParameterError, ...]:
    """Do what the form says, and return the tag, or what is wrong with the form. For a program that is a BadInput."""
    try:
        rules = parse_rules(form.body()) if form.has_rules else None
        return tags.start_tracking(site.collector.database, tags.hashtag(form.tag), rules)[1]
    except InvalidTag as error:
        errors: tuple[ParameterError, ...] = (ParameterError("tag", str(error)),)
    except BadInput as error:
        errors = tuple(error.faults)
    if not is_browser():
        raise BadInput(list(errors))
    return errors


def ask_untrack(site: Site, tag: str) -> Response:
    """Ask whether a tag is to be untracked, and say what stays."""
    zone = site.zone()
    with site.reading() as session:
        found = tracked_tags(session, key=tags.key(tag))
        if not found:
            raise NotFound(NOT_TRACKED)
        return site.page("untrack.html", session, zone, tag=found[0])


def untrack(site: Site, tag: str) -> Response:
    """Untrack a tag, and offer to track it again; its tweets are kept."""
    if not tags.stop_tracking(site.collector.database, tag):
        raise NotFound(NOT_TRACKED)
    return redirect_to_page(link(PATH, [("untracked", tag.removeprefix("#"))]))


def _page(site: Site, session: Session, zone: ZoneInfo, form: TrackForm, *, untracked: str = "", status: int = 200) -> Response:
    values: dict[str, Any] = {
        "tags": tracked_tags(session),
        "form": form,
        "default": site.collector.order.tw_number,
        "untracked": tag_name(session, key=untracked) if untracked and not tracked_id(session, key=untracked) else None,
    }
    return site.page("tags.html", session, zone, status=status, **values)


ROUTES: tuple[Route, ...] = (
    (PATH, list_of_tags, "GET"),
    (PATH, track, "POST"),
    (f"{PATH}/<tag>", change_rules, "POST"),
    (f"{PATH}/<tag>/untrack", ask_untrack, "GET"),
    (f"{PATH}/<tag>/untrack", untrack, "POST"),
)
