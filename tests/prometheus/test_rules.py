"""The rules by Prometheus's own tools, and what they tell the person who is called."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.rulebook import OPERATIONS, PROMETHEUS, alerts, ill_told, rules

PROMTOOL = shutil.which("promtool")
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
WINDOW = re.compile(r"(?<=[\[e])(\d+[mhd])\b")

with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: apt-get install prometheus")


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """Run promtool, and return its exit code and what it printed."""
    ran = subprocess.run([str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """A copy of the rules and their tests, to be broken."""
    for folder in ("rules", "tests"):
        shutil.copytree(PROMETHEUS / folder, tmp_path / folder)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def cases() -> Iterator[tuple[str, bool]]:
    """Give an alert's name, and whether it must fire, for each case of the rule tests."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                yield case["alertname"], bool(case.get("exp_alerts"))


def firing() -> Iterator[tuple[str, Any]]:
    """Give the name and the severity label's neighbours of each alert that a case lets fire."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                for alert in case.get("exp_alerts", []):
                    yield case["alertname"], alert["exp_labels"].get("window")


@with_promtool
def test_the_configuration_is_valid(altered: Path) -> None:
    (altered / "metrics-token").write_text("a-token")
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (altered / "prometheus.yml").write_text(text.replace("/secrets/metrics-token", "metrics-token"))
    code, printed = promtool("check", "config", altered / "prometheus.yml")
    assert code == 0, printed
    assert f"{len(list((PROMETHEUS / 'rules').glob('*.yml')))} rule files found" in printed


@with_promtool
def test_the_rules_are_valid_and_none_stands_twice() -> None:
    code, printed = promtool("check", "rules", "--lint-fatal", *sorted((PROMETHEUS / "rules").glob("*.yml")))
    assert code == 0, printed


@with_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    code, printed = promtool("test", "rules", path)
    assert code == 0, printed


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    seen = set(cases())
    names = {alert.name for alert in alerts()} - {"Watchdog"}
    assert {name for name in names if (name, True) not in seen or (name, False) not in seen} == set()
    assert ("Watchdog", True) in seen


def test_every_window_of_a_burning_budget_has_a_case_that_fires() -> None:
    windows = {(alert.name, alert.labels.get("window")) for alert in alerts()}
    assert windows - set(firing()) == set()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name + alert.labels.get("window", ""))
def test_an_alert_says_how_severe_it_is_what_it_is_and_what_to_do(alert: Any) -> None:
    assert ill_told(alert) == []


def test_the_windows_of_a_recorded_figure_differ_by_nothing_else() -> None:
    asked: dict[str, set[str]] = {}
    for rule in rules():
        if not rule.is_alert:
            name, expression = WINDOW.sub("W", rule.name), WINDOW.sub("W", rule.expression)
            asked.setdefault(name, set()).add(expression)
    assert {name: len(expressions) for name, expressions in asked.items()} == dict.fromkeys(asked, 1)
    assert len(asked) == 4


@with_promtool
@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule_file", "old", "new", "test_file"),
    [
        ("objectives.yml", "and job:http_requests:increase1h >= 100", "", "objectives.yml"),
        ("objectives.yml", 'status="503",url_rule=~"/database|/collections"', 'status="503",url_rule="/x"', "objectives.yml"),
        ("objectives.yml", "job:http_errors:increase6h / ", "job:http_error:increase6h / ", "objectives-hours.yml"),
        ("collection.yml", "clamp_min(3 *", "clamp_min(1 *", "collection.yml"),
        ("collection.yml", "twitterapi_x_requests_total", "twitterapi_x_request_total", "collection.yml"),
        ("service.yml", " or absent(", " and absent(", "service.yml"),
        ("money.yml", ') / (twitterapi_budget_usd{job="twitterapi"} > 0)', ") / 20", "money.yml"),
        ("money.yml", 'period="month",bound="ceiling"', 'period="month",bound="floor"', "money.yml"),
        ("money.yml", ' + ignoring (period, bound) twitterapi_spend_unsettled_usd{job="twitterapi"}', "", "money.yml"),
        ("money.yml", "< 0.1499", "< 0.15", "money.yml"),
        ("money.yml", "for: 30m", "for: 1m", "money.yml"),
        ("money.yml", '{job="twitterapi"} == 1', '{job="twitterapi"} == 0', "money.yml"),
        ("money.yml", "and twitterapi_collection_interval_seconds", "or twitterapi_collection_interval_seconds", "money.yml"),
        ("money.yml", "(period, bound) 0.1 *", "(period, bound) 0.01 *", "money.yml"),
        ("money.yml", "[1d] offset 1d)", "[1h])", "money-gaps.yml"),
        ("money.yml", "> 0 <= 21600", "> 0", "money-gaps.yml"),
        ("governance.yml", "> 1.25 *", "> 1 *", "governance.yml"),
        ("governance.yml", "for: 1h", "for: 1m", "governance.yml"),
        ("governance.yml", "and on (job, instance) twitterapi_coll", "or twitterapi_coll", "governance.yml"),
        ("governance.yml", 'twitterapi_tweets{job="twitterapi"} > 0', 'twitterapi_tweets{job="twitterapi"}', "governance.yml"),
        ("governance.yml", "[25h]", "[1h]", "governance-days.yml"),
        ("governance.yml", ", 0)", ", -1000)", "governance-days.yml"),
        ("governance.yml", ", -50)", ", -5000)", "governance-days.yml"),
        ("governance.yml", "clamp_min(4 *", "clamp_min(1 *", "governance-days.yml"),
    ],
)
def test_a_rule_that_is_broken_is_noticed(altered: Path, rule_file: str, old: str, new: str, test_file: str) -> None:
    replace(altered / "rules" / rule_file, old, new)
    code, printed = promtool("test", "rules", altered / "tests" / test_file)
    assert code == 1, printed
    assert "FAILED" in printed


def test_a_runbook_that_is_missing_is_noticed(tmp_path: Path) -> None:
    guide = tmp_path / "operations.md"
    guide.write_text(OPERATIONS.read_text().replace("### XErrors", "### Errors of X").replace("**Impact.**", "", 1))
    lacking = {alert.name: ill_told(alert, guide) for alert in alerts() if ill_told(alert, guide)}
    assert lacking["XErrors"] == ["runbook"]
    assert ["Impact"] in lacking.values()


@pytest.mark.parametrize(
    ("old", "new", "lack"),
    [
        ("severity: page", "team: page", "severity"),
        ("summary: The service can't be scraped", "summary: ''", "summary"),
        ("docs/operations.md#twitterapidown", "docs/operations.md#watchdog", "runbook_url"),
    ],
)
def test_an_alert_that_says_too_little_is_noticed(altered: Path, old: str, new: str, lack: str) -> None:
    replace(altered / "rules" / "service.yml", old, new)
    assert {lack} in [set(ill_told(alert)) for alert in alerts(altered)]
