"""Pages of lists, for the API and the pages for people, and the cursors from one to the next.

A cursor is opaque to clients. It is signed with a key of the database's, for one list with its filters and its order: in
another it would return nonsense.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from sqlalchemy.orm import Session

from queries import lists
from queries.collections import CollectionView, collections
from queries.counters import cursor_key
from queries.filters import PagePosition
from queries.lists import BatchReader, TweetList
from schemas.problems import BadInput, ParameterError

T = TypeVar("T")
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


class Page(NamedTuple, Generic[T]):
    """A page of a list, and the cursor of the next one; None on the last page."""

    rows: list[T]
    following: str | None


def tweet_page(
    session: Session, name: str, wanted: TweetList, reader: BatchReader[T], *, cursor: str | None, most: int
) -> Page[T]:
    """Return a page of at most `most` tweets of the list with this name; raises BadInput for a cursor of another list."""
    positions = lists.page(session, wanted, after=tweet_position(session, name, cursor), most=most + 1)
    rows = reader.rows(session, [position.id for position in positions[:most]])
    return Page(rows, following_cursor(session, name, positions[most - 1]) if len(positions) > most else None)


def tweet_position(session: Session, name: str, cursor: str | None) -> PagePosition | None:
    """Return the position after which a page of tweets begins, None for the first page; raises BadInput."""
    values = began(session, name, cursor)
    if values is None:
        return None
    value, own = values
    return PagePosition(datetime.fromisoformat(value) if isinstance(value, str) else value, own)


def collection_page(session: Session, name: str, *, cursor: str | None, most: int) -> Page[CollectionView]:
    """Return a page of at most `most` collections, newest first; raises BadInput."""
    after = began(session, name, cursor)
    views = collections(session, before=after[0] if after else None, most=most + 1)
    return Page(views[:most], following_cursor(session, name, [views[most - 1].id]) if len(views) > most else None)


def _signature(key: bytes, of: str, values: bytes) -> bytes:
    return hmac.digest(key, b"\0".join((VERSION, of.encode("utf-8", "surrogatepass"), values)), "sha256")[:SIGNATURE]
