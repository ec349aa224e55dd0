"""Fuzzes the import for FUZZ_SECONDS (600) with Hypothesis: `make fuzz`. FUZZ_SEED names a run that is to be done again.

Each file is read by a process of its own kind, so that a crash, a hang and the growth of its memory are all seen from outside.
A file that is not read as it must be is kept as fuzz-failure, as small as Hypothesis can make it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.fixtures.environment import ROOT
from tests.reliability.inputs import files, variant

LONGEST_S, STARTS_WITHIN_S = 20.0, 60.0
MOST_GROWTH_MB = 64
WARM_UP = 0.2
VARIANTS = 20
STORED_EACH = 80
EXAMPLES = 100
ENDLESS = settings(database=None, deadline=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
IN_MEMORY = Path("/dev/shm")
LEAN = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}


class Failed(Exception):
    """A file was not read as it must be; its text says how."""


class Unending(BaseException):
    """A file is not read in time, or memory grows: nothing that Hypothesis can make smaller."""


class Report(NamedTuple):
    """What a run did; memory in MB, after warming up and at the end, when it was most."""

    seconds: float
    files: int
    bytes: int
    stored: int
    tweets: int
    refused: int
    warm_mb: int
    last_mb: int
    most_mb: int
    fault: str | None = None

    def __str__(self) -> str:
        told = f"{self.files} files of {self.bytes / 2**20:.0f} MB in {self.seconds:.0f} s, {self.stored} of them stored whole"
        read = f"{self.tweets} tweets read, {self.refused} refused"
        return f"{told}; {read}; memory {self.warm_mb} MB warm, {self.last_mb} MB at the end, {self.most_mb} MB at most"


class Import:
    """The process that imports; it is begun anew after it has failed."""

    def __init__(self, folder: Path, planted: str | None) -> None:
        script = str(ROOT / "tests/reliability/fuzzed.py")
        self._command = [sys.executable, script, str(folder), *([planted] if planted else [])]
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, kind: bytes, file: bytes) -> dict[str, Any]:
        """Return what it says of a file; raises Failed, Unending."""
        process = self._running()
        assert process.stdin
        try:
            process.stdin.write(kind + len(file).to_bytes(8, "big") + file)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died, and is asked why below
        answer = self._told(process, LONGEST_S)
        if "fault" in answer:
            self.end()
            raise Failed(answer["fault"])
        return answer

    def memory(self) -> int:
        """Return the MB that are in memory."""
        pages = int(Path(f"/proc/{self._running().pid}/statm").read_text().split()[1])
        return pages * PAGE_BYTES // 2**20

    def _told(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        assert process.stdout
        if not select.select([process.stdout], [], [], seconds)[0]:
            self.end()
            raise Unending(f"hang: a file takes longer than {seconds:g} s")
        told = process.stdout.readline()
        if not told:
            code = process.wait()
            self.end()
            raise Failed(f"crash: the process ended with {code}")
        answer: dict[str, Any] = json.loads(told)
        return answer

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(self._command, cwd=ROOT, env={**os.environ, **LEAN}, **pipes)  # type: ignore[call-overload]
            self._told(self._process, STARTS_WITHIN_S)
        return self._process


class Fuzzer:
    """A run of so many seconds, and of at least so many files; what fails is kept in the file `kept`."""

    def __init__(self, seconds: float, *, number: int, kept: Path, planted: str | None = None, least: int = 0) -> None:
        self._seconds, self._seed, self._kept, self._planted = seconds, number, kept, planted
        self._files = self._bytes = self._stored = self._tweets = self._refused = 0
        self._memory: list[tuple[float, int]] = []
        self._fault: str | None = None
        self._began, self._least = time.monotonic(), least

    def run(self) -> Report:
        """Fuzz, and return what came of it."""
        with TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.exists() else None) as folder:
            self._import = Import(Path(folder), self._planted)
            try:
                turn = 0
                while not self._over():
                    self._turn(self._seed + turn)
                    turn += 1
            except Unending as error:
                self._fault = str(error)
            except (Failed, HypothesisException):
                pass  # it has been noted
            finally:
                self._import.end()
        warm, last = self._warm(), self._memory[-1][1] if self._memory else 0
        most = max((megabytes for _, megabytes in self._memory), default=0)
        counts = (self._files, self._bytes, self._stored, self._tweets, self._refused)
        return Report(time.monotonic() - self._began, *counts, warm, last, most, self._fault)

    def _turn(self, number: int) -> None:
        """Try some hundred files."""

        @seed(number)
        @settings(ENDLESS, max_examples=EXAMPLES)
        @given(files(), st.integers(0, 2**32))
        def read(file: bytes, number: int) -> None:
            random = Random(number)
            for one in [file, *(variant(file, random) for _ in range(VARIANTS))]:
                if not self._over():
                    self._read(one)

        read()

    def _read(self, file: bytes) -> None:
        self._files += 1
        self._bytes += len(file)
        kind = b"i" if self._files % STORED_EACH == 0 or self._kept.exists() else b"r"
        try:
            told = self._import.read(kind, file)
        except (Failed, Unending) as error:
            self._fault = str(error)
            if not self._kept.exists() or len(file) <= self._kept.stat().st_size:
                self._kept.write_bytes(file)
            raise
        self._stored += kind == b"i"
        self._tweets += told["tweets"]
        self._refused += told["refused"]
        if self._files % 200 == 0:
            self._watch()

    def _watch(self) -> None:
        self._memory.append((time.monotonic() - self._began, self._import.memory()))
        if self._is_warm() and (grown := self._lately() - self._warm()) > MOST_GROWTH_MB:
            raise Unending(f"leak: {grown} MB more in memory than after warming up")

    def _is_warm(self) -> bool:
        return time.monotonic() - self._began > WARM_UP * self._seconds

    def _warm(self) -> int:
        """Return how much memory was used at the end of warming up: the least of the last few measurements."""
        early = [megabytes for when, megabytes in self._memory if when <= WARM_UP * self._seconds]
        return max((early or [megabytes for _, megabytes in self._memory[:1]])[-5:], default=0)

    def _lately(self) -> int:
        """Return the least of the last measurements: a large file takes memory for a moment."""
        return min(megabytes for _, megabytes in self._memory[-5:])

    def _over(self) -> bool:
        enough = self._files >= self._least and time.monotonic() - self._began > self._seconds
        return enough and not self._kept.exists()


def main() -> int:
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    number = int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 10**9)))
    kept = ROOT / "fuzz-failure"
    kept.unlink(missing_ok=True)
    print(f"seed {number}, {seconds:g} s: FUZZ_SEED and FUZZ_SECONDS choose others", flush=True)
    report = Fuzzer(seconds, number=number, kept=kept).run()
    print(report)
    if report.fault:
        print(f"{report.fault}\nthe file is kept as {kept.name}")
    return 1 if report.fault else 0


if __name__ == "__main__":
    sys.exit(main())
