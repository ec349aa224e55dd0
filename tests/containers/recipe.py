"""The Dockerfile and .dockerignore as values: what the image declares, and which files of a checkout get into it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.fixtures.environment import ROOT

DOORS = ("app", "api")
LOADED_BY_PATH = ("migrations",)
IMPORTED = re.compile(r"^ *(?:import (\w+)|from (\w+)[\w.]* import )", re.MULTILINE)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    value: str


def instructions(text: str) -> list[Instruction]:
    """Return the instructions in their order, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [Instruction(name.upper(), value.strip()) for name, _, value in found]


def stages(text: str) -> list[list[Instruction]]:
    """Return the instructions of each stage, its FROM first; those before the first FROM are left out."""
    result: list[list[Instruction]] = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            result.append([])
        if result:
            result[-1].append(instruction)
    return result


def values(stage: list[Instruction], name: str) -> list[str]:
    """Return what stands behind each instruction of that name."""
    return [instruction.value for instruction in stage if instruction.name == name]


def variables(stage: list[Instruction]) -> dict[str, str]:
    """Return what ENV sets, except PATH, which is the container's own."""
    pairs = [word.partition("=") for value in values(stage, "ENV") for word in shlex.split(value)]
    return {name: value for name, _, value in pairs if name != "PATH"}


def let_in(path: str, ignore: str) -> bool:
    """Return whether .dockerignore lets a file in: the last pattern that fits it, or a folder of it, decides."""
    verdict = True
    for line in filter(None, map(str.strip, ignore.splitlines())):
        if not line.startswith("#") and _fits(path, line.removeprefix("!")):
            verdict = line.startswith("!")
    return verdict


def _fits(path: str, pattern: str) -> bool:
    tokens = re.split(r"(\*\*/|\*)", pattern.strip("/"))
    expression = "".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(token, re.escape(token)) for token in tokens)
    return re.fullmatch(f"{expression}(?:/.*)?", path) is not None


def needed(root: Path = ROOT) -> set[str]:
    """Return the files that the service is made of: what its doors import, directly or not, and all else in those rooms."""
    rooms: set[str] = set()
    left = [*DOORS, *(room for room in LOADED_BY_PATH if (root / room).is_dir())]
    while left:
        room = left.pop()
        if room not in rooms and (files := list(_files(root, room))):
            rooms.add(room)
            left += imported(files) - sys.stdlib_module_names
    return {str(file.relative_to(root)) for room in rooms for file in _files(root, room)}


def imported(files: Iterable[Path]) -> set[str]:
    """Return the top-level names that Python files import, also inside functions."""
    texts = [file.read_text(encoding="utf-8") for file in files if file.suffix == ".py"]
    return {of or name for text in texts for name, of in IMPORTED.findall(text)}


def _files(root: Path, room: str) -> Iterator[Path]:
    """Give the files of a room; beside a module, a folder of the same name is configuration."""
    module = root / f"{room}.py"
    found = [module] if module.is_file() else (root / room).rglob("*")
    yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)
