"""Packed files with a fault: what stands before it is read, and the fault is said once."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from pathlib import Path

import pytest

from schemas.files import CHUNK, NO_FURTHER, GzipReader
from schemas.records import Line, lines
from tests.fixtures.archives import own_row

ROWS = [json.dumps(own_row(number, f"{number * 7919 % 10_007} on call again #sre")).encode() for number in range(600)]
TEXT = b"\n".join(ROWS) + b"\n"
WHOLE = gzip.compress(TEXT)


def read(folder: Path, content: bytes) -> tuple[int, list[Line]]:
    """Return how many tweets are read, and the lines with a fault."""
    file = folder / "archive.jsonl.gz"
    file.write_bytes(content)
    found = list(lines(file))
    return sum(len(line.record.tweets) for line in found), [line for line in found if line.record.refused]


def said(faults: list[Line]) -> list[tuple[int, tuple[str, ...]]]:
    return [(line.number, line.record.refused) for line in faults]


WRONG = b"\0\1\2\3"


ENDS = {
    "sum": lambda packed: packed[:-8] + WRONG + packed[-4:],
    "no sum": lambda packed: packed[:-8],
    "garbage": lambda packed: packed + b"garbage",
    "far garbage": lambda packed: packed + b"\0\0garbage" + b"x" * 2 * CHUNK,
    "a magic number": lambda packed: packed + b"\x1f\x8b",
    "another member": lambda packed: packed + b"\x1f\x8b\x07 no method of packing",
}


@pytest.mark.parametrize("end", ENDS)
def test_all_lines_are_read_where_only_the_end_is_wrong(tmp_path: Path, end: str) -> None:
    for text in (TEXT, TEXT[:-1]):
        tweets, faults = read(tmp_path, ENDS[end](gzip.compress(text)))
        assert (tweets, said(faults)) == (600, [(601, (NO_FURTHER,))])


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_of_a_file_that_is_cut_every_whole_line_is_read(tmp_path: Path, share: float) -> None:
    cut = WHOLE[: int(len(WHOLE) * share)]
    there = zlib.decompressobj(31).decompress(cut).count(b"\n")
    assert there > 10 or share < 0.1
    tweets, faults = read(tmp_path, cut)
    assert (tweets, said(faults)) == (there, [(there + 1, (NO_FURTHER,))])


def test_what_stands_before_damage_is_read(tmp_path: Path) -> None:
    middle = len(WHOLE) // 2
    tweets, faults = read(tmp_path, WHOLE[:middle] + b"\xff" * 500 + WHOLE[middle + 500 :])
    before = zlib.decompressobj(31).decompress(WHOLE[:middle]).count(b"\n")
    assert before <= tweets < 600
    assert faults[-1].record.refused == (NO_FURTHER,)


def test_members_and_the_zeros_between_and_behind_them_are_read(tmp_path: Path) -> None:
    members = [gzip.compress(row + b"\n") + b"\0" * number for number, row in enumerate(ROWS[:50])]
    assert read(tmp_path, b"".join(members) + b"\0" * 3 * CHUNK) == (50, [])
    assert read(tmp_path, gzip.compress(b"") + WHOLE + gzip.compress(b"")) == (600, [])


def test_what_is_unpacked_is_what_was_packed() -> None:
    for level in (0, 1, 9):
        packed = GzipReader(io.BytesIO(gzip.compress(TEXT, level)), least=2**30)
        assert io.BufferedReader(packed).read() == TEXT
        assert packed.fault is None
