"""What a request may not exceed before anything looks at it. Headers and body are bounded by server/ and by Flask."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.exceptions import RequestURITooLarge

QUERY_LENGTH = 8 * 1024


def limit_queries(app: Flask) -> None:
    """Answer 414 to a query string that is longer than any honest one, on every path."""

    def check() -> None:
        if len(request.query_string) > QUERY_LENGTH:
            raise RequestURITooLarge(f"the query string is longer than {QUERY_LENGTH // 1024} KB")

    app.before_request(check)
