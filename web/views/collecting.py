"""/view/collections/new: what a collection would cost, and the button that begins one."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from collector.ledger.pricing import budget_left, price
from collector.runs.collector import CollectionRunning, NothingTracked
from queries.balances import authors
from queries.collections import latest
from schemas.arguments import NoArguments, load_arguments, refuse_body
from security.pages import page
from web.problems import a_person
from web.site import Site, redirect_to_page
from web.views.collections import PATH

NEW = f"{PATH}/new"


def register(app: Flask, site: Site) -> None:
    """Give the app the page, and what its button asks for."""

    def collect_now() -> Response:
        zone, collector = site.zone(), site.collector
        with site.reading() as session:
            newest = latest(session)
            running = newest if newest and newest.state == "running" else None
            priced, left = price(collector, session), budget_left(collector, session)
            known = authors(session)
            values: dict[str, Any] = {"price": priced, "left": left, "running": running, "free": site.free, "authors": known}
            most = known.price(*priced.most) if known else priced.most.ceiling
            return site.page("collect.html", session, zone, most=most, **values)

    def collect() -> Response:
        load_arguments(NoArguments(), request.args)
        refuse_body(request.get_data())
        try:
            return redirect_to_page(f"{PATH}/{site.collector.start().run_id}")
        except NothingTracked:
            if not a_person():
                raise
            return redirect_to_page(NEW)
        except CollectionRunning as running:
            if running.run_id is None:
                raise
            return redirect_to_page(f"{PATH}/{running.run_id}")

    page(app, NEW, collect_now)
    page(app, PATH, collect, methods=["POST"])
