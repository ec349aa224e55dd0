"""The pictures that README.md and evidences/README.md show are there, and are pictures."""

from __future__ import annotations

import re
from struct import unpack

from scripts.pictures import PICTURES
from tests.fixtures.environment import ROOT

FOLDER = ROOT / "evidences"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
BLANK, LARGEST = 15_000, 400_000


def test_every_picture_is_there_and_shows_something() -> None:
    for picture in PICTURES:
        data = (FOLDER / f"{picture.name}.png").read_bytes()
        assert data.startswith(PNG), picture.name
        width, height = unpack(">II", data[16:24])
        assert (width, height <= picture.height) == (picture.width, True), picture.name
        assert BLANK < len(data) <= LARGEST, picture.name


def test_they_are_those_that_the_script_takes_and_that_are_shown() -> None:
    taken = {f"{picture.name}.png" for picture in PICTURES}
    assert {path.name for path in FOLDER.glob("*.png")} == taken
    assert set(re.findall(r"\(([^)/]+\.png)\)", (FOLDER / "README.md").read_text())) == taken
    assert "evidences/overview.png" in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
