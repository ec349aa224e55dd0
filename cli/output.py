"""Output of commands on stderr: one line each, whatever names and reasons contain."""

from __future__ import annotations

import sys
from typing import NoReturn

import click


def printable(text: object) -> str:
    """Return a text on one line, with escapes for line breaks, control characters, and others that are not printable."""
    words = str(text)
    return words if words.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in words)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as 1 tweet or 2000 tweets, without separators, since scripts read it too."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def print_line(line: object) -> None:
    """Print a line to stderr."""
    click.echo(printable(line), err=True)


def exit_with(reason: object, code: int) -> NoReturn:
    """Print why a command ends, and exit."""
    print_line(reason)
    sys.exit(code)
