"""/emulator/…: what a test asks of the emulator and sets in it. JSON, no credentials, over loopback only."""

from __future__ import annotations

from dataclasses import asdict

from emulator.billing.books import Books
from emulator.controls.meddling import FaultControls
from emulator.controls.orders import ROOT, Controls, Order
from emulator.controls.timing import Timing
from emulator.http import problems
from emulator.http.answer import Call, EmulatorAnswer, Problem, as_json
from emulator.http.api import Api
from emulator.http.requested import Requests
from emulator.world import snowflake


class Control:
    """Answers calls below /emulator."""

    def __init__(self, api: Api, requests: Requests) -> None:
        self._api = api
        self._requests = requests
        self._timing = Timing(api)
        self._books = Books(api.ledger, api.usage, api.credits)
        self._routes: Controls = {
            ("GET", ROOT): self._about,
            ("DELETE", f"{ROOT}/limits"): self._reset_limits,
            ("GET", f"{ROOT}/requests"): self._list_requests,
            ("DELETE", f"{ROOT}/requests"): self._forget,
            **self._timing.routes(),
            **self._books.routes(),
            **FaultControls(api.faults, api.removals, api.clock).routes(),
        }

    def answer(self, call: Call) -> EmulatorAnswer:
        """Return the answer; 403 for a caller who isn't on this machine."""
        if not call.local:
            return as_json(problems.plain(403, "Forbidden", "the controls are for this machine"), status=403)
        try:
            return as_json(self._route(call)(call))
        except Problem as problem:
            return problem.answer
        except ValueError as reason:
            return as_json(problems.plain(400, "Bad Request", str(reason)), status=400)

    def _route(self, call: Call) -> Order:
        path = call.path.rstrip("/")
        if call.method == "GET" and path.startswith(f"{ROOT}/ledger/"):
            return self._books.sales
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
            "clock": self._timing.clock(call),
            "latency": self._timing.latency(call),
            "settings": {name: value for name, value in settings.items() if name not in ("now", "host", "port")},
            "controls": sorted(f"{method} {path}" for method, path in self._routes),
        }

    def _reset_limits(self, call: Call) -> object:
        self._api.limits.reset()
        return {}

    def _list_requests(self, call: Call) -> object:
        requests = self._requests.all()
        return {"requests": [{**one._asdict(), "at": snowflake.rfc3339(snowflake.to_ms(one.at))} for one in requests]}

    def _forget(self, call: Call) -> object:
        self._requests.clear()
        return {"requests": []}
