"""A request waits for the database only so long in all; a deletion, and what follows a first piece, may take longer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from flask import Flask

from database.limits import MARGIN_S, query_limit, seconds_left
from security.capacity import LONGEST_QUESTION_S, TimeLimit, bound


def test_a_request_has_its_time_until_it_begins_to_answer() -> None:
    seen = list[float]()

    def app(_environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        seen.append(seconds_left())

        def pieces() -> Iterator[bytes]:
            seen.append(seconds_left())
            yield b""

        return pieces()

    list(TimeLimit(app, timedelta(seconds=3))({}, lambda *_: None))
    assert 2 < seen[0] <= 3 + MARGIN_S
    assert seen[1] == math.inf


def test_only_a_deletion_may_take_longer_but_none_of_its_questions() -> None:
    app = Flask(__name__)
    bound(app)
    app.add_url_rule("/", view_func=lambda: [seconds_left() < 60, query_limit(None) < 3], methods=["GET", "POST", "DELETE"])
    app.wsgi_app = TimeLimit(app.wsgi_app, timedelta(seconds=2))  # type: ignore[method-assign]
    assert app.test_client().get("/").json == [True, True]
    assert app.test_client().post("/").json == [True, True]
    assert app.test_client().delete("/").json == [False, False]
    assert LONGEST_QUESTION_S >= 60
