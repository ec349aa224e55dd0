"""Saved views in requests: which names and paths are accepted."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import unquote

from queries.views import SavedView
from schemas.bodies import BodyKey, parse_body, text_value
from schemas.json_schema import NamedSchema
from schemas.problems import BadInput, ParameterError
from text.unseen import UNPRINTABLE

LONGEST_NAME, LONGEST_PATH = 60, 4000
EXPECTED_NAME = f"a name of 1 to {LONGEST_NAME} characters, none of them a control, format or direction character"
EXPECTED_PATH = (
    f"the path of a page, / or below /view/, with its query, without dot segments, at most {LONGEST_PATH} characters"
)
_UNSEEN = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
NAME_PATTERN = rf"^[^{_UNSEEN}]*[^\s{_UNSEEN}][^{_UNSEEN}]*$"
NEW_VIEW = NamedSchema(
    "NewView",
    {
        "type": "object",
        "description": "The page that a view opens.",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {"path": {"type": "string", "pattern": r"^/(\?|$|view/)", "maxLength": LONGEST_PATH}},
    },
)


def parse_view(name: str, body: bytes) -> SavedView:
    """Return the view that a JSON body describes; raises BadInput."""
    return SavedView(checked_name(name), parse_body(body, {"path": BodyKey(parse_path, EXPECTED_PATH)})["path"])


def checked_name(name: str) -> str:
    """Return the name of a view; raises BadInput."""
    try:
        return parse_name(name)
    except ValueError as error:
        raise BadInput([ParameterError("name", f"expected {EXPECTED_NAME}")]) from error


def parse_name(text: str) -> str:
    """Return a name without spaces around it; raises ValueError."""
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or _has_unprintable(name):
        raise ValueError(text)
    return name


def parse_path(value: Any) -> str:
    """Return the path of a page with its query; raises ValueError for one that is not a page's or has dot segments.

    Browsers take \\ for /, and %2e for a dot (https://url.spec.whatwg.org/#path-state).
    """
    path = text_value(value)
    plain = unquote(re.split(r"[?#]", path, maxsplit=1)[0])
    is_page = plain == "/" or re.match(r"/view/[^/]", plain)
    if not is_page or "\\" in plain or not {".", ".."}.isdisjoint(plain.split("/")):
        raise ValueError(path)
    if len(path) > LONGEST_PATH or _has_unprintable(path) or _has_unprintable(plain):
        raise ValueError(path)
    return path


def _has_unprintable(text: str) -> bool:
    return any(unicodedata.category(character) in UNPRINTABLE for character in text)
