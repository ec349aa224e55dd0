"""Looks: requests for posts by their ids, what came of them, and which are to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

MOST_IDS = 100
MOST_GONE = 5
"""If more than one in so many of a request is gone, X may be ill."""
MANY_GONE = "many tweets seem to be gone: they are looked for again in an hour"


class Look(NamedTuple):
    """The ids of a request, and the last id before them. `is_second` says that X did not find these tweets an hour ago."""

    ids: Sequence[int]
    is_second: bool = False
    before: int = -1


class LookStored(NamedTuple):
    """A stored answer: how many posts came, how many of them were sold anew, and how many tweets were removed or seem gone."""

    posts: int
    bought: int
    removed: int
    in_question: int


class LookPlan(NamedTuple):
    """Which looks are to be done.

    `choose` returns the next one, None if there is none. `chosen` records it in the transaction that reserves it, with the ids
    for which the budget has room; `undo` takes that back if X did not answer. `allow` raises what forbids a request now. `gone`
    removes what X did not find, or lets it wait for a second look, and returns how many it removed. `stored` records an answer.
    """

    choose: Callable[[Session], Look | None]
    chosen: Callable[[Session, Look], None]
    undo: Callable[[Session, Look], None]
    allow: Callable[[], None]
    gone: Callable[[Session, Look, frozenset[int]], int]
    stored: Callable[[Session, Look, LookStored], None]
    is_free: bool = False
    most_posts: int | None = None
