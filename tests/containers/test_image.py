"""The image: complete, without anything else, private unless told otherwise, not root."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from pysqlite3.dbapi2 import sqlite_version_info

from database import migrating
from database.sqlite import WAL_SAFE_SQLITE
from security.tokens import check_listening
from settings import SettingError, load
from tests.containers.recipe import LOADED_BY_PATH, imported, instructions, let_in, needed, stages, values, variables
from tests.dependencies.pins import DEVELOPMENT, RUNTIME, pins
from tests.fixtures.environment import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DOCKERIGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
BUILD, FINAL = stages(DOCKERFILE)
ARGUMENTS = dict(shlex.split(value)[0].split("=", 1) for value in values(instructions(DOCKERFILE), "ARG") if "=" in value)

KEPT_OUT = """
    .env .env.local grafana/.env collector/.env.local secrets/api-token data/tweets.db .git/config tests/conftest.py notes.txt
    scripts/container-test node_modules/newman/index.js requirements-dev.txt web/__pycache__/__init__.cpython-313.pyc
"""


def missing(root: Path, ignore: str) -> set[str]:
    """Return the files that the service needs and the image has not."""
    return {file for file in needed(root) if not let_in(file, ignore)}


def test_the_image_has_every_file_that_the_service_is_made_of() -> None:
    assert {"app.py", "web/templates/overview.html", "migrations/env.py", "emulator/__init__.py"} <= needed()
    assert [str(migrating.MIGRATIONS.relative_to(ROOT))] == list(LOADED_BY_PATH)
    assert missing(ROOT, DOCKERIGNORE) == set()
    assert "." in [value.split()[0] for value in values(BUILD, "COPY")]
    assert "--from=build /app /app" in values(FINAL, "COPY")


def test_a_room_that_is_forgotten_is_noticed_and_a_folder_of_configuration_is_none(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import logstash\nimport secrets\ndef create_app():\n    from cellar.wine import red\n")
    files = {"cellar/wine.py": "import attic\n", "attic.py": "import os\n", "logstash.py": ""}
    for name, text in (files | {"logstash/pipeline.conf": "", "secrets/api-token": ""}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert needed(tmp_path) == {"app.py", *files}
    assert missing(tmp_path, DOCKERIGNORE) == {"cellar/wine.py", "attic.py"}


def test_the_image_has_nothing_else() -> None:
    assert [path for path in KEPT_OUT.split() if let_in(path, DOCKERIGNORE)] == []


def test_its_base_is_one_exact_release_that_can_be_replaced() -> None:
    release = re.fullmatch(r"docker\.io/library/python:(\d+)\.(\d+)\.\d+-slim-[a-z]+", ARGUMENTS["BASE"])
    assert release
    assert [value.split()[0] for value in values(instructions(DOCKERFILE), "FROM")] == ["${BASE}", "${BASE}"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert tuple(map(int, release.groups())) >= tuple(map(int, oldest.removeprefix(">=").split(".")))


def test_it_installs_wheels_of_the_pinned_requirements_and_nothing_for_development() -> None:
    [install] = [value for value in values(BUILD, "RUN") if "/opt/venv" in value and " install " in value]
    assert re.findall(r"\$pip install (.*?)(?: [|&]{2}|$)", install) == [
        "--require-hashes --only-binary=:all: --no-deps -r requirements.txt",
        '--no-index --no-deps "$wheel"',
    ]
    assert "requirements-dev" not in DOCKERFILE


def test_what_has_no_wheel_is_built_from_pinned_sources_with_a_safe_sqlite_and_tools_that_are_those_of_here() -> None:
    number = re.fullmatch(r"https://sqlite\.org/20\d\d/sqlite-amalgamation-3(\d\d)(\d\d)00\.zip", ARGUMENTS["SQLITE"])
    assert number
    version = (3, *map(int, number.groups()))
    assert version >= WAL_SAFE_SQLITE
    assert version == sqlite_version_info, "the wheel's"
    assert re.fullmatch("[0-9a-f]{64}", ARGUMENTS["SQLITE_SHA256"])
    tool, _, checksum = ARGUMENTS["SETUPTOOLS"].partition(" --hash=")
    [pinned] = re.findall(rf"^{tool} .*?(?=^[a-z]|\Z)", DEVELOPMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert f"--hash={checksum}" in pinned.split()
    [build] = [value for value in values(BUILD, "RUN") if "$SQLITE" in value]
    assert build.count("--require-hashes") == 2


def test_what_the_service_imports_is_in_those_requirements() -> None:
    files, brought = needed(), packages_distributions()
    rooms = {Path(file).parts[0].removesuffix(".py") for file in files}
    foreign = imported(ROOT / file for file in files) - rooms - sys.stdlib_module_names
    pinned = pins(RUNTIME).keys()
    assert {"sqlalchemy", "flask", "tweepy"} <= foreign
    assert {name for name in foreign if not pinned & {canonicalize_name(by) for by in brought.get(name, [])}} == set()


def test_it_runs_as_a_fixed_user_that_is_not_root_and_no_shell_stands_before_a_sigterm() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", values(FINAL, "USER")[-1])
    assert json.loads(values(FINAL, "CMD")[-1]) == ["python", "app.py"]
    assert values(FINAL, "ENTRYPOINT") == []


def test_it_listens_on_the_port_that_it_declares_and_not_without_a_token(tmp_path: Path) -> None:
    settings = load(variables(FINAL), folder=tmp_path)
    assert settings.host == "0.0.0.0"
    assert values(FINAL, "EXPOSE") == [str(settings.port)]
    with pytest.raises(SettingError, match="API_TOKEN"):
        check_listening(settings)


def test_no_secret_is_part_of_it() -> None:
    named = [*variables(BUILD), *variables(FINAL), *values(instructions(DOCKERFILE), "ARG")]
    assert not [name for name in named if re.search("TOKEN|SECRET|KEY|PASSWORD|OPEN", name)]
