"""Cursors: where a list goes on, opaque to clients."""

from __future__ import annotations

import base64
import binascii

VERSION = "1"
LARGEST_ID = 2**63 - 1


class NoCursor(ValueError):
    """A text that is no cursor of this list."""


def cursor(of: str, last: int) -> str:
    """Return the cursor of a list that goes on after the item with this id."""
    return base64.urlsafe_b64encode(f"{VERSION}:{of}:{last}".encode()).decode().rstrip("=")


def position(of: str, text: str) -> int:
    """Return the id after which a list goes on; raises NoCursor."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, name, last = packed.decode().split(":")
    except (binascii.Error, ValueError) as error:
        raise NoCursor(text) from error
    known = (version, name) == (VERSION, of) and last.isascii() and last.isdigit() and len(last) <= len(str(LARGEST_ID))
    if not known or int(last) > LARGEST_ID:
        raise NoCursor(text)
    return int(last)
