"""The pictures that README.md and evidences/README.md show are there, and are pictures."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from struct import unpack
from typing import NamedTuple

import pytest

from scripts.pictures import camera
from scripts.pictures.catalogue import PICTURES, Picture, table
from scripts.screenshots import main
from tests.fixtures.environment import ROOT

FOLDER = ROOT / "evidences"
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


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_every_picture_is_there_and_shows_something(picture: Picture) -> None:
    data = (FOLDER / picture.file).read_bytes()
    found = drawn(data)
    assert found.width == picture.width
    assert found.height <= picture.height
    assert found.rows >= DIFFERENT_ROWS, "it is blank"
    assert len(data) <= LARGEST


def test_they_are_those_that_the_script_takes_and_no_others() -> None:
    assert {path.name for path in FOLDER.glob("*.png")} == {picture.file for picture in PICTURES}
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < LARGEST_OF_ALL
    assert (FOLDER / "README.md").read_text() == table()
    assert re.search(r"^evidences:.*\n\t.*\bscreenshots\b", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_shows_the_overview() -> None:
    assert "evidences/overview.png" in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())


def test_without_chromium_nothing_is_written_and_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera, "CHROMIUM", None)
    assert main([str(tmp_path / "pictures")]) == 1
    assert capsys.readouterr().err == "no pictures: Chromium is missing, apt-get install chromium\n"
    assert not list(tmp_path.iterdir())
