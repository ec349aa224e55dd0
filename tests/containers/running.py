"""Compares what runs with what docker-compose.yml says of it.

    python -m tests.containers.running CONFIG limits | secrets | order EVENTS

CONFIG is what `docker-compose config` prints, EVENTS what `docker events` prints as JSON. Each difference is a line, and the
exit code is then 1. Needs root and Docker's engine on this machine, for it looks at processes and files of containers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

LABEL = "com.docker.compose.service"
GROUPS = Path("/sys/fs/cgroup")
UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
CONFINED = {"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1"}
ENDED, HEALTHY = "service_completed_successfully", "service_healthy"


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def containers() -> dict[str, Json]:
    """Return what the engine says of each service's container, those that have ended included."""
    found = json.loads(docker("inspect", *docker("ps", "--all", "--quiet").split()))
    return {one["Config"]["Labels"][LABEL]: one for one in found if LABEL in one["Config"]["Labels"]}


def order(services: dict[str, Json], events: str) -> Iterator[str]:
    """Give what started before that which it waits for was ready, by the first time of each."""
    first: dict[tuple[str, str], int] = {}
    for event in map(json.loads, events.splitlines()):
        about = event["Actor"]["Attributes"]
        what = f"{event['Action']} {about['exitCode']}" if event["Action"] == "die" else event["Action"]
        first.setdefault((about.get(LABEL, ""), what), event["timeNano"])
    ready = {ENDED: "die 0", HEALTHY: "health_status: healthy"}
    for name, service in services.items():
        for other, need in service.get("depends_on", {}).items():
            since = first.get((other, ready[need["condition"]]))
            if since is None or since > first[name, "start"]:
                yield f"{name} started before {other} was ready"


def limits(services: dict[str, Json]) -> Iterator[str]:
    """Give differences of what holds for the first process of each container that runs."""
    for name, one in containers().items():
        service, pid = services[name], one["State"]["Pid"]
        if not pid:
            continue
        user = service.get("user") or one["Config"]["User"]
        wanted = {
            "memory": str(bytes_of(service["mem_limit"])),
            "pids": str(service["pids_limit"]),
            "root": "ro" if service.get("read_only") else "rw",
            "user": user.partition(":")[0],
        } | CONFINED
        yield from (
            f"{name}: {what} is {value}, not {wanted[what]}" for what, value in holding(pid).items() if value != wanted[what]
        )
        if wanted["user"] in ("", "0", "root"):
            yield f"{name} runs as root"


def bytes_of(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([kmg])b?", size).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def holding(pid: int) -> Json:
    """Return what the kernel holds a process to."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    root = next(line.split() for line in (process / "mountinfo").read_text().splitlines() if line.split()[4] == "/")
    return {
        "memory": limit(process, "memory", "memory.limit_in_bytes", "memory.max"),
        "pids": limit(process, "pids", "pids.max", "pids.max"),
        "root": root[5].split(",")[0],
        "user": status["Uid"].split()[1],
    } | {name: status[name] for name in CONFINED}


def limit(process: Path, controller: str, first: str, second: str) -> str:
    """Return a limit, from control groups of the first version where these have the controller, else of the second."""
    lines = [line.split(":") for line in (process / "cgroup").read_text().splitlines()]
    own = [GROUPS / controller / f".{path}" / first for _, names, path in lines if controller in names.split(",")]
    own += [GROUPS / f".{path}" / second for _, names, path in lines if not names]
    return own[0].read_text().strip()


def secrets(services: dict[str, Json]) -> Iterator[str]:
    """Give secrets that another than the user of their container can read, or that can be written there."""
    found = containers()
    for name, one in found.items():
        mounted = [mount for mount in one["Mounts"] if mount.get("Name", "").endswith(f"_secrets-{name}")]
        if f"secrets-{name}" not in str(services[name].get("volumes")):
            continue
        files = list(Path(mounted[0]["Source"]).rglob("*"))
        user = int(one["Config"]["User"].partition(":")[0])
        if mounted[0]["RW"] or not files:
            yield f"{name} can write its secrets, or has none"
        for file in [Path(mounted[0]["Source"]), *files]:
            state = file.stat()
            if state.st_uid != user or state.st_mode & 0o027:
                yield f"{name}: {file.name} belongs to {state.st_uid}, mode {state.st_mode & 0o777:o}"


def main(config: str, what: str, events: str = "") -> int:
    """Print the differences, and return the exit code."""
    services = yaml.safe_load(Path(config).read_text())["services"]
    match what:
        case "order":
            found = list(order(services, Path(events).read_text()))
        case "limits":
            found = list(limits(services))
        case _:
            found = list(secrets(services))
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
