"""An alert reaches a person: real Prometheus and Alertmanager, our rules and routes, a webhook and a mail server that listen.

Changed for the test are addresses and waiting only: scrapes every second, `for` is 2 s, groups are notified at once.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.fixtures.waiting import wait_until
from tests.prometheus.programs import LONGEST_ANSWER_S, alertmanager, prometheus, with_programs
from tests.prometheus.sinks import Web, mail_server

pytestmark = with_programs

INTERVAL_S = 900
LAST_SUCCESS = "twitterapi_collection_last_success_timestamp_seconds"
PEOPLE, DEAD_MANS_SWITCH = "/people", "/dead-mans-switch"


def webhooks(web: Web) -> dict[str, str]:
    url = f"http://{web.address}"
    return {"ALERT_WEBHOOK_URL": url + PEOPLE, "ALERT_WATCHDOG_URL": url + DEAD_MANS_SWITCH}


def post(manager: str, *names: str, severity: str = "ticket", job: str = "twitterapi", **more: str) -> None:
    """Tell Alertmanager of alerts as Prometheus does."""
    now = datetime.now(UTC)
    labels = {"job": job, "severity": severity, **more}
    alerts = [
        {"labels": {"alertname": name, **labels}, "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        for name in names
    ]
    assert requests.post(f"http://{manager}/api/v2/alerts", json=alerts, timeout=LONGEST_ANSWER_S).ok


def inhibited(manager: str, label: str = "alertname") -> set[str]:
    """Return the names, or another label, of the alerts that nobody is told of, since another one explains them."""
    alerts = requests.get(f"http://{manager}/api/v2/alerts", timeout=LONGEST_ANSWER_S).json()
    return {alert["labels"][label] for alert in alerts if alert["status"]["inhibitedBy"]}


def test_an_alert_fires_reaches_the_webhook_and_clears(tmp_path: Path) -> None:
    for folder in ("prometheus", "alertmanager"):
        (tmp_path / folder).mkdir()
    with Web() as web, Web() as service:
        service.metrics = {"twitterapi_collection_interval_seconds": INTERVAL_S, LAST_SUCCESS: time.time() - 4 * INTERVAL_S}
        with (
            alertmanager(tmp_path / "alertmanager", **webhooks(web)) as manager,
            prometheus(tmp_path / "prometheus", target=service.address, alertmanager=manager) as running,
        ):
            wait_until(lambda: ("CollectionStale", "firing") in web.names(PEOPLE))
            assert running.firing() == {"CollectionStale", "Watchdog"}
            service.metrics[LAST_SUCCESS] = time.time()
            wait_until(lambda: ("CollectionStale", "resolved") in web.names(PEOPLE))
            assert running.firing() == {"Watchdog"}

            service.__exit__()
            wait_until(lambda: ("TwitterApiDown", "firing") in web.names(PEOPLE))
            with Web(service.port):
                wait_until(lambda: ("TwitterApiDown", "resolved") in web.names(PEOPLE))
    stale = next(told for told in web.told(PEOPLE) if told.name == "CollectionStale")
    assert stale.annotations["summary"] == "No collection has succeeded for three intervals"
    assert stale.annotations["description"].startswith("The last collection that stored what it asked for ended 1h 0m")
    assert stale.annotations["runbook_url"] == "docs/operations.md#collectionstale"
    assert web.names(DEAD_MANS_SWITCH) == {("Watchdog", "firing")}
    assert "Watchdog" not in {told.name for told in web.told(PEOPLE)}


@pytest.mark.parametrize(
    ("cause", "severity", "explained"),
    [
        ("TwitterApiDown", "page", {"AvailabilityBudgetBurn", "CollectionStale", "LogRecordsDropped"}),
        ("XRefusesAccess", "ticket", {"CollectionStale", "CollectionNeverSucceeded", "XErrors"}),
        ("LatencyBudgetBurn", "page", {"LatencyBudgetBurn"}),
        ("BillingBlocked", "ticket", {"CollectionStale", "CollectionNeverSucceeded"}),
        ("BudgetSpent", "ticket", {"BudgetNearlySpent", "SpendForecastOverBudget", "CollectionStale", "GapsGrow"}),
    ],
)
def test_nobody_is_told_what_another_alert_explains(tmp_path: Path, cause: str, severity: str, explained: set[str]) -> None:
    with Web() as web, alertmanager(tmp_path, **webhooks(web)) as manager:
        post(manager, cause, severity=severity)
        wait_until(lambda: web.names(PEOPLE) == {(cause, "firing")})
        post(manager, *explained)
        post(manager, "DatabaseGrowsFast", job="another")
        post(manager, "Watchdog", severity="none")
        wait_until(lambda: inhibited(manager) == explained)
        wait_until(lambda: ("Watchdog", "firing") in web.names(DEAD_MANS_SWITCH))
        wait_until(lambda: ("DatabaseGrowsFast", "firing") in web.names(PEOPLE))
        assert [told.name for told in web.told(PEOPLE)] == [cause, "DatabaseGrowsFast"]


def test_blocked_billing_explains_refusals_for_money_and_not_those_of_the_credentials(tmp_path: Path) -> None:
    with Web() as web, alertmanager(tmp_path, **webhooks(web)) as manager:
        post(manager, "BillingBlocked")
        wait_until(lambda: web.names(PEOPLE) == {("BillingBlocked", "firing")})
        for outcome in ("credits", "spend-cap", "usage-cap", "unauthorized", "not-enrolled"):
            post(manager, "XRefusesAccess", outcome=outcome)
        wait_until(lambda: ("XRefusesAccess", "firing") in web.names(PEOPLE))
        assert inhibited(manager, "outcome") == {"credits", "spend-cap", "usage-cap"}


@pytest.mark.parametrize(
    ("cause", "explained"),
    [("BudgetSpent", {"count"}), ("BillingBlocked", {"count"}), ("XRefusesAccess", {"count", "reconcile"})],
)
def test_x_that_gives_nothing_explains_chores_that_ask_it_but_not_compliance(
    tmp_path: Path, cause: str, explained: set[str]
) -> None:
    with Web() as web, alertmanager(tmp_path, **webhooks(web)) as manager:
        post(manager, cause)
        wait_until(lambda: web.names(PEOPLE) == {(cause, "firing")})
        for chore in ("count", "reconcile", "comply", "retain", "backup"):
            post(manager, "ChoreStale", chore=chore)
        wait_until(lambda: ("ChoreStale", "firing") in web.names(PEOPLE))
        assert inhibited(manager, "chore") == explained


def test_an_alert_reaches_a_mailbox(tmp_path: Path) -> None:
    user, password = "mo'ni\"tor\\n #1", "pass: 'word'"
    (tmp_path / "password").write_text(f"{password}\n")
    with mail_server() as (address, taken):
        settings = {
            "ALERT_EMAIL_TO": "ops@example.org, night@example.org",
            "ALERT_SMTP_FROM": "monitor@example.org",
            "ALERT_SMTP_HOST": address,
            "ALERT_SMTP_USER": user,
            "ALERT_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
            "ALERT_SMTP_TLS": "0",
        }
        with alertmanager(tmp_path, **settings) as manager:
            post(manager, "XRefusesAccess")
            mail = wait_until(lambda: taken and taken[0])
    assert mail.login == (user, password)
    assert (mail.sender, mail.recipients) == ("monitor@example.org", ["ops@example.org", "night@example.org"])
    assert mail.message["Subject"].startswith("[FIRING:1] XRefusesAccess twitterapi")
