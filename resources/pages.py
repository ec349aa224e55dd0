"""Pages: where a list goes on, in the answer's `next` and its header Link."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy.orm import Session

from formats.cursors import NoCursor, cursor, position
from formats.problems import BadInput, Fault
from queries.marks import cursor_key


def began(session: Session, of: str, text: str | None) -> list[Any] | None:
    """Return the values after which a page of this list begins, None for the first one; raises BadInput."""
    if text is None:
        return None
    try:
        return position(cursor_key(session), of, text)
    except NoCursor as error:
        raise BadInput([Fault("cursor", str(error))]) from error


def following(session: Session, of: str, last: Sequence[Any]) -> str:
    """Return the path of the page that goes on after the item with these values, with the parameters of this request."""
    given = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
    return f"{request.path}?{urlencode([*given, ('cursor', cursor(cursor_key(session), of, last))])}"


def link(path: str | None) -> tuple[tuple[str, str], ...]:
    """Return the header that says where a list goes on."""
    return (("Link", f'<{path}>; rel="next"'),) if path else ()


def moment(value: Any) -> Any:
    """Read back a time that a cursor holds; other values are as they are."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
