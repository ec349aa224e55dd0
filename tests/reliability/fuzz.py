"""Fuzzes the import for FUZZ_SECONDS (600) with Hypothesis: `make fuzz`. FUZZ_SEED names a run that is to be done again.

Each file is read by another process, so that a crash, a hang and the growth of its memory are all seen from outside.
A file that is not read as it must be is kept as fuzz-failure, as small as Hypothesis can make it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.fixtures.environment import ROOT
from tests.reliability.inputs import files, variant

LONGEST_S, STARTS_WITHIN_S = 20.0, 60.0
MOST_GROWTH_MB = 64
WARM_UP = 0.2
VARIANTS, STORED_EACH, MEASURED_EACH = 20, 80, 200
ENDLESS = settings(
    database=None,
    deadline=None,
    max_examples=100,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LEAN = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}


class Failed(Exception):
    """A file was not read as it must be; its text says how."""


class Unending(BaseException):
    """A file is not read in time, or memory grows: nothing that Hypothesis can make smaller."""


class Import:
    """The process that imports; it is begun anew after it has failed."""

    def __init__(self, folder: str, *arguments: str) -> None:
        self._command = [sys.executable, str(ROOT / "tests/reliability/fuzzed.py"), folder, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, kind: bytes, file: bytes) -> dict[str, Any]:
        """Return what it says of a file; raises Failed, Unending."""
        process = self._running()
        assert process.stdin
        with suppress(BrokenPipeError):  # it has died, and is asked why below
            process.stdin.write(kind + len(file).to_bytes(8, "big") + file)
            process.stdin.flush()
        answer = self._told(process, LONGEST_S)
        if "fault" in answer:
            self.end()
            raise Failed(answer["fault"])
        return answer

    def memory(self) -> int:
        """Return the MB that are in memory."""
        pages = int(Path(f"/proc/{self._running().pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    def _told(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        assert process.stdout
        if not select.select([process.stdout], [], [], seconds)[0]:
            self.end()
            raise Unending(f"hang: a file takes longer than {seconds:g} s")
        if not (told := process.stdout.readline()):
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
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env={**os.environ, **LEAN}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._told(self._process, STARTS_WITHIN_S)
        return self._process


class Fuzzer:
    """A run of so many seconds and at least so many files. `fault` is what was wrong, with the file that is kept as `kept`."""

    def __init__(self, seconds: float, *, number: int, kept: Path, least: int = 0) -> None:
        self._seconds, self._seed, self._kept, self._least = seconds, number, kept, least
        self.seen: Counter[str] = Counter()
        self.fault: str | None = None
        self._memory, self._warm = list[int](), 0
        self._began = time.monotonic()

    def run(self, *planted: str) -> None:
        with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").exists() else None) as folder:
            self._import = Import(folder, *planted)
            try:
                while not self._over():
                    self._turn()
                    self._seed += 1
            except Unending as error:
                self.fault = str(error)
            except (Failed, HypothesisException):
                pass  # it has been noted
            finally:
                self._import.end()

    def __str__(self) -> str:
        seen, memory = self.seen, self._memory or [0]
        told = f"{seen['files']} files of {seen['bytes'] / 2**20:.0f} MB in {time.monotonic() - self._began:.0f} s"
        read = f"{seen['stored']} of them stored whole; {seen['tweets']} tweets read, {seen['refused']} refused"
        return f"{told}, {read}; memory {self._warm} MB warm, {memory[-1]} MB at the end, {max(memory)} MB at most"

    def _turn(self) -> None:
        """Try some files and variants of each."""

        @seed(self._seed)
        @ENDLESS
        @given(files(), st.integers(0, 2**32))
        def read(file: bytes, number: int) -> None:
            random = Random(number)
            for one in [file, *(variant(file, random) for _ in range(VARIANTS))]:
                if not self._over():
                    self._read(one)

        read()

    def _read(self, file: bytes) -> None:
        self.seen.update(files=1, bytes=len(file))
        kind = b"i" if self.seen["files"] % STORED_EACH == 0 or self._kept.exists() else b"r"
        try:
            told = self._import.read(kind, file)
        except (Failed, Unending) as error:
            self.fault = str(error)
            if not self._kept.exists() or len(file) <= self._kept.stat().st_size:
                self._kept.write_bytes(file)
            raise
        self.seen.update(told, stored=int(kind == b"i"))
        if self.seen["files"] % MEASURED_EACH == 0:
            self._measure()

    def _measure(self) -> None:
        """Hold that memory doesn't grow after warming up; the least of a few, for a large file takes memory for a moment."""
        self._memory.append(self._import.memory())
        if not self._warm or time.monotonic() - self._began < WARM_UP * self._seconds:
            self._warm = max(self._memory[-5:])
        elif (grown := min(self._memory[-5:]) - self._warm) > MOST_GROWTH_MB:
            raise Unending(f"leak: {grown} MB more in memory than after warming up")

    def _over(self) -> bool:
        enough = self.seen["files"] >= self._least and time.monotonic() - self._began > self._seconds
        return enough and not self._kept.exists()


def main() -> int:
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    number = int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 10**9)))
    kept = ROOT / "fuzz-failure"
    kept.unlink(missing_ok=True)
    print(f"seed {number}, {seconds:g} s: FUZZ_SEED and FUZZ_SECONDS choose others", flush=True)
    fuzzer = Fuzzer(seconds, number=number, kept=kept)
    fuzzer.run()
    print(fuzzer)
    if fuzzer.fault:
        print(f"{fuzzer.fault}\nthe file is kept as {kept.name}")
    return 1 if fuzzer.fault else 0


if __name__ == "__main__":
    sys.exit(main())
