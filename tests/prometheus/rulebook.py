"""The rules as data: what they name, what they say, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook.md"
OF_PROMETHEUS = {"up", "prometheus_notifications_errors_total"}
OF_SCRAPES = {"job", "instance"}
GROWING = {"status", "url_rule"}

Exported = Mapping[str, Mapping[str, set[str]]]


class Rule(NamedTuple):
    """An alert or a recording rule; `name` is the alert's or the recorded metric's."""

    name: str
    expression: str
    is_alert: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@cache
def parsed(path: Path) -> Any:
    """Return a file of YAML, by the parser that is written in C."""
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def rules() -> list[Rule]:
    """Return all rules of the rule files, in order."""
    found = []
    for path in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for group in parsed(path)["groups"]:
            found += [_rule(entry) for entry in group["rules"]]
    return found


def question(expression: str) -> Rule:
    """Return a query that is no rule's as a rule without a name."""
    return Rule("", expression, True, {}, {})


def alerts() -> list[Rule]:
    return [rule for rule in rules() if rule.is_alert]


def _rule(entry: Mapping[str, Any]) -> Rule:
    name = entry.get("alert") or entry["record"]
    return Rule(name, entry["expr"], "alert" in entry, entry.get("labels", {}), entry.get("annotations", {}))


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """Return the selectors of a PromQL expression."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def unexported(found: Iterable[Rule], exported: Exported) -> set[str]:
    """Return what rules ask for and a scrape can't give: a metric, a label of it, or a label's value."""
    found = list(found)
    recorded = {rule.name for rule in found if not rule.is_alert}
    missing = set()
    for selector in (selector for rule in found for selector in selectors(rule.expression)):
        name = str(selector.name)
        if name in exported:
            missing |= {f"{name}{{{lack}}}" for lack in _lacking(selector.matchers.matchers, exported[name])}
        elif name not in recorded | OF_PROMETHEUS:
            missing.add(name)
    return missing


def _lacking(matchers: Iterable[promql_parser.Matcher], labels: Mapping[str, set[str]]) -> Iterator[str]:
    """Give the labels and values that a metric lacks. Of statuses and routes, which traffic and versions add, one is enough."""
    for matcher in matchers:
        if matcher.name in OF_SCRAPES:
            continue
        if matcher.name not in labels:
            yield matcher.name
        elif matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re):
            wanted = [matcher.value] if matcher.name in GROWING else matcher.value.split("|")
            yield from (f'{matcher.name}="{value}"' for value in wanted if not _any(value, labels[matcher.name]))


def _any(pattern: str, values: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, value) for value in values)


def queries() -> list[Rule]:
    """Return what the runbook asks Prometheus, each query as a rule without a name."""
    return [question(asked) for asked in re.findall(r"^ask '(.+)'$", RUNBOOK.read_text(), re.MULTILINE)]


def sections(markdown: str) -> dict[str, str]:
    """Return the text below each heading by the heading's anchor, as GitHub makes it."""
    parts = re.split(r"^#{1,6} (.+)$", markdown, flags=re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in parts[1::2]]
    return dict(zip(anchors, parts[2::2], strict=True))
