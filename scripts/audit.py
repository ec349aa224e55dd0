"""Hold what is installed against what is pinned, and what is pinned against the known vulnerabilities.

    python scripts/audit.py [--osv URL] [FILE…]

pip-audit asks PyPI for them and, where PyPI doesn't answer for every package, OSV; with --osv only a service that speaks as
OSV does at that URL. With a FILE only the requirements in it are looked at, and nothing that is installed. What
pyproject.toml names under tool.audit.ignored, with a reason, is left out. The exit code is 0 if nothing was found, 1 if
something is wrong, and 69 (EX_UNAVAILABLE) if nothing was found, but no service answered for every package.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.pins import DEVELOPMENT, RUNTIME, NotPinned, normal, pins  # noqa: E402 (needs the path above)

SERVICES = {"PyPI": ["--vulnerability-service=pypi"], "OSV": ["--vulnerability-service=osv"]}
UNREACHED = re.compile(r"requests\.exceptions\.|ServiceError|network may be blocking")
WHOLE = [RUNTIME, DEVELOPMENT]
LONGEST_S = 300


class Found(NamedTuple):
    """A known vulnerability of a pinned package, by all of its ids, and the versions that are free of it."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]


class Answer(NamedTuple):
    """What a service told: the vulnerabilities it knows, and the packages for which it didn't answer."""

    found: list[Found]
    unasked: list[str]


class Broken(RuntimeError):
    """pip-audit failed for another reason than the network."""


def wrongly_installed(wanted: dict[str, str]) -> Iterator[str]:
    """Yield what is installed otherwise than pinned, given versions by name, and what pip finds missing."""
    have = {normal(found.name): found.version for found in distributions()}
    for name in sorted(wanted.keys() | have.keys()):
        if wanted.get(name) != have.get(name):
            yield f"{name}: installed is {have.get(name, 'none')}, pinned is {wanted.get(name, 'none')}"
    checked = _run("pip", "check")
    if checked.returncode:
        yield from checked.stdout.splitlines()


def answer(files: list[Path], service: list[str], names: list[str]) -> Answer:
    """Return what a service knows of the packages in the files, which are pinned under these names; raise Broken."""
    try:
        done = _run("pip_audit", "--format=json", "--progress-spinner=off", "--disable-pip", *service, *_options(files))
    except subprocess.TimeoutExpired:
        return Answer([], names)
    try:
        told = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2]
        if not UNREACHED.search(last):
            raise Broken(last) from None
        return Answer([], names)
    return Answer([found for one in told for found in _found(one)], [one["name"] for one in told if "skip_reason" in one])


def _options(files: list[Path]) -> list[str]:
    return [f"--requirement={file}" for file in files]


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False, timeout=LONGEST_S
    )


def _found(told: dict[str, Any]) -> Iterator[Found]:
    for one in told.get("vulns", ()):
        yield Found(told["name"], told["version"], (one["id"], *sorted(one["aliases"])), tuple(one["fix_versions"]))


def ignored(project: str) -> dict[str, str]:
    """Return the reasons for which vulnerabilities are ignored, by id, from the text of pyproject.toml."""
    return dict(tomllib.loads(project).get("tool", {}).get("audit", {}).get("ignored", {}))


def findings(files: list[Path], services: dict[str, list[str]]) -> Answer:
    """Ask the services in turn until one has answered for every package; raise Broken and NotPinned."""
    pinned = [pin for file in files for pin in pins(file.read_text(encoding="utf-8"))]
    bare = sorted(pin.name for pin in pinned if not pin.sums)
    if bare:
        raise NotPinned(f"without the sums of its files: {', '.join(bare)}")
    found: set[Found] = set()
    unasked = names = sorted({pin.name for pin in pinned})
    for service in services.values():
        told = answer(files, service, names)
        found |= set(told.found)
        unasked = sorted(set(unasked) & set(told.unasked))
        if not unasked:
            break
    return Answer(sorted(found), unasked)


def audited(
    files: list[Path], services: dict[str, list[str]], reasons: dict[str, str], *, whole: bool
) -> tuple[list[str], int]:
    """Return the lines to print and the exit code; where the files are the whole, a reason that nothing needs is wrong too."""
    told = findings(files, services)
    kept = [found for found in told.found if not reasons.keys() & set(found.ids)]
    known = {name for found in told.found for name in found.ids}
    lines = [f"{one.package} {one.version}: {' '.join(one.ids)}, fixed in {', '.join(one.fixed) or 'none'}" for one in kept]
    lines += [f"ignored: {name}: {why}" for name, why in reasons.items() if name in known]
    wrong = [f"ignored without a reason: {name}" for name, why in reasons.items() if not why.strip()]
    if whole and not told.unasked:
        wrong += [f"ignored, but not found any more: {name}" for name in reasons if name not in known]
    if told.unasked:
        lines.append(
            f"NOT AUDITED: {' and '.join(services)} gave no advisories for {len(told.unasked)} packages ({told.unasked[0]} …)"
        )
    return lines + wrong, 1 if kept or wrong else os.EX_UNAVAILABLE if told.unasked else 0


def main(arguments: list[str]) -> int:
    """Print what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(description="exit code: 0 nothing found, 1 something is wrong, 69 advisories out of reach")
    parser.add_argument("--osv", metavar="URL", help="ask this service only")
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="requirements; unless given, all that are pinned")
    options = parser.parse_args(arguments)
    services = {options.osv: [*SERVICES["OSV"], f"--osv-url={options.osv}"]} if options.osv else SERVICES
    reasons = ignored((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wrong: list[str] = []
    try:
        if not options.files:
            wrong = list(wrongly_installed({pin.name: pin.version for pin in pins(DEVELOPMENT.read_text(encoding="utf-8"))}))
        lines, code = audited(options.files or WHOLE, services, reasons, whole=not options.files)
    except (NotPinned, Broken, OSError) as failure:
        lines, code = [f"{type(failure).__name__}: {failure}"], 1
    for line in (*wrong, *lines, *(["nothing found"] if not code and not wrong else [])):
        print(f"audit: {line}")
    return 1 if wrong else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
