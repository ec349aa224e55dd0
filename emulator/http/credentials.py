"""Who calls: only the presence of credentials is looked at, none is kept or compared."""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import parse_qs

from emulator.http import problems
from emulator.http.answer import Call, EmulatorAnswer, Problem, as_json

_OAUTH1_PARTS = frozenset({"oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_nonce", "oauth_timestamp"})
_PART = re.compile(r'(oauth_\w+)="([^"]+)"')


class Caller(NamedTuple):
    """who is a digest, so that limits can be kept apart; bearer: an app's token, else a user's context."""

    who: str
    bearer: bool


def caller(call: Call) -> Caller:
    """Return who calls. Raises Problem 401."""
    scheme, _, rest = call.authorization.partition(" ")
    if scheme.casefold() == "bearer" and rest.strip():
        return Caller(_digest(rest.strip()), True)
    parts = dict(_PART.findall(rest))
    if scheme.casefold() == "oauth" and parts.keys() >= _OAUTH1_PARTS:
        return Caller(_digest(parts["oauth_token"]), False)
    raise Problem(401, problems.plain(401, "Unauthorized"))


def bearer_token(call: Call) -> EmulatorAnswer:
    """Mint an app's token from the consumer key and secret given by Basic authentication (RFC 6749, 4.4)."""
    scheme, _, rest = call.authorization.partition(" ")
    grant = parse_qs(call.body.decode("utf-8", "replace")).get("grant_type", [call.params.get("grant_type", "")])
    if scheme.casefold() != "basic" or not _is_pair(rest):
        return _refusal(403, 99, "Unable to verify your credentials", "authenticity_token_error")
    if grant != ["client_credentials"]:
        return _refusal(400, 170, "Missing required parameter: grant_type", "forbidden_missing_parameter")
    return as_json({"token_type": "bearer", "access_token": f"AAAAEMULATED{_digest(rest)}"})


def _is_pair(text: str) -> bool:
    try:
        key, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(key and colon and secret)


def _refusal(status: int, code: int, message: str, label: str) -> EmulatorAnswer:
    return as_json({"errors": [{"code": code, "message": message, "label": label}]}, status=status)


def _digest(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=16).hexdigest()
