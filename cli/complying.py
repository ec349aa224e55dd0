"""`python api.py --comply`: asks X which stored tweets must go, and removes them."""

from __future__ import annotations

import signal
import threading

from cli.saying import say
from collector.jobs.scheduled import ScheduledJobs


def see_to_compliance(chores: ScheduledJobs) -> int:
    """Run X's compliance jobs to their end, or until SIGINT or SIGTERM, and return the exit code.

    The next time goes on with what was begun. Raises SourceRefused, XFailure, DatabaseUnavailable.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    done = chores.comply(stop)
    say(f"{done.ids} ids asked, {done.removed} tweets removed, {done.scrubbed} locations removed")
    if done.waiting or stop.is_set():
        say("X is not done yet: the next time goes on with this job" if done.waiting else "broken off: the next time goes on")
        return 1
    return 0
