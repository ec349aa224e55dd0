"""/view/collections: the history of collections and what they cost; /new shows the price of one and starts it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from collector.ledger.ledger import SMALLEST_PAGE
from collector.ledger.pricing import budget_left, price
from collector.runs.collector import CollectionRunning, NothingTracked
from queries import balances, spend
from queries.collections import collection, latest
from queries.spend import by_day
from schemas.arguments import HistoryArguments, NoArguments, load_arguments, refuse_body
from schemas.cursors import collection_page
from security.pages import page
from web.responses import is_browser, redirect_to_page, tidy_redirect
from web.site import Site
from web.status import x_trouble
from web.view_query import link

PATH = "/view/collections"
NEW = f"{PATH}/new"
PAGE = 25
LARGEST_ID = 2**31 - 1
LIST = "page of collections"


def register(app: Flask, site: Site) -> None:
    """Add the pages, and the request that starts a collection."""

    def history() -> Response:
        if redirect := tidy_redirect():
            return redirect
        read = load_arguments(HistoryArguments(), request.args)
        zone: ZoneInfo = read["tz"]
        with site.reading() as session:
            cursor = read.get("cursor")
            shown = collection_page(session, LIST, cursor=cursor, most=PAGE)
            values: dict[str, Any] = {"views": shown.rows, "first": cursor is None, "money": _money(site, session)}
            values["trouble"] = x_trouble(session, zone)
            if shown.following:
                values["following"] = link(PATH, MultiDict(request.args.to_dict() | {"cursor": shown.following}))
            return site.page("collections.html", session, zone, **values)

    def one_collection(collection_id: int) -> Response:
        zone = site.zone()
        with site.reading() as session:
            view = collection(session, collection_id)
            if view is None:
                raise NotFound("there is no collection with this number")
            trouble, known = x_trouble(session, zone), balances.authors(session)
            return site.page("collection.html", session, zone, view=view, trouble=trouble, authors=known)

    def collect_now() -> Response:
        zone, collector = site.zone(), site.collector
        with site.reading() as session:
            newest = latest(session)
            running = newest if newest and newest.state == "running" else None
            priced, left, known = price(collector, session), budget_left(collector, session), balances.authors(session)
            most = known.price(*priced.most) if known else priced.most.ceiling
            values: dict[str, Any] = {"price": priced, "most": most, "left": left, "running": running}
            return site.page("collect.html", session, zone, free=site.is_free, authors=known, **values)

    def collect() -> Response:
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

    page(app, PATH, history)
    page(app, f"{PATH}/<int(max={LARGEST_ID}):collection_id>", one_collection)
    page(app, NEW, collect_now)
    page(app, PATH, collect, methods=["POST"])


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
        "free": site.is_free,
    }
