"""Pages: where a list goes on, in the answer's `next` and its header Link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy.orm import Session

from schemas.cursors import following_cursor


def following(session: Session, of: str, last: Sequence[Any]) -> str:
    """Return the path of the page that goes on after the item with these values, with the parameters of this request."""
    given = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
    return f"{request.path}?{urlencode([*given, ('cursor', following_cursor(session, of, last))])}"


def link(path: str | None) -> tuple[tuple[str, str], ...]:
    """Return the header that says where a list goes on."""
    return (("Link", f'<{path}>; rel="next"'),) if path else ()
