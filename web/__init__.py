"""The page for people."""

from __future__ import annotations

from flask import Flask, render_template

from collector.collector import Collector
from collector.sources import EMULATOR, shown_source


def register(app: Flask, collector: Collector) -> None:
    """Give the app its page."""

    def overview() -> str:
        with collector.database.reading() as session:
            invented = shown_source(session, collector.source.name) == EMULATOR
        return render_template("index.html", invented=invented)

    app.add_url_rule("/", "overview", overview)
