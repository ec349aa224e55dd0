"""/emulator/…: what a test reads from the emulator and sets in it. JSON, no credentials, over loopback only.

A GET shows the state of something; every other method changes it and then answers like the GET.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import NamedTuple

from emulator.api import Api
from emulator.faults.kinds import FAULT_KINDS
from emulator.faults.plan import PlannedFault
from emulator.http.messages import Call, EmulatorAnswer, Json, Problem, as_json, plain
from emulator.ledger import DaySales, dollars
from emulator.world import snowflake
from emulator.world.world import Removal

ROOT = "/emulator"
_FAULT_FIELDS = {field.name for field in fields(PlannedFault)}
_GREATEST = 10**10


class Request(NamedTuple):
    """A request that came. at: by the emulator's clock, UTC; status: that of the answer, even if it never arrived."""

    at: datetime
    method: str
    path: str
    params: Mapping[str, str]
    status: int


class Controls:
    """Answers calls below /emulator. requests: the newest requests to the API; appending to a deque is atomic."""

    def __init__(self, api: Api, requests: deque[Request]) -> None:
        self._api, self._state, self._requests = api, api.state, requests
        faults, removals, ledger = api.faults, api.state.removals, api.state.ledger
        self._show: dict[str, Callable[[], Json]] = {
            "": self._about,
            "/clock": self._clock,
            "/latency": lambda: {"seconds": self._state.settings.latency},
            "/ledger": self._ledger,
            "/usage": lambda: {"drift": self._state.usage_drift},
            "/credits": self._credits,
            "/faults": self._faults,
            "/removals": self._removals,
            "/limits": lambda: {},
            "/requests": self._recorded,
        }
        self._change: dict[tuple[str, str], Callable[[Call], None]] = {
            ("PUT", "/clock"): self._set_clock,
            ("DELETE", "/clock"): lambda _: self._state.clock.reset(),
            ("PUT", "/latency"): self._set_latency,
            ("DELETE", "/ledger"): lambda _: ledger.reset(),
            ("PUT", "/usage"): self._set_drift,
            ("DELETE", "/usage"): lambda _: setattr(self._state, "usage_drift", 0),
            ("PUT", "/credits"): self._set_credits,
            ("PUT", "/faults"): lambda call: faults.plan(*_planned_faults(call), replace=True),
            ("POST", "/faults"): lambda call: faults.plan(*_planned_faults(call)),
            ("DELETE", "/faults"): lambda _: faults.plan(replace=True),
            ("PUT", "/removals"): lambda call: removals.add(*self._removal(call), replace=True),
            ("POST", "/removals"): lambda call: removals.add(*self._removal(call)),
            ("DELETE", "/removals"): lambda _: removals.clear(),
            ("DELETE", "/limits"): lambda _: api.limits.reset(),
            ("DELETE", "/requests"): lambda _: requests.clear(),
        }
        self._known = sorted({("GET", path) for path in self._show if path != "/limits"} | self._change.keys())

    def answer(self, call: Call) -> EmulatorAnswer:
        """Apply a control; 403 for a caller who isn't on this machine."""
        if not call.local:
            return as_json(plain(403, "the controls are for this machine"), status=403)
        try:
            return as_json(self._apply(call, call.path.rstrip("/").removeprefix(ROOT)))
        except Problem as problem:
            return problem.answer
        except ValueError as reason:
            return as_json(plain(400, str(reason)), status=400)

    def _apply(self, call: Call, path: str) -> Json:
        if call.method == "GET" and path.startswith("/ledger/"):
            return self._post_sales(path.removeprefix("/ledger/"))
        if (call.method, path) not in self._known:
            allowed = [method for method, known in self._known if known == path]
            raise Problem(405, headers=(("Allow", ", ".join(allowed)),)) if allowed else Problem(404)
        if call.method != "GET":
            self._change[call.method, path](call)
        return self._show[path]()

    def _about(self) -> Json:
        settings = asdict(self._state.settings)
        return {
            "emulator": "a pretend X API v2; every tweet and author is invented",
            "seed": settings["seed"],
            "clock": self._clock(),
            "latency": {"seconds": settings["latency"]},
            "settings": {name: value for name, value in settings.items() if name not in ("now", "host", "port")},
            "controls": [f"{method} {ROOT}{path}" for method, path in self._known],
            "endpoints": {f"{one.method} {one.path}": {"name": one.name, "does": one.does} for one in self._api.endpoints},
            "faults": {kind.name: kind.does for kind in FAULT_KINDS.values()},
        }

    def _clock(self) -> Json:
        clock = self._state.clock
        return {"now": snowflake.rfc3339(clock.now_ms()), "held": clock.held}

    def _set_clock(self, call: Call) -> None:
        """Apply held: true, now, advance (seconds), held: false, in this order."""
        body, clock = _object_body(call, {"now", "advance", "held"}), self._state.clock
        now = body.get("now")
        at = None if now is None else snowflake.to_datetime(snowflake.parse_instant(str(now)))
        seconds = _number(body, "advance")
        if body.get("held") is True:
            clock.hold()
        if at is not None:
            clock.set(at)
        clock.advance(seconds or 0)
        if body.get("held") is False:
            clock.release()

    def _set_latency(self, call: Call) -> None:
        seconds = _number(_object_body(call, {"seconds"}), "seconds")
        if seconds is None or seconds < 0:
            raise ValueError("seconds must be a number of at least 0")
        self._state.settings.latency = seconds

    def _ledger(self) -> Json:
        ledger = self._state.ledger
        return {
            "days": {day: _day_json(sales) for day, sales in ledger.days().items()},
            "total": _day_json(ledger.total()),
            "twice": [{"id": str(post), "days": days} for post, days in ledger.twice().items()],
        }

    def _post_sales(self, text: str) -> Json:
        if not text.isdecimal():
            raise ValueError(f"{text!r} is no post id")
        days = self._state.ledger.times_served(int(text))
        return {"id": text, "billed": len(days), "days": days}

    def _set_drift(self, call: Call) -> None:
        posts = _number(_object_body(call, {"drift"}), "drift")
        if posts is None or posts != int(posts):
            raise ValueError("drift must be a whole number of posts")
        self._state.usage_drift = int(posts)

    def _credits(self) -> Json:
        return {"moved_usd": self._state.balance_moved / 1000, "charge_authors": self._state.settings.charge_authors}

    def _set_credits(self, call: Call) -> None:
        body, settings = _object_body(call, {"moved_usd", "charge_authors"}), self._state.settings
        moved, charge = _number(body, "moved_usd"), body.get("charge_authors", settings.charge_authors)
        if not isinstance(charge, bool):
            raise ValueError("charge_authors must be true or false")
        settings.charge_authors = charge
        if moved is not None:
            self._state.balance_moved = round(moved * 1000)

    def _faults(self) -> Json:
        planned = [
            {**asdict(fault), "struck": applied, "left": None if fault.times is None else fault.times - applied}
            for fault, applied in self._api.faults.counts()
        ]
        return {"faults": planned, "kinds": list(FAULT_KINDS)}

    def _removals(self) -> Json:
        removals = self._state.removals.all().items()
        return {
            "removals": [
                {"id": str(one), "reason": removal.reason, "redacted_at": snowflake.rfc3339(removal.at_ms)}
                for one, removal in removals
            ]
        }

    def _removal(self, call: Call) -> tuple[list[int], Removal]:
        body = _object_body(call, {"ids", "reason"})
        given = body.get("ids")
        texts = [str(one) for one in given] if isinstance(given, list) else []
        if not texts or not all(text.isascii() and text.isdigit() and len(text) <= 19 for text in texts):
            raise ValueError("ids must be a list of post ids")
        return [int(text) for text in texts], Removal(str(body.get("reason", "deleted")), self._state.clock.now_ms())

    def _recorded(self) -> Json:
        requests = list(self._requests)
        return {"requests": [{**one._asdict(), "at": snowflake.rfc3339(snowflake.to_ms(one.at))} for one in requests]}


