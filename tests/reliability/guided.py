"""Fuzzes the reader of lines in its own process, guided by what it covers, for FUZZ_SECONDS (600).

It needs atheris (`pip install atheris`), which is no dependency: it is there for Linux and some Pythons only. `make fuzz` does
without. What fails is kept as fuzz-crash-…, and read again where its name is given.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

LONGEST = 20_000
SECONDS = os.environ.get("FUZZ_SECONDS", "600")

atheris = importlib.import_module("atheris")
with atheris.instrument_imports(include=["collector", "formats", "text"]):
    from formats.records import record
    from text import hashtags
    from text.words import indexed
from tests.formats.test_hostile import assert_can_be_stored  # noqa: E402 (what is guided by is imported first)
from tests.reliability.inputs import LINES, variant  # noqa: E402


def read(line: bytes) -> None:
    """Read a line as an import does, and its text as the store does."""
    found = record(line)
    assert_can_be_stored(found)
    for archived in found.tweets:
        indexed(archived.tweet.text)
        hashtags.hashtags(archived.tweet.text)


def mutated(line: bytes, most: int, number: int) -> bytes:
    """Change a line by its JSON, or by what was learnt of it."""
    random = Random(number)
    changed: bytes = variant(line, random) if random.random() < 0.5 else atheris.Mutate(line, most)
    return changed[:most]


def main(folder: Path) -> None:
    """Fuzz; ends the process."""
    for number, line in enumerate(LINES):
        (folder / str(number)).write_text(json.dumps(line, ensure_ascii=False))
    bounds = [f"-max_total_time={SECONDS}", f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=600"]
    told = ["-print_final_stats=1", "-artifact_prefix=fuzz-"]
    atheris.Setup([sys.argv[0], *(sys.argv[1:] or [str(folder)]), *bounds, *told], read, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    with TemporaryDirectory() as seeds:
        main(Path(seeds))
