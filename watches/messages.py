"""Messages: findings in words, as plain text, as Markdown and as HTML. They are read from the database when they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from text.phrases import plural
from watches.bodies import html_body, markdown_body, markdown_line, plain_line, text_body
from watches.definitions import WatchDefinition
from watches.digest import Money, digest
from watches.findings import UNCOLLECTED, Finding
from watches.occasions import Occasion
from watches.sections import Section, Told
from watches.telling import new_tweets, spike, threshold
from watches.uncollected import uncollected
from watches.wording import all_filters, shortened

LONGEST_TITLE = 120
CHANGE, WATCHES = "Change, pause or delete it", "/view/watches"


class WatchMessage(NamedTuple):
    """A message: its title, which is one line, and its body three times.

    `markdown` is for services that read all they are sent as Markdown, `html` for mail, `text` for all others.
    """

    title: str
    text: str
    html: str
    markdown: str

    @property
    def markdown_title(self) -> str:
        """The title for services that read it as Markdown."""
        return markdown_line(self.title)


def render(
    session: Session,
    name: str,
    definition: WatchDefinition,
    finding: Finding,
    *,
    held_back: int,
    site: str,
    now: datetime,
    money: Money | None = None,
) -> WatchMessage | None:
    """Return the message of a watch's finding, None if all that it would tell is deleted or no longer so.

    `held_back` is how many messages before it were held back, `site` the address at which people reach the pages, without a
    slash at its end. `now` is our clock: days other than its own are named. A digest tells the spend that `money` knows.
    """
    occasion = Occasion(session, definition, finding, site, now)
    told = _told(occasion, money)
    if told is None:
        return None
    return _message(told, name, definition, held_back=held_back, site=site)


def sample(name: str, definition: WatchDefinition, *, site: str) -> WatchMessage:
    """Return a message of a watch that has told nothing yet."""
    said = "This is how its messages arrive. It has told nothing yet."
    told = Told(f"A message of the watch “{name}”", (Section(sentences=(said,)),), ("All tweets", f"{site}/view/tweets"))
    return _message(told, name, definition, held_back=0, site=site)


def _message(told: Told, name: str, definition: WatchDefinition, *, held_back: int, site: str) -> WatchMessage:
    title = shortened(plain_line(told.title), LONGEST_TITLE)
    values = {
        "title": title,
        "sections": [one for one in told.sections if not one.is_empty],
        "more": told.more,
        "foot": _foot(name, definition, held_back),
        "change": (CHANGE, f"{site}{WATCHES}"),
    }
    return WatchMessage(title, text_body(**values), html_body(**values), markdown_body(**values))


def _told(occasion: Occasion, money: Money | None) -> Told | None:
    kind = occasion.finding.kind
    if kind == "digest":
        return digest(occasion, money)
    return {"spike": spike, "threshold": threshold, "new": new_tweets, UNCOLLECTED: uncollected}[kind](occasion)


def _foot(name: str, definition: WatchDefinition, held_back: int) -> list[str]:
    before = f" {plural(held_back, 'message')} before this one {'was' if held_back == 1 else 'were'} held back."
    filters = all_filters(definition)
    only = f" It looks at tweets with: {filters}." if filters else " It looks at all tweets."
    return [f"The watch “{name}” tells you this.{only}{before if held_back else ''}"]
