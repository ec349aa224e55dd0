"""`flask --app app database …`: migrations, verification, backups."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import AppGroup

from alchemy import DatabaseRevision, DatabaseUnavailable
from cli.output import exit_with, print_line, printable
from collector import verification
from collector.backups import backups, restoring
from collector.backups.carry_over import CarryOverRefused, carry_over_from
from collector.runs.collector import CollectionRunning, Collector
from settings import DATABASE

UNUSABLE = 2
FILE = click.Path(path_type=Path)


def database_commands(collector: Collector) -> AppGroup:
    """Return the commands for the collector's database."""
    group = AppGroup("database", help="Migrate, verify, back up and restore the database.")

    @group.command()
    def upgrade() -> None:
        """Bring the schema to the newest revision."""
        with _report_failures():
            collector.prepare()
        print_line(f"{collector.database.label} is at the newest revision")

    @group.command()
    def verify() -> None:
        """Recount all aggregates and the ledger, and compare tweets with their payloads; exits with 1 if anything is wrong."""
        with _report_failures():
            wrong = False
            for fault in verification.each_fault(collector.database, collector.order.billing):
                wrong = True
                print_line(fault)
        if wrong:
            sys.exit(1)
        print_line("everything adds up")

    @group.command()
    @click.argument("file", type=FILE)
    def backup(file: Path) -> None:
        """Back up the database to FILE, which must not exist, in an existing folder; its SHA-256 goes to FILE.sha256."""
        if not file.name:
            exit_with(f"Error: {str(file)!r} is not the name of a file", UNUSABLE)
        if not file.parent.is_dir():
            exit_with(f"Error: {file} can't be written: {file.parent} is not an existing folder", UNUSABLE)
        with _report_failures():
            collector.database.upgrade()
            backups.backup(collector.database, file)

    @group.command()
    @click.argument("file", type=FILE)
    def restore(file: Path) -> None:
        """Replace the database by the backup FILE, unless it differs from FILE.sha256.

        FILE may be the name of a backup in the folder backups.
        """
        with _report_failures():
            restoring.restore(collector.database, file)

    @group.command("carry-over")
    @click.argument("url", metavar="OLD_URL")
    def carry_over(url: str) -> None:
        """Copy all rows of the database at OLD_URL, which has the schema 0011, into this one, which must be empty."""
        with _report_failures():
            try:
                rows = carry_over_from(DATABASE.read(url), collector.database)
            except ValueError:
                exit_with(f"Error: OLD_URL must be {DATABASE.expected}", UNUSABLE)
        print_line(f"{rows} rows were carried over: check them with `flask --app app database verify`")

    return group


@contextmanager
def _report_failures() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailable as error:
        raise click.ClickException(printable(error.in_full)) from error
    except backups.InvalidBackup as error:
        exit_with(f"Error: {error}", UNUSABLE)
    except (backups.BackupRefused, CarryOverRefused, CollectionRunning, DatabaseRevision) as error:
        raise click.ClickException(printable(error)) from error
    except OSError as error:
        raise click.ClickException(printable(f"{error.filename}: {error.strerror}")) from error
