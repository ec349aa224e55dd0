"""Measure the code: its sizes, which package imports which, and how much of it three paths touch.

    python scripts/measure.py

The paths are a cold `GET /tweets?tag=devops&limit=10`, one collected page of one hashtag, and a cold `/`, in this process over
a database that the emulator filled. A path touches a file when it calls a function in it or renders it as a template. SQL
statements are those that SQLAlchemy executes: BEGIN and COMMIT are not among them.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Any

from sqlalchemy import Engine, event

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api import collector_for, get_tweets  # noqa: E402 (needs the path above)
from app import create_app  # noqa: E402
from emulator import Emulator  # noqa: E402
from settings import Settings, load  # noqa: E402

OUTSIDE = ("emulator", "scripts", "tests")


def python_files() -> list[Path]:
    """Python files that git knows, relative to the repository."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


def package(file: Path) -> str:
    """The top-level package of a file, or its own name where it is a module of the top level."""
    return file.parts[0].removesuffix(".py")


def nodes(file: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))))


def function_lengths(file: Path) -> list[int]:
    """Lines of each function and method of a file, with signature and docstring."""
    return [(node.end_lineno or 0) - node.lineno + 1 for node in nodes(file) if isinstance(node, ast.FunctionDef)]


def imports(file: Path) -> set[str]:
    """Top-level names that a file imports, also inside functions."""
    names = {alias.name for node in nodes(file) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes(file) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def show_sizes(files: list[Path]) -> None:
    """Prints lines by package, and the sizes of files and functions outside tests/."""
    lines = {file: (ROOT / file).read_text(encoding="utf-8").count("\n") for file in files}
    own = [file for file in files if package(file) != "tests"]
    for name, count in Counter(map(package, files)).most_common():
        print(f"{name:14} {count:4} files {sum(lines[file] for file in files if package(file) == name):6} lines")
    print(f"{'without tests':14} {len(own):4} files {sum(lines[file] for file in own):6} lines\n")
    show_spread("lines a file", [lines[file] for file in own])
    show_spread("lines a function", [length for file in own for length in function_lengths(file)])


def show_spread(what: str, values: list[int]) -> None:
    print(f"{what}: median {median(values):.0f}, p90 {quantiles(values, n=10)[-1]:.0f}, max {max(values)}, of {len(values)}")


def show_imports(files: list[Path]) -> None:
    """Prints which package imports which, apart from tests/."""
    packages = set(map(package, files)) - {"tests"}
    for name in sorted(packages):
        found = set[str]().union(*(imports(file) for file in files if package(file) == name))
        print(f"{name} -> {' '.join(sorted(found & packages - {name})) or '-'}")


@contextmanager
def traced(what: str) -> Iterator[None]:
    """Prints what the block touches of the code, in this thread and in those that it starts."""
    called: set[CodeType] = set()
    statements: list[str] = []

    def note(frame: FrameType, kind: str, _argument: Any) -> None:
        if kind == "call" and frame.f_code.co_name != "<module>":
            called.add(frame.f_code)

    def execute(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", execute)
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        event.remove(Engine, "before_cursor_execute", execute)
    show_touched(what, called, len(statements))


def show_touched(what: str, called: set[CodeType], statements: int) -> None:
    own = {code: Path(code.co_filename).relative_to(ROOT) for code in called if code.co_filename.startswith(f"{ROOT}/")}
    own = {code: file for code, file in own.items() if file.parts[0] not in (*OUTSIDE, ".venv")}
    files = set(own.values())
    functions = sum(not code.co_name.startswith("<") and file.suffix == ".py" for code, file in own.items())
    packages = len(set(map(package, files)))
    print(f"{what}: {packages} packages, {len(files)} files, {functions} functions, {statements} SQL statements")


def trace_get(settings: Settings, path: str) -> None:
    app = create_app(settings)
    with closing(app.extensions["collector"]), traced(f"GET {path}"):
        answer = app.test_client().get(path)
        if answer.status_code != 200 or not answer.data:
            raise SystemExit(f"{path} answered {answer.status}")


def show_paths() -> None:
    """Prints what each of the three paths touches."""
    with TemporaryDirectory() as folder, Emulator(seed=1) as x:
        own = {"DATABASE_URL": f"sqlite:///{folder}/tweets.db", "DATA_FOLDER": folder, "TWITTER_API_URL": x.url}
        own |= {"TAGS": "#devops", "LOG_LEVEL": "ERROR"}
        migrate = [sys.executable, "-m", "flask", "--app", "app", "database", "upgrade"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **own}, check=True, capture_output=True)
        settings = load(own, folder=Path(folder))
        with closing(collector_for(settings)) as collector, traced("a collected page"):
            get_tweets(collector)
        trace_get(settings, "/tweets?tag=devops&limit=10")
        trace_get(settings, "/")


if __name__ == "__main__":
    for show in (show_sizes, show_imports):
        show(python_files())
        print()
    show_paths()
