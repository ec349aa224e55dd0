"""Queries: terms, groups and their truth. Hashtags match exactly, without case."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Term:
    """One condition. operator: hashtag, phrase (also a single word), mention, or X's operator; value is casefolded."""

    operator: str
    value: str


@dataclass(frozen=True)
class Not:
    """The opposite of its part."""

    part: Node


@dataclass(frozen=True)
class All:
    """True if every part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    """True if at least one part is."""

    parts: tuple[Node, ...]


Node = Term | Not | All | Some
Test = Callable[[Term], bool | None]


def judge(node: Node, test: Test) -> bool | None:
    """Return whether a query holds; None if the test did not know enough."""
    if isinstance(node, Term):
        return test(node)
    if isinstance(node, Not):
        verdict = judge(node.part, test)
        return None if verdict is None else not verdict
    decisive = isinstance(node, Some)
    unknown = False
    for part in node.parts:
        verdict = judge(part, test)
        if verdict is decisive:
            return decisive
        unknown = unknown or verdict is None
    return None if unknown else not decisive


def terms(node: Node) -> list[Term]:
    """Return every term of a query, in reading order."""
    if isinstance(node, Term):
        return [node]
    if isinstance(node, Not):
        return terms(node.part)
    return [term for part in node.parts for term in terms(part)]


def hashtags(node: Node) -> tuple[str, ...]:
    """Return the hashtags a query names, casefolded, each once, in reading order."""
    return tuple(dict.fromkeys(term.value for term in terms(node) if term.operator == "hashtag"))


def words(text: str) -> list[str]:
    """Return the words of a text as keyword search sees them."""
    return _WORD.findall(text.casefold())
