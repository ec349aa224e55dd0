"""The controls of what goes wrong: planned faults and removed posts."""

from __future__ import annotations

from dataclasses import asdict

from emulator.clock import Clock
from emulator.controls.orders import ROOT, Controls, ids, object_body, planned_faults
from emulator.faults.faults import KINDS, Faults
from emulator.http.answer import Call
from emulator.world import snowflake
from emulator.world.world import Removal, RemovedPosts


class FaultControls:
    """Plans, lists and drops faults; removes posts, lists them and brings them back."""

    def __init__(self, faults: Faults, removals: RemovedPosts, clock: Clock) -> None:
        self._planned = faults
        self._removals = removals
        self._clock = clock

    def routes(self) -> Controls:
        """Return the controls."""
        return {
            ("GET", f"{ROOT}/faults"): self._faults,
            ("PUT", f"{ROOT}/faults"): self._set_faults,
            ("POST", f"{ROOT}/faults"): self._add_faults,
            ("DELETE", f"{ROOT}/faults"): self._clear_faults,
            ("GET", f"{ROOT}/removals"): self._list_removals,
            ("PUT", f"{ROOT}/removals"): self._set_removals,
            ("POST", f"{ROOT}/removals"): self._remove,
            ("DELETE", f"{ROOT}/removals"): self._reinstate,
        }

    def _faults(self, call: Call) -> object:
        planned = [
            {**asdict(fault), "struck": struck, "left": None if fault.times is None else fault.times - struck}
            for fault, struck in self._planned.struck()
        ]
        return {"faults": planned, "kinds": KINDS}

    def _set_faults(self, call: Call) -> object:
        self._planned.replace(*planned_faults(call))
        return self._faults(call)

    def _add_faults(self, call: Call) -> object:
        self._planned.plan(*planned_faults(call))
        return self._faults(call)

    def _clear_faults(self, call: Call) -> object:
        self._planned.clear()
        return self._faults(call)

    def _list_removals(self, call: Call) -> object:
        removed = [
            {"id": str(one), "reason": removal.reason, "redacted_at": snowflake.rfc3339(removal.at_ms)}
            for one, removal in self._removals.all().items()
        ]
        return {"removals": removed}

    def _set_removals(self, call: Call) -> object:
        """Remove these and bring everything else back."""
        self._removals.add(*self._parse_removals(call), replace=True)
        return self._list_removals(call)

    def _remove(self, call: Call) -> object:
        self._removals.add(*self._parse_removals(call))
        return self._list_removals(call)

    def _parse_removals(self, call: Call) -> tuple[list[int], Removal]:
        body = object_body(call, {"ids", "reason"})
        return ids(body), Removal(str(body.get("reason", "deleted")), self._clock.now_ms())

    def _reinstate(self, call: Call) -> object:
        self._removals.clear()
        return self._list_removals(call)
