"""The page for people."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template

from collector.collector import Collector
from collector.sources import EMULATOR, shown_source
from guard.door import Door
from guard.pages import page
from web import docs, sign_in, static_files
from web.policy import PAGE


def register(app: Flask, collector: Collector, door: Door) -> None:
    """Give the app its pages and the files that they load."""

    def overview() -> Response:
        with collector.database.reading() as session:
            invented = shown_source(session, collector.source.name) == EMULATOR
        return make_response(render_template("index.html", invented=invented, guarded=door.tokens.required), PAGE)

    page(app, "/", overview)
    docs.register(app)
    sign_in.register(app, door)
    static_files.register(app)
