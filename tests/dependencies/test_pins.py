"""What is installed is pinned to one version each, with the sums of its files, wherever it is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from scripts.pins import DEVELOPMENT, RUNTIME, NotPinned, Pin, normal, pins
from tests.containers.recipe import stages, values
from tests.fixtures.environment import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUM = "a" * 64
DRY_RUN = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--require-hashes"]


def pinned(file: Path) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins(file.read_text(encoding="utf-8"))}


def declared(requirements: list[str]) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins("\n".join(requirements))}


def without_sums(text: str) -> list[str]:
    """Return the pinned packages of which no file is known."""
    return [pin.name for pin in pins(text) if not pin.sums]


def installs(text: str) -> list[str]:
    """Return the commands by which a recipe installs from a requirements file."""
    return [line for line in text.splitlines() if "install " in line and "-r " in line]


def test_every_package_is_pinned_with_the_sums_of_its_files_for_every_platform() -> None:
    for file in (RUNTIME, DEVELOPMENT):
        text = file.read_text(encoding="utf-8")
        assert len(pins(text)) > 30
        assert without_sums(text) == []
    compiled = {pin.name: len(pin.sums) for pin in pins(RUNTIME.read_text(encoding="utf-8"))}
    assert min(compiled["pysqlite3"], compiled["orjson"]) > 20


def test_what_pyproject_names_is_pinned_as_it_says() -> None:
    assert declared(PROJECT["dependencies"]).items() <= pinned(RUNTIME).items()
    assert declared(PROJECT["optional-dependencies"]["dev"]).items() <= pinned(DEVELOPMENT).items()
    assert pinned(RUNTIME).items() <= pinned(DEVELOPMENT).items()


def test_whatever_installs_them_demands_the_sums() -> None:
    image = [value for value in values(stages(DOCKERFILE)[0], "RUN") if " install " in value]
    for command in (*installs(MAKEFILE), *image):
        assert "--require-hashes" in command, command
    assert len(installs(MAKEFILE)) == len(image) == 1


@pytest.mark.stack
def test_a_file_with_another_sum_is_not_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "planted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("planted-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
        archive.writestr("planted-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("planted-1.0.dist-info/RECORD", "")
    wanted = tmp_path / "requirements.txt"
    install = [*DRY_RUN, f"--find-links={tmp_path}"]
    for digest, accepted in ((sha256(wheel.read_bytes()).hexdigest(), True), (SUM, False)):
        wanted.write_text(f"planted==1.0 --hash=sha256:{digest}\n")
        done = subprocess.run([*install, f"--requirement={wanted}"], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is accepted, done.stderr


def test_a_pin_is_read_whole() -> None:
    text = f"# all\nFlask_RESTful==0.3.10 \\\n    --hash=sha256:{SUM} \\\n    --hash=sha256:{SUM}\n    # via\n    #   x\nb==1\n"
    assert pins(text) == [Pin("flask-restful", "0.3.10", (SUM, SUM)), Pin("b", "1", ())]
    assert without_sums(text) == ["b"]
    assert normal("A__b.C") == "a-b-c"


def test_what_is_not_one_version_is_refused() -> None:
    for line in ("a>=1", "a", "a==1.*", 'a==1 ; python_version < "3.13"', "a==1 --hash=md5:0", "-r other.txt"):
        with pytest.raises(NotPinned):
            pins(line)
