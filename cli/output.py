"""Output of commands on stderr: one line each, whatever names and reasons contain."""

from __future__ import annotations

import sys
from typing import NoReturn

import click


def printable(text: object) -> str:
    """Return a text on one line, with escapes for line breaks, control characters, and others that are not printable."""
    words = str(text)
    return words if words.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in words)


def print_line(line: object) -> None:
    """Print a line to stderr."""
    click.echo(printable(line), err=True)


def exit_with(reason: object, code: int) -> NoReturn:
    """Print why a command ends, and exit."""
    print_line(reason)
    sys.exit(code)
