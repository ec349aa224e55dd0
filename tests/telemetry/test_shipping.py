"""Log records reach Logstash, and whatever Logstash does, it holds up nobody and takes no unbounded memory."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emulator import Emulator
from telemetry import shipping
from telemetry.metrics import Delivery
from telemetry.shipping import MOST_QUEUED, LogstashHandler, ship
from tests.fixtures.environment import environment
from tests.fixtures.loggers import logging_restored
from tests.fixtures.processes import serving
from tests.fixtures.service import in_process
from tests.fixtures.waiting import wait_until
from tests.telemetry.sink import Sink

log = logging.getLogger("shipping")


class Counts:
    """What the handler reported."""

    def __init__(self) -> None:
        self.batches, self.waiting, self.dropped = list[int](), list[int](), Counter[str]()
        self.delivery = Delivery(self.batches.append, lambda why, count: self.dropped.update({why: count}), self.waiting.append)

    @property
    def sent(self) -> int:
        return sum(self.batches)


@pytest.fixture
def sink() -> Iterator[Sink]:
    ready = Sink()
    ready.start()
    yield ready
    ready.close()


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def handler(sink: Sink, counts: Counts) -> Iterator[LogstashHandler]:
    """A handler on the root logger that ships to the sink."""
    with logging_restored():
        logging.getLogger().setLevel(logging.INFO)
        with closing(ship("127.0.0.1", sink.port, counts.delivery)) as handler:
            yield handler


def send(first: int, count: int, *, a_second: float | None = None) -> None:
    """Log numbered records, at a rate or as fast as it goes."""
    for number in range(first, first + count):
        log.info("numbered", extra={"number": number})
        if a_second:
            time.sleep(1 / a_second)


def test_records_arrive_as_json_lines_in_their_order(handler: LogstashHandler, sink: Sink, counts: Counts) -> None:
    send(0, 2_500)
    wait_until(lambda: len(sink.lines) == 2_500)
    assert sink.numbers() == list(range(2_500))
    wait_until(lambda: counts.sent == 2_500 and counts.waiting[-1] == 0)
    assert counts.dropped == {}


@pytest.mark.parametrize("before", [0, 100])
def test_an_outage_also_at_the_start_loses_nothing_and_doubles_nothing(
    handler: LogstashHandler, sink: Sink, counts: Counts, before: int
) -> None:
    send(0, before)
    wait_until(lambda: len(sink.lines) == before)
    sink.stop()
    send(before, 50, a_second=100)
    sink.start()
    wait_until(lambda: len(sink.lines) >= before + 50)
    assert sorted(sink.numbers()) == list(range(before + 50))
    assert counts.dropped == {}


def test_a_logstash_that_stalls_costs_bounded_memory_and_counts_what_is_dropped(
    handler: LogstashHandler, sink: Sink, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_QUEUED <= 10_000
    monkeypatch.setattr(shipping, "MOST_QUEUED", 1_000)
    sink.stalled.set()
    send(0, 4_000)  # whoever logs is not held up: nothing is read before the last one
    assert handler.queued <= 1_000
    assert counts.dropped["queue-full"] > 0
    send(4_000, 300, a_second=200)  # for longer than what is sent is waited for: a further connection would take more unread
    assert sink.opened == 1
    sink.stalled.clear()
    wait_until(lambda: handler.queued == 0)
    wait_until(lambda: len(set(sink.numbers())) + counts.dropped["queue-full"] == 4_300)
    assert sink.opened == 1


def test_what_is_dropped_is_said_on_stderr_and_the_end_is_bounded_and_counts_what_nobody_took(
    handler: LogstashHandler, sink: Sink, counts: Counts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shipping.CLOSE_WITHIN_S <= 5
    for name, bound in {"CLOSE_WITHIN_S": 0.3, "REPORT_EVERY_S": 0, "MOST_QUEUED": 50}.items():
        monkeypatch.setattr(shipping, name, bound)
    sink.stop()
    send(0, 60)
    wait_until(lambda: "log records dropped" in capsys.readouterr().err)
    handler.close()
    assert counts.dropped["shutdown"] == 50
    assert "50 log records dropped" in capsys.readouterr().err


@pytest.mark.process
def test_a_forked_process_ships_by_itself_and_repeats_nothing(handler: LogstashHandler, sink: Sink) -> None:
    send(1, 1)
    wait_until(lambda: len(sink.lines) == 1)

    def log_in_child() -> None:
        send(2, 1)
        logging.shutdown()

    child = multiprocessing.get_context("fork").Process(target=log_in_child)
    child.start()
    child.join(60)
    wait_until(lambda: len(sink.lines) == 2)
    assert sorted(sink.numbers()) == [1, 2]


def logstash_of(sink: Sink) -> dict[str, str]:
    return {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(sink.port)}


@pytest.mark.process
def test_the_served_app_ships_what_it_prints_and_the_rest_at_sigterm(tmp_path: Path, emulator: Emulator, sink: Sink) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator), **logstash_of(sink), WORKERS="2") as server:
        for number in range(20):
            server.get("/livez", headers={"X-Request-Id": f"known-{number}"})
        server.get("/database")
        assert server.stop() == 0
    shipped = b"".join(sink.lines)
    assert all(b'"known-%d"' % number in shipped for number in range(20))
    assert b'"database has been restored"' in shipped


@pytest.mark.parametrize("state", ["absent", "stalled"])
def test_requests_are_answered_whatever_logstash_does(
    tmp_path: Path, emulator: Emulator, sink: Sink, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(shipping, "CLOSE_WITHIN_S", 0.1)
    if state == "absent":
        sink.stop()
    else:
        sink.stalled.set()
    with in_process(tmp_path, **environment(tmp_path, emulator), **logstash_of(sink)) as service:
        (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, LogstashHandler)]
        with closing(handler):
            for _ in range(50):
                assert service.get("/tweets_per_hour").status_code == 200
            assert handler.queued
