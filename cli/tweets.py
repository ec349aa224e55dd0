"""`flask --app app tweets …`: imports archives; cli/exports.py exports."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from tqdm import tqdm

from alchemy import DatabaseRevision, DatabaseUnavailable
from cli.exports import export
from cli.output import exit_with, plural, print_line, printable
from collector.imports import Import
from collector.runs.collector import Collector
from collector.runs.tags import InvalidTag, hashtag
from collector.sources import SourceRefused
from schemas.records import lines

REFUSED, UNUSABLE = 1, 2
GC_THRESHOLD = 100_000
RECEIVER = "receiver of imports"


class LineRefusals:
    """Prints refused lines to stderr as FILE:LINE: reason, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, path: Path, number: int, reason: str) -> None:
        self.count += 1
        with tqdm.external_write_mode(file=sys.stderr):
            print_line(f"{path}:{number}: {reason}")


def _hashtag(value: str) -> str:
    try:
        return hashtag(value)
    except InvalidTag as error:
        raise click.BadParameter(str(error)) from error


@click.command("import")
@click.option("--tag", metavar="HASHTAG", type=_hashtag, help="A hashtag that every tweet is linked to as well.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def import_(context: click.Context, tag: str | None, files: tuple[Path, ...]) -> None:
    """Read X API v2 pages, flattened tweets and our own NDJSON from FILES, plain or gzip.

    Without DATABASE_URL they go to data/tweets.db, which the service uses from its next start on.
    """
    _check_files(files)
    receiver: Callable[[], Collector] = context.meta[RECEIVER]
    try:
        with closing(receiver()) as collector:
            run, refused = _import_files(collector, tag, files)
    except SourceRefused as error:
        exit_with(str(error), UNUSABLE)
    except OSError as error:
        exit_with(f"{error.filename}: {error.strerror}", UNUSABLE)
    except DatabaseUnavailable as error:
        exit_with(error.in_full, REFUSED)
    except DatabaseRevision as error:
        exit_with(error, REFUSED)
    print_line(f"{plural(run.seen, 'tweet')} read, {run.added} added, {refused} refused")
    sys.exit(REFUSED if refused else 0)


def tweets_commands(collector: Collector, receiver: Callable[[], Collector]) -> click.Group:
    """Return the commands for stored tweets; `receiver` makes the collector whose database takes imports."""

    def remember_receiver() -> None:
        click.get_current_context().meta[RECEIVER] = receiver

    settings = {"obj": collector}
    return click.Group(
        "tweets",
        [export, import_],
        callback=remember_receiver,
        help="Import and export tweets.",
        context_settings=settings,
    )


def _import_files(collector: Collector, tag: str | None, files: tuple[Path, ...]) -> tuple[Import, int]:
    """Import files, and return the import and how many lines were refused."""
    collector.prepare()
    run, refusals = Import(collector.database, tag=tag), LineRefusals()
    with _freeze_garbage_collector():
        for path in files:
            _import_file(path, run, refusals)
    run.end()
    return run, refusals.count


def _check_files(files: tuple[Path, ...]) -> None:
    """Exit before anything is stored if a file cannot be opened, or is a pipe or a device, which cannot be read twice."""
    for path in files:
        try:
            if path.exists() and not path.is_file():
                exit_with(f"{path}: is no regular file", UNUSABLE)
            path.open("rb").close()
        except OSError as error:
            exit_with(f"{path}: {error.strerror}", UNUSABLE)


@contextmanager
def _freeze_garbage_collector() -> Iterator[None]:
    """Exclude existing objects from garbage collection, and collect seldom: an import creates many short-lived objects."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _import_file(path: Path, run: Import, refusals: LineRefusals) -> None:
    size = path.stat().st_size
    with tqdm(total=size, unit="B", unit_scale=True, desc=printable(path.name), disable=None, file=sys.stderr) as bar:
        for line in lines(path, now=datetime.now(UTC)):
            for reason in line.record.refused:
                refusals.add(path, line.number, reason)
            run.add(line.record.tweets, line.record.authors)
            bar.update(line.position - bar.n)
