"""Metrics that several processes share: prometheus_client's files in a folder, one set for each process.

prometheus_client maps its files into memory and lets them grow where something is written: on a full disk that ends the process
by SIGBUS. Here all the space that is ever needed is taken at the start. A process that has ended leaves its counts in one set
for all of its kind, and its files to those that come after it, so that a thousand of them need no more room than one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
KB = 1024
SIZES = {"histogram": 1024 * KB, **dict.fromkeys(("counter", "gauge_livesum", "gauge_livemax", "gauge_max"), 64 * KB)}
"""The files of a process, in bytes: more than MOST_LABELS of telemetry/metrics.py need."""
ADDED_UP = ("counter", "histogram")
ENDED, SPARE = "ended", ".spare"


def is_shared() -> bool:
    """Tell whether this process shares its metrics with others."""
    return VARIABLE in os.environ


def share(folder: Path, processes: int) -> None:
    """Let so many processes share their metrics in a folder, emptied first. Raises OSError, also where there is no space.

    There is space for those that replace them as well, while they end.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for kind, size in SIZES.items():
        for number in range(2 * processes):
            _allocate(folder / f"{kind}_{number}{SPARE}", size)
    for kind in ADDED_UP:
        _allocate(folder / f"{kind}_{ENDED}.db", SIZES[kind])
    os.environ[VARIABLE] = str(folder)


def join() -> None:
    """Take part, as a process that begins. Raises OSError where more have begun than there is space for."""
    folder = Path(os.environ[VARIABLE])
    with _lock(folder, fcntl.LOCK_EX):
        _merge_ended(folder)
        for kind, size in SIZES.items():
            spare = next(folder.glob(f"{kind}_*{SPARE}"), folder / f"{kind}_{os.getpid()}{SPARE}")
            _allocate(spare, size)
            spare.rename(folder / f"{kind}_{os.getpid()}.db")


def leave() -> None:
    """Remove the folder, as the process that has called `share`."""
    if is_shared():
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


class SharedMetrics:
    """The metrics of all processes, as prometheus_client asks a collector for them."""

    def collect(self) -> Any:
        """Return the metrics."""
        from prometheus_client.multiprocess import MultiProcessCollector

        folder = Path(os.environ[VARIABLE])
        with _lock(folder, fcntl.LOCK_SH):
            return MultiProcessCollector(None, str(folder)).collect()  # type: ignore[no-untyped-call]


@contextmanager
def _lock(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, how)
        yield


def _allocate(path: Path, size: int) -> None:
    """Make a file whose blocks are all there, if it isn't one already. Raises OSError where there is no space."""
    with path.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _merge_ended(folder: Path) -> None:
    """Add the counts of processes that have ended to those of all before them, and leave their files empty."""
    from prometheus_client.mmap_dict import MmapedDict

    for kind in SIZES:
        for path in folder.glob(f"{kind}_[0-9]*.db"):
            if _is_alive(int(path.stem.rpartition("_")[2])):
                continue
            if kind in ADDED_UP:
                try:
                    _allocate(folder / f"{kind}_{ENDED}.db", _used_bytes(folder / f"{kind}_{ENDED}.db") + _used_bytes(path))
                except OSError:
                    continue  # it stays where it is, and counts there
                total = MmapedDict(str(folder / f"{kind}_{ENDED}.db"))  # type: ignore[no-untyped-call]
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
                    total.write_value(key, total.read_value(key)[0] + value, 0)  # type: ignore[no-untyped-call]
                total.close()  # type: ignore[no-untyped-call]
            _empty(path)


def _used_bytes(path: Path) -> int:
    """Return how many bytes of a file are used: it begins with that (prometheus_client/mmap_dict.py)."""
    with path.open("rb") as file:
        return int(struct.unpack("i", file.read(4))[0])


def _empty(path: Path) -> None:
    """Make a file a spare one."""
    with path.open("r+b") as file:
        file.write(bytes(8))
    path.rename(next(spare for number in count() if not (spare := path.with_suffix(f".{number}{SPARE}")).exists()))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
