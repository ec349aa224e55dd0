"""Bodies of messages: the same sections as plain text, as Markdown and as HTML, with all that comes from others made harmless.

Values are escaped where templates write them, each body in its own way, so that none can be forgotten. Mentions lose their
effect in all bodies: a zero-width space follows each `@`, and each `<` that stands before anything but a space. In a URL `@`
is `%40`, which leads to the same page, and so is what Markdown would read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from text.unseen import visible
from watches.sections import Bar

URL = re.compile(r"https?://[\w!#$%&'()*+,./:;=?@\[\]\\^`{|}~-]+")
NOT_IN_URLS = re.compile(r"[^\w!#$%&'()*+,./:;=?\[\]|~-]")
HOST, READ_BY_MARKDOWN = re.compile(r"https?://[^/?#]*"), re.compile(r"[()*\[\]|]")
BRACKETS = {")": "(", "]": "[", "}": "{"}
BREAK = "\u200b"
"""What is put into mentions. It has no width, and Discord keeps it, while it drops others before it looks for mentions."""
MARKDOWN = re.compile(r"([\\`*_\[\]|~]|^[-+>#=])")
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


class WrittenUrl(str):
    """A URL as a body has it."""


def plain_line(text: object) -> str:
    """Return a text on one line, without control and direction characters, and without mentions that have an effect."""
    return _in_and_between_urls(text, plain_url, lambda words: words)


def markdown_line(text: object) -> str:
    """Return the same as Markdown that shows it as it is."""
    return _in_and_between_urls(text, markdown_url, lambda words: NUMBERED.sub(r"\1\\\2", MARKDOWN.sub(r"\\\1", words)))


def plain_url(url: str) -> WrittenUrl:
    """Return a URL that leads to the same page: what does not belong into URLs, and `@`, is percent-encoded."""
    return WrittenUrl(NOT_IN_URLS.sub(lambda found: quote(found[0], safe=""), url))


def markdown_url(url: str) -> WrittenUrl:
    """Return the same with what Markdown reads percent-encoded; in a host that is brackets of an IPv6 address only."""
    written = plain_url(url)
    host = match.end() if (match := HOST.match(written)) else 0
    return WrittenUrl(written[:host] + READ_BY_MARKDOWN.sub(lambda found: quote(found[0], safe=""), written[host:]))


def _in_and_between_urls(text: object, url_of: Callable[[str], str], escape: Callable[[str], str]) -> str:
    if isinstance(text, WrittenUrl):
        return text
    seen = visible(" ".join(str(text).split()))
    found, at = "", 0
    for match in URL.finditer(seen):
        url = _without_end(match[0])
        found += escape(_without_mentions(seen[at : match.start()])) + url_of(url)
        at = match.start() + len(url)
    return found + escape(_without_mentions(seen[at:]))


def _without_end(url: str) -> str:
    """Return a URL without the punctuation after it, and without brackets that it does not open."""
    while url[-1] in ".,;:!?'" or (url[-1] in BRACKETS and url.count(url[-1]) > url.count(BRACKETS[url[-1]])):
        url = url[:-1]
    return url


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
def _environment(finalize: Callable[[Any], Any], url_of: Callable[[str], WrittenUrl]) -> Environment:
    """Return the templates; those whose names end in .html are escaped as HTML besides."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(),
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"blocks": blocks, "heights": heights, "shown": shown_url, "url": url_of}
    return found


def text_body(**values: Any) -> str:
    """Return the body as plain text."""
    return _tidy(_environment(plain_line, plain_url).get_template("message.txt").render(values))


def markdown_body(**values: Any) -> str:
    """Return the body for services that read Markdown: Discord, Mattermost and Microsoft Teams."""
    return _tidy(_environment(markdown_line, markdown_url).get_template("message.txt").render(values))


def html_body(**values: Any) -> str:
    """Return the body as a page for mail programs."""
    return _environment(_html, plain_url).get_template("message.html").render(values)


def _tidy(text: str) -> str:
    """Return a text with at most one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def length(text: str) -> int:
    """Return the length of a text as services count it: in UTF-16."""
    return len(text.encode("utf-16-le")) // 2


def within(text: str, most: int) -> str:
    """Return a text of at most so many UTF-16 characters, cut after a line or a sentence.

    What is cut is before the last two paragraphs, which are the link to the rest and the foot; if they would be most of the
    text, the link is left out, or both.
    """
    if length(text) <= most:
        return text
    paragraphs = text.rsplit("\n\n", 2)
    ends = ("\n\n".join(["\n\n…", *paragraphs[kept:]]) for kept in (1, 2, 3))
    end = next(one for one in ends if length(one) <= most // 2 or one == "\n\n…")
    kept = paragraphs[0].encode("utf-16-le")[: 2 * (most - length(end))].decode("utf-16-le", "ignore")
    place = max(kept.rfind("\n"), *(found.end() for found in re.finditer(r"[.!?…](?= )", kept)), 0)
    return (kept[:place] if place > len(kept) // 2 else kept).rstrip("\\ \n") + end
