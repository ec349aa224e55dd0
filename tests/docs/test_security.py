"""docs/security.md: each threat names what stops it and a test, and the tests that it names are there."""

from __future__ import annotations

import re

from tests.fixtures.environment import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def missing(cell: str) -> list[str]:
    """Return what a list of tests names that isn't there; a name without a folder is in the folder of the one before it."""
    absent, folder = [name for name in re.findall(r"`make ([a-z-]+)`", cell) if name not in TARGETS], ""
    for name in re.findall(r"tests/[\w./-]+|test_\w+\.py", cell):
        path = name if name.startswith("tests/") else f"{folder}/{name}"
        folder = path.rpartition("/")[0]
        absent += [path] * (not (ROOT / path).exists())
    return absent


def test_each_threat_has_an_answer_and_tests_that_are_there() -> None:
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    assert len(rows) > 16
    for who, how, answer, test in rows[1:]:
        assert all((who.strip(), how.strip(), len(answer) > 20))
        assert re.search(r"tests/|`make ", test), who
        assert missing(test) == []
