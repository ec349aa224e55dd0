"""What commands say to whoever runs them: each thing on one line of stderr, whatever names and reasons hold."""

from __future__ import annotations

import sys
from typing import NoReturn

import click


def printable(text: object) -> str:
    """Return a text on one line: what ends lines, moves a cursor, turns letters around or can't be seen, as its escape."""
    words = str(text)
    return words if words.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in words)


def say(line: object) -> None:
    """Say a line on stderr."""
    click.echo(printable(line), err=True)


def stop(reason: object, code: int) -> NoReturn:
    """Say why a command ends, and end it."""
    say(reason)
    sys.exit(code)
