"""/view/backfill: the price of a past period, and the button that buys it for that amount."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from flask import Response, request
from marshmallow import Schema, fields
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from collector.ledger.calls import CallsLeaseTaken
from collector.ledger.ledger import BudgetSpent
from collector.ledger.offers import BackfillOffer, PriceAbove, backfill_offer, buy_backfill, buy_missing_counts
from collector.ledger.pricing import budget_left
from collector.runs.backfill import FIRST_TIMED, BackfillPeriod, PollUnfinished
from collector.runs.collector import CollectionRunning, NothingTracked
from collector.x.failures import Stopped, XFailure
from queries.counters import x_now
from queries.tags import tracked_names
from schemas.arguments import load_arguments
from schemas.backfills import parse_amount
from schemas.parameters import PARAMETERS, UTC, Parameter, Zone, at_midnight, zone_by_name
from schemas.problems import BadInput, ParameterError
from text.names import key
from web.site import Route, Site, redirect_to_page
from web.view_query import link
from web.views.schedule import charged_authors

PATH = "/view/backfill"
DAY = timedelta(days=1)
SUGGESTED_DAYS = 7
CENT = 10_000
NOT_NOW = (NothingTracked, CollectionRunning, PollUnfinished, PriceAbove, CallsLeaseTaken, BudgetSpent, XFailure, Stopped)
"""Why a backfill can't be priced or bought at the moment."""


class DaysArguments(Schema):
    """Parameters of a period: the first and the last day, and the time zone of the days."""

    since, until = (Parameter(date.fromisoformat, "a day such as 2026-09-01", {}) for _ in range(2))
    tz = Zone()


class BackfillArguments(DaysArguments):
    """Parameters of the page: a period, and tags."""

    tag = fields.List(PARAMETERS["tag"])


def amount_of_button() -> Parameter:
    """Return the parameter of a button that buys: the most that it may cost."""
    return Parameter(lambda text: parse_amount(float(text)), "an amount in USD", {}, required=True)


class PurchaseArguments(BackfillArguments):
    """What the buttons send: the same, and the most that it may cost."""

    max_usd = amount_of_button()


class BackfillForm(NamedTuple):
    """The form as it was filled in: days, keys of tags, and errors by field."""

    since: str
    until: str
    tags: tuple[str, ...] = ()
    errors: tuple[ParameterError, ...] = ()

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty if nothing is."""
        return next((error.detail for error in self.errors if error.parameter == name), "")


def backfill_price(site: Site) -> Response:
    """Show the form and, once it is filled in, the price with the button that buys."""
    return _page(site, request.args)


def start_backfill(site: Site) -> Response:
    """Buy a backfill for at most the amount on the button, and show its progress."""
    read = load_arguments(PurchaseArguments(), request.form)
    try:
        started = buy_backfill(site.collector, period_of(read), most=read["max_usd"])
    except NOT_NOW as error:
        return _page(site, _without_amount(), refusal=_words(error), status=409)
    return redirect_to_page(f"/view/collections/{started.run_id}")


def count_hours(site: Site) -> Response:
    """Have X count the hours that it has not counted, for at most the amount on the button, and show the new price."""
    read = load_arguments(PurchaseArguments(), request.form)
    try:
        buy_missing_counts(site.collector, period_of(read), most=read["max_usd"])
    except NOT_NOW as error:
        return _page(site, _without_amount(), refusal=_words(error), status=409)
    return redirect_to_page(link(PATH, _without_amount().items(multi=True)))


def _page(site: Site, given: MultiDict[str, str], *, refusal: str = "", status: int = 200) -> Response:
    errors, period = tuple[ParameterError, ...](), None
    try:
        read = load_arguments(BackfillArguments(), given)
        period = period_of(read) if "since" in read or "until" in read else None
    except BadInput as error:
        errors = tuple(error.faults)
    zone = zone_by_name(given.get("tz", "")) or UTC
    with site.reading() as session:
        offer = None
        try:
            offer = backfill_offer(site.collector, session, period) if period else None
        except NOT_NOW as error:
            refusal = refusal or _words(error)
        today = x_now(session).astimezone(zone).date()
        form = BackfillForm(
            given.get("since", str(today - SUGGESTED_DAYS * DAY)),
            given.get("until", str(today - DAY)),
            tuple(key(tag) for tag in given.getlist("tag")),
            errors,
        )
        values: dict[str, Any] = {
            "form": form,
            "offer": offer,
            "refusal": refusal,
            "names": tracked_names(session),
            **_money(site, session, offer),
        }
        return site.page("backfill.html", session, zone, status=400 if errors else status, **values)


def _money(site: Site, session: Session, offer: BackfillOffer | None) -> dict[str, Any]:
    """Return what the page says of prices, in micro-dollars; amounts on buttons are whole cents, rounded up."""
    return {
        "most": -(-offer.price // CENT) * CENT if offer else 0,
        "counting": -(-offer.counting // CENT) * CENT if offer else 0,
        "left": budget_left(site.collector, session),
        "authors": charged_authors(site, session),
        "free": site.is_free(session),
    }


def period_of(read: dict[str, Any]) -> BackfillPeriod:
    """Return the period from the beginning of the first day to the end of the last one; raises BadInput."""
    for name in ("since", "until"):
        if name not in read:
            raise BadInput([ParameterError(name, "is missing: expected a day such as 2026-09-01")])
    try:
        since, until = _midnight(read["since"], read), _midnight(read["until"] + DAY, read)
    except (ValueError, OverflowError) as error:
        raise BadInput([ParameterError("until", "expected a day before the year 9999")]) from error
    if since < FIRST_TIMED:
        raise BadInput([ParameterError("since", f"expected a day after {FIRST_TIMED:%Y-%m-%d}")])
    if since >= until:
        raise BadInput([ParameterError("until", "expected a day that is not before the first one")])
    return BackfillPeriod(since, until, tags=frozenset(read["tag"]) if read.get("tag") else None)


def _midnight(day: date, read: dict[str, Any]) -> datetime:
    return at_midnight(day, read["tz"])


def _without_amount() -> MultiDict[str, str]:
    return MultiDict(pair for pair in request.form.items(multi=True) if pair[0] != "max_usd")


def _words(error: Exception) -> str:
    return str(error) or "it was interrupted: try again"


ROUTES: tuple[Route, ...] = (
    (PATH, backfill_price, "GET"),
    (PATH, start_backfill, "POST"),
    (f"{PATH}/counts", count_hours, "POST"),
)
