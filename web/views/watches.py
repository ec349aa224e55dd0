"""/view/watches: what people asked to be told, the form that makes and changes a watch, and a page for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from queries.notifications import notifications
from queries.watch_states import WatchDelivery, watch_deliveries
from queries.watches import StoredWatch, stored_watch, stored_watches
from schemas.arguments import load_arguments
from schemas.filter_words import filter_words
from schemas.parameters import zone_by_name
from schemas.problems import BadInput, ParameterError
from schemas.views import LONGEST_NAME
from security.answers import REPEAT
from watches.definitions import WatchDefinition, read_definition
from watches.keeping import TooManyWatches, delete_watch, save_watch
from watches.previews import preview, spikes_from
from watches.trying import TrialRunning
from web.site import Route, Site, redirect_to_page, tidy_redirect
from web.view_query import link
from web.watch_form import WatchArguments, WatchForm
from web.watch_words import WATCH_KINDS, WEEKDAYS, spikes_begin, watch_limits, watch_sentence, watch_state, watch_subject

PATH = "/view/watches"
PREVIEWED = timedelta(days=14)
MOST_SENT = 20
MOST_PREVIEWED = 20
"""As many messages as are written while people wait for a page; the API gives a hundred."""
NO_WATCH = "there is no watch with this name"
TAKEN = "there is a watch with this name: choose another one, or change that one"
MOST = {"previewed": MOST_PREVIEWED, "name": LONGEST_NAME}


class ListedWatch(NamedTuple):
    """A watch as pages show it: what it tells of in words, and where it is changed."""

    name: str
    definition: WatchDefinition
    sentence: str
    subject: str
    limits: str
    state: Sequence[tuple[str, str]]
    path: str
    change: str


def watches_page(site: Site) -> Response:
    """List the watches; with a kind, filters or a watch to change, show the form instead."""
    if redirect := tidy_redirect():
        return redirect
    read = load_arguments(WatchArguments(), request.args)
    with site.reading() as session:
        if {"kind", "filters", "watch"} & read.keys():
            return _form_page(site, session, _wanted_form(site, session, read), deleted=read.get("deleted", ""))
        states = watch_deliveries(session)
        watches = [_listed(one, states.get(one.id, ()), read["tz"]) for one in stored_watches(session)]
        del request.environ[REPEAT]  # sending changes nothing that the cache would notice
        values: dict[str, Any] = {"watches": watches, "destinations": site.destinations.names, "kinds": WATCH_KINDS}
        return site.page("watches.html", session, read["tz"], **values)


def save(site: Site) -> Response:
    """Save the watch of the form, and show its page; errors are shown in the form."""
    form = WatchForm.posted(request.form)
    with site.collector.database.reading() as session:
        known = stored_watch(session, form.watch or form.name)
        form = _kept(form, known)
    try:
        if known and not form.watch:
            raise BadInput([ParameterError("name", TAKEN)])
        definition = form.definition(site.destinations.names)
        save_watch(site.collector.database, form.name, definition)
    except BadInput as error:
        return _refused(site, form._replace(errors=tuple(error.faults)), 400)
    except TooManyWatches as error:
        return _refused(site, form._replace(errors=(ParameterError("name", str(error)),)), 409)
    return redirect_to_page(_path(form.name))


def watch_page(site: Site, name: str) -> Response:
    """Show a watch, what it would have told lately, and its last messages, in its time zone whatever the page's was."""
    return _watch_page(site, name)


def try_watch(site: Site, name: str) -> Response:
    """Send an example to each destination of a watch, and say on its page who got it."""
    try:
        outcome = site.trials.try_watch(name)
    except TrialRunning as error:
        return _watch_page(site, name, busy=str(error), status=409)
    if outcome is None:
        raise NotFound(NO_WATCH)
    return _watch_page(site, name, tried=outcome)


def pause(site: Site, name: str) -> Response:
    """Pause a watch, or let it go on, as the form says."""
    definition = _stored(site, name)._replace(paused=request.form.get("paused") == "1")
    save_watch(site.collector.database, name, definition)
    return redirect_to_page(_path(name))


def delete(site: Site, name: str) -> Response:
    """Delete a watch, and fill the form in with it, so that it can be saved again."""
    form = WatchForm.of_watch(name, _stored(site, name))._replace(watch="")
    delete_watch(site.collector.database, name)
    return redirect_to_page(link(PATH, [*form.pairs, ("deleted", name)]))


def _wanted_form(site: Site, session: Session, read: dict[str, Any]) -> WatchForm:
    """Return the form that a link asks for: of a watch as it is, or filled in by the link."""
    stored = {one.name: one for one in stored_watches(session)}
    if "watch" in read and read["watch"] not in stored:
        raise NotFound(NO_WATCH)
    known = stored.get(read.get("watch", ""))
    if known and "kind" not in read:
        return WatchForm.of_watch(known.name, read_definition(known.definition))
    return _kept(WatchForm.of_link(read, site.destinations.names, stored.keys()), known)


