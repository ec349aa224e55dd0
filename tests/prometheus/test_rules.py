"""The rules by Prometheus's own tools, and what they tell the person who is called."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prometheus.rulebook import PROMETHEUS, RUNBOOK, alerts, parsed, rules, sections
from tests.stack.shells import LONGEST_S, found

TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
NEVER = "never"
ADDRESS = "docs/runbook.md#"
PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
WINDOW = re.compile(r"(?<=[\[e])(\d+[mhd])\b")


def promtool(*arguments: str | Path) -> str:
    """Run promtool, which succeeds, and return what it printed."""
    command = [found("promtool", "prometheus"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def cases() -> Iterator[tuple[str, str | None]]:
    """Give the name and window of an alert for each case of the rule tests that lets it fire, or NEVER for the window."""
    for path in TESTS:
        for test in parsed(path)["tests"]:
            for case in test["alert_rule_test"]:
                alerts = [alert["exp_labels"].get("window") for alert in case.get("exp_alerts") or []]
                yield from ((case["alertname"], window) for window in alerts or [NEVER])


@pytest.mark.stack
def test_the_configuration_is_valid_and_no_rule_stands_twice(tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    (tmp_path / "metrics-token").write_text("a-token")
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/secrets/metrics-token", "metrics-token"))
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    assert f"{len(files)} rule files found" in promtool("check", "config", tmp_path / "prometheus.yml")
    promtool("check", "rules", "--lint-fatal", *files)


@pytest.mark.stack
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    promtool("test", "rules", path)


def test_every_alert_has_a_case_that_fires_in_each_of_its_windows_and_one_that_does_not() -> None:
    wanted = {(alert.name, alert.labels.get("window")) for alert in alerts()}
    wanted |= {(alert.name, NEVER) for alert in alerts() if alert.name != "Watchdog"}
    assert wanted - set(cases()) == set()


def test_an_alert_says_how_severe_it_is_what_it_is_and_what_to_do() -> None:
    guide = sections(RUNBOOK.read_text())
    for alert in alerts():
        assert alert.labels.get("severity") in ("page", "ticket", "none"), alert.name
        assert alert.annotations["summary"]
        assert alert.annotations["description"]
        assert alert.annotations["runbook_url"] == ADDRESS + alert.name.lower()
        runbook = guide[alert.name.lower()]
        assert [part for part in PARTS if f"**{part}.**" not in runbook] == [], alert.name


def test_the_windows_of_a_recorded_figure_differ_by_nothing_else() -> None:
    asked: dict[str, set[str]] = {}
    for rule in rules():
        if not rule.is_alert:
            name, expression = WINDOW.sub("W", rule.name), WINDOW.sub("W", rule.expression)
            asked.setdefault(name, set()).add(expression)
    assert {name: len(expressions) for name, expressions in asked.items()} == dict.fromkeys(asked, 1)
    assert len(asked) == 4
