"""Send requests to the running stack, and look for them in every part of it: `make stack-test`, after `make stack`.

    python scripts/stack-test.py [--wait SECONDS] [--api URL] [--elasticsearch URL] [--prometheus URL] [--grafana URL]
        [--kibana URL]

Each line says what was found, or what is missing and what to look at. Exit code 0 if all was found, 1 if not.

Passwords come from the environment (ELASTIC_PASSWORD, GF_SECURITY_ADMIN_USER, GF_SECURITY_ADMIN_PASSWORD), else from .env and
grafana/.env, else from the containers by `docker exec`. The service's token comes from secrets/api-token,
else as the service reads API_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from settings import PLACEHOLDER, SettingError, load  # noqa: E402 (the script's own folder comes first in the path)

PORTS = {"api": 5000, "elasticsearch": 9200, "prometheus": 9090, "grafana": 3000, "kibana": 5601}
STREAM = "logs-twitterapi-default"
REQUESTS = (("GET", "/tweets_per_hour", 200), ("DELETE", "/stack-test", 404))
COUNT = 'sum(flask_http_request_total{job="twitterapi",method="DELETE",status="404"})'
PASSWORDS = {
    "twitterapi": "secrets/api-token; API_TOKEN in the environment, .env.local or .env",
    "elasticsearch": "docker exec elasticsearch cat /secrets/elastic-password; docs/operations.md, Passwords",
    "kibana": "docker exec elasticsearch cat /secrets/elastic-password; docs/operations.md, Passwords",
    "grafana": "grafana/.env; docker exec grafana cat /var/lib/grafana/admin-password",
    "prometheus": "what listens on its port: Prometheus has no password in this stack",
}
PAUSE_S = 1.0
TIMEOUT_S = 20

Json = dict[str, Any]


class Missing(Exception):
    """Something that should be there, and what to look at."""

    def __init__(self, what: str, *, look: str) -> None:
        super().__init__(what)
        self.look = look


@dataclass(frozen=True)
class Part:
    """A part of the stack that is asked over HTTP."""

    name: str
    url: str
    user: tuple[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Return what it answers; raises Missing where nothing answers or the credentials are refused."""
        headers = self.headers | more.pop("headers", {})
        try:
            answer = requests.request(method, self.url + path, auth=self.user, headers=headers, timeout=TIMEOUT_S, **more)
        except requests.RequestException as error:
            look = f"docker ps --all --filter name={self.name}; docker logs {self.name} (exit code 137: too little memory)"
            raise Missing(f"{self.url} doesn't answer: {type(error).__name__}", look=look) from error
        if answer.status_code in (401, 403):
            raise Missing(f"{self.url} refuses the credentials ({answer.status_code})", look=PASSWORDS[self.name])
        return answer

    def get(self, path: str, **more: Any) -> Json:
        """Return the object it answers with, empty where it answers with anything else or an error."""
        answer = self.ask("GET", path, **more)
        try:
            found = answer.json()
        except ValueError:
            return {}
        return found if answer.ok and isinstance(found, dict) else {}


@dataclass(frozen=True)
class Stack:
    """The parts, and until when (monotonic) to wait for what takes a while."""

    api: Part
    elasticsearch: Part
    prometheus: Part
    grafana: Part
    kibana: Part
    deadline: float

    def until(self, condition: Callable[[], Any]) -> Any:
        """Return the condition's value as soon as it is true, or None when the time is over; it is asked at least once."""
        while True:
            try:
                if value := condition():
                    return value
            except Missing:
                if time.monotonic() > self.deadline:
                    raise
            if time.monotonic() > self.deadline:
                return None
            time.sleep(PAUSE_S)


@dataclass(frozen=True)
class Sent:
    """A request that was sent, and the status it was answered with."""

    id: str
    status: int


def main(arguments: list[str]) -> int:
    """Look everywhere, say what was found, and return the exit code."""
    stack = _stack(_options(arguments))
    sent: list[Sent] = []
    try:
        before = _counted(stack)
    except Missing:
        before = 0.0
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "twitterapi": lambda: requests_sent(stack, sent),
        "elasticsearch": lambda: records_found(stack, sent),
        "prometheus": lambda: requests_counted(stack, sent, before),
        "grafana": lambda: grafana_ready(stack),
        "kibana": lambda: kibana_ready(stack),
    }
    missing = [name for name, check in checks.items() if not _said(name, check)]
    print(f"missing: {', '.join(missing)}" if missing else "all there")
    return 1 if missing else 0


def _said(name: str, check: Callable[[], Iterator[str]]) -> bool:
    try:
        for found in check():
            print(f"ok       {name}: {found}", flush=True)
    except Missing as error:
        print(f"MISSING  {name}: {error}\n         look at: {error.look}", flush=True)
        return False
    return True


