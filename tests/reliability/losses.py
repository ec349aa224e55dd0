"""Ways to lose the primary of a cluster. Each says what it did; when it is over, the cluster has three members again."""

from __future__ import annotations

import signal
import time

from tests.reliability.node import Node
from tests.reliability.replication import Servers

NOTICED_S = (0.0, 2.0, 4.0)
"""How long it takes until somebody promotes a standby, and how long a pause is: in turns."""
PAUSES_S = (3.0, 8.0, 14.0)
AWAY_S = 15.0
"""How long an old primary is away that lives on, so that each instance has missed it. What hasn't would go on reading from it:
that nobody can is for whoever promotes, who has to stop it."""
BOTH_S = 3.0
LOGS = 8


class Losses:
    """The ways, with what differs from time to time."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def kill(self, time_: int) -> str:
        """Kill the primary and promote who has received most."""
        self._servers.primary.kill()
        old = self._succeeded(after := NOTICED_S[time_ % len(NOTICED_S)])
        self._servers.build(old)
        return f"kill -9, promoted after {after:.0f} s"

    def pause(self, time_: int) -> str:
        """Pause the primary; nobody is promoted."""
        self._paused(self._servers.primary, seconds := PAUSES_S[time_ % len(PAUSES_S)])
        return f"paused for {seconds:.0f} s"

    def outlive(self, time_: int) -> str:
        """Pause the primary until a standby has taken over, and let it go on: for a while both believe that they are it."""
        self._servers.primary.send(signal.SIGSTOP)
        old = self._succeeded(after := NOTICED_S[time_ % len(NOTICED_S)])
        time.sleep(AWAY_S - after)
        old.send(signal.SIGCONT)
        self._two_primaries(old)
        return f"paused, promoted after {after:.0f} s, resumed; the next paused"

    def part(self, time_: int) -> str:
        """Cut the primary off until a standby has taken over; every other time it is back before it is stopped."""
        self._servers.primary.place.cut()
        old = self._succeeded(after := NOTICED_S[time_ % len(NOTICED_S)])
        if back := time_ % 2 == 1:
            time.sleep(AWAY_S - after)
            old.place.mend()
            self._two_primaries(old)
        else:
            time.sleep(BOTH_S)
            old.kill()
            old.place.mend()
            self._servers.build(old)
        return f"cut off, promoted after {after:.0f} s" + ", back; the next paused" * back

    def _succeeded(self, seconds: float) -> Node:
        """Promote a standby after so long and return the old primary."""
        time.sleep(seconds)
        return self._servers.promote(self._servers.farthest())

    def _paused(self, node: Node, seconds: float) -> None:
        node.send(signal.SIGSTOP)
        time.sleep(seconds)
        node.send(signal.SIGCONT)

    def _two_primaries(self, old: Node) -> None:
        """Let the old primary live on, further than the new one has come; then the new one is paused beside it."""
        time.sleep(BOTH_S)
        for _ in range(LOGS):
            old.asked("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'failover', 'on')")
        self._paused(self._servers.primary, PAUSES_S[2])
        old.kill()
        self._servers.build(old)
