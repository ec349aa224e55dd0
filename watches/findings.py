"""Findings: what a watch found, which is recorded at once and put into words when it is sent."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

UNCOLLECTED = "uncollected"
"""The kind of a finding that says that nothing was collected; all others are kinds of watches."""


class Finding(NamedTuple):
    """A finding: its kind, the time it is about (UTC, half-open), and the ids of its tweets, if it is about some."""

    kind: str
    start: datetime
    end: datetime
    tweets: tuple[int, ...] = ()
