"""What is installed is pinned to one version each, with the hashes of its files, wherever it is installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.containers.recipe import stages, values
from tests.dependencies.pins import DEVELOPMENT, RUNTIME, pins
from tests.fixtures.environment import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared(requirements: list[str]) -> dict[str, str]:
    """Return the versions that pyproject.toml names, by normalised name."""
    read = map(Requirement, requirements)
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in read}


def hashes(file: Path, package: str) -> int:
    """Return for how many files of a package a hash is pinned."""
    return file.read_text(encoding="utf-8").partition(f"\n{package}==")[2].partition("# via")[0].count("--hash=sha256:")


def test_what_pyproject_names_is_pinned_as_it_says() -> None:
    assert declared(PROJECT["dependencies"]).items() <= pins(RUNTIME).items()
    assert declared(PROJECT["optional-dependencies"]["dev"]).items() <= pins(DEVELOPMENT).items()
    assert pins(RUNTIME).items() <= pins(DEVELOPMENT).items()


def test_compiled_packages_are_pinned_for_every_platform() -> None:
    assert min(hashes(file, package) for file in (RUNTIME, DEVELOPMENT) for package in ("pysqlite3", "orjson")) > 20


def test_every_installation_requires_the_hashes() -> None:
    makefile, dockerfile = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "Dockerfile"))
    made = [line for line in makefile.splitlines() if " install " in line and "-r " in line]
    image = [value for value in values(stages(dockerfile)[0], "RUN") if " install " in value]
    assert ["--require-hashes" in command for command in made + image] == [True] * 5
