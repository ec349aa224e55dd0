"""/view/tags: the tracked hashtags and their terms; forms that track one, change its terms, and stop collecting it."""

from __future__ import annotations

from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from flask import Flask, Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags, tracking
from collector.runs.tags import InvalidTag
from queries.tags import tracked_tags
from schemas.parameters import UTC
from schemas.problems import BadInput, ParameterError
from schemas.terms import InvalidRules, parse_rules
from security.pages import page
from web.problems import a_person
from web.site import Site, redirect_to_page, tidy_redirect

PATH = "/view/tags"
LONGEST_NUMBER = 9


class TrackForm(NamedTuple):
    """What somebody has filled in to track a hashtag, and what is wrong with it, by field.

    Terms that are all empty count only where a tag's own are changed: else a tag that has some would lose them.
    """

    tag: str = ""
    lang: str = ""
    exclude: tuple[str, ...] = ()
    tw_number: str = ""
    terms_count: bool = True
    faults: tuple[ParameterError, ...] = ()

    @classmethod
    def from_request(cls) -> TrackForm:
        """Return the form as it was sent."""
        text = {name: request.form.get(name, "").strip() for name in ("tag", "lang", "tw_number")}
        exclude = tuple(request.form.getlist("exclude"))
        terms_count = "known" in request.form or bool(text["lang"] or exclude or text["tw_number"])
        return cls(text["tag"], text["lang"], exclude, text["tw_number"], terms_count)

    def body(self) -> bytes:
        """Return its terms as the API takes them."""
        lang = self.lang.replace(",", " ").split()
        whole = self.tw_number.isascii() and self.tw_number.isdigit() and len(self.tw_number) <= LONGEST_NUMBER
        number: Any = int(self.tw_number) if whole else self.tw_number or None
        return orjson.dumps({"lang": lang, "exclude": self.exclude, "tw_number": number})

    def fault(self, name: str) -> str:
        """Return what is wrong with a field, or nothing."""
        return next((fault.detail.removesuffix(", or null") for fault in self.faults if fault.parameter == name), "")


def register(app: Flask, site: Site) -> None:
    """Give the app the page and its forms."""

    def list_of_tags() -> Response:
        if lead := tidy_redirect():
            return lead
        zone = site.zone()
        with site.reading() as session:
            return _page(site, session, zone, TrackForm())

    def track() -> Response:
        form, faults = TrackForm.from_request(), tuple[ParameterError, ...]()
        try:
            given_terms = parse_rules(form.body()) if form.terms_count else None
            _, shown = tracking.track(site.collector.database, tags.hashtag(form.tag), given_terms)
        except InvalidTag as error:
            faults = (ParameterError("tag", str(error)),)
        except InvalidRules as error:
            faults = tuple(error.faults)
        else:
            return redirect_to_page(f"{PATH}#tag-{shown.tag.removeprefix('#')}")
        if not a_person():
            raise BadInput(list(faults))
        with site.reading() as session:
            return _page(site, session, UTC, form._replace(faults=faults), status=400)

    def untrack(tag: str) -> Response:
        if not tracking.untrack(site.collector.database, tag):
            raise NotFound("this tag is not tracked")
        return redirect_to_page(PATH)

    page(app, PATH, list_of_tags)
    page(app, PATH, track, methods=["POST"])
    page(app, f"{PATH}/<tag>/untrack", untrack, methods=["POST"])


def _page(site: Site, session: Session, zone: ZoneInfo, form: TrackForm, *, status: int = 200) -> Response:
    values: dict[str, Any] = {"tags": tracked_tags(session), "form": form, "usual": site.collector.order.tw_number}
    return site.page("tags.html", session, zone, status=status, **values)
