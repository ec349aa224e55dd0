"""Faults planned for coming requests."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from emulator.faults.kinds import FAULT_KINDS, FaultKind

ANY_ENDPOINT = "any"


@dataclass(frozen=True)
class PlannedFault:
    """One planned fault.

    times: how often it applies, None for ever. tag: with its #, any case, or None for any query.
    after_pages: how many matching requests it lets pass first. seconds: what a kind measures (a delay, the time
    to the rate limit's reset), None for the kind's default. endpoint: its name, or ANY_ENDPOINT. Raises ValueError for
    values that make no sense.
    """

    kind: str
    times: int | None = 1
    tag: str | None = None
    after_pages: int = 0
    seconds: float | None = None
    endpoint: str = "search"

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(FAULT_KINDS)}")
        if self.endpoint not in (self.effect.endpoints or (self.endpoint,)):
            raise ValueError(f"{self.kind} is for the endpoint {' or '.join(self.effect.endpoints)}")
        if (self.times or 1) < 0 or self.after_pages < 0 or (self.seconds or 0) < 0:
            raise ValueError("times, after_pages and seconds can't be negative")

    @property
    def effect(self) -> FaultKind:
        """What the fault does."""
        return FAULT_KINDS[self.kind]

    def matches(self, endpoint: str, method: str, tags: Collection[str]) -> bool:
        """Return whether it applies to a request whose query names these casefolded tags."""
        concerned = self.endpoint in (ANY_ENDPOINT, endpoint) and self.effect.method in (None, method)
        return concerned and (self.tag is None or self.tag.lstrip("#").casefold() in tags)


@dataclass
class _FaultCount:
    fault: PlannedFault
    applied: int = 0
    passed: int = 0


class FaultPlan:
    """The planned faults, in the order of planning. Safe to use from several threads."""

    def __init__(self, endpoints: Collection[str]) -> None:
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._counts: list[_FaultCount] = []

    def plan(self, *faults: PlannedFault, replace: bool = False) -> None:
        """Add faults, or replace all by them. Raises ValueError for an unknown endpoint."""
        for fault in faults:
            if fault.endpoint not in (ANY_ENDPOINT, *self._endpoints):
                raise ValueError(f"unknown endpoint {fault.endpoint!r}; known are {', '.join(self._endpoints)}")
        with self._lock:
            self._counts = [*([] if replace else self._counts), *map(_FaultCount, faults)]

    def counts(self) -> list[tuple[PlannedFault, int]]:
        """Return the faults and how often each was applied, also those that won't be again."""
        with self._lock:
            return [(count.fault, count.applied) for count in self._counts]

    def take(self, endpoint: str, method: str, tags: Collection[str]) -> PlannedFault | None:
        """Return the first fault that applies to this request and count it, or None."""
        with self._lock:
            for count in self._counts:
                spent = count.fault.times is not None and count.applied >= count.fault.times
                if spent or not count.fault.matches(endpoint, method, tags):
                    continue
                if count.passed >= count.fault.after_pages:
                    count.applied += 1
                    return count.fault
                count.passed += 1
        return None
