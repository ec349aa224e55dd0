"""Sends two requests to the running stack and looks for them in every part of it: `make stack-test`, after `make stack`.

    python scripts/stack-test.py [--wait SECONDS] [--twitterapi URL] [--elasticsearch URL] [--prometheus URL] …

Prints a line for each check, and where to look if it failed. The exit code is 0 if everything was found, else 1. Passwords come
from the environment, else from .env and grafana/.env, else from the containers by `docker exec`; the token from
secrets/api-token, else from the service's settings; ports, such as KIBANA_PORT, from the environment or .env.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import requests
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from settings import PLACEHOLDER, SettingError, load  # noqa: E402 (needs the path above)

PORTS = {"twitterapi": 5000, "elasticsearch": 9200, "prometheus": 9090, "grafana": 3000, "kibana": 5601}
SENT = (("GET", "/tweets_per_hour", 200), ("DELETE", "/stack-test", 404))
COUNTER = 'sum(flask_http_request_total{job="twitterapi",method="DELETE",status="404"})'
PASSWORD_OF_ELASTIC = "docker exec elasticsearch cat /secrets/elastic-password"
LOOK = {
    "twitterapi": "docker logs twitterapi; its token: secrets/api-token, API_TOKEN",
    "elasticsearch": f"docker logs logstash; docker compose logs elasticsearch-setup; {PASSWORD_OF_ELASTIC}",
    "prometheus": "docker logs prometheus; its page /targets",
    "grafana": "docker logs grafana; docker exec grafana cat /var/lib/grafana/admin-password",
    "kibana": f"docker logs kibana; docker compose logs kibana-setup; {PASSWORD_OF_ELASTIC}",
}
PAUSE_S, TIMEOUT_S = 1.0, 20

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Part(NamedTuple):
    """A part of the stack, reached over HTTP."""

    url: str
    auth: Auth | None = None

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # no proxy knows the stack
            return session.request(method, self.url + path, auth=self.auth, timeout=TIMEOUT_S, **more)

    def get(self, path: str, **more: Any) -> Any:
        """Returns the JSON of an answer; raises requests.RequestException."""
        answer = self.send("GET", path, **more)
        answer.raise_for_status()
        return answer.json()


class Check(NamedTuple):
    """Something that must become true of a part."""

    part: str
    what: str
    holds: Callable[[], Any]


def checks(parts: dict[str, Part], run: str, before: float) -> Iterator[Check]:
    """Every check in its order; `before` is the counter's value before the requests."""
    service, elasticsearch, prometheus, grafana, kibana = parts.values()
    for number, (method, path, status) in enumerate(SENT, 1):
        sent = partial(is_answered, service, f"{run}-{number}", method, path, status)
        yield Check("twitterapi", f"answers {method} {path} with {status}", sent)
    yield Check("elasticsearch", "has the index template", partial(elasticsearch.get, "/_index_template/twitterapi"))
    for number, (method, path, status) in enumerate(SENT, 1):
        found = partial(is_recorded, elasticsearch, f"{run}-{number}", status)
        yield Check("elasticsearch", f"has the access event of {method} {path}, {run}-{number}, once", found)
    yield Check("prometheus", "has rules", lambda: prometheus.get("/api/v1/rules")["data"]["groups"])
    yield Check("prometheus", "scrapes the service", lambda: query(prometheus, 'sum(up{job="twitterapi"})') > 0)
    yield Check("prometheus", f"counts: {COUNTER} grew", lambda: query(prometheus, COUNTER) > before)
    for uid in re.findall(r"^ *uid: *(\S+)", texts("grafana/provisioning/datasources/*.yml"), re.MULTILINE):
        yield Check("grafana", f"has the data source {uid}, which works", partial(is_working, grafana, uid))
    for uid in re.findall(r'^  "uid": "(\S+)"', texts("grafana/dashboards/*.json"), re.MULTILINE):
        yield Check("grafana", f"has the dashboard {uid}", partial(grafana.get, f"/api/dashboards/uid/{uid}"))
    view = json.loads(texts("kibana/data-view.json"))["data_view"]["id"]
    yield Check("kibana", f"has the data view {view}", partial(kibana.get, f"/api/data_views/data_view/{view}"))
    for saved in map(json.loads, texts("kibana/objects.ndjson").splitlines()):
        yield Check("kibana", f"has the {saved['type']} {saved['id']}", partial(is_exported, kibana, saved))


