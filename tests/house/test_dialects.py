"""Which database it is, is asked in database/ only; the rest calls what both have."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "cli",
    "collector",
    "models",
    "queries",
    "resources",
    "schemas",
    "security",
    "server",
    "telemetry",
    "web",
)
FILES = [
    ROOT / "alchemy.py",
    ROOT / "api.py",
    ROOT / "app.py",
    *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py")),
]
ASKS = {"dialect", "get_bind", "get_backend_name", "drivername"}
BACKENDS = {"SQLite", "PostgreSQL"}
CHOOSES = {"alchemy.py"}


def dialect_questions(source: str) -> list[str]:
    """Return the attributes and names of a module by which it could tell the databases apart."""
    nodes = list(ast.walk(ast.parse(source)))
    asked = [node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr in ASKS]
    return asked + [node.id for node in nodes if isinstance(node, ast.Name) and node.id in BACKENDS]


def test_nothing_outside_of_the_package_asks_which_database_it_is() -> None:
    found = {str(file.relative_to(ROOT)): dialect_questions(file.read_text()) for file in FILES}
    assert {file: names for file, names in found.items() if names and file not in CHOOSES} == {}


@pytest.mark.parametrize("source", ["session.get_bind().dialect.name", "engine.dialect", "isinstance(database, SQLite)"])
def test_a_question_is_noticed(source: str) -> None:
    assert dialect_questions(source)