def _day_json(sales: DaySales) -> Json:
    return {**sales._asdict(), "floor_usd": dollars(sales.floor), "ceiling_usd": dollars(sales.ceiling)}


def _json_body(call: Call) -> object:
    try:
        return json.loads(call.body)
    except ValueError as reason:
        raise ValueError(f"the body is no JSON: {reason}") from reason


def _object_body(call: Call, known: set[str]) -> Json:
    body = _json_body(call)
    if not isinstance(body, dict) or not body.keys() <= known:
        raise ValueError(f"the body must be an object with {', '.join(sorted(known))}")
    return body


def _number(body: Json, name: str) -> float | None:
    """Return a number of a body, None if it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    if not abs(value) <= _GREATEST:
        raise ValueError(f"{name} is too great")
    return value


def _planned_faults(call: Call) -> list[PlannedFault]:
    """Return the faults of a body: one, a list, or {"faults": list}."""
    body = _json_body(call)
    given = body.get("faults") if isinstance(body, dict) and "faults" in body else body
    return [_planned_fault(one) for one in (given if isinstance(given, list) else [given])]


def _planned_fault(given: object) -> PlannedFault:
    if not isinstance(given, dict) or "kind" not in given or not given.keys() <= _FAULT_FIELDS:
        raise ValueError(f"a fault is an object with kind and perhaps {', '.join(sorted(_FAULT_FIELDS - {'kind'}))}")
    for name in ("times", "after_pages", "seconds"):
        _number(given, name)
    if any(not isinstance(given.get(name, ""), str | None) for name in ("kind", "tag", "endpoint")):
        raise ValueError("kind, tag and endpoint are texts")
    return PlannedFault(**given)
