"""Metrics of several worker processes, by prometheus_client's multiprocess mode: files in a folder, one set for each process.

prometheus_client maps its files into memory and lets them grow, which kills the process by SIGBUS on a full disk. Here all the
space is allocated at start, in slots. A worker owns a slot until it ends, and the next worker in that slot continues its
counts, so replaced workers need no further space.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

VARIABLE, SLOT = "PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_MULTIPROC_SLOT"
KB = 1024
LIVE_GAUGES = ("gauge_livesum", "gauge_livemax")
SIZES = {"histogram": 1024 * KB, **dict.fromkeys(("counter", *LIVE_GAUGES, "gauge_max"), 64 * KB)}
"""The files of a slot, in bytes: more than MOST_LABELS of telemetry/metrics.py need."""


def is_shared() -> bool:
    """Whether this process shares its metrics with others."""
    return VARIABLE in os.environ


def share(folder: Path, workers: int) -> None:
    """Set up slots for so many workers, and as many that replace them while they end. Raises OSError if there is no space.

    prometheus_client must not have been imported yet: it reads the variable then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for slot in range(2 * workers):
        _allocate(folder, slot)
    os.environ[VARIABLE] = str(folder)


def take_slot() -> None:
    """Take a free slot, as a worker that starts, before it creates metrics. Raises OSError if there is no space for one."""
    from prometheus_client import values

    folder = Path(os.environ[VARIABLE])
    with _lock(folder):
        _reset_gauges_of_free_slots(folder)
        slot = next(number for number in count() if _own(folder, number) is not None)
        _allocate(folder, slot)
    os.environ[SLOT] = str(slot)
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


def remove_folder() -> None:
    """Remove the folder, as the process that called `share`."""
    if is_shared():
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


def inherited_metrics() -> Iterable[Any]:
    """The metrics that earlier owners left in the slot of this process, if it has one."""
    from prometheus_client.multiprocess import MultiProcessCollector

    if SLOT not in os.environ:
        return []
    files = Path(os.environ[VARIABLE]).glob(f"*_{os.environ[SLOT]}.db")
    return list(MultiProcessCollector.merge(map(str, files)))  # type: ignore[no-untyped-call]


class SharedMetrics:
    """A collector of the metrics of all processes."""

    def collect(self) -> Iterable[Any]:
        from prometheus_client.multiprocess import MultiProcessCollector

        folder = Path(os.environ[VARIABLE])
        with _lock(folder):
            _reset_gauges_of_free_slots(folder)
            return list(MultiProcessCollector(None, str(folder)).collect())  # type: ignore[no-untyped-call]


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _own(folder: Path, slot: int) -> int | None:
    """Lock a slot and return the descriptor that holds the lock until it is closed or the process ends; None if it is taken."""
    descriptor = os.open(folder / f"slot_{slot}", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _allocate(folder: Path, slot: int) -> None:
    """Create the files of a slot, or keep those that exist, with all their blocks. Raises OSError if there is no space."""
    (folder / f"slot_{slot}").touch()
    for kind, size in SIZES.items():
        with (folder / f"{kind}_{slot}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def _reset_gauges_of_free_slots(folder: Path) -> None:
    """Make the live gauges of processes that ended empty: they would count until their slot is taken again."""
    for path in folder.glob("slot_*"):
        slot = int(path.name.removeprefix("slot_"))
        descriptor = _own(folder, slot)
        if descriptor is not None:
            for kind in LIVE_GAUGES:
                with (folder / f"{kind}_{slot}.db").open("r+b") as file:
                    file.write(bytes(SIZES[kind]))  # a file of zeros is a new one
            os.close(descriptor)
