"""The bill of materials names what runs, all of it and nothing else, and is a valid CycloneDX document."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from importlib.metadata import distribution
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from scripts.licences import page
from scripts.pins import DEVELOPMENT, RUNTIME, normal, pins
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
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "scripts/sbom.py", file], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def named(document: Entry) -> dict[str, Entry]:
    return {normal(entry["name"]): entry for entry in document["components"]}


@pytest.mark.stack
def test_it_fits_the_schema_of_cyclonedx_and_another_does_not(document: Entry) -> None:
    assert document["specVersion"] == "1.6"
    assert faults(document) == []
    for path, value in ((("components", 0, "type"), "libary"), (("components", 0, "licenses"), [{"license": {"id": "MITT"}}])):
        wrong = deepcopy(document)
        wrong[path[0]][path[1]][path[2]] = value
        assert [fault.partition(":")[0] for fault in faults(wrong)] == ["/".join(map(str, path))]


@pytest.mark.stack
def test_every_pinned_package_is_in_it_with_its_version_sums_licence_and_purl(document: Entry) -> None:
    entries = named(document)
    for pin in pins(RUNTIME.read_text(encoding="utf-8")):
        entry = entries[pin.name]
        assert entry["version"] == pin.version
        assert entry["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"
        assert entry["licenses"]
        sums = {sum_["content"] for link in entry["externalReferences"] for sum_ in link.get("hashes", ())}
        assert sums == set(pin.sums)


@pytest.mark.stack
def test_beside_them_are_sqlite_and_what_is_vendored_and_nothing_for_development(document: Entry) -> None:
    runtime = {pin.name for pin in pins(RUNTIME.read_text(encoding="utf-8"))}
    assert named(document).keys() - runtime == {"sqlite", *VENDORED}
    assert {"pytest", "mypy", "cyclonedx-bom"} < {pin.name for pin in pins(DEVELOPMENT.read_text(encoding="utf-8"))} - runtime
    assert named(document)["sqlite"]["version"] == dbapi2.sqlite_version


@pytest.mark.stack
def test_it_describes_the_service_and_what_that_needs_leads_to_everything(document: Entry) -> None:
    service = document["metadata"]["component"]
    assert (service["name"], service["purl"]) == ("hashtag-monitor", f"pkg:generic/hashtag-monitor@{service['version']}")
    edges = {edge["ref"]: edge["dependsOn"] for edge in document["dependencies"]}
    reached, waiting = set(), [SERVICE]
    while waiting:
        reached.add(ref := waiting.pop())
        waiting += set(edges.get(ref, ())) - reached
    assert reached == {SERVICE} | {entry["bom-ref"] for entry in document["components"]}


@pytest.mark.stack
def test_vendored_files_are_in_it_with_their_sums(document: Entry) -> None:
    for name, room in VENDORED.items():
        [folder] = (ROOT / "web/static/vendor" / room).iterdir()
        listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (folder / "SHA256SUMS").read_text(), re.MULTILINE)
        entry = named(document)[name]
        assert entry["purl"] == f"pkg:npm/{name}@{folder.name}"
        assert {(file["hashes"][0]["content"], file["name"]) for file in entry["components"]} == set(listed)


def test_what_was_read_of_a_licence_is_what_stands_in_its_file() -> None:
    for name, identifier in READ.items():
        if name in VENDORED:
            files = list((ROOT / "web/static/vendor" / VENDORED[name]).glob("*/LICENSE"))
        else:
            brought = distribution(name)
            files = [
                Path(str(brought.locate_file(path))) for path in brought.files or () if re.match("(?i)licen|copying", path.name)
            ]
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
