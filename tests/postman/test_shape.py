"""The collection's file: Postman reads it, it explains itself, and it gives nothing away."""

from __future__ import annotations

import re
from typing import Any

from tests.postman.collection import VARIABLE, calls, document, items, script, variables

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
ADDRESS = re.compile(r"https?://[^\s\"'`,)]+")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:home|root|Users|tmp|work|var|opt|usr|etc|mnt)/|\b[A-Z]:\\|file://")
LOOKS_SECRET = re.compile(r"[A-Za-z0-9+%_-]{32,}")
ASKS_OUTSIDE = re.compile(r"pm\.sendRequest|\brequire\(|\bfetch\(|XMLHttpRequest|pm\.require")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def groups(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a collection or folder and all folders in it."""
    return [group, *(inner for item in group["item"] if "item" in item for inner in groups(item))]


def text_of(value: Any) -> str:
    """Return all names and texts of a JSON value, one a line."""
    if isinstance(value, dict):
        return "\n".join(f"{name}\n{text_of(inner)}" for name, inner in value.items())
    return "\n".join(map(text_of, value)) if isinstance(value, list) else str(value)


def test_the_collection_and_each_of_its_items_are_of_format_2_1() -> None:
    info = document()["info"]
    assert info["schema"] == SCHEMA
    assert info["name"]
    assert info["description"]
    for group in groups(document()):
        assert isinstance(group["item"], list)
        assert group["item"]
        assert all(("item" in item) != ("request" in item) for item in group["item"])
    for item in items(document()):
        assert item["request"]["method"] in METHODS, item["name"]
        assert isinstance(item["request"]["header"], list), item["name"]
        assert isinstance(item["response"], list), item["name"]


def test_the_parts_of_each_url_are_those_of_its_raw_text() -> None:
    for item in items(document()):
        url = item["request"]["url"]
        assert url["host"] == ["{{baseUrl}}"]
        query = "&".join(f"{field['key']}={field['value']}" for field in url.get("query", []))
        assert url["raw"] == "/".join([*url["host"], *url["path"]]) + (f"?{query}" if query else "")


def test_each_script_is_a_list_of_lines_of_javascript() -> None:
    for holder in [*groups(document()), *items(document())]:
        for event in holder.get("event", []):
            assert event["listen"] in ("prerequest", "test")
            assert event["script"]["type"] == "text/javascript"
            assert all(isinstance(line, str) and "\n" not in line for line in event["script"]["exec"])


def test_each_folder_and_each_request_is_described() -> None:
    assert all(group.get("description") for group in groups(document())[1:])
    assert all(item["request"].get("description") for item in items(document()))
    assert all(field["description"] for item in items(document()) for field in item["request"]["url"].get("query", []))
    assert all(variable["description"] for variable in document()["variable"])


def test_each_request_tests_one_status_the_content_type_and_more() -> None:
    for item, call in zip(items(document()), calls(document()), strict=True):
        assert call.status
        assert f"answers {call.status}" in call.tests, call.name
        assert 'pm.response.headers.get("Content-Type")' in script(item), call.name
        assert len(call.tests) >= 2, call.name
    names = [call.name for call in calls(document())]
    assert len(set(names)) == len(names)  # scripts go by them


def test_each_variable_is_declared() -> None:
    assert set(VARIABLE.findall(text_of(document()))) == variables(document()).keys()


def test_the_token_is_empty_and_every_request_inherits_it_as_a_bearer_token() -> None:
    collection = document()
    assert variables(collection)["token"] == ""
    assert collection["auth"] == {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]}
    assert not any("auth" in holder for holder in groups(collection)[1:])
    assert not any("auth" in item["request"] for item in items(collection))


def test_the_collection_gives_nothing_away_and_asks_nobody_else() -> None:
    for pattern in (MACHINE_PATH, LOOKS_SECRET, ASKS_OUTSIDE):
        assert pattern.findall(text_of(document())) == []
    assert set(ADDRESS.findall(text_of(document()))) == {SCHEMA, variables(document())["baseUrl"]}