def requests_sent(stack: Stack, sent: list[Sent]) -> Iterator[str]:
    """Send a request that succeeds and one that doesn't, under ids that nobody else uses."""
    run = f"stack-test-{secrets.token_hex(6)}"
    for number, (method, path, expected) in enumerate(REQUESTS, 1):
        id_ = f"{run}-{number}"
        status, returned = stack.until(partial(_answered, stack, method, path, id_))
        if (status, returned) != (expected, id_):
            look = "docker logs twitterapi; does something else listen on its port?"
            raise Missing(f"{method} {path} answered {status} under {returned}, not {expected} under {id_}", look=look)
        sent.append(Sent(id_, status))
        yield f"answered {method} {path} with {status} under {id_}"


def _answered(stack: Stack, method: str, path: str, id_: str) -> tuple[int, str | None]:
    answer = stack.api.ask(method, path, headers={"X-Request-Id": id_})
    return answer.status_code, answer.headers.get("X-Request-Id")


def records_found(stack: Stack, sent: list[Sent]) -> Iterator[str]:
    """Find the access event of each request once, by http.request.id."""
    _require(sent)
    if not stack.until(partial(stack.elasticsearch.get, "/_index_template/twitterapi")):
        raise Missing("the index template twitterapi", look="docker-compose logs elasticsearch-setup")
    yield "has the index template"
    for one in sent:
        events = stack.until(partial(_events, stack, one.id))
        if not events:
            raise Missing(f"no record with http.request.id {one.id}", look=_why_no_record(stack))
        statuses = [event["http"]["response"]["status_code"] for event in events]
        if statuses != [one.status]:
            what = f"access events of {one.id} with status {statuses}, not one with {one.status}"
            raise Missing(what, look=f"the documents in {STREAM}; docker logs logstash")
        yield f"has the access event of {one.id}, once"


def _events(stack: Stack, id_: str) -> list[Json]:
    query = {"query": {"term": {"http.request.id": id_}}, "size": 10}
    hits = stack.elasticsearch.get(f"/{STREAM}/_search", json=query).get("hits", {}).get("hits", [])
    return [hit["_source"] for hit in hits if "duration" in hit["_source"].get("event", {})]


def _why_no_record(stack: Stack) -> str:
    """Return where to look first, asked along the way from the service to Elasticsearch."""
    metrics = stack.api.ask("GET", "/metrics").text
    if _metric(metrics, "twitterapi_log_shipping_enabled") == 0:
        return "LOGSTASH_HOST of twitterapi: it ships no records"
    if dropped := _metric(metrics, "twitterapi_log_records_dropped_total"):
        return f"docker logs logstash: the service dropped {dropped:.0f} records on the way there"
    if _metric(metrics, "twitterapi_log_queue_records"):
        return "docker logs logstash: records wait in the service"
    if not stack.elasticsearch.get(f"/_data_stream/{STREAM}"):
        return f"docker-compose logs elasticsearch-setup: the data stream {STREAM} isn't there"
    refused = stack.elasticsearch.get(f"/{STREAM}::failures/_count").get("count")
    return f"{STREAM}::failures, where documents are that Elasticsearch refused" if refused else "docker logs logstash"


def _metric(text: str, name: str) -> float | None:
    values = [float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.MULTILINE)]
    return sum(values) if values else None


def requests_counted(stack: Stack, sent: list[Sent], before: float) -> Iterator[str]:
    """See that Prometheus has rules, scrapes the service, and counts the requests that were sent."""
    groups = stack.until(lambda: stack.prometheus.get("/api/v1/rules").get("data", {}).get("groups"))
    if not groups:
        raise Missing("no rules", look="prometheus/rules; docker logs prometheus")
    yield f"has {sum(len(group['rules']) for group in groups)} rules"
    if not stack.until(lambda: any(target["health"] == "up" for target in _targets(stack))):
        found = [f"{target['health']}, {target['lastError']}" for target in _targets(stack)] or ["there is none"]
        raise Missing(f"no target of the job twitterapi is up: {'; '.join(found)}", look=f"{stack.prometheus.url}/targets")
    yield "scrapes twitterapi"
    _require(sent)
    if not stack.until(lambda: _counted(stack) > before):
        raise Missing(f"{COUNT} did not grow", look=f"{stack.api.url}/metrics, where it should have grown")
    yield f"counts: {COUNT} grew"


def _counted(stack: Stack) -> float:
    found = stack.prometheus.get("/api/v1/query", params={"query": COUNT}).get("data", {}).get("result", [])
    return float(found[0]["value"][1]) if found else 0.0


def _targets(stack: Stack) -> list[Json]:
    active = stack.prometheus.get("/api/v1/targets", params={"state": "active"}).get("data", {}).get("activeTargets", [])
    return [target for target in active if target["labels"]["job"] == "twitterapi"]


