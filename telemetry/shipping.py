"""The way of log records to Logstash: python-logstash-async's worker, with bounds.

The library sends from a thread of its own and keeps what it could not send. Its queue and its store are unbounded, it sorts
records by their text, logs its failures into the queue that it can't empty, and opens a connection a batch, each with buffers
in which a Logstash that stalls lets records vanish: these four are changed here.
TCP to Logstash has no acknowledgement, so what Logstash's kernel took and Logstash did not read is lost when it stops.
"""

from __future__ import annotations

import fcntl
import logging
import math
import socket
import struct
import sys
import termios
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from select import select

from logstash_async.cache import Cache
from logstash_async.constants import constants
from logstash_async.worker import LogProcessingWorker

from logstash import Context, EcsFormatter, Hide
from telemetry.delivery import UNCOUNTED, Delivery

MOST_QUEUED = 10_000
BATCH = 1_000
CLOSE_WITHIN_S = 5
SAID_EVERY_S = 60
CONNECTED_WITHIN_S = 2.0
POLLED_EVERY_S = 0.05


class LogstashHandler(logging.Handler):
    """Sends records to Logstash over TCP; a dead, slow or stalled Logstash never holds up who logs.

    Its thread starts with the first record, so after a fork each process has its own. Closing sends what still waits, for at
    most CLOSE_WITHIN_S seconds, and counts the rest as dropped.
    """

    def __init__(self, host: str, port: int, delivery: Delivery) -> None:
        super().__init__()
        self._address, self._delivery = (host, port), delivery
        self._worker: Shipper | None = None
        self._closed = False

    def emit(self, record: logging.LogRecord) -> None:
        if self._closed:
            return
        if self._worker is None or not self._worker.is_alive():
            self._worker = Shipper(*self._address, self._delivery)
            self._worker.start()
        self._worker.enqueue_event(f"{self.format(record)}\n".encode())

    @property
    def queued(self) -> int:
        """How many records wait to be sent."""
        return self._worker.queued if self._worker else 0

    def close(self) -> None:
        self._closed = True
        if self._worker and self._worker.is_alive():
            self._worker.shutdown()
            self._worker.join(CLOSE_WITHIN_S + 1)
            left = self.queued
            self._delivery.dropped("shutdown", left)
            self._worker.report_dropped(left)
        self._worker = None
        super().close()


class Shipper(LogProcessingWorker):
    """python-logstash-async's worker with a bound: when it is full, new records are dropped and counted."""

    def __init__(self, host: str, port: int, delivery: Delivery) -> None:
        constants.QUEUE_CHECK_INTERVAL = 0.2
        constants.QUEUED_EVENTS_FLUSH_INTERVAL = 1.0
        constants.QUEUED_EVENTS_FLUSH_COUNT = constants.QUEUED_EVENTS_BATCH_SIZE = BATCH
        tls = dict.fromkeys(("ssl_enable", "ssl_verify", "ssl_verify_flags", "keyfile", "certfile", "ca_certs"))
        transport = LogstashConnection(host, port, self._while_waiting)
        super().__init__(host=host, port=port, transport=transport, **tls, database_path=None, cache=None, event_ttl=None)
        self._waiting = RecordQueue()
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._delivery = delivery
        self._unsaid, self._said = 0, time.monotonic()
        self._ends_at = math.inf

    @property
    def queued(self) -> int:
        return self._queue.qsize() + len(self._waiting)

    def _setup_database(self) -> None:
        self._database = self._waiting
        self._non_flushed_event_count = 0

    def enqueue_event(self, event: bytes) -> None:
        """Queue a record, or drop it where too many wait."""
        if self.queued < MOST_QUEUED:
            self._queue.put(event)
        else:
            self._unsaid += 1
            self._delivery.dropped("queue-full", 1)

    def _send_events(self, events: list[bytes]) -> None:
        """Send a batch; of one that is interrupted, what Logstash's side took counts as sent and only the rest waits again."""
        try:
            super()._send_events(events)
        except BatchInterrupted as interruption:
            self._delivery.sent(self._waiting.forget(interruption.taken))
            raise
        self._delivery.sent(len(events))

    def _expire_events(self) -> None:
        """The base class calls this whenever its queue is empty."""
        self._while_waiting()

    def shutdown(self) -> None:
        self._ends_at = time.monotonic() + CLOSE_WITHIN_S
        super().shutdown()

    def run(self) -> None:
        super().run()
        self._transport.close()

    def _while_waiting(self) -> None:
        """Say once a minute, on stderr, what was dropped; raises TimeoutError when the end can't wait any longer."""
        if time.monotonic() > self._ends_at:
            raise TimeoutError
        self._delivery.queued(self.queued)
        if self._unsaid and time.monotonic() - self._said >= SAID_EVERY_S:
            self.report_dropped(0)

    def report_dropped(self, more: int) -> None:
        """Say on stderr what was dropped since it was last said, and that so many more are."""
        if self._unsaid + more:
            sys.stderr.write(f"{self._unsaid + more} log records dropped: Logstash does not take them\n")
        self._unsaid, self._said = 0, time.monotonic()

    def _safe_log(self, *_args: object, **_kwargs: object) -> None:
        """Say nothing: the base class would log into the queue that it can't empty."""


