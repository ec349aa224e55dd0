"""The guard at the door of every request."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from guard.tokens import refusal


def guard(app: Flask, token: str | None) -> None:
    """Refuse every request that doesn't carry the token, on every path but the open ones."""

    def check() -> None:
        refused = refusal(request.path, request.headers.get("Authorization", ""), token)
        if refused:
            challenge = WWWAuthenticate("bearer", {"realm": "hashtag monitor", **refused.challenge})
            raise Unauthorized(refused.detail, www_authenticate=challenge)

    app.before_request(check)
