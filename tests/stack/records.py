"""What Elasticsearch is told of log records: the fields of the Elastic Common Schema that the service uses, and our own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fixtures.environment import ROOT

Json = dict[str, Any]

# Names and types as in the reference of ECS 8.17. Elasticsearch gets them from its own ecs@mappings.
ECS = {
    "@timestamp": "date",
    "message": "match_only_text",
    "client.ip": "ip",
    "ecs.version": "keyword",
    "error.message": "match_only_text",
    "error.stack_trace": "wildcard",
    "error.type": "keyword",
    "event.category": "keyword",
    "event.dataset": "keyword",
    "event.duration": "long",
    "event.kind": "keyword",
    "event.type": "keyword",
    "host.name": "keyword",
    "http.request.id": "keyword",
    "http.request.method": "keyword",
    "http.response.body.bytes": "long",
    "http.response.status_code": "long",
    "log.level": "keyword",
    "log.logger": "keyword",
    "process.pid": "long",
    "service.name": "keyword",
    "trace.id": "keyword",
    "url.path": "wildcard",
}

TEMPLATE: Json = json.loads((ROOT / "logstash/elasticsearch/index-template.json").read_text(encoding="utf-8"))
MONITOR: Json = TEMPLATE["template"]["mappings"]["properties"]["monitor"]["properties"]


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


def known_fields() -> set[str]:
    """Return the names of all fields, dotted."""
    return set(ECS) | {f"monitor.{name}" for name in MONITOR}


def fields(documents: list[Json]) -> set[str]:
    """Return the names of the fields that documents have, dotted."""
    return {path.removeprefix("/").replace("/", ".") for document in documents for path, _ in leaves(document)}


def leaves(document: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """Give each value with its path; the elements of a list are values of the list's path."""
    for name, value in document.items():
        path = f"{within}/{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, path)
        else:
            yield from ((path, part) for part in (value if isinstance(value, list) else [value]))


def kinds(documents: list[Json]) -> dict[str, set[str]]:
    """Return which kinds of value each path has had; null is none."""
    found: dict[str, set[str]] = {}
    for document in documents:
        for path, value in leaves(document):
            if value is not None:
                found.setdefault(path, set()).add("number" if type(value) in (int, float) else type(value).__name__)
    return found


def faults(documents: list[Json]) -> list[str]:
    """Return in words what Elasticsearch would take amiss sooner or later, whatever its mappings are."""
    found = [f"{path} is now {' now '.join(sorted(kind))}" for path, kind in kinds(documents).items() if len(kind) > 1]
    paths = set(kinds(documents))
    found += [f"{path} has a dot in a name" for path in paths if "." in path]
    found += [f"{path} is a value and an object" for path in paths if any(other.startswith(f"{path}/") for other in paths)]
    return sorted(
        found + [f"{path} is no object" for path in paths & {"/host", "/log", "/error", "/event", "/service", "/url"}]
    )


def once(pairs: list[tuple[str, Any]]) -> Json:
    """Build an object of JSON as Elasticsearch does, which refuses a name that comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a name comes twice: {sorted(name for name, _ in pairs)}")
    return found
