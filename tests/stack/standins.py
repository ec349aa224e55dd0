"""Servers that stand in for Elasticsearch, Kibana and Logstash, which can't be run here, as far as we talk to them."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.stack.standin import Answer, Asked, Standin

DONE: Answer = (200, {"acknowledged": True})


class Elasticsearch(Standin):
    """Users, roles, an index template and a data stream, as Elasticsearch keeps them."""

    def __init__(self, **passwords: str) -> None:
        super().__init__(**passwords)
        self.roles: dict[str, Any] = {}
        self.users: dict[str, Any] = {}
        self.template: Any = None
        self.components = {"logs@mappings": 0, "logs@settings": 0, "ecs@mappings": 0}  # how often each is not there yet
        self.streams: set[str] = set()
        self.retention: str | None = None
        self.rollovers = 0

    def answer(self, asked: Asked) -> Answer:
        match asked.method, asked.path.split("?")[0].strip("/").split("/"):
            case "GET", ["_security", "_authenticate"]:
                return 200, {"username": "elastic"}
            case "POST", ["_security", "user", name, "_password"]:
                self.passwords[name] = asked.json()["password"]
                return DONE
            case "PUT", ["_security", "role", name]:
                self.roles[name] = asked.json()
                return DONE
            case "PUT", ["_security", "user", name]:
                self.users[name] = asked.json()
                return DONE
            case "GET", ["_component_template", name]:
                self.components[name] -= 1
                return (404 if self.components[name] >= 0 else 200), {}
            case "PUT", ["_index_template", "twitterapi"] if any(left >= 0 for left in self.components.values()):
                return 400, {"error": f"specifies component templates {[*self.components]} that do not exist"}
            case "PUT", ["_index_template", "twitterapi"]:
                self.template = asked.json()
                return DONE
            case _, ["_index_template", "twitterapi"] if self.template:
                return 200, {"index_templates": [{"index_template": {"version": self.template["version"]}}]}
            case "PUT", ["_data_stream", name] if name not in self.streams:
                self.streams.add(name)
                return DONE
            case "PUT", ["_data_stream", _]:
                return 400, {"error": {"type": "resource_already_exists_exception"}}
            case "GET", ["_data_stream", name] if name in self.streams:
                return 200, {"data_streams": [{"name": name}]}
            case "PUT", ["_data_stream", name, "_lifecycle"] if name in self.streams:
                self.retention = asked.json()["data_retention"]
                return DONE
            case "POST", [name, "_rollover"] if name in self.streams:
                self.rollovers += 1
                return DONE
        return 404 if asked.method == "GET" else 400, {"error": f"no handler found for {asked.method} {asked.path}"}


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
                return 200, {"status": {"overall": {"level": "degraded"}}}
            case "POST", ["api", "data_views", "data_view"]:
                view = asked.json()["data_view"]
                if view["id"] in self.views and not asked.json().get("override"):
                    return 400, {"message": "Duplicate data view"}
                self.views[view["id"]] = view
                return DONE
            case "POST", ["api", "data_views", "default"]:
                self.default = self.default or asked.json()["data_view_id"]
                return DONE
            case "GET", ["api", "data_views", "data_view", name] if name in self.views:
                return 200, {"data_view": self.views[name]}
            case "POST", ["api", "saved_objects", "_import"]:
                return 200, self._imported(asked)
            case "POST", ["api", "saved_objects", "_export"]:
                missing = [one for one in asked.json()["objects"] if (one["type"], one["id"]) not in self.objects]
                return (400, {"attributes": {"objects": missing}}) if missing else DONE
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


@contextmanager
def logstash(records: list[Any]) -> Iterator[int]:
    """Take lines of JSON on a port of loopback, as Logstash's input does, into a list, and give the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                records.append(json.loads(line))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
