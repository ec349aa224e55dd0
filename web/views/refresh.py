"""/view/refresh: what it costs to read stored tweets again, the button that does it for that amount, and how far it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from collector.ledger.pricing import budget_left
from collector.refresh.ordered import LookOffer, LookPriceAbove, cancel_look, look_offer, order_look
from collector.refresh.records import switch_on
from collector.runs.backfill import BackfillPeriod
from collector.sources import SourceRefused
from queries.counters import x_now
from queries.refreshing import RefreshOrder, posts_to_read, refresh_off, refresh_order
from queries.service import job_states
from schemas.arguments import load_arguments
from schemas.parameters import UTC, zone_by_name
from schemas.problems import BadInput, ParameterError
from web.site import Route, Site, redirect_to_page
from web.views.backfill import CENT, BackfillForm, DaysArguments, amount_of_button, period_of

PATH = "/view/refresh"
DAY = timedelta(days=1)
SUGGESTED_DAYS = 7
NOT_NOW = (SourceRefused, LookPriceAbove)
JOB = "refresh-order"


class LookArguments(DaysArguments):
    """What the button sends: the period, and the most that it may cost."""

    max_usd = amount_of_button()


class LookProgress(NamedTuple):
    """A look that is on order: how many posts came, how many tweets are left, and why it does not go on, if it doesn't."""

    order: RefreshOrder
    left: int
    error: str | None


def refresh_price(site: Site) -> Response:
    """Show the form and, once it is filled in, the price with the button that buys; and what is being read."""
    return _page(site, request.args)


def start_look(site: Site) -> Response:
    """Order a look for at most the amount on the button, and show its progress."""
    read = load_arguments(LookArguments(), request.form)
    period = period_of(read)
    try:
        order_look(site.collector, period.since, period.until, most=read["max_usd"])
    except NOT_NOW as error:
        given = MultiDict(pair for pair in request.form.items(multi=True) if pair[0] != "max_usd")
        return _page(site, given, refusal=str(error), status=409)
    return redirect_to_page(PATH)


def stop_look(site: Site) -> Response:
    """Cancel the look that is on order."""
    cancel_look(site.collector)
    return redirect_to_page(PATH)


def resume_refreshing(site: Site) -> Response:
    """Let the tweets of each day be read again after that went off by itself."""
    switch_on(site.collector.database)
    return redirect_to_page(PATH)


def _page(site: Site, given: MultiDict[str, str], *, refusal: str = "", status: int = 200) -> Response:
    errors, period = tuple[ParameterError, ...](), None
    try:
        read = load_arguments(DaysArguments(), given)
        period = period_of(read) if "since" in read or "until" in read else None
    except BadInput as error:
        errors = tuple(error.faults)
    zone = zone_by_name(given.get("tz", "")) or UTC
    with site.reading() as session:
        offer, refused = _offer(site, session, period)
        today = x_now(session).astimezone(zone).date()
        days = given.get("since", str(today - SUGGESTED_DAYS * DAY)), given.get("until", str(today - DAY))
        values: dict[str, Any] = {
            "form": BackfillForm(*days, errors=errors),
            "offer": offer,
            "refusal": refusal or refused,
            "most": -(-offer.price // CENT) * CENT if offer else 0,
            "left": budget_left(site.collector, session),
            "free": site.is_free(session),
            "progress": _progress(session),
            "off": refresh_off(session),
        }
        return site.page("refresh.html", session, zone, status=400 if errors else status, **values)


def _offer(site: Site, session: Session, period: BackfillPeriod | None) -> tuple[LookOffer | None, str]:
    """Return the offer for a period, or why there is none."""
    try:
        return (look_offer(site.collector, session, period.since, period.until) if period else None), ""
    except NOT_NOW as error:
        return None, str(error)


def _progress(session: Session) -> LookProgress | None:
    order = refresh_order(session)
    if order is None:
        return None
    error = next((job.error for job in job_states(session) if job.name == JOB and job.has_failed), None)
    return LookProgress(order, posts_to_read(session, order, day=x_now(session).date()).tweets, error)


ROUTES: tuple[Route, ...] = (
    (PATH, refresh_price, "GET"),
    (PATH, start_look, "POST"),
    (f"{PATH}/cancel", stop_look, "POST"),
    (f"{PATH}/on", resume_refreshing, "POST"),
)
