"""Layers: a package imports only packages of lower layers."""

from __future__ import annotations

import ast
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [
    {"app"},
    {"api"},
    {"server"},
    {"resources", "web", "cli"},
    {"security"},
    {"watches"},
    {"schemas"},
    {"collector"},
    {"queries"},
    {"models"},
    {"alchemy", "telemetry"},
    {"database"},
    {"logstash", "settings", "text"},
]
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}
BESIDE = {"emulator": {"emulator"}, "migrations": {"migrations", "alchemy", "database", "models", "text"}}
MAY_IMPORT_THE_EMULATOR = {"api", "app", "emulator"}
WITH_FLASK = {"app", "resources", "web", "cli", "security", "telemetry"}
TOP_LEVEL = {"app.py", "api.py", "alchemy.py", "logstash.py", "settings.py"}
CONFIGURATION = ("grafana", "kibana", "logstash", "postgres", "prometheus")
NOT_OURS = ("node_modules", "__pycache__", "data", "build")
OUTSIDE = ("tests", "benchmarks", "scripts", "docs")


def python_files() -> list[Path]:
    """Return the Python files below the top, relative to it; hidden folders and what is installed or built are none of ours."""
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not name.startswith(".") and name not in NOT_OURS]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names if name.endswith(".py")]
    return found


def imported(source: str) -> set[str]:
    """Return the top-level names that a module imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def offences(path: Path, source: str) -> list[str]:
    """Return what is wrong with a module's imports."""
    package, names = path.parts[0].removesuffix(".py"), imported(source)
    packages = names & (LAYER.keys() | BESIDE.keys())
    if package in BESIDE:
        wrong = packages - BESIDE[package]
    else:
        wrong = {name for name in packages & LAYER.keys() if name != package and LAYER[name] <= LAYER[package]}
        wrong |= {"emulator"} & packages if package not in MAY_IMPORT_THE_EMULATOR else set()
    if package not in WITH_FLASK:
        wrong |= names & {"flask", "flask_restful"}
    return [f"{path} imports {name}" for name in sorted(wrong)]


def test_packages_have_a_layer_and_import_only_packages_of_lower_ones() -> None:
    product = [path for path in python_files() if path.parts[0] not in OUTSIDE]
    assert {path.parts[0].removesuffix(".py") for path in product} <= LAYER.keys() | BESIDE.keys()
    assert [offence for path in product for offence in offences(path, (ROOT / path).read_text())] == []


def test_the_top_level_has_no_python_beyond_the_five_files_and_configuration_none_at_all() -> None:
    assert {path.name for path in python_files() if len(path.parts) == 1} == TOP_LEVEL
    assert [path for path in python_files() if len(path.parts) > 1 and path.parts[0] in CONFIGURATION] == []


def test_an_import_up_or_sideways_is_noticed() -> None:
    for path, source in (
        ("models/tag.py", "import queries.tags"),
        ("collector/x/client.py", "def late():\n    from flask import g"),
        ("resources/tweets.py", "from web import page"),
        ("queries/tweets.py", "from collector import store"),
        ("collector/x/client.py", "import emulator"),
        ("emulator/world/world.py", "from settings import load"),
        ("api.py", "import app"),
    ):
        assert offences(Path(path), source), path
