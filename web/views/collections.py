"""/view/collections: how collections went and go, what they cost, and a new one, once its price was shown."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from collector.collector import CollectionRunning, NothingTracked
from collector.money.ledger import SMALLEST_PAGE
from collector.pricing import left_of_budget, price
from collector.sources import EMULATOR
from formats.arguments import HistoryArguments
from formats.cursors import began, following_cursor
from formats.given import given
from guard.pages import page
from queries.collections import collection, collections, latest
from queries.reconciliations import newest
from queries.spend import by_day
from web.asked import link
from web.parts import stuck
from web.problems import a_person
from web.site import Site, seen, tidied

PATH = "/view/collections"
PAGE = 25
LARGEST_ID = 2**31 - 1
LIST = "page of collections"


def register(app: Flask, site: Site) -> None:
    """Give the app the pages, and the button that collects."""

    def history() -> Response:
        if lead := tidied():
            return lead
        read = given(HistoryArguments(), request.args)
        zone: ZoneInfo = read["tz"]
        with site.reading() as session:
            after = began(session, LIST, read.get("cursor"))
            views = collections(session, before=after[0] if after else None, most=PAGE + 1)
            values: dict[str, Any] = {"views": views[:PAGE], "first": after is None, "money": _money(site, session)}
            values["stuck"] = stuck(session, zone)
            if len(views) > PAGE:
                place = following_cursor(session, LIST, [views[PAGE - 1].id])
                values["following"] = link(PATH, MultiDict(request.args.to_dict() | {"cursor": place}))
            return site.page("collections.html", session, zone, **values)

    def one_collection(collection_id: int) -> Response:
        zone: ZoneInfo = given(HistoryArguments(exclude=["cursor"]), request.args)["tz"]
        with site.reading() as session:
            view = collection(session, collection_id)
            if view is None:
                raise NotFound("there is no collection with this number")
            return site.page("collection.html", session, zone, view=view, stuck=stuck(session, zone))

    def collect_now() -> Response:
        zone: ZoneInfo = given(HistoryArguments(exclude=["cursor"]), request.args)["tz"]
        with site.reading() as session:
            values: dict[str, Any] = {"price": price(site.collector, session), "left": left_of_budget(site.collector, session)}
            free, newest_one = site.collector.source.name == EMULATOR, latest(session)
            values["running"] = newest_one if newest_one and newest_one.state == "running" else None
            return site.page("collect.html", session, zone, free=free, **values)

    def collect() -> Response:
        try:
            return seen(f"{PATH}/{site.collector.start().run_id}")
        except NothingTracked:
            if not a_person():
                raise
            return seen(f"{PATH}/new")
        except CollectionRunning as running:
            if running.run_id is None:
                raise
            return seen(f"{PATH}/{running.run_id}")

    page(app, PATH, history)
    page(app, f"{PATH}/<int(max={LARGEST_ID}):collection_id>", one_collection)
    page(app, f"{PATH}/new", collect_now)
    page(app, PATH, collect, methods=["POST"])


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
        "by_x": newest(session),
        "free": site.collector.source.name == EMULATOR,
    }
