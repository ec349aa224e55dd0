"""The programs in the images that stand in for Elastic's and Grafana's: `python3 -m tests.containers.standins NAME`.

Each takes what docker-compose.yml mounts and sets, and doesn't start where the real one would not: as root, with a secret that
others may read, with a password that Elasticsearch doesn't know. What it was told it keeps in its volume.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from tests.stack.standin import Answer, Asked, Standin
from tests.stack.standins import Elasticsearch, Kibana

SHARE = Path("/usr/share")
GRAFANA_DATA = Path("/var/lib/grafana")
PRIVILEGES = {"_bulk": "create_doc", "_search": "read"}
DURATION = r"\d+(d|h|m|s|ms|micros|nanos)"
SHORTEST_KEY = 32
PAUSE_S, LONGEST_S = 0.5, 60
DIRECT, BY_PROXY = build_opener(ProxyHandler({})), build_opener()  # only Grafana uses the proxies of its environment


def user_of(asked: Asked) -> str:
    return base64.b64decode(asked.headers["authorization"].partition(" ")[2]).decode().partition(":")[0]


def ask(url: str, authorization: str, body: str = "", method: str = "GET", opener: OpenerDirector = DIRECT) -> int:
    """Return the status of an answer; waits a minute for a server that is away."""
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            with opener.open(Request(url, body.encode() or None, headers, method=method), timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Kept(Standin):
    """A stand-in that keeps its state in a file of its volume, and is reached from other containers."""

    address = "0.0.0.0"
    protocol = "HTTP/1.1"

    def __init__(self, file: Path, **passwords: str) -> None:
        super().__init__(**passwords)
        self.file = file
        self._writing = threading.Lock()
        if file.exists():
            vars(self).update(pickle.loads(file.read_bytes()))

    def handled(self, asked: Asked) -> Answer:
        with self._writing:
            answer = super().handled(asked)
            self.asked.clear()
            part = self.file.with_suffix(".part")
            part.write_bytes(pickle.dumps({name: value for name, value in vars(self).items() if name != "_writing"}))
            part.replace(self.file)
        return answer


class KeptElasticsearch(Kept, Elasticsearch):
    """An Elasticsearch with log records, which lets each user do what their roles say."""

    def __init__(self, file: Path) -> None:
        secret = Path(os.environ["ELASTIC_PASSWORD_FILE"])
        if secret.stat().st_mode & 0o777 not in (0o400, 0o600):
            sys.exit(f"{secret} must have file permissions 400 or 600")
        self.records: list[Any] = []
        super().__init__(file, elastic=secret.read_text())

    def answer(self, asked: Asked) -> Answer:
        path = asked.path.strip("/").split("/")
        privilege, user = PRIVILEGES.get(path[-1]), user_of(asked)
        if user != "elastic" and path[-1] != "_authenticate" and privilege not in self._privileges(user, path[0]):
            return 403, {"error": f"user [{user}] is unauthorized"}
        if privilege:
            return self._records(asked, path[0]) if path[0] in self.streams else (404, {"error": "no such index"})
        if path[-1] == "_lifecycle" and not re.fullmatch(DURATION, asked.json()["data_retention"]):
            return 400, {"error": f"failed to parse {asked.body}"}
        answer = super().answer(asked)
        self.passwords |= {name: found["password"] for name, found in self.users.items()}
        return answer

    def _privileges(self, user: str, index: str) -> set[str]:
        roles = [self.roles[name] for name in self.users.get(user, {}).get("roles", ())]
        return {one for role in roles for part in role["indices"] if index in part["names"] for one in part["privileges"]}

    def _records(self, asked: Asked, stream: str) -> Answer:
        if asked.path.endswith("_bulk"):
            self.records += map(json.loads, asked.body.splitlines()[1::2])
            return 200, {"errors": False}
        wanted = asked.json()["query"]["term"]["http.request.id"]
        found = [one for one in self.records if one.get("http", {}).get("request", {}).get("id") == wanted]
        return 200, {"hits": {"hits": [{"_index": stream, "_source": one} for one in found]}}


class ConnectedKibana(Kept, Kibana):
    """A Kibana whose users are Elasticsearch's, and which is one itself."""

    def __init__(self, file: Path, configuration: str) -> None:
        super().__init__(file)
        lines = re.findall(r"^([\w.]+): (.*)$", os.path.expandvars(configuration), re.MULTILINE)
        settings = {key: value.strip('"') for key, value in lines}
        short = [key for key, value in settings.items() if key.endswith("encryptionKey") and len(value) < SHORTEST_KEY]
        self.authenticate = json.loads(settings["elasticsearch.hosts"])[0] + "/_security/_authenticate"
        own = basic(settings["elasticsearch.username"], settings["elasticsearch.password"])
        if short or ask(self.authenticate, own) != 200:
            sys.exit(f"{short} are too short, or Elasticsearch does not know {settings['elasticsearch.username']}")

    def handled(self, asked: Asked) -> Answer:
        if asked.path == "/":
            return 302, ""
        if ask(self.authenticate, asked.headers.get("authorization", "")) != 200:
            return 401, {"message": "Unauthorized"}
        return super().handled(asked)


