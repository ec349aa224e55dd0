"""What the shipping of log records reports, apart from the shipping itself, which takes long to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Delivery(NamedTuple):
    """Who hears how many records were sent, were dropped and why (queue-full, shutdown), and wait to be sent."""

    sent: Callable[[int], None]
    dropped: Callable[[str, int], None]
    queued: Callable[[int], None]


UNCOUNTED = Delivery(lambda _count: None, lambda _reason, _count: None, lambda _count: None)
