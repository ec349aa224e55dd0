"""The Postman collection as values: what each request sends, and what its own tests expect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

import requests

from tests.fixtures.environment import ROOT

COLLECTION = ROOT / "postman-twitter-api.json"
STATUS = re.compile(r"pm\.response\.to\.have\.status\((\d+)\)")
TEST = re.compile(r'pm\.test\("([^"]+)"')
CAPTURE = re.compile(r'pm\.collectionVariables\.set\("(\w+)", pm\.response\.json\(\)\.([\w.\[\]]+)\)')
VARIABLE = re.compile(r"\{\{(\w+)\}\}")

Variables = Mapping[str, str]


class Call(NamedTuple):
    """A request of the collection with its test script; the URL has variables in it."""

    name: str
    method: str
    url: str
    script: str
    body: str | None = None

    @property
    def status(self) -> int:
        """The status that the script expects; raises ValueError unless it expects exactly one."""
        (status,) = STATUS.findall(self.script)
        return int(status)

    @property
    def tests(self) -> set[str]:
        """The names of the tests in the script."""
        return set(TEST.findall(self.script))

    def captured(self, answer: requests.Response) -> Variables:
        """Return the variables that the script takes from an answer."""
        paths = dict(CAPTURE.findall(self.script))
        return {name: str(reduce(_part, re.findall(r"\w+", path), answer.json())) for name, path in paths.items()}


def _part(value: Any, key: str) -> Any:
    return value[int(key)] if isinstance(value, list) else value[key]


def document() -> dict[str, Any]:
    """Return the collection as it stands in its file."""
    read: dict[str, Any] = json.loads(COLLECTION.read_text(encoding="utf-8"))
    return read


def items(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the items of a collection or folder that are requests, in the order in which they run."""
    for item in group["item"]:
        yield from items(item) if "item" in item else [item]


def calls() -> list[Call]:
    """Return the requests of the collection in the order in which they run."""
    return [
        Call(
            item["name"],
            item["request"]["method"],
            item["request"]["url"]["raw"],
            "\n".join(line for event in item["event"] if event["listen"] == "test" for line in event["script"]["exec"]),
            item["request"].get("body", {}).get("raw"),
        )
        for item in items(document())
    ]


def variables() -> Variables:
    """Return the collection's own variables."""
    return {variable["key"]: variable["value"] for variable in document()["variable"]}


def resolved(text: str, known: Variables) -> str:
    """Return a text with its variables filled in; raises KeyError for one that nobody set."""
    return VARIABLE.sub(lambda match: known[match[1]], text)