def texts(pattern: str) -> str:
    return "".join(file.read_text() for file in sorted(ROOT.glob(pattern)))


def is_answered(service: Part, id_: str, method: str, path: str, status: int) -> bool:
    answer = service.send(method, path, headers={"X-Request-Id": id_})
    return (answer.status_code, answer.headers.get("X-Request-Id")) == (status, id_)


def is_recorded(elasticsearch: Part, id_: str, status: int) -> bool:
    """Whether there is one access event of a request, with its status."""
    wanted = {"query": {"term": {"http.request.id": id_}}, "size": 10}
    hits = elasticsearch.get("/logs-twitterapi-default/_search", json=wanted)["hits"]["hits"]
    events = [hit["_source"] for hit in hits if "duration" in hit["_source"].get("event", {})]
    return [event["http"]["response"]["status_code"] for event in events] == [status]


def query(prometheus: Part, text: str) -> float:
    found = prometheus.get("/api/v1/query", params={"query": text})["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def is_working(grafana: Part, uid: str) -> bool:
    return bool(grafana.get(f"/api/datasources/uid/{uid}/health")["status"] == "OK")


def is_exported(kibana: Part, saved: dict[str, Any]) -> bool:
    wanted = {"objects": [{"type": saved["type"], "id": saved["id"]}], "excludeExportDetails": True}
    return kibana.send("POST", "/api/saved_objects/_export", json=wanted, headers={"kbn-xsrf": "true"}).ok


def passes(check: Check, deadline: float) -> bool:
    """Repeats a check until it holds or the time is over, and prints how it ended."""
    while True:
        reason = ""
        try:
            if check.holds():
                print(f"ok       {check.part}: {check.what}", flush=True)
                return True
        except (requests.RequestException, LookupError) as error:
            reason = f" ({error})"
        if time.monotonic() > deadline:
            print(f"MISSING  {check.part}: {check.what}{reason}\n         look at: {LOOK[check.part]}", flush=True)
            return False
        time.sleep(PAUSE_S)


def own_value(name: str, file: str) -> str | None:
    """Returns what the environment or the file says, unless that is a placeholder."""
    values = (os.environ.get(name), dotenv_values(ROOT / file).get(name))
    return next((value for value in values if value and not PLACEHOLDER.fullmatch(value)), None)


def container_value(container: str, path: str) -> str:
    """Returns a file of a container, empty where there is no Docker."""
    if not shutil.which("docker"):
        return ""
    command = ["docker", "exec", container, "cat", path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def add_token(token: str, request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def credentials() -> dict[str, Auth]:
    """Returns what is sent to each part."""
    basic = requests.auth.HTTPBasicAuth
    elastic = own_value("ELASTIC_PASSWORD", ".env") or container_value("elasticsearch", "/secrets/elastic-password")
    admin = own_value("GF_SECURITY_ADMIN_PASSWORD", "grafana/.env")
    admin = admin or container_value("grafana", "/var/lib/grafana/admin-password")
    file = ROOT / "secrets/api-token"
    tokens = file.read_text(encoding="utf-8-sig").split() if file.is_file() else []
    return {
        "twitterapi": partial(add_token, (tokens or [load().api_token or "none"])[0]),
        "elasticsearch": basic("elastic", elastic),
        "grafana": basic(own_value("GF_SECURITY_ADMIN_USER", "grafana/.env") or "admin", admin),
        "kibana": basic("elastic", elastic),
    }


def main(arguments: list[str]) -> int:
    """Runs every check, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=120.0, help="in all (%(default)s)")
    for name, port in PORTS.items():
        chosen = own_value(f"{name.upper()}_PORT", ".env") or port
        parser.add_argument(f"--{name}", metavar="URL", default=f"http://127.0.0.1:{chosen}", help="%(default)s unless given")
    options = vars(parser.parse_args(arguments))
    known, before = credentials(), 0.0
    parts = {name: Part(options[name], known.get(name)) for name in PORTS}
    with suppress(requests.RequestException):
        before = query(parts["prometheus"], COUNTER)
    deadline = time.monotonic() + options["wait"]
    done = [passes(check, deadline) for check in checks(parts, f"stack-test-{secrets.token_hex(6)}", before)]
    print(f"{sum(done)} passed, {len(done) - sum(done)} failed")
    return 0 if all(done) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SettingError as error:
        sys.exit(str(error))
