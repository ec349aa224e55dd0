"""The pictures that README.md and evidences/README.md show are there, and are pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import error, pack, unpack
from typing import NamedTuple

import pytest

from scripts.pictures.catalogue import PICTURES, Picture, table
from tests.fixtures.environment import ROOT

FOLDER = ROOT / "evidences"
README = (ROOT / "README.md").read_text()
SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND"
LARGEST, LARGEST_OF_ALL = 260_000, 2_000_000
DIFFERENT_ROWS = 20


class Drawn(NamedTuple):
    """What a PNG says of itself, and how many of its rows differ from each other as they are written."""

    width: int
    height: int
    rows: int


def drawn(data: bytes) -> Drawn:
    """Read a PNG whose rows are filtered and not interlaced, as Chromium writes them."""
    assert data.startswith(SIGNATURE)
    at, packed, header = len(SIGNATURE), b"", b""
    while not data.startswith(END, at):
        length, kind = unpack(">I4s", data[at : at + 8])
        body, at = data[at + 8 : at + 8 + length], at + 12 + length
        header, packed = (body, packed) if kind == b"IHDR" else (header, packed + body * (kind == b"IDAT"))
    width, height = unpack(">II", header[:8])
    raw = zlib.decompress(packed)
    row = len(raw) // height
    return Drawn(width, height, len({raw[start : start + row] for start in range(0, len(raw), row)}))


def faults(folder: Path, picture: Picture) -> list[str]:
    """Return what is wrong with a picture's file."""
    file = folder / picture.file
    if not file.exists():
        return ["is missing"]
    try:
        found = drawn(file.read_bytes())
    except (AssertionError, zlib.error, error):
        return ["is no PNG"]
    return [
        *(["has another width"] if found.width != picture.width else []),
        *(["is too high"] if found.height > picture.height else []),
        *(["is blank"] if found.rows < DIFFERENT_ROWS else []),
        *(["is too large"] if file.stat().st_size > LARGEST else []),
    ]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_every_picture_is_there_and_shows_something(picture: Picture) -> None:
    assert faults(FOLDER, picture) == []


def test_they_are_those_that_the_script_takes_and_no_others() -> None:
    assert {path.name for path in FOLDER.glob("*.png")} == {picture.file for picture in PICTURES}
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < LARGEST_OF_ALL


def test_the_list_of_pictures_is_what_the_script_writes() -> None:
    assert (FOLDER / "README.md").read_text() == table()


def test_the_readme_shows_the_overview() -> None:
    assert "evidences/overview.png" in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)


def white(width: int, height: int) -> bytes:
    """Return a PNG without anything on it."""
    chunks = {
        b"IHDR": pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress((b"\0" + b"\xff" * 3 * width) * height),
    }
    return SIGNATURE + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))
        for kind, body in {**chunks, b"IEND": b""}.items()
    )


def removed(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def swollen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(LARGEST))


def painted(width: int, height: int) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(white(width, height))


@pytest.mark.parametrize(
    ("plant", "noticed"),
    [
        (removed, ["is missing"]),
        (cut, ["is no PNG"]),
        (swollen, ["is too large"]),
        (painted(1280, 800), ["is blank"]),
        (painted(360, 9000), ["has another width", "is too high", "is blank"]),
    ],
)
def test_a_fault_of_a_picture_is_noticed(tmp_path: Path, plant: Callable[[Path], object], noticed: list[str]) -> None:
    picture = PICTURES[0]
    shutil.copy(FOLDER / picture.file, tmp_path)
    assert faults(tmp_path, picture) == []
    plant(tmp_path / picture.file)
    assert faults(tmp_path, picture) == noticed


def test_make_evidences_takes_them() -> None:
    shown = subprocess.run(["make", "--dry-run", "evidences"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "screenshots" in shown


def test_without_chromium_nothing_is_written_and_the_package_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/screenshots.py", str(tmp_path / "pictures")]
    ended = subprocess.run(command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "no pictures: Chromium is missing, apt-get install chromium\n")
    assert not list(tmp_path.iterdir())
