"""A disk that loses power: a collection's writes and syncs, recorded by strace, and the files as they may be after a cut.

What was written but not synced may be there, be missing, or be torn at a sector. A new file may be missing until its folder was
synced. Sources: fsync(2); SQLite's "Atomic Commit", section 2.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from alchemy import DatabaseDamaged, open_database
from collector.verification import faults
from emulator import Emulator
from models import RunTag
from tests.fixtures.environment import ROOT, environment
from tests.reliability.judge import BILLING
from tests.reliability.victim import VICTIM

CUTS = 60
SEED = int(os.environ.get("POWERCUT_SEED", "20261124"))
pytestmark = [
    pytest.mark.reliability,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: apt-get install strace"),
]
SECTOR = 512
TRACED = "trace=openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat"
AT_ONCE = ("write", "pwrite64", "ftruncate")
SYNCS = ("fsync", "fdatasync")
LINE = re.compile(r"^(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>(?P<rest>.*)|(?P<call>\w+)\((?P<arguments>.*))$")
RESULT = re.compile(r"= (?P<result>-?\d+)(?:<[^>]*>)?(?: [A-Z]+ \(.*\))?$")


class Event(NamedTuple):
    """One thing that happened: write, truncate, sync, create or remove, to a file by name; or what was acknowledged."""

    kind: str
    name: str = ""
    offset: int = 0
    data: bytes = b""
    added: int = 0


def recorded(folder: Path, emulator: Emulator, *arguments: str, tw_number: int = 200) -> tuple[bytes, list[Event]]:
    """Collect under strace; return a fresh database, and the events of its files and of stdout, in order."""
    settings = environment(folder, emulator) | {"TW_NUMBER": str(tw_number), "MONTHLY_BUDGET_USD": "off"}
    before, trace = (folder / "tweets.db").read_bytes(), folder / "trace"
    command = f"strace -f -y -xx -s 65536 -e {TRACED} -o {trace} {sys.executable} {VICTIM} - 1".split()
    with (folder / "powercut.log").open("wb") as log:
        variables = {"PATH": os.environ["PATH"], **settings}
        subprocess.run([*command, *arguments], cwd=ROOT, env=variables, stdout=log, stderr=log, timeout=120, check=True)
    return before, list(_events(trace, folder))


def _events(trace: Path, folder: Path) -> Iterator[Event]:
    """Give writes when they begin and syncs when they end: between the two nothing is certain."""
    begun: dict[str, str] = {}
    for text in trace.read_text().splitlines():
        line = LINE.match(text)
        if not line:
            continue
        if line["resumed"]:
            call, arguments = line["resumed"], f"{begun.pop(line['pid'], '')} {line['rest']}"
            if call not in AT_ONCE:
                yield from _event(call, arguments, folder)
            continue
        call, arguments = line["call"], line["arguments"]
        if not arguments.endswith("<unfinished ...>"):
            yield from _event(call, arguments, folder)
            continue
        begun[line["pid"]] = arguments.removesuffix("<unfinished ...>")
        if call in AT_ONCE:
            yield from _event(call, f"{begun[line['pid']]}) = 0", folder)


def _event(call: str, arguments: str, folder: Path) -> Iterator[Event]:
    result, text = RESULT.search(arguments), re.search(r'"([^"]*)"', arguments)
    descriptor = re.match(r"\d+<([^>]*)>", arguments)
    if result and int(result["result"]) < 0:
        return
    data = _decoded(text[1]) if text else b""
    path = Path((_decoded(descriptor[1]) if descriptor else data).decode())
    if call == "write" and path.name == "powercut.log":
        yield from _acknowledged(data)
    elif call in SYNCS and path == folder:
        yield Event("sync folder")
    elif not path.name.startswith("tweets.db") or path.name.endswith("-shm"):
        return
    elif call in SYNCS:
        yield Event("sync", path.name)
    elif call in ("unlink", "unlinkat"):
        yield Event("remove", path.name)
    elif call == "openat" and "O_CREAT" in arguments:
        yield Event("create", path.name)
    elif call == "ftruncate":
        yield Event("truncate", path.name, int(re.findall(r", (\d+)", arguments)[0]))
    elif call == "pwrite64":
        length, offset = map(int, re.findall(r'", (\d+), (\d+)', arguments)[0])
        assert len(data) == length, arguments[-80:]
        yield Event("write", path.name, offset, data)


def _acknowledged(written: bytes) -> Iterator[Event]:
    for line in written.splitlines():
        record = json.loads(line) if line.startswith(b"{") else {}
        if record.get("message") == "page stored":
            yield Event("acknowledged", added=record["monitor"]["added"])


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


class Disk:
    """The files of a folder: what is certain, and what is still on its way."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._certain = {name: bytearray(data) for name, data in files.items()}
        self._pending: dict[str, list[Event]] = {}
        self._new: set[str] = set()

    def take(self, event: Event) -> None:
        """Let an event happen."""
        if event.kind == "create" and event.name not in self._certain:
            self._certain[event.name] = bytearray()
            self._new.add(event.name)
        elif event.kind == "remove":
            self._certain.pop(event.name, None)
            self._pending.pop(event.name, None)
        elif event.kind == "sync folder":
            self._new.clear()
        elif event.kind == "sync":
            for pending in self._pending.pop(event.name, []):
                _apply(self._certain[event.name], pending)
        elif event.kind in ("write", "truncate"):
            self._pending.setdefault(event.name, []).append(event)

    def after_a_cut(self, dice: random.Random) -> dict[str, bytes]:
        """Return the files as they may be found: of what is pending, nothing, all, or some, the last of it torn."""
        found = {}
        for name, certain in self._certain.items():
            if name in self._new and dice.random() < 0.5:
                continue
            data, pending = bytearray(certain), self._pending.get(name, [])
            share = dice.choice([0.0, 0.0, 0.5, 0.9, 1.0])
            chosen = [event for event in pending if dice.random() < share]
            for event in chosen[:-1]:
                _apply(data, event)
            if chosen:
                _apply(data, _torn(chosen[-1], dice))
            found[name] = bytes(data)
        return found