def _kept(form: WatchForm, known: StoredWatch | None) -> WatchForm:
    """Return the form with what it does not show of the watch that it changes."""
    if known is None or not form.watch:
        return form._replace(watch="")
    return form._replace(name=form.watch, paused=read_definition(known.definition).paused)


def _refused(site: Site, form: WatchForm, status: int) -> Response:
    with site.reading() as session:
        return _form_page(site, session, form, status=status)


def _form_page(site: Site, session: Session, form: WatchForm, *, deleted: str = "", status: int = 200) -> Response:
    form, draft, names = *_drafted(form), site.destinations.names
    values: dict[str, Any] = {
        "form": form,
        "chips": _chips(form),
        "kinds": {kind: (one, link(PATH, form._replace(kind=kind, name="").pairs)) for kind, one in WATCH_KINDS.items()},
        "destinations": names,
        "gone": [one for one in form.to if one not in names],
        "weekdays": WEEKDAYS,
        "most": MOST,
        "deleted": deleted,
        **(_preview(session, site, form.name, draft) if draft else {"preview": None, "previewed": PREVIEWED}),
    }
    zone = zone_by_name(form.zone) or zone_by_name(request.args.get("tz", "")) or ZoneInfo("UTC")
    return site.page("watch-form.html", session, zone, status=max(status, 400 if form.errors else 200), **values)


def _drafted(form: WatchForm) -> tuple[WatchForm, WatchDefinition | None]:
    """Return the form with what is wrong in it, and the watch that it describes; None if it describes none."""
    try:
        return form, form.draft()
    except BadInput as error:
        return form._replace(errors=form.errors or tuple(error.faults)), None


def _chips(form: WatchForm) -> list[tuple[str, str, str]]:
    """Return the filters in words: name, value, and the URL of the form without it."""
    pairs = parse_qsl(form.filters)
    urls = [
        link(PATH, form._replace(filters=urlencode([*pairs[:at], *pairs[at + 1 :]]), name="").pairs) for at in range(len(pairs))
    ]
    return [(*filter_words(name, value), url) for (name, value), url in zip(pairs, urls, strict=True)]


def _preview(session: Session, site: Site, name: str, definition: WatchDefinition) -> dict[str, Any]:
    """Return what it would have told lately, newest first, and from when on spikes can be told unless that is longer ago."""
    now = datetime.now(UTC)
    since, most, begin = now - PREVIEWED, MOST_PREVIEWED, spikes_from(session, definition, now=now)
    shown = preview(session, name, definition, since=since, now=now, write=site.write, most=most)[::-1]
    note = spikes_begin(definition, begin) if begin and begin > since else ""
    return {"preview": shown, "previewed": PREVIEWED, "note": note}


def _watch_page(site: Site, name: str, *, status: int = 200, **more: Any) -> Response:
    with site.reading() as session:
        known = stored_watch(session, name)
        if known is None:
            raise NotFound(NO_WATCH)
        zone = read_definition(known.definition).zone
        one = _listed(known, watch_deliveries(session).get(known.id, ()), zone)
        values: dict[str, Any] = {
            "watch": one,
            **_preview(session, site, name, one.definition),
            "most": MOST,
        }
        del request.environ[REPEAT]  # as above
        values |= {"sent": notifications(session, most=MOST_SENT, watch=name)}
        return site.page("watch.html", session, zone, status=status, **values, **more)


def _stored(site: Site, name: str) -> WatchDefinition:
    """Return a watch that is stored; raises NotFound."""
    with site.collector.database.reading() as session:
        known = stored_watch(session, name)
    if known is None:
        raise NotFound(NO_WATCH)
    return read_definition(known.definition)


def _listed(known: StoredWatch, sent: Sequence[WatchDelivery], zone: ZoneInfo) -> ListedWatch:
    definition = read_definition(known.definition)
    words = watch_sentence(definition, zone), watch_subject(definition), watch_limits(definition)
    state = watch_state(known, sent, zone)
    return ListedWatch(known.name, definition, *words, state, _path(known.name), link(PATH, [("watch", known.name)]))


def _path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"


ROUTES: tuple[Route, ...] = (
    (PATH, watches_page, "GET"),
    (PATH, save, "POST"),
    (f"{PATH}/<name>", watch_page, "GET"),
    (f"{PATH}/<name>/test", try_watch, "POST"),
    (f"{PATH}/<name>/pause", pause, "POST"),
    (f"{PATH}/<name>/delete", delete, "POST"),
)
