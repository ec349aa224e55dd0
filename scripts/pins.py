"""What a requirements file pins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, DEVELOPMENT = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"


class Pin(NamedTuple):
    """One version of a package, and the SHA-256 sums of all files of it that were published."""

    name: str
    version: str
    sums: tuple[str, ...]


class NotPinned(ValueError):
    """A requirement allows more than one version of one package."""


def pins(text: str) -> list[Pin]:
    """Return the pins of a requirements file in their order, names as PyPI normalises them; raise NotPinned."""
    lines = [line.partition("#")[0] for line in text.splitlines()]
    return [_pin(line) for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines() if line.strip()]


def _pin(line: str) -> Pin:
    found = re.fullmatch(r"\s*([A-Za-z0-9._-]+)==([^\s;*]+)((?:\s+--hash=sha256:[0-9a-f]{64})*)\s*", line)
    if not found:
        raise NotPinned(f"not one version: {' '.join(line.split())}")
    return Pin(normal(found[1]), found[2], tuple(re.findall(r"[0-9a-f]{64}", found[3])))


def normal(name: str) -> str:
    """Return a package's name as PyPI normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()
