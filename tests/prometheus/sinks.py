"""A service whose metrics the test sets, and a webhook."""

from __future__ import annotations

from typing import NamedTuple

from tests.stack.standin import Answer, Asked, Standin


class Told(NamedTuple):
    """An alert as a webhook heard of it."""

    labels: dict[str, str]
    status: str
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        return self.labels["alertname"]


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

    def told(self, path: str) -> list[Told]:
        """Return the alerts that were posted to the path, in order of arrival."""
        posts = [asked.json()["alerts"] for asked in list(self.asked) if (asked.method, asked.path) == ("POST", path)]
        return [Told(alert["labels"], alert["status"], alert["annotations"]) for alerts in posts for alert in alerts]

    def names(self, path: str) -> set[tuple[str, str]]:
        return {(told.name, told.status) for told in self.told(path)}
