"""Bodies of messages: the same sections as plain text, as Markdown and as HTML, with all that comes from others made harmless.

Values are escaped where templates write them, each body in its own way, so that none can be forgotten. Mentions lose their
effect in all bodies: a zero-width space follows each `@`, and each `<` that stands before anything but a space. In a URL `@`
is `%40`, which leads to the same page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from schemas.views import UNPRINTABLE
from watches.sections import Bar

URL = re.compile(r"https?://[\w./?=&%#:@+~,;$-]+")
BREAK = "\u200b"
"""What is put into mentions. It has no width, and no service reads a name or a command over it."""
JOINERS = "\u200c\u200d"
"""Characters without a picture that letters and emoji need."""
MARKDOWN = re.compile(r"([\\`*_\[\]|~]|^[-+>#])")
NUMBERED = re.compile(r"^(\d+)([.)])")
"""What Markdown reads as more than text: these characters anywhere, and the first ones of headings, lists and quotations."""
BLOCKS = "▁▂▃▄▅▆▇█"
UNCOLLECTED_BLOCK = "·"
CHART_PX = 64
LONGEST_SHOWN_URL = 60


class DrawnBar(NamedTuple):
    """A bar of the chart in HTML: its height, and whether the message is about it."""

    pixels: int
    is_told: bool


def plain_line(text: object) -> str:
    """Return a text on one line, without control and direction characters, and without mentions that have an effect."""
    return _in_and_between_urls(text, lambda words: words)


def markdown_line(text: object) -> str:
    """Return the same as Markdown that shows it as it is."""
    return _in_and_between_urls(text, lambda words: NUMBERED.sub(r"\1\\\2", MARKDOWN.sub(r"\\\1", words)))


def _in_and_between_urls(text: object, escape: Callable[[str], str]) -> str:
    seen = "".join(
        char for char in " ".join(str(text).split()) if char in JOINERS or unicodedata.category(char) not in UNPRINTABLE
    )
    found, at = "", 0
    for url in URL.finditer(seen):
        found, at = found + escape(_without_mentions(seen[at : url.start()])) + url[0].replace("@", "%40"), url.end()
    return found + escape(_without_mentions(seen[at:]))


def _without_mentions(words: str) -> str:
    return re.sub(r"(@|<(?=\S))", rf"\1{BREAK}", words)


def _html(value: object) -> object:
    return value if isinstance(value, Markup) else plain_line(value)


def blocks(bars: Sequence[Bar]) -> str:
    """Return a chart of block characters; a point stands for a time that was not collected."""
    top = max((bar.tweets or 0 for bar in bars), default=0) or 1
    return "".join(UNCOLLECTED_BLOCK if bar.tweets is None else BLOCKS[-(-7 * bar.tweets // top)] for bar in bars)


def heights(bars: Sequence[Bar]) -> list[DrawnBar]:
    """Return the bars with their heights; one without tweets has a line of one pixel, an unknown one has none."""
    top = max((bar.tweets or 0 for bar in bars), default=0) or 1
    return [DrawnBar(0 if bar.tweets is None else max(1, CHART_PX * bar.tweets // top), bar.is_told) for bar in bars]


def shown_url(url: str) -> str:
    """Return a URL as it is shown where it is a link: without its scheme, cut in its middle if it is long."""
    bare = url.partition("://")[2] or url
    half = LONGEST_SHOWN_URL // 2
    return bare if len(bare) <= LONGEST_SHOWN_URL else f"{bare[:half]}…{bare[-half:]}"


@cache
def _environment(finalize: Callable[[Any], Any]) -> Environment:
    """Return the templates; those whose names end in .html are escaped as HTML besides."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(),
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"blocks": blocks, "heights": heights, "shown": shown_url}
    return found


def text_body(**values: Any) -> str:
    """Return the body as plain text."""
    return _tidy(_environment(plain_line).get_template("message.txt").render(values))


def markdown_body(**values: Any) -> str:
    """Return the body for services that read Markdown: Discord, Mattermost and Microsoft Teams."""
    return _tidy(_environment(markdown_line).get_template("message.txt").render(values))


def html_body(**values: Any) -> str:
    """Return the body as a page for mail programs."""
    return _environment(_html).get_template("message.html").render(values)


def _tidy(text: str) -> str:
    """Return a text with at most one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def length(text: str) -> int:
    """Return the length of a text as services count it: in UTF-16."""
    return len(text.encode("utf-16-le")) // 2


def within(text: str, most: int, more: str) -> str:
    """Return a text of at most so many UTF-16 characters: a longer one is cut after a line or sentence and ends with `more`."""
    if length(text) <= most:
        return text
    end = f"\n\n{more}" if length(more) < most // 2 else "\n\n…"
    kept = text.encode("utf-16-le")[: 2 * (most - length(end))].decode("utf-16-le", "ignore")
    place = max(kept.rfind("\n"), *(found.end() for found in re.finditer(r"[.!?…](?= )", kept)), 0)
    return (kept[:place] if place > len(kept) // 2 else kept).rstrip("\\ \n") + end
