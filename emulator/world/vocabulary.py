"""The hashtags of the invented world, and which of them are used together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from emulator.world.dice import Dice

# How many of ten thousand tweets have the tag as their subject. The smallest of the ten defaults must stay
# far above 100 in a week of 20,000.
SUBJECTS = {
    "DevOps": 1500,
    "SRE": 520,
    "Microservices": 480,
    "Observability": 460,
    "Metrics": 330,
    "OAuth": 300,
    "OpenBanking": 260,
    "LogMonitoring": 150,
    "OpenTracing": 140,
    "Remediation": 130,
    "AI": 1500,
    "Python": 800,
    "Cloud": 560,
    "Kubernetes": 420,
    "Linux": 300,
    "CyberSecurity": 330,
    "Docker": 220,
    "OpenSource": 230,
    "AWS": 230,
    "FinTech": 220,
}
COMPANIONS = (
    "Kubernetes", "Python", "Cloud", "AI", "Docker", "Linux", "OpenSource", "AWS", "Azure", "CICD", "Terraform",
    "GitOps", "Serverless", "Java", "Golang", "RustLang", "API", "FinTech", "CyberSecurity", "InfoSec", "Monitoring",
    "Logging", "Tracing", "Grafana", "Prometheus", "OpenTelemetry", "PlatformEngineering", "MachineLearning",
    "CloudNative", "Automation", "IncidentResponse", "PSD2", "Jobs", "Remote", "100DaysOfCode",
)  # fmt: skip
_COMBINATIONS_PER_SUBJECT = 48  # more than there are companions, so that each is used with each subject
_ALONE_PERCENT = 40


class Combination(NamedTuple):
    """Tags used together in a tweet, casefolded, the subject first; weight is relative."""

    tags: tuple[str, ...]
    weight: float


def known_tags() -> frozenset[str]:
    """Return every tag of the vocabulary, casefolded."""
    return frozenset(_spellings())


def spelling(tag: str) -> str:
    """Return a casefolded tag as people like to write it."""
    return _spellings().get(tag) or tag.capitalize()


def combinations(seed: int) -> Sequence[Combination]:
    """Return all sets of tags that occur in the world of this seed, in a fixed order."""
    return [
        combination
        for subject, weight in SUBJECTS.items()
        for combination in _of_subject(subject, weight, Dice(f"{seed} tags {subject}"))
    ]


def _of_subject(subject: str, weight: int, dice: Dice) -> list[Combination]:
    alone = weight * _ALONE_PERCENT / 100
    shares = [1 / (6 + dice.roll(_COMBINATIONS_PER_SUBJECT)) for _ in range(_COMBINATIONS_PER_SUBJECT)]
    found: dict[tuple[str, ...], float] = {(subject.casefold(),): alone}
    for nth, share in enumerate(shares):
        tags = _together(subject, COMPANIONS[nth % len(COMPANIONS)], dice)
        found[tags] = found.get(tags, 0) + (weight - alone) * share / sum(shares)
    return [Combination(tags, share) for tags, share in found.items()]


def _together(subject: str, companion: str, dice: Dice) -> tuple[str, ...]:
    """Return a subject with a companion and perhaps more tags, each once."""
    tags = [subject, companion]
    for _ in range(min(dice.heavy_tail(median=0.8, spread=0.5), 4)):
        tags.append(dice.pick(COMPANIONS) if dice.roll(5) else dice.pick(tuple(SUBJECTS)))
    return tuple(dict.fromkeys(tag.casefold() for tag in tags))


@cache
def _spellings() -> dict[str, str]:
    return {tag.casefold(): tag for tag in (*SUBJECTS, *COMPANIONS)}
