"""Write what the service is made of as a CycloneDX document, the same bytes each time.

    python scripts/sbom.py [FILE]

FILE is build/sbom.cdx.json unless another is named. In it are the service, each package of requirements.txt as it is
installed here, with its licence and the sums of its files, SQLite, which pysqlite3 carries, and what is vendored for the
page /docs. What other packages carry inside of them is not looked for. A document that doesn't fit CycloneDX's schema isn't
written, and the exit code is 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs
from pysqlite3 import dbapi2

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.pins import RUNTIME, normal, pins  # noqa: E402 (needs the path above)

VENDORED = ROOT / "web/static/vendor"
SERVICE = "root-component"
SCHEMA, REFERRED = "bom-1.6.SNAPSHOT.schema.json", ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
# Read in the licence file that is installed with each, where its metadata has no identifier of SPDX, or two that differ.
READ = {
    "aniso8601": "BSD-3-Clause",
    "flask-restful": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "pylogbeat": "Apache-2.0",
    "pysqlite3": "Zlib",
    "swagger-ui-dist": "Apache-2.0",
    "uplot": "MIT",
}
HOMES = {"swagger-ui-dist": "https://github.com/swagger-api/swagger-ui", "uplot": "https://github.com/leeoniya/uPlot"}

Entry = dict[str, Any]


class Differs(RuntimeError):
    """What is installed is not what is pinned, or says nothing of its licence."""


def bill() -> Entry:
    """Return the document; raise Differs."""
    told = _told("environment", "--pyproject=pyproject.toml", sys.executable)
    kept = list(packages(told["components"], _told("requirements", RUNTIME.name)["components"]))
    names = {entry["bom-ref"]: normal(entry["name"]) for entry in kept}
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in told["dependencies"]}
    edges = {ref: [to for to in edges[ref] if to in names] for ref in (SERVICE, *names)}
    edges[SERVICE] = [ref for ref in edges[SERVICE] if names[ref] in direct()]
    carried, page = sqlite(), list(vendored())
    edges[next(ref for ref, name in names.items() if name == "pysqlite3")].append(carried["bom-ref"])
    edges[SERVICE] += [entry["bom-ref"] for entry in page]
    told["metadata"]["component"]["purl"] = "pkg:generic/{name}@{version}".format_map(told["metadata"]["component"])
    told["components"] = sorted([*kept, carried, *page], key=lambda entry: entry["bom-ref"])
    told["dependencies"] = [{"ref": ref, "dependsOn": sorted(edges[ref])} for ref in sorted(edges)]
    return told


def _told(*arguments: str) -> Entry:
    command = [sys.executable, "-m", "cyclonedx_py", arguments[0], "--no-validate", "--output-reproducible", *arguments[1:]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return dict(json.loads(done.stdout))


def direct() -> set[str]:
    """Return the packages that pyproject.toml names for the service."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {pin.name for pin in pins("\n".join(project["dependencies"]))}


def packages(installed: list[Entry], pinned: list[Entry]) -> Iterator[Entry]:
    """Yield the installed packages that are pinned, with the sums of the pins; raise Differs if one isn't there as pinned."""
    have = {normal(entry["name"]): entry for entry in installed}
    for pin in pinned:
        name = normal(pin["name"])
        entry = have.get(name)
        if entry is None or entry["version"] != pin["version"]:
            raise Differs(f"{name} {pin['version']} is pinned, and not installed: make setup")
        links = [*entry.get("externalReferences", []), *pin["externalReferences"]]
        yield entry | {"licenses": licences(name, entry.get("licenses", [])), "externalReferences": links}


def licences(name: str, stated: list[Entry]) -> list[Entry]:
    """Return one licence in SPDX's words, from what a package states of itself or what was read of it; raise Differs."""
    if name in READ:
        return [{"license": {"id": READ[name], "acknowledgement": "concluded"}}]
    for entry in stated:
        if "expression" in entry or "id" in entry["license"]:
            return [entry]
    raise Differs(f"{name} has no licence in SPDX's words: read it, and write it into {Path(__file__).name}")


def sqlite() -> Entry:
    """Return the SQLite that is compiled into pysqlite3."""
    version = dbapi2.sqlite_version
    return {
        "bom-ref": f"sqlite=={version}",
        "type": "library",
        "name": "sqlite",
        "version": version,
        "description": "in the wheel of pysqlite3",
        "purl": f"pkg:generic/sqlite@{version}",
        "licenses": [{"license": {"id": "blessing", "acknowledgement": "concluded"}}],
        "externalReferences": [{"type": "website", "url": "https://sqlite.org"}],
    }


def vendored(folder: Path = VENDORED) -> Iterator[Entry]:
    """Yield what is vendored, each with its files; the first line of its SHA256SUMS says what it is and where from."""
    for listed in sorted(folder.glob("*/*/SHA256SUMS")):
        name, version = listed.read_text(encoding="utf-8").split()[1:3]
        files = [path for path in sorted(listed.parent.iterdir()) if path != listed]
        yield {
            "bom-ref": f"{name}=={version}",
            "type": "library",
            "name": name,
            "version": version,
            "description": f"vendored in {listed.parent.relative_to(folder.parents[2]).as_posix()}",
            "purl": f"pkg:npm/{name}@{version}",
            "licenses": licences(name, []),
            "externalReferences": [{"type": "website", "url": HOMES[name]}],
            "components": [_file(path, f"{name}=={version}") for path in files],
        }


def _file(path: Path, of: str) -> Entry:
    content = sha256(path.read_bytes()).hexdigest()
    return {
        "bom-ref": f"{of}/{path.name}",
        "type": "file",
        "name": path.name,
        "hashes": [{"alg": "SHA-256", "content": content}],
    }


def faults(document: Entry) -> list[str]:
    """Return where a document does not fit CycloneDX's schema, of which cyclonedx-python-lib has a copy."""
    # Its own validator takes ten seconds, most of them for packages with many sums.
    folder = files("cyclonedx.schema") / "_res"
    schemas = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in (SCHEMA, *REFERRED)}
    registry = jsonschema_rs.Registry([(urljoin(schemas[SCHEMA]["$id"], name), schemas[name]) for name in REFERRED])
    validator = jsonschema_rs.validator_for(schemas[SCHEMA], registry=registry, validate_formats=True)
    return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message}" for fault in validator.iter_errors(document)]


def text(document: Entry) -> str:
    """Return a document as JSON, always the same for the same."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the document, and return the exit code."""
    file = Path(arguments[0]) if arguments else ROOT / "build/sbom.cdx.json"
    try:
        document = bill()
    except Differs as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    wrong = faults(document)
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    if not wrong:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(document), encoding="utf-8")
        print(os.path.relpath(file))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
