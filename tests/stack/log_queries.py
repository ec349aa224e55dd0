"""What Grafana's panels and Kibana's searches ask the log, and which records each of these must find."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import requests

from tests.grafana.dashboard import asked, explored, links
from tests.stack.records import Json
from tests.stack.saved import SEARCHES, query

TRACE = 32 * "a"
VARIABLES = {"${id:raw}": TRACE, "${__field.labels.status}": "503", "${__field.labels.url_rule}": "/database"}
SLOW_NS = 250_000_000
TIMEOUT_S = 60


class LogQuery(NamedTuple):
    """A query in Lucene's language or in Kibana's (KQL), with the title of its panel or search and what it is meant to find."""

    title: str
    text: str
    wanted: Callable[[Json], bool]


def value(record: Json, name: str) -> Any:
    """Return a field by its dotted name, or nothing."""
    found: Any = record
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def is_request(record: Json) -> bool:
    return value(record, "event.duration") is not None


def is_slow(record: Json) -> bool:
    return bool((value(record, "event.duration") or 0) >= SLOW_NS)


def is_worse(record: Json, status: int) -> bool:
    """Tell whether a record is a warning or worse, or a request with at least this status."""
    worse = value(record, "log.level") in ("warning", "error", "critical")
    return bool(worse or (value(record, "http.response.status_code") or 0) >= status)


def is_refused(record: Json) -> bool:
    return bool(value(record, "http.response.status_code") == 503)


def is_of_database(record: Json) -> bool:
    return bool(value(record, "monitor.route") == "/database")


def is_of_a_job(record: Json) -> bool:
    fields = ("monitor.scheduled_job", "monitor.backup", "monitor.posts_by_x")
    return record["message"] in ("tag counted", "tag not counted") or any(value(record, name) is not None for name in fields)


OF_GRAFANA: dict[str, Callable[[Json], bool]] = {
    "Log lines by level": lambda record: True,
    "Errors and warnings": lambda record: is_worse(record, 500),
    "All requests": lambda record: is_request(record) and value(record, "trace.id") == TRACE,
    "API errors": lambda record: is_request(record) and is_refused(record),
    "Latency, last 5 minutes": is_slow,
    "Rate by route": is_of_database,
    "Errors by route": lambda record: is_of_database(record) and is_refused(record),
    "Latency by route, p95": lambda record: is_slow(record) and is_of_database(record),
}
OF_KIBANA: dict[str, Callable[[Json], bool]] = {
    "All requests": is_request,
    "Errors": lambda record: is_worse(record, 400),
    "Collections": lambda record: value(record, "monitor.collection") is not None,
    "Scheduled jobs": is_of_a_job,
}


class Store:
    """An index or a data stream of Elasticsearch, or of what stands in for it, by its URL."""

    def __init__(self, url: str, account: tuple[str, str] | None = None) -> None:
        self._url, self._account, self._sent = url, account, 0

    def created(self, documents: list[Json]) -> list[Json]:
        """Send documents as Logstash does, numbered from 0 on, and return what became of each."""
        numbered = enumerate(documents, start=self._sent)
        lines = [line for number, document in numbered for line in ({"create": {"_id": str(number)}}, document)]
        self._sent += len(documents)
        items = self._answer("_bulk?refresh=true", "".join(json.dumps(line) + "\n" for line in lines))["items"]
        return [item["create"] for item in items]

    def found(self, query: Json) -> set[str]:
        """Return the numbers of the documents that a query finds."""
        hits = self._answer("_search", json.dumps({"query": query, "size": 10_000}))["hits"]["hits"]
        return {hit["_id"] for hit in hits}

    def misses(self, asked: LogQuery, query: Json, records: list[Json]) -> bool:
        """Tell whether a query finds others of the records than it is meant to find, or none."""
        wanted = {str(number) for number, record in enumerate(records) if asked.wanted(record)}
        return not wanted or self.found(query) != wanted

    def _answer(self, path: str, body: str) -> Json:
        headers = {"Content-Type": "application/x-ndjson" if path.startswith("_bulk") else "application/json"}
        url, data = f"{self._url}/{path}", body.encode()
        answer = requests.post(url, data=data, headers=headers, auth=self._account, timeout=TIMEOUT_S)
        assert answer.ok, answer.text
        return dict(answer.json())


def lucene() -> list[LogQuery]:
    """Return the queries of panels, and of the links behind their series, with variables filled in."""
    found = {query.panel: query.query for query in asked("elasticsearch")}
    found |= {shown["title"]: explored(address)["queries"][0]["query"] for shown, address in links()}
    return [LogQuery(title, _filled(text), OF_GRAFANA[title]) for title, text in found.items()]


def kql() -> list[LogQuery]:
    """Return the queries of the saved searches."""
    return [LogQuery(saved["attributes"]["title"], query(saved), OF_KIBANA[saved["attributes"]["title"]]) for saved in SEARCHES]


def as_lucene(text: str) -> str:
    """Return what a KQL query of the forms that the searches use means in Lucene's language."""
    return re.sub(r" *(:|>=) +", lambda found: ":" if found[1] == ":" else f":{found[1]}", text).replace(" or ", " OR ")


def _filled(text: str) -> str:
    for name, filled in VARIABLES.items():
        text = text.replace(name, filled)
    assert "$" not in text, text
    return text
