"""Which parts of the stack are not set up: each setup service has a file in a volume until it succeeds."""

from __future__ import annotations

from pathlib import Path


def unready(folder: str | None) -> list[str]:
    """The parts whose setup has not succeeded, by name. None outside of the stack."""
    return sorted(path.name for path in Path(folder).glob("*")) if folder else []
