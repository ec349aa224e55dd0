"""The body of PUT /tags/{tag}: a tag's rules, in a closed vocabulary, so that nobody can inject operators into X's query."""

from __future__ import annotations

from typing import Any

from collector.runs.tags import EXCLUSIONS, LANGUAGE, MOST_LANGUAGES, Rules
from schemas import json_schema
from schemas.bodies import json_object, unknown_keys
from schemas.json_schema import NamedSchema, many, nullable, record, word
from schemas.problems import BadInput, ParameterError

LEAST_NUMBER, MOST_NUMBER = 10, 100_000
EXPECTED = {
    "lang": f"expected a list of at most {MOST_LANGUAGES} language codes, such as en or pt-br",
    "exclude": f"expected a list of {', '.join(EXCLUSIONS)}",
    "tw_number": f"expected a whole number from {LEAST_NUMBER} to {MOST_NUMBER}, or null",
}


NUMBER = {"type": "integer", "minimum": LEAST_NUMBER, "maximum": MOST_NUMBER}
LANGUAGES = many({**json_schema.LANGUAGE}, "Languages; a tweet must have one of them")
EXCLUDED = many(word("A kind of tweets", *sorted(EXCLUSIONS)), "Kinds of tweets that are excluded")
RULES = record(
    "Terms",
    "A tag's rules: the tweets that its collections are limited to.",
    {
        "lang": LANGUAGES,
        "exclude": EXCLUDED,
        "tw_number": nullable(NUMBER, "The most tweets per collection; null means TW_NUMBER"),
    },
)
NEW_RULES = NamedSchema(
    "NewTerms",
    {
        "type": "object",
        "description": "A tag's rules. A body sets all three; one that it omits is removed.",
        "additionalProperties": False,
        "properties": {
            "lang": nullable({**LANGUAGES, "maxItems": MOST_LANGUAGES}),
            "exclude": nullable(EXCLUDED),
            "tw_number": nullable(NUMBER, "The most tweets per collection"),
        },
    },
)


def parse_rules(body: bytes) -> Rules | None:
    """Return the rules of a JSON body, None for an empty body; raises BadInput."""
    if not body.strip():
        return None
    given = json_object(body, EXPECTED)
    faults = unknown_keys(given, EXPECTED)
    faults += [ParameterError(name, EXPECTED[name]) for name in EXPECTED if not _is_accepted(name, given.get(name))]
    if faults:
        raise BadInput(faults)
    lang = tuple(sorted({code.lower() for code in given.get("lang") or ()}))
    number = given.get("tw_number")
    return Rules(lang, tuple(sorted(set(given.get("exclude") or ()))), None if number is None else int(number))


def _is_accepted(name: str, value: Any) -> bool:
    if value is None:
        return True
    if name == "tw_number":
        return _is_whole(value) and LEAST_NUMBER <= value <= MOST_NUMBER
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        return False
    if name == "exclude":
        return set(value) <= EXCLUSIONS.keys()
    return len(value) <= MOST_LANGUAGES and all(LANGUAGE.fullmatch(word.lower()) and word.isascii() for word in value)


def _is_whole(value: Any) -> bool:
    """Return whether a value is a whole number; in JSON, 50 and 50.0 are the same."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
