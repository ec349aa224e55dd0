"""Schemas of single values that requests carry, from the same constants as their validation."""

from __future__ import annotations

from collector.runs.tags import LANGUAGE as CODE
from schemas.filters import LONGEST_COUNTRY, LONGEST_SEARCH, MOST_FOLLOWERS
from schemas.shapes.parts import Schema
from text.usernames import PATTERN

# Character classes without \p, which not every reader of patterns knows: exact for ASCII, and letting pass what is beyond it.
_LETTER = r"[^\u0000-\u0040\u005b-\u0060\u007b-\u007f]"
_BELONGS = r"[^\u0000-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]"

HASHTAG: Schema = {"type": "string", "pattern": rf"^[ \t]*#?[0-9_]*{_LETTER}{_BELONGS}*[ \t]*$"}
LANGUAGE: Schema = {"type": "string", "pattern": f"^{CODE.pattern.replace('a-z', 'A-Za-z')}$"}
COUNTRY: Schema = {"type": "string", "maxLength": LONGEST_COUNTRY, "pattern": r"^[^\u0000-\u001f\u007f-\u00a0]+$"}
USERNAME: Schema = {"type": "string", "pattern": f"^@?{PATTERN}$"}
FOLLOWERS: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_FOLLOWERS}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TWEET_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}
WORDS: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_SEARCH}
