"""/view/collections: the history of collections and what they cost; /new shows the price of one and starts it."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.ledger.ledger import SMALLEST_PAGE
from collector.ledger.pricing import budget_left, price
from collector.runs.collector import CollectionRunning, NothingTracked
from queries import balances, spend
from queries.collections import collection, latest
from queries.spend import by_day
from schemas.arguments import HistoryArguments, NoArguments, collection_page, load_arguments, refuse_body
from web.site import Route, Site, is_browser, redirect_to_page, tidy_redirect
from web.status import x_trouble
from web.view_query import link

PATH = "/view/collections"
NEW = f"{PATH}/new"
PAGE = 25
LARGEST_ID = 2**31 - 1
LIST = "page of collections"


def history(site: Site) -> Response:
    """List collections, newest first, below what they cost."""
    if redirect := tidy_redirect():
        return redirect
    read = load_arguments(HistoryArguments(), request.args)
    zone, cursor = read["tz"], read.get("cursor")
    with site.reading() as session:
        shown = collection_page(session, LIST, cursor=cursor, most=PAGE)
        following = link(PATH, (request.args.to_dict() | {"cursor": shown.following}).items()) if shown.following else None
        values: dict[str, Any] = {
            "views": shown.rows,
            "first": cursor is None,
            "following": following,
            "money": _money(site, session),
        }
        return site.page("collections.html", session, zone, trouble=x_trouble(session, zone), **values)


def collection_progress(site: Site, collection_id: int) -> Response:
    """Show a collection by tag, with its progress while it runs."""
    zone = site.zone()
    with site.reading() as session:
        view = collection(session, collection_id)
        if view is None:
            raise NotFound("there is no collection with this number")
        trouble, known = x_trouble(session, zone), balances.authors(session)
        return site.page("collection.html", session, zone, view=view, trouble=trouble, authors=known)


def collection_price(site: Site) -> Response:
    """Show the price of a collection, and the button that starts it."""
    zone, collector = site.zone(), site.collector
    with site.reading() as session:
        newest = latest(session)
        running = newest if newest and newest.state == "running" else None
        priced, left, known = price(collector, session), budget_left(collector, session), balances.authors(session)
        looks_up = collector.looks_up_authors(session)
        known = None if looks_up else known  # those who are looked up are charged for whatever the balance has shown
        most = known.price(*priced.most) if known else priced.most.ceiling
        values: dict[str, Any] = {
            "price": priced,
            "most": most,
            "left": left,
            "running": running,
            "authors": known,
            "looks_up": looks_up,
            "free": site.is_free(session),
        }
        return site.page("collect.html", session, zone, **values)


def start_collection(site: Site) -> Response:
    """Start a collection, and redirect to it or to the one that runs."""
    load_arguments(NoArguments(), request.args)
    refuse_body(request.get_data())
    try:
        return redirect_to_page(f"{PATH}/{site.collector.start().run_id}")
    except NothingTracked:
        if not is_browser():
            raise
        return redirect_to_page(NEW)
    except CollectionRunning as running:
        if running.run_id is None:
            raise
        return redirect_to_page(f"{PATH}/{running.run_id}")


def _money(site: Site, session: Session) -> dict[str, Any]:
    """Return what was spent this billing month, by day, and the budget, in micro-dollars."""
    view, billing = site.collector.outlook(session), site.collector.order.billing
    used, budget = view.used, billing.budget
    return {
        "view": view,
        "used": used,
        "budget": budget,
        "days": by_day(session, start=view.start, end=view.end),
        "spent": budget is not None and budget - used < billing.prices.most(SMALLEST_PAGE),
        "most": max(budget or 0, used, view.forecast, 1),
        "by_x": spend.newest_comparison(session),
        "authors": balances.authors(session),
        "balance": balances.newest_balance(session),
        "free": site.is_free(session),
    }


ROUTES: tuple[Route, ...] = (
    (PATH, history, "GET"),
    (f"{PATH}/<int(max={LARGEST_ID}):collection_id>", collection_progress, "GET"),
    (NEW, collection_price, "GET"),
    (PATH, start_collection, "POST"),
)
