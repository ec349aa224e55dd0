"""An answer that breaks off is recorded: with a stack trace where the fault is ours, in one line where it is outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from telemetry.metrics import HttpMetrics
from telemetry.requests import Observer


class Away(Exception):
    """Something outside failed."""


class Odd(Exception):
    """Nobody expected this."""


@pytest.mark.parametrize(("kind", "traced"), [(Away, False), (Odd, True)])
@pytest.mark.parametrize("closing_fails", [False, True])
def test_the_trace_of_an_answer_that_breaks_off(
    kind: type[Exception], traced: bool, closing_fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def parts() -> Iterator[bytes]:
        try:
            yield b"begun"
            raise kind("for a reason")
        except GeneratorExit:
            raise kind("for a reason") from None

    observer = Observer(lambda _environ, _start: parts(), HttpMetrics(), (Away,))
    answer: Any = observer({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
    assert next(answer) == b"begun"
    with pytest.raises(kind):
        answer.close() if closing_fails else list(answer)
    with closing(answer):
        (record,) = [record for record in caplog.records if record.message == "an answer broke off"]
    assert bool(record.exc_info) == traced
    assert record.__dict__["reason"] == "for a reason"
