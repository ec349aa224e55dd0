"""What Elasticsearch is told of log records: the fields of the Elastic Common Schema that the service uses, and our own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fixtures.environment import ROOT

Json = dict[str, Any]

# Names and types as in the reference of ECS 8.17. Elasticsearch gets them from its own ecs@mappings.
ECS_BY_TYPE = {
    "date": "@timestamp",
    "match_only_text": "message error.message",
    "ip": "client.ip",
    "wildcard": "error.stack_trace url.path",
    "long": "event.duration http.response.body.bytes http.response.status_code process.pid",
    "keyword": "ecs.version error.type event.category event.dataset event.kind event.type host.name http.request.id"
    " http.request.method log.level log.logger service.name trace.id",
}
ECS = {name: kind for kind, names in ECS_BY_TYPE.items() for name in names.split()}
TEMPLATE: Json = json.loads((ROOT / "logstash/elasticsearch/index-template.json").read_text(encoding="utf-8"))
MONITOR: Json = TEMPLATE["template"]["mappings"]["properties"]["monitor"]["properties"]
KNOWN_FIELDS = set(ECS) | {f"monitor.{name}" for name in MONITOR}


def mappings() -> Json:
    """Return the mappings of all fields, with every other field refused."""
    properties: Json = {"monitor": {"properties": MONITOR}}
    for name, kind in ECS.items():
        *objects, last = name.split(".")
        place = properties
        for part in objects:
            place = place.setdefault(part, {"properties": {}})["properties"]
        place[last] = {"type": kind}
    return {"dynamic": "strict", "properties": properties}


def fields(document: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Give the names of the fields that a document has, dotted."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from fields(value, f"{within}{name}.")
        else:
            yield within + name
