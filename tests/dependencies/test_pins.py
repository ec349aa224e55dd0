"""What is installed is pinned to one version each, with the sums of its files, wherever it is installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from scripts.pins import DEVELOPMENT, RUNTIME, NotPinned, Pin, normal, pins
from tests.containers.recipe import stages, values
from tests.fixtures.environment import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUM = "a" * 64


def pinned(file: Path) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins(file.read_text(encoding="utf-8"))}


def declared(requirements: list[str]) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins("\n".join(requirements))}


def test_every_package_is_pinned_with_the_sums_of_its_files_for_every_platform() -> None:
    for file in (RUNTIME, DEVELOPMENT):
        sums = {pin.name: len(pin.sums) for pin in pins(file.read_text(encoding="utf-8"))}
        assert len(sums) > 30
        assert min(sums.values()) > 0
        assert min(sums["pysqlite3"], sums["orjson"]) > 20


def test_what_pyproject_names_is_pinned_as_it_says() -> None:
    assert declared(PROJECT["dependencies"]).items() <= pinned(RUNTIME).items()
    assert declared(PROJECT["optional-dependencies"]["dev"]).items() <= pinned(DEVELOPMENT).items()
    assert pinned(RUNTIME).items() <= pinned(DEVELOPMENT).items()


def test_whatever_installs_them_demands_the_sums() -> None:
    made = [line for line in MAKEFILE.splitlines() if "install " in line and "-r " in line]
    image = [value for value in values(stages(DOCKERFILE)[0], "RUN") if " install " in value]
    assert ["--require-hashes" in command for command in made + image] == [True, True]


def test_a_pin_is_read_whole() -> None:
    text = f"# all\nFlask_RESTful==0.3.10 \\\n    --hash=sha256:{SUM} \\\n    --hash=sha256:{SUM}\n    # via\n    #   x\nb==1\n"
    assert pins(text) == [Pin("flask-restful", "0.3.10", (SUM, SUM)), Pin("b", "1", ())]
    assert normal("A__b.C") == "a-b-c"


def test_what_is_not_one_version_is_refused() -> None:
    for line in ("a>=1", "a", "a==1.*", 'a==1 ; python_version < "3.13"', "a==1 --hash=md5:0", "-r other.txt"):
        with pytest.raises(NotPinned):
            pins(line)
