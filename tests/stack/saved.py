"""The objects that kibana-setup imports."""

from __future__ import annotations

import json

from tests.fixtures.environment import ROOT
from tests.stack.records import Json

OBJECTS: list[Json] = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text(encoding="utf-8").splitlines()]
SEARCHES = [saved for saved in OBJECTS if saved["type"] == "search"]


def source(saved: Json) -> Json:
    return dict(json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]))


def query(saved: Json) -> str:
    return str(source(saved)["query"]["query"])
