"""Secrets are taken out of texts, whichever way they are written there."""

from __future__ import annotations

import base64
import html
import json
import logging
from io import StringIO
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

import logstash
from tests.schemas.views import MANY
from text.secrets import HIDDEN, SHORTEST, Secrets

TOKEN = 'k3y+/="\\<&~ü 9Zq'
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40)


def forms(value: str, before: str = "", after: str = "") -> list[str]:
    """Return the ways in which a value may be written, alone or in the middle of more."""
    encoded = (before + value + after).encode()
    return [
        value,
        json.dumps(value),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        html.escape(value),
        value.encode().hex(),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode(),
    ]


def test_each_form_is_taken_out() -> None:
    for form in forms(TOKEN):
        bare = form.strip('"=')
        assert Secrets([TOKEN]).hide(f"before {form} after") == f"before {form.replace(bare, HIDDEN)} after"


@MANY
@given(VISIBLE, st.text(max_size=5), st.text(max_size=5))
def test_nothing_of_a_form_is_left_but_what_base64_shares_with_its_neighbours(value: str, before: str, after: str) -> None:
    for form in forms(value, before, after):
        shown = Secrets([value]).hide(form)
        assert HIDDEN in shown
        rest = shown.replace(HIDDEN, "").strip('"')
        assert len(rest) <= len(base64.b64encode((before + after).encode())) + 8


def test_other_text_and_what_is_too_short_to_tell_stay_and_a_secret_that_contains_another_is_hidden_whole() -> None:
    assert Secrets([TOKEN, None, "", "short"]).hide("a short text") == "a short text"
    assert len("short") < SHORTEST
    assert Secrets(["inner-secret", "the-inner-secret-and-more"]).hide("the-inner-secret-and-more") == HIDDEN


def test_a_log_line_has_none_wherever_it_was_put() -> None:
    stream = StringIO()
    logstash.configure("DEBUG", hide=Secrets([TOKEN]).hide, stream=stream)
    log = logging.getLogger("test.secrets")
    for form in forms(TOKEN):
        log.info("said %s", form, extra={"known": form, form: 1, "deep": {"a": [form], form: form}})
        try:
            raise RuntimeError(form)
        except RuntimeError:
            log.exception("failed: %s", form)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 * len(forms(TOKEN))
    for line in lines:
        json.loads(line)
        for form in forms(TOKEN):
            assert form.strip('"=') not in line
