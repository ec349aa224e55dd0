"""The collection's file: Postman reads it, it explains itself, and it gives nothing away."""

from __future__ import annotations

import re

from tests.postman.collection import COLLECTION, VARIABLE, calls, document, items, variables

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
ADDRESS = re.compile(r"https?://[^\s\"'`,)\\]+")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:home|root|Users|tmp|work|var|opt|usr|etc|mnt)/|\b[A-Z]:\\\\|file://")
LOOKS_SECRET = re.compile(r"[A-Za-z0-9+%_-]{32,}")
ASKS_OUTSIDE = re.compile(r"pm\.sendRequest|\brequire\(|\bfetch\(|XMLHttpRequest|pm\.require")
TEXT = COLLECTION.read_text(encoding="utf-8").replace("\\n", "\n").replace("\\t", "\t")


def test_the_parts_of_each_url_are_those_of_its_raw_text() -> None:
    assert document()["info"]["schema"] == SCHEMA
    for item in items(document()):
        url = item["request"]["url"]
        assert url["host"] == ["{{baseUrl}}"]
        query = "&".join(f"{field['key']}={field['value']}" for field in url.get("query", []))
        assert url["raw"] == "/".join([*url["host"], *url["path"]]) + (f"?{query}" if query else "")


def test_each_request_is_described_and_tests_one_status_the_content_type_and_more() -> None:
    assert all(item["request"].get("description") for item in items(document()))
    for call in calls():
        assert f"answers {call.status}" in call.tests, call.name
        assert 'pm.response.headers.get("Content-Type")' in call.script, call.name
        assert len(call.tests) >= 2, call.name
    assert len({call.name for call in calls()}) == len(calls())  # scripts go by them


def test_each_variable_is_declared() -> None:
    assert set(VARIABLE.findall(TEXT)) == variables().keys()


def test_the_token_is_empty_and_every_request_inherits_it_as_a_bearer_token() -> None:
    assert variables()["token"] == ""
    bearer = {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]}
    assert document()["auth"] == bearer
    assert TEXT.count('"auth"') == 1


def test_the_collection_gives_nothing_away_and_asks_nobody_else() -> None:
    for pattern in (MACHINE_PATH, LOOKS_SECRET, ASKS_OUTSIDE):
        assert pattern.findall(TEXT) == []
    assert set(ADDRESS.findall(TEXT)) == {SCHEMA, variables()["baseUrl"]}
