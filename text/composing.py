"""Texts composed (NFC) in a time that grows with their length alone.

Python sorts the marks on a letter by insertion: a letter with a hundred thousand of them keeps it busy for ten seconds. No
script puts more than thirty on one: https://unicode.org/reports/tr15/#Stream_Safe_Text_Format.
"""

from __future__ import annotations

import re
import unicodedata

MOST_MARKS = 30
_RUN = re.compile(rf"[^\w\s\x00-\x7f]{{{MOST_MARKS + 1},}}")


def compose(text: str) -> str:
    """Return a text composed, without the marks on a letter after the thirtieth."""
    return unicodedata.normalize("NFC", _RUN.sub(_fewer, text))


def _fewer(run: re.Match[str]) -> str:
    kept, marks = list[str](), 0
    for sign in run[0]:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= MOST_MARKS:
            kept.append(sign)
    return "".join(kept)
