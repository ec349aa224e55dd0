"""The committed dashboard, and what its panels ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.fixtures.environment import ROOT

Json = dict[str, Any]

DASHBOARD: Json = json.loads((ROOT / "grafana/dashboards/twitter-api.json").read_text(encoding="utf-8"))
FIELD = re.compile(r"([\w@.]+):")


class Asked(NamedTuple):
    """A query of a panel: PromQL or Lucene."""

    panel: str
    legend: str
    query: str


def panels() -> list[Json]:
    """Return the panels without the titles of the rows."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def panel(title: str) -> Json:
    return next(panel for panel in panels() if panel["title"] == title)


def asked(source: str) -> list[Asked]:
    """Return what is asked of a data source, by its uid."""
    targets = [(panel["title"], target) for panel in panels() for target in panel["targets"]]
    wanted = [(title, target) for title, target in targets if target["datasource"]["uid"] == source]
    return [Asked(title, target.get("legendFormat", ""), target.get("expr") or target["query"]) for title, target in wanted]


def lucene_fields(query: str) -> set[str]:
    """Return the fields that a Lucene query names."""
    return set(FIELD.findall(re.sub(r'"[^"]*"|\$\{[^}]*\}', "", query)))


def links() -> Iterator[tuple[Json, str]]:
    """Give each address behind a series, with its panel."""
    for shown in panels():
        for link in shown["fieldConfig"]["defaults"]["links"]:
            yield shown, link["url"]


def explored(address: str) -> Json:
    """Return what Explore shows under an address."""
    parts = urlsplit(address)
    assert parts.path == "/explore"
    pane: Json = json.loads(parse_qs(parts.query)["panes"][0])["log"]
    return pane


def data_sources(variables: Mapping[str, str] | None = None) -> dict[str, Json]:
    """Return the provisioned data sources by uid, as Grafana reads them: what is not among the variables is nothing."""
    files = sorted((ROOT / "grafana/provisioning/datasources").glob("*.yml"))
    texts = [
        re.sub(r"\$(\$)|\$\{?(\w+)\}?", lambda found: found[1] or (variables or {}).get(found[2], ""), file.read_text())
        for file in files
    ]
    return {source["uid"]: source for text in texts for source in yaml.safe_load(text)["datasources"]}
