"""Filters as people say them: their names and values in words."""

from __future__ import annotations

from schemas.parameters import PARAMETERS
from text.search import SearchPart, search_parts
from text.words import query_words

PEOPLES_WORDS = {
    "tag": "tag",
    "any_tag": "any tag of",
    "min_followers": "at least followers:",
    "min_engagement": "at least engagement:",
}
HAS_WORDS = {"media": ("has", "media"), "link": ("has", "a link"), "reply": ("is", "a reply")}


def filter_words(name: str, value: str) -> tuple[str, str]:
    """Return a filter as people say it: its name and its value."""
    if name == "q":
        return search_chip(value)
    return HAS_WORDS[value] if name == "has" else (PEOPLES_WORDS.get(name, PARAMETERS[name].label.lower()), value)


def search_chip(text: str) -> tuple[str, str]:
    """Return a search as people say it, in two parts: what is meant, and the words."""
    wanted, unwanted = ([f"“{part.written}”" if part.is_phrase else part.written for part in own] for own in searched(text))
    if not wanted:
        return "does not contain:", ", ".join(unwanted)
    return "contains:", " ".join(wanted) + (f", not: {', '.join(unwanted)}" if unwanted else "")


def searched(text: str) -> tuple[list[SearchPart], list[SearchPart]]:
    """Return the parts of a search that have words: those that are wanted, and those that are not."""
    parts = [part for part in search_parts(text) if query_words(part.written)]
    return [part for part in parts if not part.is_excluded], [part for part in parts if part.is_excluded]
