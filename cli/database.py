"""`flask --app app database …`: migrations, verification, backups."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from alchemy import DatabaseRevision, DatabaseUnavailable
from cli.output import exit_with, print_line, printable
from collector import verification
from collector.backups import backups, restoring
from collector.backups.carry_over import CarryOverRefused, carry_over_from
from collector.runs.collector import CollectionRunning, Collector
from database.migrating import check_revision
from settings import DATABASE

UNUSABLE = 2
FILE = click.Path(path_type=Path)


def database_commands(collector: Collector) -> click.Group:
    """Return the commands for the collector's database."""
    text, commands = "Migrate, verify, back up and restore the database.", [upgrade, verify, backup, restore, carry_over]
    return click.Group("database", commands, help=text, context_settings={"obj": collector})


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


@click.command()
@click.pass_obj
@_report_failures()
def upgrade(collector: Collector) -> None:
    """Bring the schema to the newest revision."""
    collector.prepare()
    print_line(f"{collector.database.label} is at the newest revision")


@click.command()
@click.pass_obj
@_report_failures()
def verify(collector: Collector) -> None:
    """Recount all aggregates and the ledger, and compare tweets with their payloads; exits with 1 if anything is wrong."""
    with collector.database.reading() as session:
        check_revision(session.connection())
    wrong = False
    for fault in verification.each_fault(collector.database, collector.order.billing):
        wrong = True
        print_line(fault)
    if wrong:
        sys.exit(1)
    print_line("everything adds up")


@click.command()
@click.argument("file", type=FILE)
@click.pass_obj
@_report_failures()
def backup(collector: Collector, file: Path) -> None:
    """Back up the database to FILE, which must not exist, in an existing folder; its SHA-256 goes to FILE.sha256."""
    if not file.name:
        exit_with(f"Error: {str(file)!r} is not the name of a file", UNUSABLE)
    if not file.parent.is_dir():
        exit_with(f"Error: {file} can't be written: {file.parent} is not an existing folder", UNUSABLE)
    collector.database.upgrade()
    backups.backup(collector.database, file)


@click.command()
@click.argument("file", type=FILE)
@click.pass_obj
@_report_failures()
def restore(collector: Collector, file: Path) -> None:
    """Replace the database by the backup FILE, unless it differs from FILE.sha256.

    FILE may be the name of a backup in the folder backups.
    """
    restoring.restore(collector.database, file)


@click.command("carry-over")
@click.argument("url", metavar="OLD_URL")
@click.pass_obj
@_report_failures()
def carry_over(collector: Collector, url: str) -> None:
    """Copy all rows of the database at OLD_URL, which has the schema 0011, into this one, which must be empty."""
    try:
        old_url = DATABASE.read(url)
    except ValueError:
        exit_with(f"Error: OLD_URL must be {DATABASE.expected}", UNUSABLE)
    rows = carry_over_from(old_url, collector.database)
    print_line(f"{rows} rows were carried over: check them with `flask --app app database verify`")
