"""What a requirements file pins."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.fixtures.environment import ROOT

RUNTIME, DEVELOPMENT = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"


def pins(file: Path) -> dict[str, str]:
    """Return the pinned version of each package, by its normalised name."""
    lines = re.findall(r"^([\w.-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}