class BatchInterrupted(ConnectionError):
    """A batch was not sent whole; `forget` bytes of it have left this machine's buffers."""

    def __init__(self, taken: int) -> None:
        super().__init__("Logstash went away")
        self.taken = taken


class LogstashConnection:
    """One connection to Logstash, kept. A batch is sent when the other side's kernel has all of it.

    While Logstash stalls, the batch waits here and no further connection is opened: each would bring buffers that take records
    which nobody reads.
    """

    def __init__(self, host: str, port: int, while_waiting: Callable[[], None]) -> None:
        self._address, self._while_waiting = (host, port), while_waiting
        self._socket: socket.socket | None = None

    def send(self, events: list[bytes], **_kw: object) -> None:
        """Send the records; raises BatchInterrupted when the connection breaks, OSError when there is none."""
        data, put, taken = memoryview(b"".join(events)), 0, 0
        connection = self._connect()
        try:
            while taken < len(data):
                readable, writable, _ = select([connection], [connection] if put < len(data) else [], [], POLLED_EVERY_S)
                if readable and not connection.recv(4096):
                    raise ConnectionResetError
                if writable:
                    put += connection.send(data[put : put + 65536])
                taken = put - _in_buffer(connection)
                self._while_waiting()
        except OSError as error:
            self.close()
            raise BatchInterrupted(taken) from error

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if self._socket and select([self._socket], [], [], 0)[0]:
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=CONNECTED_WITHIN_S)
            self._socket.setblocking(False)
        return self._socket


def _in_buffer(connection: socket.socket) -> int:
    """Return how many bytes the other side's kernel has not acknowledged."""
    (size,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return int(size)


class RecordQueue(Cache):
    """The records that the worker has taken from its queue and Logstash has not, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._sending: list[bytes] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sending)

    def add_event(self, event: bytes) -> None:
        self._waiting.append(event)

    def get_queued_events(self) -> list[dict[str, bytes]]:
        self._sending = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        return [{"event_text": event} for event in self._sending]

    def requeue_queued_events(self, _events: object) -> None:
        self._waiting.extendleft(reversed(self._sending))
        self._sending = []

    def delete_queued_events(self) -> None:
        self._sending = []

    def forget(self, size: int) -> int:
        """Forget the records of the batch that stand wholly within its first `size` bytes, and return how many they were."""
        count = 0
        while count < len(self._sending) and size >= len(self._sending[count]):
            size -= len(self._sending[count])
            count += 1
        self._sending = self._sending[count:]
        return count

    def expire_events(self) -> None:
        """Nothing expires: the bound drops new records instead."""

    def get_non_flushed_event_count(self) -> int:
        return len(self)


def ship(host: str, port: int, delivery: Delivery = UNCOUNTED, context: Context = dict, *, hide: Hide = str) -> LogstashHandler:
    """Send the records that `configure` lets through to Logstash as well. A second call replaces the first one's handler."""
    handler = LogstashHandler(host, port, delivery)
    handler.setFormatter(EcsFormatter(context, hide))
    root = logging.getLogger()
    for other in [other for other in root.handlers if isinstance(other, LogstashHandler)]:
        root.removeHandler(other)
        other.close()
    root.addHandler(handler)
    return handler
