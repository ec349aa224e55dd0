"""The controls of time: the clock and the latency."""

from __future__ import annotations

from emulator.controls.orders import ROOT, Controls, number, object_body
from emulator.http.answer import Call
from emulator.http.api import Api
from emulator.world import snowflake


class Timing:
    """Shows and sets the clock and the latency."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def routes(self) -> Controls:
        """Return the controls."""
        return {
            ("GET", f"{ROOT}/clock"): self.clock,
            ("PUT", f"{ROOT}/clock"): self._set_clock,
            ("DELETE", f"{ROOT}/clock"): self._reset_clock,
            ("GET", f"{ROOT}/latency"): self.latency,
            ("PUT", f"{ROOT}/latency"): self._set_latency,
        }

    def clock(self, call: Call) -> object:
        """Return where the clock is."""
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
        return self.clock(call)

    def _reset_clock(self, call: Call) -> object:
        self._api.clock.reset()
        return self.clock(call)

    def latency(self, call: Call) -> object:
        """Return the seconds before each answer."""
        return {"seconds": self._api.latency}

    def _set_latency(self, call: Call) -> object:
        seconds = number(object_body(call, {"seconds"}), "seconds")
        if seconds is None or seconds < 0:
            raise ValueError("seconds must be a number of at least 0")
        self._api.latency = seconds
        return self.latency(call)
