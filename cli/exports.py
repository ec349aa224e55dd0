"""`flask --app app tweets export`: writes tweets in one of several formats."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from tqdm import tqdm

from alchemy import Database, DatabaseRevision, DatabaseUnavailable
from cli.output import exit_with, print_line
from collector.runs.collector import Collector
from queries.filters import ALL, Filters
from queries.lists import TweetList, TweetsReplaced, batches
from queries.payloads import TweetPayload, TweetPayloads
from queries.tweets import DETAILS, TweetViews, tweet_count
from schemas import files
from schemas.csv_format import with_byte_order_mark
from schemas.parameters import PARAMETERS, filters, zone_by_name
from schemas.problems import BadInput
from schemas.pseudonyms import KEY_BYTES, Pseudonyms, new_key
from schemas.twarc import pages
from schemas.tweets import COLUMNS, LIST_FORMATS

FAILED, UNUSABLE, PIPE_CLOSED = 1, 2, 141
TWARC = "twarc"
SHEETS = ("csv", "sheet")
PAGE = 100
"""Tweets in a page of X's objects, as X gives them."""

FILE = click.Path(path_type=Path, dir_okay=False)

T = TypeVar("T")


class Export(NamedTuple):
    """The format, filters and output file of an export. Without `output` it goes to stdout; without `names`, no pseudonyms."""

    format_name: str
    filters: Filters
    output: Path | None
    names: Pseudonyms | None


