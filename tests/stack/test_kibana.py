"""Kibana's configuration and saved objects: nothing in them that Kibana 9 doesn't know, and nothing that leads nowhere.

No Kibana can be run here. Names come from its documentation and from the schemas in its source: a search of model version 5
and a dashboard of model version 2, as Kibana 8.19 exports them, which Kibana 9 takes and brings up to date.
"""

from __future__ import annotations

import json
import re

import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import services
from tests.stack.records import Json, known_fields

SETTINGS = {
    "server.name",
    "server.host",
    "server.publicBaseUrl",
    "elasticsearch.hosts",
    "elasticsearch.username",
    "elasticsearch.password",
    "xpack.encryptedSavedObjects.encryptionKey",
    "xpack.reporting.encryptionKey",
    "xpack.security.encryptionKey",
    "uiSettings.overrides",
    "telemetry.optIn",
    "telemetry.allowChangingOptInStatus",
}
KEYS = {"type", "id", "attributes", "references", "coreMigrationVersion", "typeMigrationVersion"}
VERSIONS = {"search": "10.5.0", "dashboard": "10.2.0"}
ATTRIBUTES = {
    "search": {"title", "description", "columns", "sort", "grid", "rowHeight", "rowsPerPage", "hideChart", "breakdownField"}
    | {"kibanaSavedObjectMeta", "isTextBasedQuery", "usesAdHocDataView", "timeRestore", "timeRange", "refreshInterval"}
    | {"viewMode", "hideAggregatedPreview", "sampleSize", "headerRowHeight", "visContext", "density"},
    "dashboard": {"title", "description", "kibanaSavedObjectMeta", "timeRestore", "timeFrom", "timeTo", "refreshInterval"}
    | {"controlGroupInput", "panelsJSON", "optionsJSON", "hits", "version"},
}
VIEW: Json = json.loads((ROOT / "kibana/data-view.json").read_text(encoding="utf-8"))
OBJECTS: list[Json] = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text(encoding="utf-8").splitlines()]
SEARCHES = [saved for saved in OBJECTS if saved["type"] == "search"]
LOGGED = re.compile(r'log\.\w+\("([^"]+)"')
FIELD = re.compile(r"([@\w]+(?:\.\w+)*) *(?::|>=|<=|>|<)")


def faults(objects: list[Json], views: set[str]) -> list[str]:
    """Return in words what keeps saved objects from being imported or from working."""
    found = []
    there = {(saved["type"], saved["id"]) for saved in objects} | {("index-pattern", view) for view in views}
    for saved in objects:
        name, attributes = f"{saved['type']} {saved['id']}", saved["attributes"]
        references = {part["name"]: (part["type"], part["id"]) for part in saved["references"]}
        found += [f"{name}: {part} is nowhere" for part in references.values() if part not in there]
        if set(saved) != KEYS or saved["typeMigrationVersion"] != VERSIONS[saved["type"]]:
            found.append(f"{name}: keys or version")
        found += [f"{name}: unknown attribute {key}" for key in attributes.keys() - ATTRIBUTES[saved["type"]]]
        source = attributes["kibanaSavedObjectMeta"]["searchSourceJSON"]
        if not isinstance(source, str):
            found.append(f"{name}: searchSourceJSON is no string")
            continue
        wanted = {value for key, value in json.loads(source).items() if key == "indexRefName"}
        for panel in json.loads(attributes.get("panelsJSON", "[]")):
            wanted.add(f"{panel['panelIndex']}:{panel['panelRefName']}")
        if wanted != set(references):
            found.append(f"{name}: the names of its references")
    return found


def query(saved: Json) -> str:
    found: str = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    return found


def used_fields(saved: Json) -> set[str]:
    attributes = saved["attributes"]
    shown = {*attributes["columns"], *(field for field, _ in attributes["sort"]), *FIELD.findall(query(saved))}
    return shown | ({attributes["breakdownField"]} if "breakdownField" in attributes else set())


def test_saved_objects_can_be_imported_and_lead_somewhere() -> None:
    assert faults(OBJECTS, {VIEW["data_view"]["id"]}) == []
    assert len({(saved["type"], saved["id"]) for saved in OBJECTS}) == len(OBJECTS)


def test_there_are_searches_for_requests_errors_collections_and_chores() -> None:
    titles = [saved["attributes"]["title"] for saved in OBJECTS]
    assert titles == ["All requests", "Errors", "Collections", "Chores", "twitterapi"]


def test_the_search_for_chores_asks_for_messages_that_are_logged() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "collector").rglob("*.py")]
    logged = {message for source in sources for message in LOGGED.findall(source)}
    asked = set(re.findall(r'"([^"]+)"', query(SEARCHES[3])))
    assert asked == {"tag counted", "tag not counted"}
    assert asked <= logged


def test_a_search_shows_fields_that_records_have() -> None:
    for saved in SEARCHES:
        assert used_fields(saved) <= known_fields(), saved["id"]
    assert {"event.duration", "log.level"} <= {field for saved in SEARCHES for field in FIELD.findall(query(saved))}


def test_the_data_view_has_only_what_kibana_knows() -> None:
    assert set(VIEW) == {"override", "data_view"}
    assert set(VIEW["data_view"]) == {"id", "name", "title", "timeFieldName", "allowNoIndex", "fieldFormats"}
    assert set(VIEW["data_view"]["fieldFormats"]) <= known_fields()


def test_kibana_s_settings_are_known_and_whoever_signs_in_sees_the_requests() -> None:
    found = yaml.safe_load((ROOT / "kibana/kibana.yml").read_text(encoding="utf-8"))
    assert set(found) == SETTINGS
    assert found["server.host"] == "0.0.0.0"
    assert found["elasticsearch.username"] == "kibana_system"
    assert found["uiSettings.overrides"]["defaultRoute"] == f"/app/discover#/view/{SEARCHES[0]['id']}"
    assert query(SEARCHES[0]) == "event.duration: *"


def test_secrets_come_from_the_start_script_and_become_no_arguments() -> None:
    wanted = set(re.findall(r"\$\{(\w+)\}", (ROOT / "kibana/kibana.yml").read_text()))
    exported = re.findall(r"^export (.+)$", (ROOT / "kibana/start.sh").read_text(), re.MULTILINE)
    assert wanted == set(exported[0].split())
    assert all(name.startswith("SECRET_") for name in wanted), "the image makes arguments of names that are settings"


def test_kibana_setup_finds_its_files_where_they_are_mounted() -> None:
    service = services()["kibana-setup"]
    assert "./kibana:/setup:ro" in service["volumes"]
    assert service["entrypoint"] == ["/bin/sh", "/setup/setup.sh"]


def test_only_public_apis_are_asked() -> None:
    asked = "".join((ROOT / name).read_text() for name in ("kibana/setup.sh", "scripts/stack-test.py"))
    assert "/internal/" not in asked
    assert "elastic-api-version" not in asked