def _torn(event: Event, dice: random.Random) -> Event:
    sectors = len(event.data) // SECTOR
    return event._replace(data=event.data[: dice.randint(0, sectors) * SECTOR]) if sectors and dice.random() < 0.5 else event


def _apply(data: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del data[event.offset :]
        data.extend(bytes(event.offset - len(data)))
        return
    data.extend(bytes(max(0, event.offset + len(event.data) - len(data))))
    data[event.offset : event.offset + len(event.data)] = event.data


def lost(before: bytes, events: Sequence[Event], folder: Path, *, cuts: int = CUTS) -> list[str]:
    """Cut the power at so many points, and return what was wrong with what was found afterwards."""
    dice, wrong = random.Random(SEED), []
    acknowledgements = [number + 1 for number, event in enumerate(events) if event.kind == "acknowledged"]
    others = dice.sample(range(len(events) + 1), cuts - len(acknowledgements))
    disk, taken, acknowledged = Disk({"tweets.db": before}), 0, 0
    for cut in sorted([*others, *acknowledgements]):
        for event in events[taken:cut]:
            disk.take(event)
            acknowledged += event.added
        taken = cut
        wrong += [f"cut {cut}: {fault}" for fault in _found(disk.after_a_cut(dice), acknowledged, folder / f"cut-{cut}")]
    return wrong


def _found(files: dict[str, bytes], acknowledged: int, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        with closing(open_database(f"sqlite:///{folder / 'tweets.db'}")) as database:
            found = faults(database, BILLING)
            with database.reading() as session:
                stored = session.scalar(select(func.coalesce(func.sum(RunTag.added), 0))) or 0
        return found if stored >= acknowledged else [*found, f"{acknowledged} tweets acknowledged, {stored} stored"]
    except DatabaseDamaged as error:
        return [str(error)]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(("tw_number", "cuts"), [(200, CUTS), pytest.param(1000, 300, marks=pytest.mark.slow)])
def test_nothing_that_was_acknowledged_is_lost_in_a_power_cut(
    tmp_path: Path, emulator: Emulator, tw_number: int, cuts: int
) -> None:
    """The longer collection has checkpoints of the write-ahead log in its midst."""
    before, events = recorded(tmp_path, emulator, tw_number=tw_number)
    assert sum(event.added for event in events) > 2.5 * tw_number
    assert {"write", "sync", "acknowledged", "create", "sync folder"} <= {event.kind for event in events}
    midst = any(event.kind == "write" and event.name == "tweets.db" for event in events[: len(events) // 2])
    assert midst or tw_number < 1000
    assert lost(before, events, tmp_path, cuts=cuts) == []


@pytest.mark.slow
def test_without_syncs_the_same_cuts_lose(tmp_path: Path, emulator: Emulator) -> None:
    """The checker must be able to find what it looks for."""
    before, events = recorded(tmp_path, emulator, "--synchronous-off")
    assert any("acknowledged" in fault for fault in lost(before, events, tmp_path))
