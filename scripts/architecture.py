"""Draw docs/architecture.svg: the parts of the service and what flows between them.

.venv/bin/python scripts/architecture.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

TARGET = Path(__file__).resolve().parent.parent / "docs/architecture.svg"
WIDTH, HEIGHT = 1340, 560


class Box(NamedTuple):
    """A part: its corner, its size, what it is called and what it does."""

    x: int
    y: int
    width: int
    name: str
    does: str
    dashed: bool = False


BOX_HEIGHT = 64
BOXES = {
    "x": Box(20, 30, 190, "X API v2", "recent search"),
    "emulator": Box(20, 130, 190, "emulator/", "stands in without credentials", dashed=True),
    "collector": Box(350, 80, 210, "collector/", "page loop, ledger, schedule"),
    "archives": Box(20, 250, 190, "archives", "twarc2 pages, NDJSON", dashed=True),
    "commands": Box(350, 250, 210, "commands/", "flask --app app tweets import"),
    "database": Box(720, 165, 160, "SQLite", "each tweet once, ledger"),
    "resources": Box(720, 30, 160, "resources/", "REST API, Flask-RESTful"),
    "telemetry": Box(720, 340, 160, "telemetry/", "logs and metrics"),
    "clients": Box(1030, 30, 130, "clients", "curl, Postman", dashed=True),
    "prometheus": Box(1030, 250, 130, "Prometheus", "rules, alerts"),
    "grafana": Box(1200, 250, 120, "Grafana", "dashboards"),
    "logstash": Box(720, 470, 160, "Logstash", "TCP, JSON lines"),
    "elasticsearch": Box(1030, 470, 130, "Elasticsearch", "data stream"),
    "kibana": Box(1200, 470, 120, "Kibana", "searches"),
    "alertmanager": Box(1030, 360, 130, "Alertmanager", "webhook, e-mail", dashed=True),
}
ARROWS = [
    ("x", "collector", "HTTPS"),
    ("emulator", "collector", "loopback"),
    ("collector", "database", "a transaction a page"),
    ("archives", "commands", "files"),
    ("commands", "database", "batches"),
    ("database", "resources", "reads"),
    ("resources", "clients", "HTTP"),
    ("database", "telemetry", "figures"),
    ("telemetry", "prometheus", "/metrics"),
    ("prometheus", "grafana", ""),
    ("prometheus", "alertmanager", ""),
    ("telemetry", "logstash", "ECS JSON"),
    ("logstash", "elasticsearch", ""),
    ("elasticsearch", "kibana", ""),
    ("elasticsearch", "grafana", ""),
]
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2933 } .name { font-weight: 600 }
.small { font-size: 11.5px; fill: #52606d } .label { paint-order: stroke; stroke: #fff; stroke-width: 5px }
rect { fill: #f5f7fa; stroke: #3e4c59; stroke-width: 1.4; rx: 8 } .dashed { stroke-dasharray: 5 4; fill: #fff }
line { stroke: #3e4c59; stroke-width: 1.4; marker-end: url(#tip) } .ground { fill: #fff; stroke: none }
"""
TIP = '<path d="M0 0 9 3.5 0 7z" fill="#3e4c59"/>'


def box(part: Box) -> str:
    kind = ' class="dashed"' if part.dashed else ""
    middle = part.x + part.width / 2
    return (
        f'<rect{kind} x="{part.x}" y="{part.y}" width="{part.width}" height="{BOX_HEIGHT}"/>'
        f'<text class="name" x="{middle}" y="{part.y + 27}" text-anchor="middle">{escape(part.name)}</text>'
        f'<text class="small" x="{middle}" y="{part.y + 47}" text-anchor="middle">{escape(part.does)}</text>'
    )


def arrow(start: str, end: str, label: str) -> str:
    (x1, y1), (x2, y2) = edge(BOXES[start], BOXES[end]), edge(BOXES[end], BOXES[start])
    words = f'<text class="small label" x="{(x1 + x2) / 2}" y="{(y1 + y2) / 2 + 4}" text-anchor="middle">{escape(label)}</text>'
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>{words if label else ""}'


def edge(part: Box, towards: Box) -> tuple[float, float]:
    """Return the point on the border of `part` from which an arrow to `towards` leaves: a side, or above or below."""
    if towards.x > part.x + part.width:
        return part.x + part.width, part.y + BOX_HEIGHT / 2
    if towards.x + towards.width < part.x:
        return part.x, part.y + BOX_HEIGHT / 2
    return part.x + part.width / 2, part.y + (BOX_HEIGHT if towards.y > part.y else 0)


def drawing() -> str:
    """Return the picture as SVG."""
    parts = [arrow(*line) for line in ARROWS] + [box(part) for part in BOXES.values()]
    tip = f'<marker id="tip" markerWidth="9" markerHeight="7" refX="8" refY="3.5" orient="auto">{TIP}</marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Architecture">'
        f"<style>{STYLE}</style><defs>{tip}</defs>"
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    TARGET.write_text(drawing())
