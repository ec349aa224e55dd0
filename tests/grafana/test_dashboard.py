"""The dashboard as a file: what Grafana would refuse or show badly."""

from __future__ import annotations

import re
from itertools import product

import yaml

from tests.fixtures.environment import ROOT
from tests.grafana.dashboard import DASHBOARD, asked, data_sources, explored, links, panel, panels
from tests.prometheus.rulebook import selectors

UNITS = {"short", "none", "s", "reqps", "percentunit", "bytes", "currencyUSD"}
CHARACTERS_A_COLUMN = 7
PAGE_WIDTH = 24


def chosen(query: str) -> set[frozenset[tuple[str, str, str]]]:
    """Return what each selector of a query chooses, apart from the job and from the buckets."""
    return {
        frozenset((m.name, str(m.op), m.value) for m in selector.matchers.matchers if m.name not in ("job", "le"))
        for selector in selectors(query)
    }


def test_the_first_row_is_the_originals_three_panels() -> None:
    first, *others = DASHBOARD["panels"]
    assert first["type"] == "row"
    assert [shown["title"] for shown in others[:3]] == ["Total requests", "API errors", "Latency, last 5 minutes"]
    assert len({shown["gridPos"]["y"] for shown in others[:3]}) == 1
    assert others[3]["type"] == "row"
    latency = "sum by (le) (rate(flask_http_request_duration_seconds_bucket[5m]))"
    assert [target["expr"] for shown in others[:3] for target in shown["targets"]] == [
        "sum by (method) (flask_http_request_total)",
        'sum by (status) (flask_http_request_total{status!~"2..|304"})',
        f"histogram_quantile(0.5, {latency})",
        f"histogram_quantile(0.95, {latency})",
        f"histogram_quantile(0.99, {latency})",
    ]


def test_panels_are_told_apart_stay_on_the_page_and_do_not_overlap() -> None:
    assert len({shown["id"] for shown in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({shown["title"] for shown in panels()}) == len(panels())
    covered: list[tuple[int, int]] = []
    for place in (shown["gridPos"] for shown in DASHBOARD["panels"]):
        assert place["x"] + place["w"] <= PAGE_WIDTH
        covered += product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
    assert len(covered) == len(set(covered))


def test_each_panel_says_what_it_tells_and_what_to_do() -> None:
    for shown in panels():
        defaults = shown["fieldConfig"]["defaults"]
        assert len(shown["title"]) <= CHARACTERS_A_COLUMN * shown["gridPos"]["w"], shown["title"]
        assert len(shown["description"]) >= 80, shown["title"]
        assert shown["description"].endswith("."), shown["title"]
        assert defaults["unit"] in UNITS, shown["title"]
        assert defaults["noValue"], shown["title"]
        first, *more = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert (first, more) == (None, sorted(set(more))), shown["title"]


def test_no_series_is_known_by_its_colour_alone() -> None:
    for shown in panels():
        options, title = shown["options"], shown["title"]
        if shown["type"] == "timeseries":
            assert (options["legend"]["showLegend"], options["legend"]["displayMode"]) == (True, "table"), title
        if shown["type"] == "stat" and any(re.search(r"^\w+ by ", target["expr"]) for target in shown["targets"]):
            assert options["textMode"] == "value_and_name", title
        if shown["datasource"]["uid"] == "prometheus":
            names = {target["legendFormat"] for target in shown["targets"]} - {"__auto"}
            assert len(names) == len(shown["targets"]), title


def test_each_panel_asks_a_data_source_that_is_provisioned_and_metrics_in_promql() -> None:
    sources = data_sources()
    for shown in panels():
        for source in (shown["datasource"], *(target["datasource"] for target in shown["targets"])):
            assert sources[source["uid"]]["type"] == source["type"], shown["title"]
    assert all(selectors(query.query) for query in asked("prometheus"))


def test_a_click_on_a_series_opens_its_requests_in_the_log() -> None:
    assert list(links())
    for shown, address in links():
        pane = explored(address)
        (query,) = pane["queries"]
        assert pane["datasource"] == "elasticsearch"
        assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
        assert query["metrics"][0]["type"] == "logs"
        for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", query["query"]):
            assert re.search(rf"by \([^)]*\b{label}\b", shown["targets"][0]["expr"]), shown["title"]


def test_the_guide_says_what_each_panel_shows() -> None:
    guide = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", guide.partition("\n## Panels\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    assert [name for name in rows if name != "panel"] == [shown["title"] for shown in panels()]


def test_the_objectives_are_those_of_the_alerts() -> None:
    rules = yaml.safe_load((ROOT / "prometheus/rules/objectives.yml").read_text(encoding="utf-8"))
    alerts = {choice for group in rules["groups"] for rule in group["rules"] for choice in chosen(rule["expr"])}
    reads = chosen(panel("Within 250 ms (99 %)")["targets"][0]["expr"])
    everything = chosen(panel("Requests in 30 days")["targets"][0]["expr"])
    assert reads | everything <= alerts
