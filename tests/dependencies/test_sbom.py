"""The bill of materials names what runs, all of it and nothing else, and is a valid CycloneDX document."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from scripts.licences import page
from scripts.pins import RUNTIME, normal, pins
from scripts.sbom import READ, SERVICE, Differs, Entry, bill, faults, licences, packages, text, vendored
from tests.fixtures.environment import ROOT

VENDORED = {"swagger-ui-dist": "swagger-ui", "uplot": "uplot"}
# Words that no other of these licences has.
WORDS = {
    "Apache-2.0": "Apache License",
    "MIT": "The MIT License (MIT)",
    "BSD-3-Clause": "neither the name",
    "ZPL-2.1": "Zope Public License (ZPL) Version 2.1",
    "Zlib": "altered source versions must be plainly marked",
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """The document as make sbom writes it."""
    file = tmp_path_factory.mktemp("build") / "new" / "sbom.cdx.json"
    command = [sys.executable, "scripts/sbom.py", str(file)]
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def named(document: Entry) -> dict[str, Entry]:
    return {normal(entry["name"]): entry for entry in document["components"]}


@pytest.mark.stack
def test_it_fits_the_schema_of_cyclonedx_and_what_the_service_needs_leads_to_everything(document: Entry) -> None:
    assert (document["specVersion"], faults(document)) == ("1.6", [])
    service = document["metadata"]["component"]
    assert (service["name"], service["purl"]) == ("hashtag-monitor", f"pkg:generic/hashtag-monitor@{service['version']}")
    edges = {edge["ref"]: edge["dependsOn"] for edge in document["dependencies"]}
    reached, waiting = set(), [SERVICE]
    while waiting:
        reached.add(ref := waiting.pop())
        waiting += set(edges.get(ref, ())) - reached
    assert reached == {SERVICE} | {entry["bom-ref"] for entry in document["components"]}
    document = document | {"components": [document["components"][0] | {"type": "libary"}]}
    assert [fault.partition(":")[0] for fault in faults(document)] == ["components/0/type"]


@pytest.mark.stack
def test_what_runs_is_in_it_with_versions_sums_licences_and_purls_and_nothing_else(document: Entry) -> None:
    entries, pinned = named(document), {pin.name: pin for pin in pins(RUNTIME.read_text(encoding="utf-8"))}
    assert entries.keys() - pinned.keys() == {"sqlite", *VENDORED}
    assert entries["sqlite"]["version"] == dbapi2.sqlite_version
    for name, pin in pinned.items():
        entry = entries[name]
        assert (entry["version"], entry["purl"]) == (pin.version, f"pkg:pypi/{name}@{pin.version}")
        assert entry["licenses"]
        assert {sum_["content"] for link in entry["externalReferences"] for sum_ in link.get("hashes", ())} == set(pin.sums)
    for name, room in VENDORED.items():
        [folder] = (ROOT / "web/static/vendor" / room).iterdir()
        listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (folder / "SHA256SUMS").read_text(), re.MULTILINE)
        assert entries[name]["purl"] == f"pkg:npm/{name}@{folder.name}"
        assert {(file["hashes"][0]["content"], file["name"]) for file in entries[name]["components"]} == set(listed)


def test_what_was_read_of_a_licence_is_what_stands_in_its_file() -> None:
    for name, identifier in READ.items():
        if name in VENDORED:
            files = list((ROOT / "web/static/vendor" / VENDORED[name]).glob("*/LICENSE"))
        else:
            brought = [path for path in distribution(name).files or () if re.match("(?i)licen|copying", path.name)]
            files = [Path(str(path.locate())) for path in brought]
        written = " ".join(" ".join(file.read_text(encoding="utf-8") for file in files).split())
        assert WORDS[identifier].lower() in written.lower(), name


def test_a_licence_without_an_identifier_is_not_guessed() -> None:
    assert licences("any", [{"license": {"name": "BSD License"}}, {"license": {"id": "ISC"}}]) == [{"license": {"id": "ISC"}}]
    with pytest.raises(Differs, match="any has no licence"):
        licences("any", [{"license": {"name": "BSD License"}}])


def test_a_package_that_is_not_installed_as_pinned_stops_it() -> None:
    installed = [{"name": "A_b", "version": "1", "licenses": [{"expression": "MIT"}]}]
    pinned: list[Entry] = [{"name": "a-b", "version": "1", "externalReferences": []}]
    assert [entry["version"] for entry in packages(installed, pinned)] == ["1"]
    for other in ([], [installed[0] | {"version": "2"}]):
        with pytest.raises(Differs, match="make setup"):
            list(packages(other, pinned))


def test_what_is_vendored_without_a_known_licence_stops_it(tmp_path: Path) -> None:
    folder = tmp_path / "web/static/vendor/planted/1.0"
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").write_text("# planted 1.0 of npm\n")
    (folder / "planted.js").write_text("alert()")
    with pytest.raises(Differs):
        list(vendored(folder.parents[1]))


@pytest.mark.stack
def test_it_is_the_same_each_time_and_the_list_of_licences_is_of_it(document: Entry) -> None:
    again = bill()
    assert text(again) == text(document)
    assert not {"serialNumber", "timestamp"} & (again.keys() | again["metadata"].keys())
    assert page(again["components"]) == (ROOT / "docs/licences.md").read_text(encoding="utf-8")
