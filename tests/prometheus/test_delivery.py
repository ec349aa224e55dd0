"""An alert reaches a person: real Prometheus and Alertmanager, our rules and routes, and a webhook that listens.

Changed for the test are addresses and waiting only: scrapes every second, `for` is 2 s, groups are notified at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fixtures.waiting import wait_until
from tests.prometheus.programs import LONGEST_ANSWER_S, alertmanager, prometheus, with_programs
from tests.stack.standin import Answer, Asked, Standin

pytestmark = [pytest.mark.stack, with_programs]

INTERVAL_S = 900
LAST_SUCCESS = "twitterapi_collection_last_success_timestamp_seconds"
PEOPLE, DEAD_MANS_SWITCH = "/people", "/dead-mans-switch"


class Web(Standin):
    """Serves `metrics` at /metrics, and takes the alerts that are posted to any other path."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: dict[str, float] = {}

    def answer(self, asked: Asked) -> Answer:
        return 200, "".join(f"{series} {value}\n" for series, value in list(self.metrics.items()))

    def shown(self) -> set[str]:
        """Return the credentials that came with the requests."""
        return {asked.headers.get("authorization", "") for asked in list(self.asked)}

    def told(self, path: str) -> list[dict[str, Any]]:
        """Return the alerts that were posted to the path, in order of arrival."""
        posts = [asked for asked in list(self.asked) if (asked.method, asked.path) == ("POST", path)]
        return [alert for post in posts for alert in post.json()["alerts"]]

    def names(self, path: str) -> set[tuple[str, str]]:
        return {(told["labels"]["alertname"], told["status"]) for told in self.told(path)}

    def labels(self) -> set[frozenset[tuple[str, str]]]:
        """Return the labels of each alert that people were told of."""
        return {frozenset(told["labels"].items()) for told in self.told(PEOPLE)}

    def webhooks(self) -> dict[str, str]:
        return {"ALERT_WEBHOOK_URL": self.url + PEOPLE, "ALERT_WATCHDOG_URL": self.url + DEAD_MANS_SWITCH}


def post(manager: str, *alerts: dict[str, str]) -> None:
    """Tell Alertmanager of alerts, each by its labels, as Prometheus does."""
    now = datetime.now(UTC)
    times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    body = [{"labels": alert, **times} for alert in alerts]
    assert requests.post(f"http://{manager}/api/v2/alerts", json=body, timeout=LONGEST_ANSWER_S).ok


def test_an_alert_fires_reaches_the_webhook_and_clears_and_a_new_token_is_shown(tmp_path: Path) -> None:
    here = tmp_path / "prometheus"
    web, service = Web(), Web()
    service.metrics = {"twitterapi_collection_interval_seconds": INTERVAL_S, LAST_SUCCESS: time.time() - 4 * INTERVAL_S}
    with web.serving(), ExitStack() as up:
        up.enter_context(service.serving())
        with (
            alertmanager(tmp_path, **web.webhooks()) as manager,
            prometheus(tmp_path, target=service.url, alertmanager=manager, token="1st") as running,
        ):
            wait_until(lambda: ("CollectionStale", "firing") in web.names(PEOPLE))
            assert running.firing() == {"CollectionStale", "Watchdog"}
            assert service.shown() == {"Bearer 1st"}
            (here / "anew").write_text("2nd\n")
            (here / "anew").rename(here / "metrics-token")
            service.metrics[LAST_SUCCESS] = time.time()
            wait_until(lambda: ("CollectionStale", "resolved") in web.names(PEOPLE))
            assert running.firing() == {"Watchdog"}
            assert service.shown() == {"Bearer 1st", "Bearer 2nd"}

            up.close()
            wait_until(lambda: ("TwitterApiDown", "firing") in web.names(PEOPLE))
            with service.serving():
                wait_until(lambda: ("TwitterApiDown", "resolved") in web.names(PEOPLE))
    stale = next(told["annotations"] for told in web.told(PEOPLE) if told["labels"]["alertname"] == "CollectionStale")
    assert stale["summary"] == "No collection has succeeded for three intervals"
    assert stale["description"].startswith("The last successful collection ended 1h ")
    assert stale["runbook_url"] == "docs/runbook.md#collectionstale"
    assert web.names(DEAD_MANS_SWITCH) == {("Watchdog", "firing")}
    assert "Watchdog" not in {name for name, _ in web.names(PEOPLE)}


