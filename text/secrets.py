"""Redaction of known secrets in texts, also in the encodings of JSON, URLs, HTML, hexadecimal, base32 and base64."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
ENCODERS = (base64.b64encode, base64.urlsafe_b64encode)
SHORTEST = 8  # a shorter one would match parts of words


class Secrets:
    """Known secrets, to be redacted."""

    def __init__(self, values: Iterable[str | None]) -> None:
        self._forms: list[str] = []
        for value in values:
            self.add(value)

    def add(self, value: str | None) -> None:
        """Redacts this value as well from now on."""
        if value and len(value) >= SHORTEST and value not in self._forms:
            self._forms = sorted({*self._forms, *_encodings(value)}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Returns the text with each secret replaced by HIDDEN."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text


def _encodings(value: str) -> set[str]:
    plain = {value, json.dumps(value)[1:-1], quote(value, safe=""), quote(value), quote_plus(value), html.escape(value)}
    whole = {encode(value.encode()).decode().rstrip("=") for encode in ENCODERS}
    codes = [f"{byte:02x}" for byte in value.encode()]
    spelt = {"".join(codes), "".join(f"%{code}" for code in codes), base64.b32encode(value.encode()).decode().rstrip("=")}
    return {*plain, *whole, *spelt, *(form.upper() for form in spelt), *_base64(value.encode())}


def _base64(value: bytes) -> Iterable[str]:
    """The parts of base64 that depend on this value alone, for each offset that the bytes before it may cause."""
    for before in range(3):
        whole = (before + len(value)) // 3 * 4
        for encode in ENCODERS:
            yield encode(b"\0" * before + value).decode()[4 if before else 0 : whole]
