"""/emulator/…: what a test asks of the emulator and sets in it. JSON, no credentials, over loopback only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from emulator import problems, snowflake
from emulator.answer import Answer, Call, Problem, as_json
from emulator.api import Api
from emulator.faults import KINDS
from emulator.ledger import Day, dollars
from emulator.orders import Body, number, object_body, planned_faults
from emulator.requested import Requests

ROOT = "/emulator"


class Control:
    """Answers calls below /emulator."""

    def __init__(self, api: Api, requests: Requests) -> None:
        self._api = api
        self._requests = requests
        self._routes: dict[tuple[str, str], Callable[[Call], object]] = {
            ("GET", ROOT): self._about,
            ("GET", f"{ROOT}/ledger"): self._ledger,
            ("DELETE", f"{ROOT}/ledger"): self._reset_ledger,
            ("GET", f"{ROOT}/clock"): self._clock,
            ("PUT", f"{ROOT}/clock"): self._set_clock,
            ("DELETE", f"{ROOT}/clock"): self._reset_clock,
            ("GET", f"{ROOT}/latency"): self._latency,
            ("PUT", f"{ROOT}/latency"): self._set_latency,
            ("GET", f"{ROOT}/faults"): self._faults,
            ("PUT", f"{ROOT}/faults"): self._set_faults,
            ("POST", f"{ROOT}/faults"): self._add_faults,
            ("DELETE", f"{ROOT}/faults"): self._clear_faults,
            ("DELETE", f"{ROOT}/limits"): self._reset_limits,
            ("GET", f"{ROOT}/requests"): self._seen,
            ("DELETE", f"{ROOT}/requests"): self._forget,
        }

    def answer(self, call: Call) -> Answer:
        """Return the answer; 403 for a caller who isn't on this machine."""
        if not call.local:
            return as_json(problems.plain(403, "Forbidden", "the controls are for this machine"), status=403)
        try:
            return as_json(self._route(call)(call))
        except Problem as problem:
            return problem.answer
        except ValueError as reason:
            return as_json(problems.plain(400, "Bad Request", str(reason)), status=400)

    def _route(self, call: Call) -> Callable[[Call], object]:
        path = call.path.rstrip("/")
        if call.method == "GET" and path.startswith(f"{ROOT}/ledger/"):
            return self._sales
        if (call.method, path) in self._routes:
            return self._routes[call.method, path]
        allowed = sorted(method for method, known in self._routes if known == path)
        if allowed:
            raise Problem(405, problems.plain(405, "Method Not Allowed"), (("Allow", ", ".join(allowed)),))
        raise Problem(404, problems.plain(404, "Not Found"))

    def _about(self, call: Call) -> object:
        settings = asdict(self._api.settings)
        return {
            "emulator": "a pretend X API v2; every tweet and person is invented",
            "seed": settings["seed"],
            "clock": self._clock(call),
            "latency": self._latency(call),
            "settings": {name: value for name, value in settings.items() if name not in ("now", "host", "port")},
            "controls": sorted(f"{method} {path}" for method, path in self._routes),
        }

    def _ledger(self, call: Call) -> object:
        ledger = self._api.ledger
        return {
            "days": {day: _day(sales) for day, sales in ledger.days().items()},
            "total": _day(ledger.total()),
            "twice": [{"id": str(post), "days": days} for post, days in ledger.twice().items()],
        }

    def _sales(self, call: Call) -> object:
        text = call.path.rstrip("/").rsplit("/", 1)[1]
        if not text.isdecimal():
            raise ValueError(f"{text!r} is no post id")
        sales = self._api.ledger.post(int(text))
        return {"id": text, "billed": len(sales), "days": {sale.day: sale.served for sale in sales}}

    def _reset_ledger(self, call: Call) -> object:
        self._api.ledger.reset()
        return self._ledger(call)

    def _clock(self, call: Call) -> object:
        clock = self._api.clock
        return {"now": snowflake.rfc3339(clock.now_ms()), "held": clock.held}

    def _set_clock(self, call: Call) -> object:
        """Apply held: true, now, advance (seconds), held: false, in this order."""
        body, clock = object_body(call, {"now", "advance", "held"}), self._api.clock
        now = body.get("now")
        at = None if now is None else snowflake.to_datetime(snowflake.parse_instant(str(now)))
        seconds = number(body, "advance")
        if body.get("held") is True:
            clock.hold()
        if at is not None:
            clock.set(at)
        clock.advance(seconds or 0)
        if body.get("held") is False:
            clock.release()
        return self._clock(call)

    def _reset_clock(self, call: Call) -> object:
        self._api.clock.reset()
        return self._clock(call)

    def _latency(self, call: Call) -> object:
        return {"seconds": self._api.latency}

    def _set_latency(self, call: Call) -> object:
        seconds = number(object_body(call, {"seconds"}), "seconds")
        if seconds is None or seconds < 0:
            raise ValueError("seconds must be a number of at least 0")
        self._api.latency = seconds
        return self._latency(call)

    def _faults(self, call: Call) -> object:
        planned = [
            {**asdict(fault), "struck": struck, "left": None if fault.times is None else fault.times - struck}
            for fault, struck in self._api.faults.struck()
        ]
        return {"faults": planned, "kinds": KINDS}

    def _set_faults(self, call: Call) -> object:
        self._api.faults.replace(*planned_faults(call))
        return self._faults(call)

    def _add_faults(self, call: Call) -> object:
        self._api.faults.plan(*planned_faults(call))
        return self._faults(call)

    def _clear_faults(self, call: Call) -> object:
        self._api.faults.clear()
        return self._faults(call)

    def _reset_limits(self, call: Call) -> object:
        self._api.limits.reset()
        return {}

    def _seen(self, call: Call) -> object:
        requests = self._requests.all()
        return {"requests": [{**one._asdict(), "at": snowflake.rfc3339(snowflake.to_ms(one.at))} for one in requests]}

    def _forget(self, call: Call) -> object:
        self._requests.clear()
        return {"requests": []}


def _day(sales: Day) -> Body:
    return {**sales._asdict(), "floor_usd": dollars(sales.floor), "ceiling_usd": dollars(sales.ceiling)}
