"""Faults planned for coming requests."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

FAILURES = (
    "rate_limit", "rate_limit_no_header", "rate_limit_past_reset", "rate_limit_code_88", "usage_cap",
    "credits_depleted", "spend_cap", "not_enrolled", "unauthorized", "invalid_request", "stale_since_id",
    "server_500", "server_502", "server_503", "server_504", "html", "html_200", "empty_body", "list_body",
    "list_200", "hang", "reset", "not_found",
)  # fmt: skip
BLEMISHES = (
    "slow", "cut", "broken_json", "no_data_key", "partial_errors", "missing_users", "odd_created_at",
    "duplicate_post",
)  # fmt: skip
JOB_KINDS = ("job_in_progress", "job_failed")  # what a poll says of a compliance job
KINDS = FAILURES + BLEMISHES + JOB_KINDS
ENDPOINTS = (
    "search", "counts", "token", "search_all", "counts_all", "usage", "credits", "compliance", "upload",
    "download",
)  # fmt: skip


@dataclass(frozen=True)
class PlannedFault:
    """One planned fault.

    times: how often it strikes, None for ever. tag: with its #, any case, or None for any query.
    after_pages: how many matching requests it lets pass first. seconds: what a kind measures (a delay, the time
    to the rate limit's reset), None for the kind's default. Raises ValueError for values that make no sense.
    """

    kind: str
    times: int | None = 1
    tag: str | None = None
    after_pages: int = 0
    seconds: float | None = None
    endpoint: str = "search"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(KINDS)}")
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"unknown endpoint {self.endpoint!r}; known are {', '.join(ENDPOINTS)}")
        if self.kind in JOB_KINDS and self.endpoint != "compliance":
            raise ValueError(f"{self.kind} is for the endpoint compliance")
        if (self.times or 1) < 0 or self.after_pages < 0 or (self.seconds or 0) < 0:
            raise ValueError("times, after_pages and seconds can't be negative")

    def concerns(self, endpoint: str, tags: Collection[str]) -> bool:
        """Return whether a request to an endpoint, whose query names these casefolded tags, is meant."""
        return self.endpoint == endpoint and (self.tag is None or self.tag.lstrip("#").casefold() in tags)


@dataclass
class _PlannedFault:
    fault: PlannedFault
    struck: int = 0
    passed: int = 0

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times


class Faults:
    """The plan, in the order in which it was made. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[_PlannedFault] = []

    def plan(self, *faults: PlannedFault) -> None:
        """Add faults."""
        with self._lock:
            self._planned += [_PlannedFault(fault) for fault in faults]

    def clear(self) -> None:
        """Drop every fault."""
        with self._lock:
            self._planned.clear()

    def replace(self, *faults: PlannedFault) -> None:
        """Drop every fault and plan these."""
        self.clear()
        self.plan(*faults)

    def struck(self) -> list[tuple[PlannedFault, int]]:
        """Return the faults and how often each has struck, spent ones too."""
        with self._lock:
            return [(planned.fault, planned.struck) for planned in self._planned]

    def take(self, endpoint: str, tags: Collection[str], kinds: Collection[str]) -> PlannedFault | None:
        """Return the first fault of these kinds that strikes this request, or None, and count it."""
        with self._lock:
            for planned in self._planned:
                if planned.is_spent or planned.fault.kind not in kinds or not planned.fault.concerns(endpoint, tags):
                    continue
                if planned.passed >= planned.fault.after_pages:
                    planned.struck += 1
                    return planned.fault
                planned.passed += 1
        return None
