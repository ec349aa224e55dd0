"""The parts of a message, each told once; watches/bodies.py writes them as text, as Markdown and as HTML."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """An item of a list: what it is about, what is said of that, and where it leads.

    Any of them may be empty. HTML has the `label` in place of the URL of a page of ours.
    """

    head: str = ""
    said: str = ""
    url: str = ""
    label: str = ""


class QuotedTweet(NamedTuple):
    """A tweet: its author, its numbers, the lines of its text, and its address on X."""

    author: str
    numbers: str
    text: tuple[str, ...]
    url: str


class Bar(NamedTuple):
    """A bar of a chart: its tweets, None where that is unknown, and whether the message is about it."""

    tweets: int | None
    is_told: bool = False


class Section(NamedTuple):
    """A part of a message: its title, sentences, bars with their caption, items and tweets, whichever it has."""

    title: str = ""
    sentences: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    caption: str = ""
    lines: tuple[Item, ...] = ()
    tweets: tuple[QuotedTweet, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing below its title."""
        return not any((self.sentences, self.bars, self.lines, self.tweets))


class Told(NamedTuple):
    """A message in parts: its title, its sections, and the page that shows more, as a name and an address."""

    title: str
    sections: tuple[Section, ...]
    more: tuple[str, str]
