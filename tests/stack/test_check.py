"""scripts/stack-check and stack-wait on machines in which something keeps the stack from starting, and `make stack` with both.

What Compose makes of its files and .env is docker-compose's own answer.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, PORTS, services
from tests.stack.shells import APPLETS, LONGEST_S, Done, found

pytestmark = pytest.mark.stack

GIB = 2**30
# An engine whose state is in files, and both names of Compose. Each container's id is its name behind "id-".
ENGINE = """#!/bin/sh
cd "$STATE"
case $* in
'info --format {{.MemTotal}}') cat memory ;;
'info --format {{.DockerRootDir}}') echo "$STATE" ;;
info) test ! -e is-down ;;
--version) echo 'Docker version of the client' ;;
version*Server*) cat engine ;;
'compose version'*) cat compose ;;
'compose config') if [ -e config ]; then cat config; else cd "$OLDPWD" && exec docker-compose config; fi ;;
'compose '*config) shift && cd "$OLDPWD" && exec docker-compose "$@" ;;
'image inspect '*) grep -q "$3" images ;;
'container inspect '*) eval "name=\\${$#}" && cat ours others | grep -x "id-$name" ;;
'port '*) cat "port-$2" ;;
'compose up -d --build') echo up >>started && test ! -e is-broken ;;
'compose ps --all --quiet') cat ours ;;
'inspect '*) cat states ;;
'logs --tail '*) cat "log-$4" ;;
'compose logs --no-color '*) echo "log of $4" ;;
*) exit 1 ;;
esac
"""
DF = '#!/bin/sh\necho Filesystem && echo "disk 1 1 $(cat "$STATE/free") 1% /"\n'
HEALTHY = {
    "memory": 8 * GIB,
    "engine": "28.5.1",
    "compose": "v2.40.0",
    "free": 20 * 2**20,
    "maps": 1048576,
    "ours": "",
    "others": "",
}
States = list[tuple[dict[str, Any], int, str]]


SCRIPTS = ("scripts/stack-check", "scripts/stack-wait", "scripts/stack-secrets", "scripts/stack-postgres-secrets")
POSTGRES = "docker-compose.postgres.yml"
# As stack-wait asks for them: name, state, exit code, restarts, restart policy, health, whether it is of `docker-compose run`.
WELL = (
    "/grafana|running|0|0|unless-stopped|healthy|",
    "/m_secrets_1|exited|0|0|no||False",
    "/m_secrets_run|exited|1|0|no||True",
)


def free(server: socket.socket) -> str:
    return str(server.getsockname()[1])


# In the words of Compose 2: sizes in bytes, ports in several lines, profiles that are not chosen left out.
OF_COMPOSE_2 = """name: monitor
services:
  cache:
    image: example.org/cache:1
    deploy:
      restart: any
    mem_limit: "1073741824"
    restart: unless-stopped
  grafana:
    container_name: grafana
    mem_limit: "8589934592"
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        target: 3000
        published: "{port}"
        protocol: tcp
    restart: unless-stopped
  once:
    mem_limit: "1073741824"
    restart: "no"
networks:
  default:
    name: monitor_default
