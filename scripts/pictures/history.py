"""The history that the pictures show: weeks of collections from the emulator, whose clock is moved, and an imported burst."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from emulator import Emulator, snowflake
from scripts.pictures.running import ANSWER_S, Settings, done, until

SEED, TWEETS_A_WEEK = 7, 3000
DAYS = 15
SLOW_TAGS, SLOW_S = ("#opentracing", "#remediation", "#sre"), 20
BURST, BURST_S, BURST_DAYS, BURST_HOUR = 90, 2700, 2, 15
BURST_TAG = "#incident"
PEOPLE = 60
FIRST_PERSON = 7_000_000_000
SAID = (
    "Traces from the gateway stopped a minute ago, anyone else?",
    "Same here: no traces, and the dashboards show gaps.",
    "Status page is green, our traces say otherwise.",
    "Keine Traces mehr seit eben, wer noch?",
    "Traces are back. That was a long half hour.",
)
LANGUAGES = ("en", "en", "en", "de", "en")
COUNTRIES = (("DE", "Germany"), ("BR", "Brazil"), ("US", "United States"), (None, None), (None, None))


def world() -> Emulator:
    """Return the X that all is bought from."""
    return Emulator(seed=SEED, tweets=TWEETS_A_WEEK)


def collect_weeks(x: Emulator, service: str) -> None:
    """Let the service collect once for each of the last days, as of then; the first time X reaches a week back.

    What it asks for ends where X's clock was when it last heard of it, so the last day is left to the next collection.
    """
    for days in range(DAYS, 0, -1):
        x.clock.hold(_today() - timedelta(days=days))
        end(begin(service))
    x.clock.reset()
    end(begin(service))


def begin(service: str) -> str:
    """Start a collection, and return its URL."""
    answer = requests.post(f"{service}/collections", timeout=ANSWER_S)
    answer.raise_for_status()
    return urljoin(service, answer.headers["Location"])


def begin_slowly(x: Emulator, service: str) -> str:
    """Start a collection and return its URL when only those tags are left for which X takes its time."""
    for tag in SLOW_TAGS:
        x.plan("slow", tag=tag, seconds=SLOW_S)
    collection = begin(service)
    until(lambda: _done(collection) == len(state(collection)["tags"]) - len(SLOW_TAGS), "the other tags are done")
    return collection


def end(collection: str) -> None:
    """Return when a collection has ended; raises ValueError if it went wrong."""
    until(lambda: state(collection)["state"] != "running", "the collection ends")
    if (found := state(collection))["state"] != "done":
        raise ValueError(f"a collection went wrong: {found}")


def _done(collection: str) -> int:
    return sum(tag["state"] == "done" for tag in state(collection)["tags"])


def state(collection: str) -> Any:
    """Return how a collection goes or went."""
    return requests.get(collection, timeout=ANSWER_S).json()


def import_burst(folder: Path, settings: Settings) -> None:
    """Import many tweets of one hour under a hashtag that is not tracked, so that nothing is compared with X's counts."""
    file = folder / "burst.jsonl"
    start = _today().replace(hour=BURST_HOUR) - timedelta(days=BURST_DAYS)
    file.write_text("".join(json.dumps(tweet) + "\n" for tweet in _burst(start)), encoding="utf-8")
    done(["-m", "flask", "--app", "app", "tweets", "import", str(file)], folder, settings)


def _today() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _burst(start: datetime) -> Iterator[dict[str, Any]]:
    """Give tweets as our exports have them, within an hour, more at its beginning than at its end."""
    for number in range(BURST):
        created = start + timedelta(seconds=BURST_S * (number / BURST) ** 2)
        yield _tweet(number, created, str(snowflake.first_id(snowflake.to_ms(created)) + number))


def _tweet(number: int, created: datetime, own: str) -> dict[str, Any]:
    person, said = number * 7 % PEOPLE, number % len(SAID)
    code, country = COUNTRIES[person % len(COUNTRIES)]
    when = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "tweet": f"{SAID[said]} {BURST_TAG}",
        "author": f"Invented Person {person + 1}",
        "followers": 40 + person * person * 3,
        "created": when,
        "lang": LANGUAGES[said],
        "country": country,
        "rash": BURST_TAG,
        "id": own,
        "username": f"invented_{person + 1}",
        "tags": [BURST_TAG],
        "country_code": code,
        "author_id": str(FIRST_PERSON + person),
        "observed": when,
        "version": own,
        "versions": [own],
    }
