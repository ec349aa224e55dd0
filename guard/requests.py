"""The guard at the door of every request."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from guard.listening import is_loopback
from guard.tokens import refusal


def guard(app: Flask, token: str | None, *, allow_open: bool) -> None:
    """Refuse every request that doesn't carry the token, on every path but the open ones.

    Without a token, only this machine is answered, whichever server was told to listen to others.
    """

    def check() -> None:
        if token is None and not allow_open and request.remote_addr and not is_loopback(request.remote_addr):
            raise Forbidden("without API_TOKEN the service answers its own machine only: set API_TOKEN")
        refused = refusal(request.path, request.headers.get("Authorization", ""), token)
        if refused:
            challenge = WWWAuthenticate("bearer", {"realm": "hashtag monitor", **refused.challenge})
            raise Unauthorized(refused.detail, www_authenticate=challenge)

    app.before_request(check)
