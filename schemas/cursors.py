"""Cursors: where a list goes on, opaque to clients.

A cursor is signed with a key of the database's, and only for the list that it was given for: with other filters or in another
order it would lead to nonsense.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from queries.marks import cursor_key
from schemas.problems import BadInput, ParameterError

VERSION = b"2"
SIGNATURE = 12


class NoCursor(ValueError):
    """A text that is no cursor of this list."""

    def __init__(self) -> None:
        super().__init__("expected the cursor of this list's next, with the same filters and order")


def cursor(key: bytes, of: str, last: Sequence[Any]) -> str:
    """Return the cursor of a list that goes on after the item with these values; `of` says which list, with its filters."""
    values = orjson.dumps([*last], option=orjson.OPT_UTC_Z)
    return base64.urlsafe_b64encode(_signature(key, of, values) + values).decode().rstrip("=")


def position(key: bytes, of: str, text: str) -> list[Any]:
    """Return the values after which a list goes on; raises NoCursor."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoCursor from error
    signature, values = packed[:SIGNATURE], packed[SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(key, of, values)):
        raise NoCursor
    found: list[Any] = orjson.loads(values)
    return found


def began(session: Session, of: str, text: str | None) -> list[Any] | None:
    """Return the values after which a page of this list begins, None for the first one; raises BadInput."""
    if text is None:
        return None
    try:
        return position(cursor_key(session), of, text)
    except NoCursor as error:
        raise BadInput([ParameterError("cursor", str(error))]) from error


def following_cursor(session: Session, of: str, last: Sequence[Any]) -> str:
    """Return the cursor of the page that goes on after the item with these values."""
    return cursor(cursor_key(session), of, last)


def moment(value: Any) -> Any:
    """Read back a time that a cursor holds; other values are as they are."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _signature(key: bytes, of: str, values: bytes) -> bytes:
    return hmac.digest(key, b"\0".join((VERSION, of.encode("utf-8", "surrogatepass"), values)), "sha256")[:SIGNATURE]