def grafana_ready(stack: Stack) -> Iterator[str]:
    """See that Grafana has its data sources, that they work, and its dashboards."""
    if not stack.until(lambda: stack.grafana.get("/api/health").get("database") == "ok"):
        raise Missing("its database is not ok", look="docker logs grafana")
    for path in sorted((ROOT / "grafana/provisioning/datasources").glob("*.yml")):
        for uid in re.findall(r"^ *uid: *(\S+)", path.read_text(), re.MULTILINE):
            if not stack.grafana.get(f"/api/datasources/uid/{uid}"):
                raise Missing(f"the data source {uid}", look=f"{path.relative_to(ROOT)}; docker logs grafana")
            if not stack.until(partial(_works, stack, uid)):
                raise Missing(f"the data source {uid} doesn't work", look=f"docker logs grafana; docker logs {uid}")
            yield f"has the data source {uid}, which works"
    for path in sorted((ROOT / "grafana/dashboards").glob("*.json")):
        uid = json.loads(path.read_text())["uid"]
        if not stack.until(partial(stack.grafana.get, f"/api/dashboards/uid/{uid}")):
            raise Missing(f"the dashboard {uid}", look="grafana/provisioning/dashboards; docker logs grafana")
        yield f"has the dashboard {uid}: {stack.grafana.url}/d/{uid}"


def _works(stack: Stack, uid: str) -> bool:
    return bool(stack.grafana.get(f"/api/datasources/uid/{uid}/health").get("status") == "OK")


def kibana_ready(stack: Stack) -> Iterator[str]:
    """See that Kibana has its data view and saved objects."""
    if not stack.until(
        lambda: stack.kibana.get("/api/status").get("status", {}).get("overall", {}).get("level") == "available"
    ):
        raise Missing("its status is not available", look="docker logs kibana")
    view = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]["id"]
    if not stack.until(partial(stack.kibana.get, f"/api/data_views/data_view/{view}")):
        raise Missing(f"the data view {view}", look="docker-compose logs kibana-setup")
    yield f"has the data view {view}"
    for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines():
        saved = json.loads(line)
        if not stack.until(partial(_exported, stack, saved)):
            raise Missing(f"the {saved['type']} {saved['id']}", look="docker-compose logs kibana-setup")
        yield f"has the {saved['type']} {saved['attributes']['title']!r}"


def _exported(stack: Stack, saved: Json) -> bool:
    wanted = {"objects": [{"type": saved["type"], "id": saved["id"]}], "excludeExportDetails": True}
    return stack.kibana.ask("POST", "/api/saved_objects/_export", json=wanted, headers={"kbn-xsrf": "true"}).ok


def _require(sent: list[Sent]) -> None:
    if len(sent) < len(REQUESTS):
        raise Missing("the requests could not be sent, so they can't be found", look="twitterapi, above")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--wait", metavar="SECONDS", type=float, default=120.0, help="in all, for what takes a while (%(default)s)"
    )
    for name, port in PORTS.items():
        parser.add_argument(f"--{name}", metavar="URL", default=f"http://127.0.0.1:{port}", help="%(default)s unless given")
    return parser.parse_args(arguments)


def _stack(options: argparse.Namespace) -> Stack:
    token = _api_token()
    elastic = ("elastic", _password("ELASTIC_PASSWORD", ".env", "elasticsearch", "/secrets/elastic-password"))
    admin = _given("GF_SECURITY_ADMIN_USER", "grafana/.env") or "admin"
    secret = _password("GF_SECURITY_ADMIN_PASSWORD", "grafana/.env", "grafana", "/var/lib/grafana/admin-password")
    return Stack(
        api=Part("twitterapi", options.api, headers={"Authorization": f"Bearer {token}"} if token else {}),
        elasticsearch=Part("elasticsearch", options.elasticsearch, elastic),
        prometheus=Part("prometheus", options.prometheus),
        grafana=Part("grafana", options.grafana, (admin, secret)),
        kibana=Part("kibana", options.kibana, elastic),
        deadline=time.monotonic() + options.wait,
    )


def _api_token() -> str | None:
    """Return the newest of secrets/api-token, which counts in the stack without being named, else what the settings say."""
    file = ROOT / "secrets/api-token"
    tokens = file.read_text(encoding="utf-8-sig").split() if file.is_file() else []
    return tokens[0] if tokens else load().api_token


def _given(name: str, file: str) -> str | None:
    """Return what the environment or the file says, unless that is a placeholder."""
    layers = (os.environ.get(name), dotenv_values(ROOT / file).get(name))
    return next((value for value in layers if value and not PLACEHOLDER.fullmatch(value)), None)


def _password(name: str, file: str, container: str, path: str) -> str:
    """Return what the user has set, else what the container has; empty where neither can be had."""
    if given := _given(name, file):
        return given
    try:
        done = subprocess.run(["docker", "exec", container, "cat", path], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SettingError as error:
        sys.exit(str(error))
