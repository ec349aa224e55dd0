"""`flask --app app database …`: migrations and copies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import AppGroup

from alchemy import DatabaseRevision, DatabaseUnavailable
from cli.saying import printable, say, stop
from collector import verification
from collector.backups import backups, restoring
from collector.runs.collector import CollectionRunning, Collector

UNUSABLE = 2
FILE = click.Path(path_type=Path)


def database_commands(collector: Collector) -> AppGroup:
    """Return the commands on the collector's database."""
    group = AppGroup("database", help="Migrate, verify, back up and restore the database.")

    @group.command()
    def upgrade() -> None:
        """Bring the schema to the newest revision."""
        with _report_failures():
            collector.prepare()
        say(f"{collector.database.label} is at the newest revision")

    @group.command()
    def verify() -> None:
        """Recount all aggregates and the ledger, and compare tweets with what X gave; exits with 1 if anything is wrong."""
        with _report_failures():
            wrong = False
            for fault in verification.each_fault(collector.database, collector.order.billing):
                wrong = True
                say(fault)
        if wrong:
            sys.exit(1)
        say("everything adds up")

    @group.command()
    @click.argument("file", type=FILE)
    def backup(file: Path) -> None:
        """Copy the database to FILE, its SHA-256 to FILE.sha256; never over a file that exists, and in a folder that does."""
        if not file.parent.is_dir():
            stop(f"Error: {file} can't be written: {file.parent} is no folder that is there", UNUSABLE)
        with _report_failures():
            collector.database.upgrade()
            backups.backup(collector.database, file)

    @group.command()
    @click.argument("file", type=FILE)
    def restore(file: Path) -> None:
        """Put the copy FILE back over the database, unless FILE.sha256 says that it is damaged.

        The name of a copy in the folder backups will do.
        """
        with _report_failures():
            restoring.restore(collector.database, file)

    return group


@contextmanager
def _report_failures() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailable as error:
        raise click.ClickException(printable(error.in_full)) from error
    except backups.InvalidBackup as error:
        stop(f"Error: {error}", UNUSABLE)
    except (backups.BackupRefused, CollectionRunning, DatabaseRevision) as error:
        raise click.ClickException(printable(error)) from error
    except OSError as error:
        raise click.ClickException(printable(f"{error.filename}: {error.strerror}")) from error
