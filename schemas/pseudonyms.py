"""Keyed pseudonyms: under a key, the same id, name, mention or URL gets the same one, which can't be reversed without the key.

The rest can still identify a person: above all the words of a text, which can be searched for, and exact follower counts, times
and places.
"""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from queries.tweets import TweetView

KEY_BYTES = 32
ROUNDS = 10
HIGH_BITS, LOW_BITS = 31, 32
MOST_REMEMBERED = 10_000
JOINERS = "\xad\u0300-\u036f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters of scripts that write no space after a name."""
REST = r"(?:\S*[^\s.,;:!?'\"()\[\]{}<>…«»‘’“”、。！？「」『』（）【】])"
LETTER = rf"(?:[^\W\d_]|[{JOINERS}])"
LINK = (
    rf"(?:https?://|(?<![\w.{JOINERS}-]))t\.co/[a-z0-9]+(?:(?![!\"'()<>\[\]{{}}|])(?=[!-~]){REST})?"
    rf"|[a-z][a-z0-9+.-]{{0,20}}://{REST}?|www\.{REST}"
    rf"|(?<![\w.{JOINERS}-])(?=[\w{JOINERS}-]*\.)[\w.{JOINERS}-]++(?:(?<={LETTER}{{2}})|(?<={LETTER}{{2}}\.))(?:/|[:?#](?=\S)){REST}?"
)
NAME = rf"(?>(?:(?![{UNSPACED}])[\w{JOINERS}])+)"  # Python before 3.11.5 takes too much for a group with ++ (gh-106052)
HIDDEN = re.compile(
    rf"(?P<link>{LINK})"
    rf"|(?P<address>(?:[\w.+%&'*=~^${JOINERS}-]{{1,64}}[@＠][\w{JOINERS}-]++(?>(?:\.[\w{JOINERS}-]++)+)"
    rf"|(?:(?![{UNSPACED}])[\w.+%&'*=~^${JOINERS}-]){{1,64}}@[\w{JOINERS}-]++)(?:[/:?#]{REST})?)"
    rf"|[@＠](?!{LINK})[{JOINERS}]*(?P<mention>(?=\w)(?:{NAME}|[\w{JOINERS}]++))",
    re.IGNORECASE,
)
UNSEEN = re.compile(f"[{JOINERS}]")


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


class PseudonymWriter(NamedTuple):
    """The parts of a tweet that name its author."""

    author_id: int | None
    author: str | None
    username: str | None


class Pseudonyms:
    """The pseudonyms under a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._of_writer = lru_cache(MOST_REMEMBERED)(self._writer)

    def tweet(self, view: TweetView) -> TweetView:
        """Return the tweet with pseudonyms for its ids, its author's names, and the mentions and URLs of its text.

        The ids of edits are left out, as pseudonyms can't tell which came first.
        """
        own = self.number("tweet", view.id)
        writer = self._of_writer(PseudonymWriter(view.author_id, view.author, view.username))
        links = tuple(f"https://url.invalid/{self._word('link', one)}" for one in view.links)
        mentions = tuple(map(self.username, view.mentions))
        hidden: dict[str, Any] = {"links": links, "mentions": mentions, "text": self.text(view.text), **writer._asdict()}
        return view._replace(id=own, version=own, versions=(own,), **hidden)

    def text(self, text: str) -> str:
        """Return a text with pseudonyms for mentions, URLs and mail addresses; hashtags and all else stay."""
        return HIDDEN.sub(self._replace, text)

    def username(self, username: str) -> str:
        """Return the pseudonym of a username in any spelling, which is a mention's as well."""
        return f"u{self._word('username', username.casefold())}"

    def number(self, kind: str, number: int) -> int:
        """Return the pseudonym of an id: a permutation of the numbers of 63 bits, so that different ids stay different.

        It is a Feistel network with halves of unequal length, as in NIST SP 800-38G, over keyed BLAKE2b.
        """
        one, other = number >> LOW_BITS, number & (1 << LOW_BITS) - 1
        for turn in range(ROUNDS):
            mask = (1 << (LOW_BITS if turn % 2 else HIGH_BITS)) - 1
            mixed = int.from_bytes(self._digest(kind, b"%d:%d" % (turn, other), 8), "big")
            one, other = other, one ^ mixed & mask
        return one << LOW_BITS | other

    def _writer(self, writer: PseudonymWriter) -> PseudonymWriter:
        """Return an author's pseudonyms; a stand-in for an unknown id, which is negative, is not shown anyway."""
        own = writer.author_id
        return PseudonymWriter(
            self.number("author", own) if own is not None and own >= 0 else own,
            f"Author {self._word('name', str(own))}" if writer.author is not None else None,
            self.username(writer.username) if writer.username is not None else None,
        )

    def _replace(self, found: re.Match[str]) -> str:
        if found["mention"]:
            return f"@{self.username(UNSEEN.sub('', found['mention']))}"
        if found["link"]:
            return f"https://url.invalid/{self._word('link', found['link'])}"
        return f"{self._word('address', found['address'].casefold())}@address.invalid"

    def _word(self, kind: str, text: str) -> str:
        """Return 14 letters and digits, which hold 70 bits."""
        return b32encode(self._digest(kind, text.encode(), 10)).decode().lower()[:14]

    def _digest(self, kind: str, value: bytes, size: int) -> bytes:
        return blake2b(value, key=self._key, person=kind.encode(), digest_size=size).digest()