def _option_name(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the filters to a command as options."""
    for name in reversed(PARAMETERS):
        command = click.option(_option_name(name), name, multiple=True, help=f"{PARAMETERS[name].description}.")(command)
    return command


@click.command()
@click.option("--format", "format_name", type=click.Choice([*LIST_FORMATS, TWARC]), default="ndjson", show_default=True)
@click.option("--pseudonymise", is_flag=True, help="Put pseudonyms for ids, authors' names, mentions and URLs.")
@click.option("--key-file", type=FILE, help="Keeps the key of the pseudonyms, which is thrown away otherwise.")
@click.option("-o", "--output", type=FILE, help="Write this file, packed if it ends in .gz; never over one that exists.")
@_with_filters
@click.option("--tz", "zone", default="UTC", show_default=True, help="The zone in which dates begin, such as America/Lima.")
@click.pass_obj
def export(
    collector: Collector,
    /,
    format_name: str,
    pseudonymise: bool,
    key_file: Path | None,
    output: Path | None,
    zone: str,
    **options: Sequence[str],
) -> None:
    """Write the tweets, oldest id first, as NDJSON that `tweets import` reads, or in another format.

    ndjson is a tweet a line, json what GET /tweets answers, csv for spreadsheets, ids an id a line, and twarc X's own
    objects in pages, as twarc2 writes them. Pseudonyms don't change what else a text says, and that can be searched for.
    """
    if format_name == TWARC and pseudonymise:
        raise click.UsageError("--pseudonymise is not for --format twarc: X's objects name people in too many places")
    if key_file and not pseudonymise:
        raise click.UsageError("--key-file is for --pseudonymise")
    chosen = _parse_filters(options, zone)
    if output and output.exists():
        exit_with(f"{output}: exists already", UNUSABLE)
    if output is None and sys.stdout is None:
        exit_with("stdout: closed, name a file with -o", FAILED)
    _run(collector.database, Export(format_name, chosen, output, _pseudonyms(key_file) if pseudonymise else None))


def _parse_filters(options: Mapping[str, Sequence[str]], zone_name: str) -> Filters:
    zone = zone_by_name(zone_name)
    if zone is None:
        raise click.BadParameter("expected the name of a time zone, such as America/Sao_Paulo", param_hint="--tz")
    try:
        return filters({name: values for name, values in options.items() if values}, zone=zone)
    except BadInput as error:
        fault = error.faults[0]
        raise click.BadParameter(fault.detail, param_hint=_option_name(fault.parameter)) from error


def _pseudonyms(key_file: Path | None) -> Pseudonyms:
    """Return pseudonyms by the key in a file, created with mode 600 if it does not exist, or else by a new key."""
    if key_file is None:
        return Pseudonyms(new_key())
    try:
        if not key_file.exists():
            _create_key(key_file)
        if not key_file.is_file():
            exit_with(f"{key_file}: is no regular file", UNUSABLE)
        key = bytes.fromhex(key_file.read_text("ascii"))
    except OSError as error:
        exit_with(f"{key_file}: {error.strerror}", UNUSABLE)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        exit_with(f"{key_file}: expected a key of {2 * KEY_BYTES} hexadecimal digits", UNUSABLE)
    return Pseudonyms(key)


def _create_key(file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(f"{new_key().hex()}\n")
        new.flush()
        os.fsync(new.fileno())


def _run(database: Database, export: Export) -> None:
    try:
        database.upgrade()
        left_out = _write(database, export)
    except BrokenPipeError:
        _discard_stdout()
        sys.exit(PIPE_CLOSED)
    except DatabaseUnavailable as error:
        exit_with(error.in_full, FAILED)
    except (DatabaseRevision, TweetsReplaced) as error:
        exit_with(error, FAILED)
    except OSError as error:
        if export.output is None:
            _discard_stdout()
        exit_with(f"{export.output or 'stdout'}: {error.strerror}", FAILED)
    if left_out:
        print_line(f"{left_out} tweets have no payload and were left out")


def _write(database: Database, export: Export) -> int:
    """Write the export, and return how many tweets were left out because they have no payload."""
    left_out: list[int] = []
    with _open_output(export.output) as out, _progress_bar(database, export) as bar:
        for piece in _twarc(database, export, bar, left_out) if export.format_name == TWARC else _rows(database, export, bar):
            out.write(piece)
        out.flush()
    return sum(left_out)


def _rows(database: Database, export: Export, bar: tqdm[Any]) -> Iterator[bytes]:
    format_name, names = LIST_FORMATS[export.format_name], export.names
    if names:
        views = _with_progress(batches(database, TweetList(export.filters), TweetViews()), bar)
        pieces = format_name.pieces([format_name.of_view(names.tweet(view)) for view in batch] for batch in views)
    else:
        columns = tuple(DETAILS) if export.format_name == "ndjson" else COLUMNS
        read = batches(database, TweetList(export.filters), format_name.reader(columns))
        pieces = format_name.pieces(_with_progress(read, bar), fields=columns)
    return with_byte_order_mark(pieces) if export.output and export.format_name in SHEETS else pieces


def _twarc(database: Database, export: Export, bar: tqdm[Any], left_out: list[int]) -> Iterator[bytes]:
    """The pages of an export as X's objects. Appends the number of tweets without a payload, per batch, to `left_out`."""

    def counted(batch: list[TweetPayload]) -> list[TweetPayload]:
        left_out.append(sum(one.body is None for one in batch))
        return batch

    read = _with_progress(batches(database, TweetList(export.filters), TweetPayloads(), most=PAGE), bar)
    return pages(counted(batch) for batch in read)


def _with_progress(batches: Iterable[list[T]], bar: tqdm[Any]) -> Iterator[list[T]]:
    for batch in batches:
        yield batch
        bar.update(len(batch))


def _open_output(output: Path | None) -> AbstractContextManager[files.Stream]:
    if output:
        return files.open_output(output)
    return nullcontext(sys.stdout.buffer)


def _progress_bar(database: Database, export: Export) -> tqdm[Any]:
    """A progress bar on stderr, hidden if it is no terminal or if the tweets go to one."""
    with database.reading() as session:
        total = tweet_count(session) if export.filters == ALL else None
    hidden = True if export.output is None and sys.stdout.isatty() else None
    return tqdm(total=total, unit=" tweets", disable=hidden, file=sys.stderr)


def _discard_stdout() -> None:
    """Redirect stdout to /dev/null, so that flushing it at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