JOBS = {f"JobOverdue scheduled_job={name}" for name in ("count", "reconcile", "comply", "retain", "backup")}
COUNT, RECONCILE = "JobOverdue scheduled_job=count", "JobOverdue scheduled_job=reconcile"
MONEY = {f"XRefusesAccess outcome={outcome}" for outcome in ("credits", "spend-cap", "usage-cap")}
CREDENTIALS = {f"XRefusesAccess outcome={outcome}" for outcome in ("unauthorized", "not-enrolled")}
NOTHING_COLLECTED = {"CollectionStale", "CollectionNeverSucceeded"}
# By a job of its own for each: an alert, those that it explains, and those that people are told of all the same.
EXPLAINED: dict[str, tuple[str, set[str], set[str]]] = {
    "down": ("TwitterApiDown severity=page", {"AvailabilityBudgetBurn", "CollectionStale", "LogRecordsDropped"}, set()),
    "slow": ("LatencyBudgetBurn severity=page", {"LatencyBudgetBurn severity=ticket"}, set()),
    "refused": ("XRefusesAccess", {*NOTHING_COLLECTED, "XErrors", COUNT, RECONCILE}, JOBS - {COUNT, RECONCILE}),
    "billing": ("BillingBlocked", {*NOTHING_COLLECTED, COUNT}, JOBS - {COUNT}),
    "money": ("BillingBlocked", MONEY, CREDENTIALS),
    "spent": (
        "BudgetSpent",
        {"BudgetNearlySpent", "SpendForecastOverBudget", "CollectionStale", "GapsGrow", COUNT},
        JOBS - {COUNT},
    ),
}


def labels(alert: str, job: str) -> dict[str, str]:
    """Return the labels of an alert that is written as its name and others of its labels."""
    name, *more = alert.split()
    return {"alertname": name, "job": job, "severity": "ticket"} | dict(one.split("=") for one in more)


def labelled(alerts: Iterable[str], job: str) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(labels(alert, job).items()) for alert in alerts}


def test_nobody_is_told_what_another_alert_explains(tmp_path: Path) -> None:
    web = Web()
    with web.serving(), alertmanager(tmp_path, **web.webhooks()) as manager:
        post(manager, *(labels(cause, job) for job, (cause, _, _) in EXPLAINED.items()))
        wait_until(lambda: {told["labels"]["job"] for told in web.told(PEOPLE)} == EXPLAINED.keys())
        more = [(job, alert) for job, (_, explained, told) in EXPLAINED.items() for alert in explained | told]
        post(manager, labels("DatabaseGrowsFast", "another"), labels("Watchdog severity=none", "any"))
        post(manager, *(labels(alert, job) for job, alert in more))
        silent = set().union(*(labelled(explained, job) for job, (_, explained, _) in EXPLAINED.items()))
        heard = set().union(*(labelled({cause, *told}, job) for job, (cause, _, told) in EXPLAINED.items()))
        heard |= labelled({"DatabaseGrowsFast"}, "another")
        wait_until(lambda: inhibited(manager) == silent)
        wait_until(lambda: web.labels() >= heard)
        wait_until(lambda: ("Watchdog", "firing") in web.names(DEAD_MANS_SWITCH))
        assert web.labels() == heard


def inhibited(manager: str) -> set[frozenset[tuple[str, str]]]:
    """Return the labels of the alerts that nobody is told of, since another one explains them."""
    alerts = requests.get(f"http://{manager}/api/v2/alerts", timeout=LONGEST_ANSWER_S).json()
    return {frozenset(alert["labels"].items()) for alert in alerts if alert["status"]["inhibitedBy"]}
