"""Kibana's configuration and saved objects: nothing in them that Kibana 9 doesn't know, and nothing that leads nowhere.

No Kibana can be run here. Names come from its documentation; that a reference leads somewhere is held by test_setup.py.
"""

from __future__ import annotations

import json
import re

import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import services
from tests.stack.records import KNOWN_FIELDS, Json

SETTINGS = {"server.name", "server.host", "server.publicBaseUrl", "uiSettings.overrides"}
SETTINGS |= {"elasticsearch.hosts", "elasticsearch.username", "elasticsearch.password"}
SETTINGS |= {f"xpack.{plugin}.encryptionKey" for plugin in ("encryptedSavedObjects", "reporting", "security")}
SETTINGS |= {"telemetry.optIn", "telemetry.allowChangingOptInStatus"}
# Model version 5 of a search and 2 of a dashboard, as Kibana 8.19 exports them, which Kibana 9 takes and brings up to date.
VERSIONS = {"search": "10.5.0", "dashboard": "10.2.0"}
CONFIGURATION = (ROOT / "kibana/kibana.yml").read_text(encoding="utf-8")
VIEW: Json = json.loads((ROOT / "kibana/data-view.json").read_text(encoding="utf-8"))["data_view"]
OBJECTS: list[Json] = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text(encoding="utf-8").splitlines()]
SEARCHES = [saved for saved in OBJECTS if saved["type"] == "search"]
FIELD = re.compile(r"([@\w]+(?:\.\w+)*) *(?::|>=|<=|>|<)")


def source(saved: Json) -> Json:
    return dict(json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]))


def query(saved: Json) -> str:
    return str(source(saved)["query"]["query"])


def test_saved_objects_use_each_of_their_references_by_name() -> None:
    assert len({(saved["type"], saved["id"]) for saved in OBJECTS}) == len(OBJECTS)
    for saved in OBJECTS:
        panels = json.loads(saved["attributes"].get("panelsJSON", "[]"))
        wanted = {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels}
        wanted |= {value for key, value in source(saved).items() if key == "indexRefName"}
        assert wanted == {part["name"] for part in saved["references"]}, saved["id"]
        assert saved["typeMigrationVersion"] == VERSIONS[saved["type"]]


def test_the_search_for_jobs_asks_for_messages_that_are_logged() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "collector").rglob("*.py")]
    asked = set(re.findall(r'"([^"]+)"', query(SEARCHES[3])))
    assert asked == {"tag counted", "tag not counted"}
    assert asked <= {message for text in sources for message in re.findall(r'log\.\w+\("([^"]+)"', text)}


def test_searches_and_the_data_view_name_fields_that_records_have() -> None:
    assert set(VIEW["fieldFormats"]) <= KNOWN_FIELDS
    for saved in SEARCHES:
        shown = saved["attributes"]
        named = {*shown["columns"], *(field for field, _ in shown["sort"]), *FIELD.findall(query(saved))}
        assert named | {shown.get("breakdownField", "log.level")} <= KNOWN_FIELDS, saved["id"]
    assert {"event.duration", "log.level"} <= {field for saved in SEARCHES for field in FIELD.findall(query(saved))}


def test_kibana_s_settings_are_known_and_whoever_signs_in_sees_the_requests() -> None:
    found = yaml.safe_load(CONFIGURATION)
    assert set(found) == SETTINGS
    assert found["server.host"] == "0.0.0.0"
    assert found["elasticsearch.username"] == "kibana_system"
    assert found["uiSettings.overrides"]["defaultRoute"] == f"/app/discover#/view/{SEARCHES[0]['id']}"
    assert query(SEARCHES[0]) == "event.duration: *"


def test_secrets_come_from_the_start_script_and_become_no_arguments() -> None:
    wanted = set(re.findall(r"\$\{(\w+)\}", CONFIGURATION)) - {"KIBANA_PORT"}
    [exported] = re.findall(r"^export (SECRET.+)$", (ROOT / "kibana/start.sh").read_text(), re.MULTILINE)
    assert wanted == set(exported.split())
    assert all(name.startswith("SECRET_") for name in wanted), "the image makes arguments of names that are settings"
    assert services()["kibana"]["environment"]["KIBANA_PORT"] == "${KIBANA_PORT:-5601}"
