"""/view/collections: how collections went and go, and what they cost."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from collector.ledger.ledger import SMALLEST_PAGE
from queries import balances, reconciliations
from queries.collections import collection
from queries.spend import by_day
from schemas.arguments import HistoryArguments, load_arguments
from schemas.cursors import collection_page
from security.pages import page
from web.asked import link
from web.parts import stuck
from web.site import Site, tidy_redirect

PATH = "/view/collections"
PAGE = 25
LARGEST_ID = 2**31 - 1
LIST = "page of collections"


def register(app: Flask, site: Site) -> None:
    """Give the app the pages."""

    def history() -> Response:
        if lead := tidy_redirect():
            return lead
        read = load_arguments(HistoryArguments(), request.args)
        zone: ZoneInfo = read["tz"]
        with site.reading() as session:
            cursor = read.get("cursor")
            shown = collection_page(session, LIST, cursor=cursor, most=PAGE)
            values: dict[str, Any] = {"views": shown.rows, "first": cursor is None, "money": _money(site, session)}
            values["stuck"] = stuck(session, zone)
            if shown.following:
                values["following"] = link(PATH, MultiDict(request.args.to_dict() | {"cursor": shown.following}))
            return site.page("collections.html", session, zone, **values)

    def one_collection(collection_id: int) -> Response:
        zone = site.zone()
        with site.reading() as session:
            view = collection(session, collection_id)
            if view is None:
                raise NotFound("there is no collection with this number")
            known = balances.authors(session)
            return site.page("collection.html", session, zone, view=view, stuck=stuck(session, zone), authors=known)

    page(app, PATH, history)
    page(app, f"{PATH}/<int(max={LARGEST_ID}):collection_id>", one_collection)


def _money(site: Site, session: Session) -> dict[str, Any]:
    """Return what was spent this billing month, by day, against the budget."""
    view, budget = site.collector.outlook(session), site.collector.order.billing.budget
    used = view.used
    return {
        "view": view,
        "used": used,
        "budget": budget,
        "days": by_day(session, start=view.start, end=view.end),
        "ends": budget is not None and budget - used < site.collector.order.billing.prices.most(SMALLEST_PAGE),
        "most": max(budget or 0, used, view.forecast, 1),
        "by_x": reconciliations.newest(session),
        "authors": balances.authors(session),
        "balance": balances.newest(session),
        "free": site.free,
    }
