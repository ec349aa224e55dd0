"""An Elasticsearch as a process: what Maven Central has of the version in docker-compose.yml, which `make stack-proof` fetches.

That is its core with security. Not published, and so not tried, are the modules data-streams (the API of data streams, which
the core itself makes), analysis-common (without which no user and no role can be stored), mapper-extras, wildcard, ilm, stack,
mapper-constant-keyword, ingest-common, ingest-geoip. Accounts come from files instead; fields have the core's nearest types.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.fixtures.environment import ROOT
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until
from tests.stack.files import services
from tests.stack.log_queries import TIMEOUT_S
from tests.stack.records import Json
from tests.stack.shells import LONGEST_S

SERVICE = services()["elasticsearch"]
VERSION = SERVICE["image"].rpartition(":")[2]
ARCHIVE = ROOT / f"build/proof/elasticsearch-{VERSION}.zip"
JDK = os.environ.get("ES_JAVA_HOME")
OF_THE_IMAGE = {"ES_JAVA_OPTS", "ELASTIC_PASSWORD_FILE"}
OF_ABSENT_MODULES = {"ingest.geoip.downloader.enabled"}
NEAREST = {"match_only_text": "text", "wildcard": "keyword", "constant_keyword": "keyword", "scaled_float": "double"}
VALUES = {"version": "1", "deprecated": "false"}
PASSWORD = "of-this-test"
LONGEST_START_S = 180


class Node:
    """An Elasticsearch that runs, in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"

    def request(self, method: str, path: str, body: Json | None = None, *, user: str = "admin") -> requests.Response:
        return requests.request(method, self.url + path, json=body, auth=(user, PASSWORD), timeout=TIMEOUT_S)

    def component(self, name: str) -> Json:
        """Return a built-in component template, as the node would install it if it had the module for that."""
        [jar] = self.folder.glob("modules/x-pack-core/x-pack-template-resources-*.jar")
        with zipfile.ZipFile(jar) as resources:
            text = resources.read(f"{name}.json").decode()
        found: Json = json.loads(re.sub(r"\$\{xpack\.stack\.template\.(\w+)\}", lambda key: VALUES[key[1]], text))
        index = found["template"].get("settings", {}).get("index", {})
        for absent in ("lifecycle", "default_pipeline"):
            index.pop(absent, None)
        return dict(nearest(found))


def nearest(value: Any) -> Any:
    """Return mappings with each type that the node lacks replaced by the nearest one that it has."""
    if isinstance(value, list):
        return [nearest(part) for part in value]
    if not isinstance(value, dict):
        return value
    kept = {key: nearest(part) for key, part in value.items()}
    if isinstance(kept.get("type"), str) and kept["type"] in NEAREST:
        others = {key: part for key, part in kept.items() if key not in ("value", "scaling_factor")}
        return others | {"type": NEAREST[kept["type"]]}
    return kept


@contextmanager
def elasticsearch(roles: Mapping[str, Json]) -> Iterator[Node]:
    """Run a node with the settings of docker-compose.yml, these roles, a user of each one's name, and the superuser `admin`."""
    with tempfile.TemporaryDirectory(prefix="elasticsearch-") as made:
        shutil.unpack_archive(ARCHIVE, made)
        folder, port = Path(made) / f"elasticsearch-{VERSION}", free_port()
        _configure(folder, roles, port)
        _hand_over(Path(made))
        for name, role in [("admin", "superuser"), *((role, role) for role in roles)]:
            users = ["bash", "bin/elasticsearch-users", "useradd", name, "-p", PASSWORD, "-r", role]
            subprocess.run(users, **_own(folder), check=True, capture_output=True, timeout=LONGEST_S)
        node = Node(folder, port)
        with (folder / "output.log").open("w") as output:
            process = subprocess.Popen(["bash", "bin/elasticsearch"], **_own(folder), stdout=output, stderr=output)
        try:
            wait_until(lambda: process.poll() is not None or _answers(node), seconds=LONGEST_START_S)
            assert process.poll() is None, (folder / "output.log").read_text()[-4000:]
            yield node
        finally:
            process.terminate()
            process.wait(LONGEST_S)


def _configure(folder: Path, roles: Mapping[str, Json], port: int) -> None:
    ours = {name: value for name, value in SERVICE["environment"].items() if name not in OF_THE_IMAGE | OF_ABSENT_MODULES}
    here = {"http.host": "127.0.0.1", "http.port": port, "transport.host": "127.0.0.1", "transport.port": free_port()}
    (folder / "config/elasticsearch.yml").write_text(json.dumps(ours | here))
    (folder / "config/roles.yml").write_text("".join(f"{name}: {json.dumps(role)}\n" for name, role in roles.items()))
    (folder / "tmp").mkdir()


def _hand_over(folder: Path) -> None:
    """Give root's files to `nobody`, as whom the node runs then: Elasticsearch refuses to run as root."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)


def _own(folder: Path) -> dict[str, Any]:
    """Return what a program of the node runs with."""
    own: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    options = SERVICE["environment"]["ES_JAVA_OPTS"]
    places = {"HOME": str(folder / "tmp"), "ES_TMPDIR": str(folder / "tmp")}
    env = {"PATH": os.environ["PATH"], "ES_JAVA_HOME": str(JDK), "ES_JAVA_OPTS": options, **places}
    return {"cwd": folder, "env": env, **own}


def _answers(node: Node) -> bool:
    try:
        return node.request("GET", "/_cluster/health").ok
    except requests.ConnectionError:
        return False
