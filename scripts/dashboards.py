"""Write grafana/dashboards/twitter-api.json from grafana/panels.toml: classic JSON, the only form Grafana 13 reads from files.

    python scripts/dashboards.py [FILE]

FILE is the dashboard unless another is named.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "grafana/panels.toml"
TARGET = ROOT / "grafana/dashboards/twitter-api.json"
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
ELASTICSEARCH = {"type": "elasticsearch", "uid": "elasticsearch"}
PAGE_WIDTH = 24
DASHES = {"dash": [10, 10], "dot": [2, 6]}
LOG_METRICS: dict[str, Json] = {
    "log": {"type": "logs", "settings": {"limit": "200"}},
    "table": {"type": "raw_data", "settings": {"size": "200"}},
    "bars": {"type": "count"},
}
REQUEST_COLUMNS = {
    "@timestamp": "Time",
    "http.request.method": "Method",
    "monitor.route": "Route",
    "http.response.status_code": "Status",
    "event.duration": "Duration",
    "http.response.body.bytes": "Bytes",
    "client.ip": "Client",
    "http.request.id": "Request id",
    "trace.id": "Trace id",
}


class Panel(NamedTuple):
    """A panel as panels.toml has it."""

    title: str
    kind: str
    tells: str
    unit: str
    empty: str
    ask: Mapping[str, str]
    size: Sequence[int] = (8, 9)
    steps: Sequence[str] = ("text",)
    texts: Mapping[str, str] | None = None
    logs: str | None = None
    signed: bool = False


def lines(panel: Panel) -> Json:
    """Return what makes a panel a chart over time. Its legend is a table, so that no series is known by colour alone."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 8,
        "showPoints": "never",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if len(panel.steps) > 1 else "off"},
    }
    lowest = {} if panel.signed else {"min": 0}
    legend = {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    return {
        "type": "timeseries",
        "fieldConfig": fields(panel, color={"mode": "palette-classic-by-name"}, custom=custom, **lowest),
        "options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
    }


def steps(panel: Panel) -> Json:
    """Return a chart of figures that keep their value until they change."""
    chart = lines(panel)
    chart["fieldConfig"]["defaults"]["custom"]["lineInterpolation"] = "stepAfter"
    return chart


def percentiles(panel: Panel) -> Json:
    """Return a chart of three lines: solid, dashed and dotted."""
    chart = lines(panel)
    for name, (fill, dash) in zip(list(panel.ask)[1:], DASHES.items(), strict=True):
        style = {"id": "custom.lineStyle", "value": {"fill": fill, "dash": dash}}
        chart["fieldConfig"]["overrides"].append(override(name, style))
    return chart


def stat(panel: Panel) -> Json:
    """Return figures, their last values; of several, each with its name. One whose labels are its answer shows them alone."""
    named = any("{{" in name for name in panel.ask)
    shown = "name" if named else "value"
    return {
        "type": "stat",
        "fieldConfig": fields(panel, color={"mode": "thresholds"}),
        "options": {
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "value_and_name" if named and panel.texts else shown,
        },
    }


def bars(panel: Panel) -> Json:
    """Return stacked bars that count lines of the log by level."""
    chart = lines(panel)
    chart["fieldConfig"]["defaults"]["custom"] |= {"drawStyle": "bars", "fillOpacity": 70, "stacking": {"mode": "normal"}}
    chart["options"]["legend"]["calcs"] = ["sum"]
    return chart


def log(panel: Panel) -> Json:
    """Return lines of the log as they are, newest first."""
    off = dict.fromkeys(("showLabels", "showCommonLabels", "prettifyLogMessage"), False)
    on = dict.fromkeys(("showTime", "wrapLogMessage", "enableLogDetails", "showLogContextToggle"), True)
    options = {**off, **on, "sortOrder": "Descending", "dedupStrategy": "none"}
    return {"type": "logs", "fieldConfig": fields(panel), "options": options}


def table(panel: Panel) -> Json:
    """Return requests as rows of a table with the columns of REQUEST_COLUMNS."""
    order = {name: number for number, name in enumerate(REQUEST_COLUMNS)}
    kept = {"id": "filterFieldsByName", "options": {"include": {"names": list(REQUEST_COLUMNS)}}}
    arranged = {"id": "organize", "options": {"excludeByName": {}, "indexByName": order, "renameByName": REQUEST_COLUMNS}}
    nanoseconds = override("event.duration", {"id": "unit", "value": "ns"})
    return {
        "type": "table",
        "fieldConfig": fields(panel) | {"overrides": [nanoseconds]},
        "options": {"showHeader": True, "cellHeight": "sm"},
        "transformations": [kept, arranged],
    }


KINDS = {kind.__name__: kind for kind in (lines, steps, percentiles, stat, bars, log, table)}


def fields(panel: Panel, **more: Any) -> Json:
    """Return how values are shown: unit, text for no value, thresholds, words for values, and the way to the log."""
    defaults = {
        "unit": panel.unit,
        "noValue": panel.empty,
        "thresholds": {"mode": "absolute", "steps": [threshold(step) for step in panel.steps]},
        "mappings": [words(panel.texts)] if panel.texts else [],
        "links": [{"title": "These requests in the log", "url": explore(panel.logs)}] if panel.logs else [],
    }
    return {"defaults": defaults | more, "overrides": []}


def threshold(step: str) -> Json:
    """Return a step, such as `0.25 orange`; the lowest one has no value."""
    value, _, color = step.rpartition(" ")
    return {"value": float(value) if value else None, "color": color}


def words(texts: Mapping[str, str]) -> Json:
    """Return words to show in place of values."""
    options = {value: {"text": text, "index": number} for number, (value, text) in enumerate(texts.items())}
    return {"type": "value", "options": options}


def override(name: str, how: Json) -> Json:
    """Return how one series or column is shown."""
    return {"matcher": {"id": "byName", "options": name}, "properties": [how]}


def explore(lucene: str) -> str:
    """Return the address of the log in Explore, over the dashboard's time. What Grafana fills in, ${…}, stays as it is."""
    query = {"refId": "A", "datasource": ELASTICSEARCH, **log_query("log", lucene)}
    pane = {"datasource": "elasticsearch", "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    parts = re.split(r"(\$\{[^}]*\})", json.dumps({"log": pane}))
    address = "".join(part if part.startswith("${") else quote(part, safe="") for part in parts)
    return f"/explore?schemaVersion=1&orgId=1&panes={address}"


def target(panel: Panel, number: int, name: str) -> Json:
    """Return a query as Grafana keeps it. A single figure needs only the newest value."""
    letter, query = {"refId": "ABC"[number]}, panel.ask[name]
    if panel.kind in LOG_METRICS:
        return letter | {"datasource": ELASTICSEARCH} | log_query(panel.kind, query)
    instant = panel.kind == "stat"
    how = {"instant": instant, "range": not instant, "editorMode": "code"}
    return letter | {"datasource": PROMETHEUS, "expr": query, "legendFormat": name} | how


def log_query(kind: str, lucene: str) -> Json:
    """Return what is asked of Elasticsearch: lines, requests or, over time, the number of lines by level."""
    by_level = {"id": "2", "type": "terms", "field": "log.level", "settings": {"size": "10", "orderBy": "_term"}}
    over_time = {"id": "3", "type": "date_histogram", "field": "@timestamp", "settings": {"interval": "auto"}}
    return {
        "query": lucene,
        "metrics": [{"id": "1"} | LOG_METRICS[kind]],
        "bucketAggs": [by_level, over_time] if kind == "bars" else [],
        "timeField": "@timestamp",
    }


def expanded(query: str, known: Mapping[str, str], window: str = "") -> str:
    """Return a query with the words of panels.toml put in, on one line."""
    word = re.compile(rf"\b({'|'.join(known)})\b(?:\((\w+)\))?")
    whole = word.sub(lambda found: expanded(known[found[1]], known, found[2] or window), query)
    return " ".join(whole.replace("WINDOW", window).split())


def rows() -> dict[str, list[Panel]]:
    """Return the panels of each row, in their order."""
    source = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return {row["title"]: [read(raw, source["words"]) for raw in row["panel"]] for row in source["row"]}


def read(raw: Json, known: Mapping[str, str]) -> Panel:
    """Return a panel of panels.toml; raises TypeError for a key that is missing or unknown."""
    ask = {name: expanded(query, known) for name, query in raw["ask"].items()}
    return Panel(**raw | {"ask": ask, "tells": " ".join(raw["tells"].split())})


def panels() -> list[Json]:
    """Return all panels in their places: row below row, each filled from the left and then downwards."""
    placed: list[Json] = []
    y = 0
    for title, members in rows().items():
        placed.append({"type": "row", "title": title, "collapsed": False, "panels": []} | place(0, y, PAGE_WIDTH, 1))
        x, y = 0, y + 1
        for panel in members:
            width, height = panel.size
            if x + width > PAGE_WIDTH:
                x, y = 0, y + placed[-1]["gridPos"]["h"]
            placed.append(drawn(panel) | place(x, y, width, height))
            x += width
        y += placed[-1]["gridPos"]["h"]
    return [{"id": number} | panel for number, panel in enumerate(placed, 1)]


def place(x: int, y: int, width: int, height: int) -> Json:
    """Return a place on the page."""
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


def drawn(panel: Panel) -> Json:
    """Return a panel without its place."""
    source = ELASTICSEARCH if panel.kind in LOG_METRICS else PROMETHEUS
    targets = [target(panel, number, name) for number, name in enumerate(panel.ask)]
    return KINDS[panel.kind](panel) | {
        "title": panel.title,
        "description": panel.tells,
        "datasource": source,
        "targets": targets,
    }


def wanted() -> Json:
    """Return the field in which one request is asked for; * stands for all."""
    current = {"text": "*", "value": "*"}
    texts = {"label": "Request or trace id", "description": "Narrows All requests down to one; * stands for all"}
    return texts | {
        "type": "textbox",
        "name": "id",
        "query": "*",
        "current": current,
        "options": [current | {"selected": True}],
    }


def dashboard() -> Json:
    """Return the dashboard. Times are UTC, as everywhere in the service."""
    return {
        "uid": "twitter-api",
        "title": "twitter-api",
        "description": "The hashtag monitor: requests, collector, objectives, database, and the log beside them.",
        "schemaVersion": 42,
        "version": 1,
        "tags": ["twitter-api"],
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "refresh": "30s",
        "links": [{"type": "link", "title": "The log", "url": explore("*"), "icon": "doc", "tooltip": "All lines in Explore"}],
        "annotations": {"list": []},
        "templating": {"list": [wanted()]},
        "panels": panels(),
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if sys.argv[1:] else TARGET).write_text(text(), encoding="utf-8")
