"""Servers that stand in for the parts of the stack that can't be run here, as far as our scripts talk to them."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from osmem_server import resolve_binary  # type: ignore[import-untyped]

from tests.stack.standin import TIMEOUT_S, Answer, Asked, Standin


class Elasticsearch(Standin):
    """Users, roles, an index template and a data stream, as Elasticsearch keeps them."""

    def __init__(self, **passwords: str) -> None:
        super().__init__(**passwords)
        self.roles: dict[str, Any] = {}
        self.users: dict[str, Any] = {}
        self.template: Any = None
        self.streams: set[str] = set()
        self.retention: str | None = None
        self.rollovers = 0

    def answer(self, asked: Asked) -> Answer:
        match asked.method, asked.path.split("?")[0].strip("/").split("/"):
            case "GET", ["_security", "_authenticate"]:
                return 200, {"username": "elastic"}
            case "POST", ["_security", "user", name, "_password"]:
                self.passwords[name] = asked.json()["password"]
                return 200, {}
            case "PUT", ["_security", "role", name]:
                self.roles[name] = asked.json()
                return 200, {"role": {"created": True}}
            case "PUT", ["_security", "user", name]:
                self.users[name] = asked.json()
                return 200, {"created": True}
            case _, ["_index_template", "twitterapi"]:
                return self._template(asked)
            case method, ["_data_stream", name]:
                known = name in self.streams
                if method == "PUT":
                    self.streams.add(name)
                    return (400, {"error": "resource_already_exists_exception"}) if known else (200, {"acknowledged": True})
                return (200, {"data_streams": [{"name": name}]}) if known else (404, {"status": 404})
            case "PUT", ["_data_stream", name, "_lifecycle"] if name in self.streams:
                self.retention = asked.json()["data_retention"]
                return 200, {"acknowledged": True}
            case "POST", [name, "_rollover"] if name in self.streams:
                self.rollovers += 1
                return 200, {"acknowledged": True}
        return 400, {"error": f"no handler found for {asked.method} {asked.path}"}

    def _template(self, asked: Asked) -> Answer:
        if asked.method == "PUT":
            self.template = asked.json()
            return 200, {"acknowledged": True}
        if self.template is None:
            return 404, {"error": {"type": "resource_not_found_exception"}, "status": 404}
        return 200, {"index_templates": [{"index_template": {"version": self.template["version"]}}]}


class Kibana(Standin):
    """Data views and saved objects, as Kibana keeps them; references must resolve."""

    def __init__(self, **passwords: str) -> None:
        super().__init__(**passwords)
        self.views: dict[str, Any] = {}
        self.default: str | None = None
        self.objects: dict[tuple[str, str], Any] = {}

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "POST" and "kbn-xsrf" not in asked.headers:
            return 400, {"message": "Request must contain a kbn-xsrf header."}
        match asked.method, asked.path.split("?")[0].strip("/").split("/"):
            case "GET", ["api", "status"]:
                return 200, {"status": {"overall": {"level": "available"}}}
            case "POST", ["api", "data_views", "data_view"]:
                view = asked.json()["data_view"]
                if view["id"] in self.views and not asked.json().get("override"):
                    return 400, {"message": "Duplicate data view"}
                self.views[view["id"]] = view
                return 200, {"data_view": view}
            case "POST", ["api", "data_views", "default"]:
                self.default = self.default or asked.json()["data_view_id"]
                return 200, {"acknowledged": True}
            case "GET", ["api", "data_views", "data_view", name]:
                return (200, {"data_view": self.views[name]}) if name in self.views else (404, {"message": "not found"})
            case "POST", ["api", "saved_objects", "_import"]:
                return 200, self._imported(asked)
            case "POST", ["api", "saved_objects", "_export"]:
                missing = [one for one in asked.json()["objects"] if (one["type"], one["id"]) not in self.objects]
                return (400, {"attributes": {"objects": missing}}) if missing else (200, asked.json()["objects"])
        return 404, {"message": "Not Found"}

    def _imported(self, asked: Asked) -> Any:
        form = re.search(r'name="file"; filename="[^"]*\.ndjson".*?\r\n\r\n(.*?)\r\n--', asked.body, re.DOTALL)
        objects = [json.loads(line) for line in form[1].splitlines()] if form else []
        arrived = self.objects | {(one["type"], one["id"]): one for one in objects}
        there = set(arrived) | {("index-pattern", view) for view in self.views}
        lost = [part for one in objects for part in one["references"] if (part["type"], part["id"]) not in there]
        if lost or not objects:
            return {"success": False, "errors": lost}
        self.objects = arrived
        return {"success": True, "successCount": len(objects)}


class Grafana(Standin):
    """Data sources and dashboards, by uid."""

    def __init__(self, **passwords: str) -> None:
        super().__init__(**passwords)
        self.sources: dict[str, str] = {}
        self.dashboards: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        match asked.path.strip("/").split("/"):
            case ["api", "health"]:
                return 200, {"database": "ok"}
            case ["api", "datasources", "uid", uid] if uid in self.sources:
                return 200, {"uid": uid}
            case ["api", "datasources", "uid", uid, "health"] if uid in self.sources:
                return 200, {"status": self.sources[uid]}
            case ["api", "dashboards", "uid", uid] if uid in self.dashboards:
                return 200, {"dashboard": {"uid": uid}}
        return 404, {"message": "not found"}


@contextmanager
def opensearch() -> Iterator[str]:
    """Run osmem-server, an OpenSearch in memory, and give its URL."""
    command = [resolve_binary(None), "--no-ja"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


@contextmanager
def logstash(elasticsearch: str, index: str) -> Iterator[int]:
    """Read lines of JSON as Logstash's input does, add what its output adds, and give the port."""
    kind, dataset, namespace = index.split("-")
    added = {"@version": "1", "data_stream": {"type": kind, "dataset": dataset, "namespace": namespace}}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                document = json.loads(line) | added
                requests.post(f"{elasticsearch}/{index}/_doc?refresh=true", json=document, timeout=TIMEOUT_S)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
