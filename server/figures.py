"""The folder in which the workers share the figures of their metrics."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shared_figures() -> Iterator[None]:
    """Give the workers an empty folder. prometheus_client looks for it at its import, so nobody may import that earlier."""
    parent, folder = os.getpid(), tempfile.mkdtemp(prefix="twitterapi-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == parent:
            shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int) -> None:
    """Drop the gauges of a worker that is gone."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
