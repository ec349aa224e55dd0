"""X's query language: parsed into terms and groups, and evaluated. Hashtags match exactly, without case.

X's documentation: a space is AND and binds before OR; "-" negates; some operators narrow a query and cannot
stand alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"\w+")
_LEAST = frozenset({"min_likes", "min_reposts", "min_replies"})
_STANDALONE = frozenset({"hashtag", "phrase", "mention", "from", "to", "conversation_id", "url", *_LEAST})
_FLAGS = {
    "is": frozenset({"retweet", "reply", "quote", "verified", "nullcast"}),
    "has": frozenset({"geo", "hashtags", "links", "mentions", "media", "images", "videos", "video_link", "cashtags"}),
}
_VALUED = frozenset({"from", "to", "lang", "place_country", "conversation_id", "url", *_LEAST, *_FLAGS})
_TOKEN = re.compile(r'\s+|(?P<open>\()|(?P<close>\))|(?P<not>-)(?=[^\s-])|"(?P<phrase>[^"]*)"|(?P<word>url:"[^"]*"|[^\s()"]+)')


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
class Group:
    """True if every part is; with any_of, if at least one part is."""

    parts: tuple[Node, ...]
    any_of: bool


Node = Term | Not | Group
TermTest = Callable[[Term], bool | None]


def evaluate(node: Node, test: TermTest) -> bool | None:
    """Return whether a query holds; None if the test did not know enough."""
    if isinstance(node, Term):
        return test(node)
    if isinstance(node, Not):
        result = evaluate(node.part, test)
        return None if result is None else not result
    unknown = False
    for part in node.parts:
        result = evaluate(part, test)
        if result is node.any_of:
            return result
        unknown = unknown or result is None
    return None if unknown else not node.any_of


def hashtags(node: Node) -> tuple[str, ...]:
    """Return the hashtags a query names, casefolded, each once, in reading order."""
    if isinstance(node, Term):
        return (node.value,) if node.operator == "hashtag" else ()
    parts = (node.part,) if isinstance(node, Not) else node.parts
    return tuple(dict.fromkeys(tag for part in parts for tag in hashtags(part)))


def words(text: str) -> list[str]:
    """Return the words of a text as keyword search sees them."""
    return _WORD.findall(text.casefold())


class MalformedQuery(ValueError):
    """A query that X would refuse. position counts characters from 1."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} (at position {position})")


@lru_cache(512)
def parse(text: str) -> Node:
    """Parse a query. Raises MalformedQuery."""
    reader = _Reader(_tokens(text))
    node = reader.alternatives()
    if reader.kind:
        raise MalformedQuery(f"extraneous input '{reader.text}'", reader.position)
    if not _has_standalone(node):
        raise MalformedQuery("a query must contain at least one standalone operator", 1)
    return node


def _has_standalone(node: Node) -> bool:
    """Return whether a query selects by a standalone operator, in each of its alternatives."""
    if isinstance(node, Term):
        return node.operator in _STANDALONE
    if isinstance(node, Not):
        return False
    return (all if node.any_of else any)(_has_standalone(part) for part in node.parts)


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Return kind, text and position of each token, ended by an empty one."""
    found: list[tuple[str, str, int]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise MalformedQuery(f"no viable alternative at character '{text[at]}'", at + 1)
        if match.lastgroup:
            found.append((match.lastgroup, match[match.lastgroup], at + 1))
        at = match.end()
    return [*found, ("", "", len(text) + 1)]


class _Reader:
    """Reads tokens by recursive descent."""

    def __init__(self, tokens: list[tuple[str, str, int]]) -> None:
        self._rest = iter(tokens)
        self._advance()

    def _advance(self) -> None:
        self.kind, self.text, self.position = next(self._rest)

    def alternatives(self) -> Node:
        parts = [self._conjunction()]
        while self.kind == "word" and self.text == "OR":
            self._advance()
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Group(tuple(parts), any_of=True)

    def _conjunction(self) -> Node:
        parts = [self._unary()]
        while self.kind not in ("", "close") and self.text != "OR":
            parts.append(self._unary())
        return parts[0] if len(parts) == 1 else Group(tuple(parts), any_of=False)

    def _unary(self) -> Node:
        if self.kind in ("", "close") or (self.kind == "word" and self.text == "OR"):
            raise MalformedQuery(f"missing term before '{self.text or 'the end'}'", self.position)
        kind, text, position = self.kind, self.text, self.position
        self._advance()
        if kind == "not":
            return Not(self._unary())
        if kind == "open":
            inner = self.alternatives()
            if self.kind != "close":
                raise MalformedQuery("missing ')'", position)
            self._advance()
            return inner
        return Term("phrase", text.casefold()) if kind == "phrase" else _term(text, position)


def _term(text: str, position: int) -> Term:
    if text[0] in "#\uff03":
        return Term("hashtag", _tag(text, position))
    if text[0] == "@" and len(text) > 1:
        return Term("mention", text[1:].casefold())
    operator, colon, value = text.partition(":")
    if not colon:
        if not any(character.isalnum() for character in text):
            raise MalformedQuery(f"no viable alternative at input '{text}'", position)
        return Term("phrase", text.casefold())
    if operator not in _VALUED or not value:
        raise MalformedQuery(f"Reference to invalid operator '{operator}'", position)
    if operator in _LEAST and not (value.isascii() and value.isdigit() and len(value) < 10):
        raise MalformedQuery(f"Reference to invalid value '{value}' of '{operator}:'", position)
    if value.casefold() not in _FLAGS.get(operator, (value.casefold(),)):
        raise MalformedQuery(f"Reference to invalid field '{value}' of '{operator}:'", position)
    return Term(operator, value.casefold().strip('"'))


def _tag(text: str, position: int) -> str:
    """Return a hashtag without its sign, casefolded. X: letters, marks, digits, underscore, not digits alone."""
    tag = unicodedata.normalize("NFC", text[1:])
    fits = all(character == "_" or unicodedata.category(character)[0] in "LMN" for character in tag)
    if not fits or not tag or tag.isdigit():
        raise MalformedQuery(f"no viable alternative at input '{text}'", position)
    return tag.casefold()
