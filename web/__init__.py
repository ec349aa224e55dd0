"""The page for people."""

from __future__ import annotations

from flask import Flask, render_template

from collector.collector import Collector
from collector.sources import EMULATOR


def register(app: Flask, collector: Collector) -> None:
    """Give the app its page."""

    def overview() -> str:
        return render_template("index.html", invented=collector.source.name == EMULATOR)

    app.add_url_rule("/", "overview", overview)
