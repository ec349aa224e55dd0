"""The import as a fuzzer drives it: a process that is given files on stdin and says on stdout how each was read,
after it has said that it is ready.

`fuzzed.py FOLDER [loss]`: a file comes as one letter, its length in eight bytes, and itself. It is read as `tweets import`
reads it; after an `i` it is also stored, exported, imported into a second database, and both are verified. With `loss` the
reader loses tweets after a while, which a fuzzer must notice.
"""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from alchemy import Database, open_database  # noqa: E402 (found through the line above)
from cli.exports import Export, _write  # noqa: E402
from collector import verification  # noqa: E402
from collector.imports import Import  # noqa: E402
from collector.ledger.prices import Billing  # noqa: E402
from queries.filters import ALL  # noqa: E402
from schemas import records  # noqa: E402
from schemas.records import lines  # noqa: E402
from settings import load  # noqa: E402
from tests.schemas.test_hostile import assert_can_be_stored  # noqa: E402

ROUNDS = 20
PLANTED_AT = 300


class Wrong(Exception):
    """What was read is not as it must be."""


class Imported:
    """Two databases: what is stored, and what its export makes of an empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._rounds = folder, 0
        self._billing = Billing.of(load({}, folder=folder))
        self._empty = folder / "empty.db"
        database = open_database(f"sqlite:///{self._empty}")
        database.upgrade()
        database.close()
        self._first, self._second = (open_database(f"sqlite:///{folder / name}.db") for name in ("first", "second"))

    def take(self, file: Path) -> None:
        """Import a file beside those before it, and hold that its export gives the same database; raises Wrong."""
        if self._rounds % ROUNDS == 0:
            self._empty_out(self._first)
        self._rounds += 1
        _import(self._first, file)
        self._verify(self._first)
        self._empty_out(self._second)
        whole = self._exported(self._first, "whole.ndjson")
        if refused := _import(self._second, whole):
            raise Wrong(f"an export was refused: {refused[0]}")
        self._verify(self._second)
        if self._exported(self._second, "again.ndjson").read_bytes() != whole.read_bytes():
            raise Wrong("the export of an export's import is another")
        for form in ("json", "csv", "ids", "twarc"):
            self._exported(self._first, f"a.{form}", form)

    def _empty_out(self, database: Database) -> None:
        database.close()
        for old in self._folder.glob(f"{database.file.name}*"):
            old.unlink()
        shutil.copy(self._empty, database.file)

    def _verify(self, database: Database) -> None:
        if found := verification.faults(database, self._billing):
            raise Wrong(found[0])

    def _exported(self, database: Database, name: str, form: str = "ndjson") -> Path:
        file = self._folder / name
        file.unlink(missing_ok=True)
        _write(database, Export(form, ALL, file, None))
        return file


def _import(database: Database, file: Path) -> list[str]:
    """Import a file and return what was refused, as the command does."""
    run, refused = Import(database), list[str]()
    for line in lines(file):
        refused += line.record.refused
        run.add(line.record.tweets, line.record.authors)
    run.end()
    return refused


def _read(file: Path) -> dict[str, int]:
    read = {"tweets": 0, "refused": 0}
    for line in lines(file):
        assert_can_be_stored(line.record)
        read["tweets"] += len(line.record.tweets)
        read["refused"] += len(line.record.refused)
    return read


def _plant_a_loss() -> None:
    genuine, calls = records.record, count()

    def faulty(line: bytes, **bounds: Any) -> Any:
        read = genuine(line, **bounds)
        lost = next(calls) >= PLANTED_AT and read.tweets and b'"versions":' in line
        return read._replace(tweets=()) if lost else read

    records.record = faulty


def main(folder: Path, *planted: str) -> None:
    """Read files until there are no more."""
    imported, file, given = Imported(folder), folder / "given", sys.stdin.buffer
    if planted:
        _plant_a_loss()
    _tell({})
    while kind := given.read(1):
        file.write_bytes(given.read(int.from_bytes(given.read(8), "big")))
        try:
            told: dict[str, Any] = dict(_read(file))
            if kind == b"i":
                imported.take(file)
        except Exception:  # noqa: BLE001 (none is expected: the fuzzer is told of any)
            told = {"fault": traceback.format_exc()}
        _tell(told)


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
