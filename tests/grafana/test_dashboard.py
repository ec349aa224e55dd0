"""The dashboard as a file: what Grafana would refuse or show badly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

from scripts.dashboards import ELASTICSEARCH, PAGE_WIDTH, ROOT, TARGET, text
from tests.grafana.dashboard import DASHBOARD, Json, asked, data_sources, explored, links, panel, panels
from tests.prometheus.rulebook import selectors

UNITS = {"short", "none", "s", "reqps", "percentunit", "bytes", "currencyUSD"}
COLOURS = {"text", "transparent", "green", "yellow", "orange", "red"}
CHARACTERS_A_COLUMN = 7


def overlapping(drawn: Iterable[Json]) -> list[tuple[int, int]]:
    """Return the cells of the page that more than one panel covers."""
    places = [shown["gridPos"] for shown in drawn]
    cells = Counter(
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )
    return [cell for cell, covered in cells.items() if covered > 1]


def chosen(query: str) -> set[frozenset[tuple[str, str, str]]]:
    """Return what each selector of a query chooses, apart from the job and from the buckets."""
    return {
        frozenset((m.name, str(m.op), m.value) for m in selector.matchers.matchers if m.name not in ("job", "le"))
        for selector in selectors(query)
    }


def test_the_committed_dashboard_is_what_the_script_writes() -> None:
    assert text() == TARGET.read_text(encoding="utf-8"), "run python scripts/dashboards.py"


def test_it_is_a_classic_dashboard_with_a_fixed_uid() -> None:
    assert DASHBOARD["schemaVersion"] == 42
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("twitter-api", "twitter-api")
    assert DASHBOARD.keys().isdisjoint({"apiVersion", "kind", "metadata", "spec", "elements", "layout", "id", "__inputs"})


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


def test_ids_and_titles_are_unique() -> None:
    assert len({shown["id"] for shown in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({shown["title"] for shown in panels()}) == len(panels())


def test_panels_stay_on_the_page_and_do_not_overlap() -> None:
    assert all(shown["gridPos"]["x"] + shown["gridPos"]["w"] <= PAGE_WIDTH for shown in DASHBOARD["panels"])
    assert overlapping(DASHBOARD["panels"]) == []


def test_each_panel_says_what_it_tells_and_what_to_do() -> None:
    for shown in panels():
        defaults = shown["fieldConfig"]["defaults"]
        assert len(shown["title"]) <= CHARACTERS_A_COLUMN * shown["gridPos"]["w"], shown["title"]
        assert len(shown["description"]) >= 80, shown["title"]
        assert shown["description"].endswith("."), shown["title"]
        assert defaults["unit"] in UNITS, shown["title"]
        assert defaults["noValue"], shown["title"]


def test_the_thresholds_of_each_panel_rise_from_a_first_one_without_value() -> None:
    for shown in panels():
        first, *more = shown["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert first["value"] is None, shown["title"]
        assert [step["value"] for step in more] == sorted({step["value"] for step in more}), shown["title"]
        assert {step["color"] for step in (first, *more)} <= COLOURS, shown["title"]


def test_no_series_is_known_by_its_colour_alone() -> None:
    for shown in panels():
        options, title = shown["options"], shown["title"]
        if shown["type"] == "timeseries":
            assert options["legend"]["showLegend"], title
            assert (options["legend"]["displayMode"], bool(options["legend"]["calcs"])) == ("table", True), title
        if shown["type"] == "stat":
            several = any(re.search(r"^\w+ by ", target["expr"]) for target in shown["targets"])
            assert options["textMode"] in (("value_and_name",) if several else ("value", "name")), title
        if shown["datasource"]["uid"] == "prometheus":
            names = [target["legendFormat"] for target in shown["targets"]]
            assert "__auto" not in names, title
            assert len(set(names)) == len(names), title


def test_each_panel_asks_a_data_source_that_is_provisioned_and_metrics_in_promql() -> None:
    sources = data_sources()
    for shown in panels():
        for source in (shown["datasource"], *(target["datasource"] for target in shown["targets"])):
            assert sources[source["uid"]]["type"] == source["type"], shown["title"]
    assert all(selectors(query.query) for query in asked("prometheus"))


def test_only_what_may_lie_below_0_is_drawn_below_it() -> None:
    charts = [shown for shown in panels() if shown["type"] == "timeseries"]
    assert [shown["title"] for shown in charts if "min" not in shown["fieldConfig"]["defaults"]] == ["Drift from X's count"]


def test_a_click_on_a_series_opens_its_requests_in_the_log() -> None:
    assert list(links())
    for shown, address in links():
        pane = explored(address)
        (query,) = pane["queries"]
        assert pane["datasource"] == ELASTICSEARCH["uid"]
        assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
        assert query["metrics"][0]["type"] == "logs"
        for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", query["query"]):
            assert re.search(rf"by \([^)]*\b{label}\b", shown["targets"][0]["expr"]), shown["title"]


def test_the_operations_guide_says_what_each_panel_tells() -> None:
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", guide.partition("\n## Panels\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    assert [name for name in rows if name != "panel"] == [shown["title"] for shown in panels()]


def test_the_objectives_are_those_of_the_alerts() -> None:
    rules = yaml.safe_load((ROOT / "prometheus/rules/objectives.yml").read_text(encoding="utf-8"))
    alerts = {choice for group in rules["groups"] for rule in group["rules"] for choice in chosen(rule["expr"])}
    reads = chosen(panel("Within 250 ms (99 %)")["targets"][0]["expr"])
    everything = chosen(panel("Requests in 30 days")["targets"][0]["expr"])
    assert reads | everything <= alerts


def test_every_word_of_the_table_of_panels_is_put_in() -> None:
    words: list[Any] = re.findall(
        r"\b(?:ASKED|READS|ERRORS|AVAILABLE|FAST|WINDOW|X_AWAY)\b", TARGET.read_text(encoding="utf-8")
    )
    assert words == []
