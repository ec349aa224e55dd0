"""`flask --app app …`: which commands there are."""

from __future__ import annotations

from flask import Flask

from cli.database import database_commands
from cli.tweets import tweets_commands
from collector.runs.collector import Collector


def register(app: Flask, collector: Collector) -> None:
    """Give the app its commands."""
    app.cli.add_command(database_commands(collector))
    app.cli.add_command(tweets_commands(collector))
