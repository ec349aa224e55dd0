"""Programs that run while pictures are taken. Each that is started here is stopped by its process id, whatever happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT_S = 120
PAUSE_S = 0.05
STOPPING_S = 30
ANSWER_S = 30

Settings = Mapping[str, str]


def until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition is true; raises TimeoutError, which says what did not happen."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LONGEST_WAIT_S} s: {what}")
        time.sleep(PAUSE_S)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def done(command: Sequence[str], folder: Path, settings: Settings) -> None:
    """Run one of the project's Python commands to its end; raises CalledProcessError, with what it said in its notes."""
    arguments = [sys.executable, *command]
    ended = subprocess.run(arguments, cwd=ROOT, env=_environment(folder, settings), capture_output=True, text=True, check=False)
    if ended.returncode:
        error = subprocess.CalledProcessError(ended.returncode, arguments)
        error.add_note(ended.stderr)
        raise error


@contextmanager
def service(folder: Path, settings: Settings) -> Iterator[str]:
    """Run `python app.py` until the block ends, and give its URL."""
    url = f"http://127.0.0.1:{settings['PORT']}"
    with program([sys.executable, "app.py"], ROOT, f"{url}/livez", _environment(folder, settings), folder / "service.log"):
        yield url


@contextmanager
def program(command: Sequence[str], folder: Path, ready: str, settings: Settings, log: Path) -> Iterator[None]:
    """Run a program until the block ends; the block begins when the URL `ready` answers."""
    with log.open("w") as output:
        started = subprocess.Popen(command, cwd=folder, env=settings, stdout=output, stderr=output)
    try:
        until(lambda: started.poll() is not None or answers(ready), f"{ready} answers")
        if started.poll() is not None:
            raise ChildProcessError(log.read_text())
        yield
    finally:
        _stop(started)


def answers(url: str) -> bool:
    """Whether a URL answers, and not with an error."""
    try:
        return requests.get(url, timeout=ANSWER_S).ok
    except requests.ConnectionError:
        return False


def chores_done(url: str) -> bool:
    """Whether the service at a URL has done each of its chores."""
    chores = requests.get(f"{url}/readyz", timeout=ANSWER_S).json()["chores"]
    return bool(chores) and all(chore["succeeded"] for chore in chores.values())


def _stop(started: subprocess.Popen[bytes]) -> None:
    started.terminate()
    try:
        started.wait(STOPPING_S)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def _environment(folder: Path, settings: Settings) -> dict[str, str]:
    """Return these settings and no others of who runs the script; the empty home keeps their configuration out."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
