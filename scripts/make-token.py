"""Make tokens for the API: a new one in the first line of each file, the older ones below it.

    python scripts/make-token.py [--retire] [FOLDER]

FOLDER is `secrets` beside the Makefile unless another is named. Who sends `api-token` may do everything, who sends
`api-read-token` may read. A service that has them takes the new ones within two seconds, and the older ones as well, so that
clients can be given the new ones one by one. `--retire` takes the older ones away. No token is printed.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {"api-token": "API_TOKEN", "api-read-token": "API_READ_TOKEN"}
BYTES = 32


def renewed(file: Path) -> None:
    """Put a new token above those that a file holds."""
    written(file, [secrets.token_urlsafe(BYTES), *tokens(file)])


def retired(file: Path) -> None:
    """Leave a file its first token only."""
    written(file, tokens(file)[:1])


def tokens(file: Path) -> list[str]:
    """Return the tokens of a file, newest first."""
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def written(file: Path, lines: list[str]) -> None:
    """Write a file that its owner alone may read: whole, or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as open_file:
        open_file.writelines(f"{line}\n" for line in lines)
    part.replace(file)


def main(arguments: list[str] | None = None) -> int:
    """Make or retire tokens, say what to do with them, and return the exit code."""
    parser = argparse.ArgumentParser(description="Make tokens for the API.")
    parser.add_argument("--retire", action="store_true", help="take all but the newest away")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "secrets")
    asked = parser.parse_args(arguments)
    if asked.retire and not all(tokens(asked.folder / name) for name in FILES):
        sys.stderr.write(f"{asked.folder}: there are no tokens to retire; make token makes some\n")
        return 1
    asked.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in FILES:
        (retired if asked.retire else renewed)(asked.folder / name)
    print(_said(asked.folder, retire=asked.retire))
    return 0


def _said(folder: Path, *, retire: bool) -> str:
    shown = os.path.relpath(folder)
    counts = "\n".join(f"  {shown}/{name}: {len(tokens(folder / name))}, newest first" for name in FILES)
    if retire:
        return f"Only the newest are left:\n{counts}"
    settings = "\n".join(f"  {setting}_FILE={shown}/{name}" for name, setting in FILES.items())
    return (
        f"Tokens to do everything, and to read only:\n{counts}\n"
        f"Without containers, name them once in .env.local and start the service again:\n{settings}\n"
        "In the stack they count by themselves: docker-compose up -d\n"
        f'Try one:\n  curl -H "Authorization: Bearer $(head -n 1 {shown}/api-token)" http://127.0.0.1:5000/tags\n'
        "Once all clients have the newest: make token RETIRE=1"
    )


if __name__ == "__main__":
    raise SystemExit(main())
