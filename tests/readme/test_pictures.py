"""The pictures that README.md and evidences/README.md show are there, and are pictures."""

from __future__ import annotations

import re
from struct import unpack

from scripts.pictures.catalogue import PICTURES, table
from tests.fixtures.environment import ROOT

FOLDER = ROOT / "evidences"
BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
BLANK, LARGEST, LARGEST_OF_ALL = 15_000, 260_000, 2_000_000


def test_every_picture_is_there_and_shows_something() -> None:
    for picture in PICTURES:
        data = (FOLDER / picture.file).read_bytes()
        assert data.startswith(BEGINS), picture.name
        width, height = unpack(">II", data[16:24])
        assert (width, height <= picture.height) == (picture.width, True), picture.name
        assert BLANK < len(data) <= LARGEST, picture.name


def test_they_are_those_that_the_script_takes_and_the_readme_shows_the_overview() -> None:
    found = list(FOLDER.glob("*.png"))
    assert {path.name for path in found} == {picture.file for picture in PICTURES}
    assert sum(path.stat().st_size for path in found) < LARGEST_OF_ALL
    assert (FOLDER / "README.md").read_text() == table()
    assert "evidences/overview.png" in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