"""


class Machine:
    """A checkout on a machine in which nothing is wrong, until a test plants something."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.state, programs = folder / "monitor", folder / "state", folder / "programs"
        for place in (self.checkout / "scripts", self.checkout / "secrets", self.state, programs):
            place.mkdir(parents=True)
        for name in (*SCRIPTS, COMPOSE, POSTGRES, "Makefile"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name in ("grafana", "kibana", "logstash", "prometheus"):
            shutil.copytree(ROOT / name, self.checkout / name)
        self.lines: list[str] = []
        for name, text in (("docker", ENGINE), ("df", DF)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        with ExitStack() as unused:
            servers = [unused.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
            self.ports = {f"{name.upper()}_PORT": free(server) for name, server in zip(PORTS, servers, strict=True)}
        images = {service["image"] for file in (COMPOSE, POSTGRES) for service in services(file).values() if "image" in service}
        self.write(HEALTHY | {"images": "\n".join(images), "states": "\n".join(WELL)})
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(self.state), "MAPS_FILE": str(self.state / "maps")}

    def write(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            (self.state / name).write_text(f"{value}\n")

    def check(self, *command: str) -> Done:
        """Run the script, or another command, in the checkout, whose .env names the ports."""
        (self.checkout / ".env").write_text(
            "".join(f"{line}\n" for line in (*(f"{name}={port}" for name, port in self.ports.items()), *self.lines))
        )
        line = command or ("scripts/stack-check", "docker", "compose")
        return subprocess.run(
            line, cwd=self.checkout, env=self.env, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found("curl")
    found("docker-compose")
    return Machine(tmp_path)


def test_nothing_is_said_of_a_machine_that_is_fine_or_runs_the_stack_already(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        machine.ports["KIBANA_PORT"] = free(ours)
        machine.write({"ours": "id-kibana", "port-kibana": f"5601/tcp -> 127.0.0.1:{free(ours)}"})
        done = machine.check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


WRONG: States = [
    ({"is-down": ""}, 1, "systemctl start docker"),
    ({"engine": "19.03.15"}, 1, "Docker 19.03.15 is too old: update it to 20.10"),
    ({"engine": "27.5.1"}, 0, "Ports before Docker 28"),
    ({"compose": "1.27.4"}, 1, "Compose 1.27.4 is too old, 1.29 is needed: Ubuntu has it as docker-compose-v2"),
    ({"memory": 4 * GIB}, 0, "has 4096 MB of memory, and the containers may use 6912"),
    ({"free": 2**20}, 1, "has 1024 MB free, and the stack needs 2048"),
    ({"free": 5 * 2**20, "images": ""}, 1, "needs 8192"),
    ({"images": "docker.io/library/busybox:1.37.0"}, 0, "5 images are still to be pulled"),
    ({"maps": 65530}, 0, "sudo sysctl -w vm.max_map_count=262144"),
    ({"others": "id-grafana"}, 1, "docker rm --force grafana"),
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


@pytest.mark.parametrize("line", ["GRAFANA_PORT={}", "export GRAFANA_PORT = '{}' # ours is 3000"])
def test_a_port_that_is_taken_is_named_with_the_variable_that_chooses_another(machine: Machine, line: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = free(other)
        machine.lines = [line.format(taken)]
        done = machine.check()
    assert done.returncode == 1
    assert f"port {taken} is taken: end what uses it, or write GRAFANA_PORT={int(taken) + 1} into .env\n" in done.stderr


def test_compose_2_has_words_of_its_own(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = free(other)
        machine.write({"config": OF_COMPOSE_2.format(port=taken)})
        said = machine.check().stderr
    assert "the containers may use 9216" in said
    assert "1 images are still to be pulled" in said
    assert f"port {taken} is taken: end what uses it, or write GRAFANA_PORT=" in said


def test_two_parts_with_one_port_and_what_compose_cannot_read_are_named(machine: Machine) -> None:
    machine.lines = ["KIBANA_PORT=6000", "GRAFANA_PORT=6000"]
    assert "port 6000 is given to two: grafana kibana" in machine.check().stderr
    machine.lines = ["KIBANA_PORT=none"]
    done = machine.check()
    assert "Compose can't read its files or .env" in done.stderr
    assert "kibana.ports" in done.stderr


@pytest.mark.parametrize(
    ("line", "more", "name"),
    [("COMPOSE_PROFILES=alerting", 128, "alertmanager"), (f"COMPOSE_FILE={COMPOSE}:{POSTGRES}", 3 * 1024, "postgres-2")],
)
def test_what_is_chosen_beside_the_usual_counts(machine: Machine, line: str, more: int, name: str) -> None:
    machine.lines = [line]
    machine.write({"memory": GIB, "others": f"id-{name}"})
    done = machine.check()
    assert f"may use {6912 + more}:" in done.stderr
    assert f"docker rm --force {name}" in done.stderr


def test_files_that_containers_cannot_read_are_named(machine: Machine) -> None:
    (machine.checkout / "grafana/.env").chmod(0o600)
    (machine.checkout / "prometheus").chmod(0o700)
    (machine.checkout / "logstash/start.sh").write_bytes(b"#!/bin/sh\r\nset -eu\r\n")
    done = machine.check()
    assert done.returncode == 1
    assert "stack: prometheus can't be read by others, as containers do: chmod -R go+rX" in done.stderr
    assert "stack: logstash/start.sh has line breaks of Windows" in done.stderr


def test_what_only_compose_reads_has_no_effect_in_env_local(machine: Machine) -> None:
    names = ("GRAFANA_PORT", "COMPOSE_PROFILES", "ALLOWED_HOSTS", "GRAFANA_URL", "TAGS")
    (machine.checkout / ".env.local").write_text("".join(f"{name}=1\n" for name in names))
    done = machine.check()
    assert [line.split()[1] for line in done.stderr.splitlines()] == list(names[:3])


def test_ports_are_not_looked_at_where_curl_is_missing(machine: Machine) -> None:
    programs = machine.state.parent / "few"
    programs.mkdir()
    for name in (*APPLETS.split(), "awk", "docker-compose", "find", "sort", "tail", "uname", "uniq"):
        (programs / name).symlink_to(found(name))
    machine.env["PATH"] = f"{machine.env['PATH'].partition(':')[0]}:{programs}"
    done = machine.check()
    assert (done.returncode, done.stderr) == (0, "stack: curl is missing, so whether ports are taken was not looked at\n")


def test_make_stack_starts_nothing_then_and_tells_addresses_once_all_are_well(machine: Machine) -> None:
    (machine.checkout / "secrets/.digest-key").write_text("key")
    machine.write({"free": 1})
    assert machine.check("make", "stack").returncode == 2
    assert not (machine.state / "started").exists()
    machine.write(HEALTHY)
    done = machine.check("make", "stack")
    assert (done.returncode, "log of secrets" in done.stdout, done.stderr) == (0, True, "")
    machine.write({"is-broken": "", "states": "/logstash|restarting|2|9|unless-stopped|unhealthy|", "log-logstash": "cause"})
    done = machine.check("make", "stack")
    assert (done.returncode, "log of secrets" in done.stdout, "cause" in done.stderr) == (2, False, True)


UNWELL = [
    (
        "/logstash|restarting|2|9|unless-stopped|unhealthy|",
        "set: Illegal option -",
        "logstash is restarting, after 9 restarts",
        "`set: ",
    ),
    (
        "/prometheus|running|0|0|unless-stopped|unhealthy|",
        "open x: permission denied",
        "prometheus is unhealthy",
        "`Permission ",
    ),
    (
        "/elasticsearch|restarting|137|2|unless-stopped|starting|",
        "",
        "elasticsearch is restarting",
        "a container ends with 137",
    ),
    (
        "/elasticsearch|exited|78|0|unless-stopped||",
        "vm.max_map_count [65530]",
        "elasticsearch is exited",
        "Elasticsearch ends",
    ),
    (
        "/m_kibana-setup_1|exited|1|0|no||",
        "kibana: /api/status: 503",
        "m_kibana-setup_1 ended with exit code 1",
        "`elasticsearch-",
    ),
    ("/kibana|running|0|0|unless-stopped|starting|", "", "kibana is starting", ""),
    ("/kibana|created|0|0|unless-stopped||", "", "kibana waits for others", ""),
    ("", "", "stack has no containers", ""),
]


@pytest.mark.parametrize(("state", "log", "said", "row"), UNWELL)
def test_what_is_not_well_in_time_is_named_with_its_log_and_the_row_of_the_table(
    machine: Machine, state: str, log: str, said: str, row: str
) -> None:
    name = state.partition("|")[0].strip("/")
    machine.write({"states": "\n".join((*WELL, state)) if state else "", f"log-{name}": log})
    machine.env["WAIT_S"] = "0"
    done = machine.check("scripts/stack-wait", "docker", "compose")
    assert done.returncode == 1
    assert done.stderr.startswith(f"stack: {said}")
    assert f"    {log}\n" in done.stderr
    pointed = done.stderr.rstrip().partition('"When it does not come up"')[2].removeprefix(": ")
    assert pointed.startswith(row)
    assert (pointed == "") == (row == "")
    assert f"\n| {pointed}" in (ROOT / "docs/operations.md").read_text()


def test_it_waits_until_all_are_well(machine: Machine) -> None:
    sleep = machine.state.parent / "programs/sleep"
    sleep.write_text('#!/bin/sh\necho "/grafana|running|0|0|unless-stopped|healthy|" >"$STATE/states"\n')
    sleep.chmod(0o755)
    machine.write({"states": "/grafana|running|0|0|unless-stopped|starting|"})
    done = machine.check("scripts/stack-wait", "docker", "compose")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_memory_that_it_wants_is_what_the_guide_says(machine: Machine) -> None:
    machine.write({"memory": 1})
    wanted = int(machine.check().stderr.partition("may use ")[2].partition(":")[0]) / 1024
    assert f"{wanted:g} GiB" in (ROOT / "docs/operations.md").read_text()
