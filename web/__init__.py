"""The page for people."""

from __future__ import annotations

from flask import Flask, render_template

from collector.collector import Collector
from collector.sources import EMULATOR, shown_source
from web import docs, static_files


def register(app: Flask, collector: Collector) -> None:
    """Give the app its pages and the files that they load."""

    def overview() -> str:
        with collector.database.reading() as session:
            invented = shown_source(session, collector.source.name) == EMULATOR
        return render_template("index.html", invented=invented)

    app.add_url_rule("/", "overview", overview)
    docs.register(app)
    static_files.register(app)
