"""scripts/stack-check on machines in which something keeps the stack from starting, and what `make stack` makes of that."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, PORTS
from tests.stack.shells import LONGEST_S, Done, found

pytestmark = pytest.mark.stack

GIB = 2**30
# An engine whose state is in files, and both names of Compose.
ENGINE = """#!/bin/sh
cd "$STATE"
case $* in
'info --format {{.MemTotal}}') cat memory ;;
'info --format {{.DockerRootDir}}') echo "$STATE" ;;
info) test ! -e is-down ;;
--version) echo 'Docker version of the client' ;;
version*Server*) cat engine ;;
'compose version'*) cat compose ;;
'image inspect '*elasticsearch:*) test ! -e no-images ;;
'container inspect '*) eval "name=\\${$#}" && cat "project-$name" ;;
'port '*) cat "port-$2" ;;
'compose up -d --build') echo up >>started ;;
'compose ps --all --quiet kibana-setup') echo id-of-kibana-setup ;;
'wait id-of-kibana-setup') cat kibana-setup ;;
'compose logs --no-color '*) echo "log of $4" ;;
*) exit 1 ;;
esac
"""
DF = '#!/bin/sh\necho Filesystem && echo "disk 1 1 $(cat "$STATE/free") 1% /"\n'
HEALTHY = {"memory": 8 * GIB, "engine": "28.5.1", "compose": "v2.40.0", "free": 20 * 2**20, "maps": 1048576, "kibana-setup": 0}
States = list[tuple[dict[str, Any], int, str]]


class Machine:
    """A checkout on a machine in which nothing is wrong, until a test plants something."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.state, programs = folder / "monitor", folder / "state", folder / "programs"
        for place in (self.checkout / "scripts", self.checkout / "secrets", self.checkout / "grafana", self.state, programs):
            place.mkdir(parents=True)
        for name in ("scripts/stack-check", COMPOSE, "Makefile", "grafana/.env"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name, text in (("docker", ENGINE), ("df", DF)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as unused:
            free = unused.getsockname()[1]
        self.write(HEALTHY)
        self.ports = {f"{name.upper()}_PORT": str(free) for name in PORTS}
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(self.state), "MAPS_FILE": str(self.state / "maps")}

    def write(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            (self.state / name).write_text(f"{value}\n")

    def check(self, *command: str) -> Done:
        """Run the script, or another command, in the checkout, whose .env names the ports."""
        (self.checkout / ".env").write_text("".join(f"{name}={port}\n" for name, port in self.ports.items()))
        line = command or ("scripts/stack-check", "docker", "compose")
        return subprocess.run(
            line, cwd=self.checkout, env=self.env, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found("curl")
    return Machine(tmp_path)


def test_nothing_is_said_of_a_machine_that_is_fine_or_runs_the_stack_already(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        machine.ports["KIBANA_PORT"] = str(ours.getsockname()[1])
        machine.write({"project-kibana": "monitor", "port-kibana": f"5601/tcp -> 127.0.0.1:{ours.getsockname()[1]}"})
        done = machine.check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


WRONG: States = [
    ({"is-down": ""}, 1, "systemctl start docker"),
    ({"engine": "19.03.15"}, 1, "Docker 19.03.15 is too old: update it to 20.10"),
    ({"engine": "27.5.1"}, 0, "Ports before Docker 28"),
    ({"compose": "1.27.4"}, 1, "Compose 1.27.4 is too old: update it to 1.29"),
    ({"memory": 4 * GIB}, 0, "has 4096 MB of memory, and the containers may use 6912"),
    ({"free": 2**20}, 1, "has 1024 MB free, and the stack needs 2048"),
    ({"free": 5 * 2**20, "no-images": ""}, 1, "needs 10240"),
    ({"maps": 65530}, 0, "sudo sysctl -w vm.max_map_count=262144"),
    ({"project-grafana": "another"}, 1, "docker rm --force grafana"),
]


@pytest.mark.parametrize(("state", "code", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_cure(machine: Machine, state: dict[str, Any], code: int, said: str) -> None:
    machine.write(state)
    done = machine.check()
    assert said in done.stderr
    assert (done.returncode, "nothing was started" in done.stderr) == (code, code == 1 and "is-down" not in state)


def test_old_versions_of_which_the_stack_is_known_to_work_are_accepted(machine: Machine) -> None:
    machine.write({"engine": "20.10.24+dfsg1", "compose": "1.29.2"})
    done = machine.check()
    assert done.returncode == 0
    assert "Compose" not in done.stderr


def test_a_port_that_is_taken_is_named_with_the_variable_that_chooses_another(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        machine.ports["GRAFANA_PORT"] = str(taken)
        done = machine.check()
    assert done.returncode == 1
    assert f"port {taken} is taken: end what uses it, or write GRAFANA_PORT={taken + 1} into .env\n" in done.stderr


def test_make_stack_starts_nothing_then_and_fails_where_kibana_did_not_get_its_objects(machine: Machine) -> None:
    (machine.checkout / "secrets/.digest-key").write_text("key")
    machine.write({"free": 1})
    assert machine.check("make", "stack").returncode == 2
    assert not (machine.state / "started").exists()
    machine.write(HEALTHY)
    done = machine.check("make", "stack")
    assert (done.returncode, "log of secrets" in done.stdout, "kibana-setup" in done.stdout) == (0, True, False)
    machine.write({"kibana-setup": 1})
    done = machine.check("make", "stack")
    assert (done.returncode, "log of kibana-setup" in done.stdout) == (2, True)


def test_the_memory_that_it_wants_is_what_the_guide_says(machine: Machine) -> None:
    machine.write({"memory": 1})
    wanted = int(machine.check().stderr.partition("may use ")[2].partition(":")[0]) / 1024
    assert f"{wanted:g} GiB" in (ROOT / "docs/operations.md").read_text()
