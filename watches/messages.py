"""Messages: findings in words, as plain text and as HTML."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from watches.definitions import WatchDefinition
from watches.findings import Finding


class WatchMessage(NamedTuple):
    """A message: its title, which is one line, and its body twice."""

    title: str
    text: str
    html: str


def render(
    session: Session, name: str, definition: WatchDefinition, finding: Finding, *, held_back: int, site: str, now: datetime
) -> WatchMessage | None:
    """Return the message of a watch's finding, None if all that it would tell is deleted.

    `held_back` is how many messages before it were held back, `site` the address at which people reach the pages, without a
    slash at its end.
    """
    raise NotImplementedError
