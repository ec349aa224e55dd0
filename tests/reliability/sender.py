"""A process that sends what is due, and is killed: `sender.py DATABASE_URL NAME=URL…`, told on stdin what to do, a line each.

A line is JSON: the point at which the child that it forks is killed, and at which passing of it, or after how many milliseconds
it is killed from outside; and what time it is. It answers with the child's exit status. The parent opens nothing, so that
each child begins as a new process would, and is there at once.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from alchemy import open_database  # noqa: E402 (found through the line above)
from settings import Destination  # noqa: E402
from watches import sending  # noqa: E402
from watches.destinations import Destinations, check_destinations  # noqa: E402
from watches.messages import WatchMessage  # noqa: E402
from watches.sending import Sender  # noqa: E402

SENDER = Path(__file__)
POINTS: dict[str, tuple[Any, str]] = {
    "claimed": (Sender, "_claim"),  # on record, and not yet written
    "written": (WatchMessage, "__new__"),  # and not yet sent
    "answered": (Destinations, "send"),  # and not yet recorded
    "recording": (sending, "record_sent"),  # in the middle of the transaction
    "failing": (sending, "record_failure"),
    "recorded": (Sender, "_record"),
}


def kill_at(owner: Any, name: str, count: int) -> None:
    """Let this process kill itself when the function returns for the `count`th time."""
    work, calls = getattr(owner, name), itertools.count(1)

    def doomed(*args: Any, **kwargs: Any) -> Any:
        result = work(*args, **kwargs)
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, doomed)


def plain_words(session: Any, name: str, definition: Any, finding: Any, **_more: Any) -> WatchMessage:
    text = f"{name} {finding.tweets[0]}"
    return WatchMessage(text, text, text, text)


def send(url: str, destinations: list[Destination], order: dict[str, Any]) -> None:
    """Send what is due once."""
    if order["point"] in POINTS:
        kill_at(*POINTS[order["point"]], order["count"])
    now = datetime.fromisoformat(order["now"])
    sender = Sender(open_database(url), Destinations(destinations), plain_words, clock=lambda: now, round_s=60)
    sender.send_due(threading.Event())


def main(url: str, *named: str) -> None:
    destinations = [Destination(*one.split("=", 1)) for one in named]
    check_destinations(destinations)  # which imports Apprise
    for line in sys.stdin:
        order = json.loads(line)
        if not (child := os.fork()):
            send(url, destinations, order)
            os._exit(0)
        if order["after_ms"] is not None:
            time.sleep(order["after_ms"] / 1000)
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