class ProvisionedGrafana(Kept):
    """A Grafana with what is provisioned; its administrator's password is the one of its first start."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, **{os.environ["GF_SECURITY_ADMIN_USER"]: os.environ["GF_SECURITY_ADMIN_PASSWORD"]})
        folder = Path(os.environ.get("GF_PATHS_PROVISIONING", "/etc/grafana/provisioning"))
        self.sources = [os.path.expandvars(path.read_text()) for path in sorted(folder.glob("datasources/*.yml"))]
        providers = "".join(path.read_text() for path in folder.glob("dashboards/*.yml"))
        folders = re.findall(r"^ *path: (\S+)", providers, re.MULTILINE)
        self.dashboards = [json.loads(path.read_text()) for place in folders for path in Path(place).glob("*.json")]

    def handled(self, asked: Asked) -> Answer:
        return (200, {"database": "ok"}) if asked.path == "/api/health" else super().handled(asked)

    def answer(self, asked: Asked) -> Answer:
        match asked.path.strip("/").split("/"):
            case ["api", "datasources", "uid", uid, "health"]:
                found = [is_working(source) for source in self.sources if f" uid: {uid}\n" in source]
                return 200, {"status": "OK" if found == [True] else "ERROR"}
            case ["api", "dashboards", "uid", uid] if uid in [one["uid"] for one in self.dashboards]:
                return 200, {"dashboard": {"uid": uid}}
        return 404, {"message": "Not found"}


def is_working(source: str) -> bool:
    """Return whether a data source answers to what its provisioning says of it."""
    options = dict(reversed(re.findall(r"^ +(\w+): (\S+)", source, re.MULTILINE)))  # the first of a name is the source's own
    own = basic(options.get("basicAuthUser", ""), options.get("basicAuthPassword", ""))
    if options["type"] == "prometheus":
        return ask(f"{options['url']}/-/ready", own, opener=BY_PROXY) == 200
    wanted = json.dumps({"query": {"term": {"http.request.id": "none"}}})
    return ask(f"{options['url']}/{options['index']}/_search", own, wanted, "POST", BY_PROXY) == 200


def logstash(pipeline: str) -> None:
    """Take lines of JSON on the port of the pipeline, and send each to Elasticsearch as its output says."""
    options = dict(re.findall(r'^ *(\w+) => \[?"?([^"\s]+)', os.path.expandvars(pipeline), re.MULTILINE))
    stream = "-".join(options[f"data_stream_{part}"] for part in ("type", "dataset", "namespace"))
    url, own = f"{options['hosts']}/{stream}/_bulk", basic(options["user"], options["password"])

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                status = ask(url, own, json.dumps({"create": {}}) + f"\n{json.dumps(json.loads(line))}\n", "POST")
                if status != 200:
                    sys.stderr.write(f"Elasticsearch refuses a record: {status}\n")

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("0.0.0.0", int(options["port"])), Handler) as server:
        server.daemon_threads = True
        server.serve_forever()


def serve(standin: Standin, port: int) -> None:
    standin.port = port
    with standin.serving():
        signal.pause()


PROGRAMS: dict[str, Callable[[], None]] = {
    "elasticsearch": lambda: serve(KeptElasticsearch(SHARE / "elasticsearch/data/state"), 9200),
    "kibana": lambda: serve(
        ConnectedKibana(SHARE / "kibana/data/state", (SHARE / "kibana/config/kibana.yml").read_text()), 5601
    ),
    "logstash": lambda: logstash("".join(path.read_text() for path in (SHARE / "logstash/pipeline").glob("*.conf"))),
    "grafana": lambda: serve(ProvisionedGrafana(GRAFANA_DATA / "grafana.db"), 3000),
}

if __name__ == "__main__":
    if os.getuid() == 0:
        sys.exit("can not run as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    PROGRAMS[sys.argv[1]]()
