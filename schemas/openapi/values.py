"""JSON schemas of single values in requests, from the same constants as their validation."""

from __future__ import annotations

from collector.runs.terms import LANGUAGE as CODE
from schemas.shapes.parts import Schema
from text.usernames import PATTERN

# Character classes without \p, which some readers of patterns don't know: exact for ASCII, and permissive beyond it.
_LETTER = r"[^\u0000-\u0040\u005b-\u0060\u007b-\u007f]"
_WORD_CHARACTER = r"[^\u0000-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]"

HASHTAG: Schema = {"type": "string", "pattern": rf"^[ \t]*#?[0-9_]*{_LETTER}{_WORD_CHARACTER}*[ \t]*$"}
LANGUAGE: Schema = {"type": "string", "pattern": f"^{CODE.pattern.replace('a-z', 'A-Za-z')}$"}
USERNAME: Schema = {"type": "string", "pattern": f"^@?{PATTERN}$"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TWEET_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}
