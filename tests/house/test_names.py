"""Class names are unique in the product, and identifiers of the old vocabulary stay out of it (CONTRIBUTING.md, glossary)."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.house.test_order import OUTSIDE, ROOT, python_files

OLD = "chores?|upkeep|remains|desk|stretch(es)?|at_once|empty_log|write_anew|door|patience|dawdle|finds|let_in|add_up"
OLD_WORDS = re.compile(rf"(?<![a-z])({OLD})(?![a-z])")


def product() -> Iterator[tuple[str, ast.Module]]:
    for path in python_files():
        if path.parts[0] not in (*OUTSIDE, "migrations"):
            yield path.as_posix(), ast.parse((ROOT / path).read_text())


def classes(tree: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def identifiers(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives: to classes, functions, parameters, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def old_words(tree: ast.Module) -> set[str]:
    snake = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in identifiers(tree))
    return {match[1] for name in snake for match in OLD_WORDS.finditer(name)}


def test_class_names_are_unique() -> None:
    counted = Counter(name for _, tree in product() for name in classes(tree))
    assert [name for name, number in counted.items() if number > 1] == []


def test_no_identifier_has_an_old_word() -> None:
    assert {path: words for path, tree in product() if (words := old_words(tree))} == {}


def test_both_are_noticed() -> None:
    tree = ast.parse("class Upkeep:\n    def keep(self, patience_s): self.door = doorway = 1\nclass Upkeep: pass")
    assert Counter(classes(tree)) == {"Upkeep": 2}
    assert old_words(tree) == {"upkeep", "patience", "door"}
