"""Ships log records to Logstash over TCP.

python-logstash-async's synchronous handler formats and encodes the records. Its transport here is a bounded queue that a thread
of ours empties over one connection. Logstash's TCP input does not acknowledge records: those that its kernel received but
Logstash did not read are lost when it stops.
"""

from __future__ import annotations

import fcntl
import logging
import math
import socket
import struct
import sys
import termios
import threading
import time
from collections import deque
from select import select

from logstash_async.handler import SynchronousLogstashHandler

from logstash import Context, EcsFormatter, Hide
from telemetry.metrics import UNCOUNTED, Delivery

MOST_QUEUED = 10_000
BATCH = 1_000  # records
CLOSE_WITHIN_S = 5
REPORT_EVERY_S = 60
CONNECT_TIMEOUT_S = 2.0
QUEUE_POLL_S, ACKNOWLEDGEMENT_POLL_S, RETRY_WAIT_S = 0.2, 0.05, 1.0


class LogstashHandler(SynchronousLogstashHandler):
    """Sends records to Logstash. A dead, slow or stalled Logstash never delays the code that logs."""

    def __init__(self, host: str, port: int, delivery: Delivery) -> None:
        self._records = QueueTransport(host, port, delivery)
        super().__init__(host, port, transport=self._records)

    @property
    def queued(self) -> int:
        """How many records wait to be sent."""
        return self._records.queued


class QueueTransport:
    """A transport for the library's handler that queues records for a Shipper.

    The thread starts with the first record, so after a fork each process has its own.
    """

    def __init__(self, host: str, port: int, delivery: Delivery) -> None:
        self._address, self._delivery = (host, port), delivery
        self._shipper: Shipper | None = None
        self._closed = False

    @property
    def queued(self) -> int:
        return self._shipper.queued if self._shipper else 0

    def send(self, events: list[bytes], **_options: object) -> None:
        """Queue encoded records. The handler calls this under its lock."""
        if self._closed:
            return
        if self._shipper is None or not self._shipper.is_alive():
            self._shipper = Shipper(self._address, self._delivery)
            self._shipper.start()
        for event in events:
            self._shipper.enqueue(event)

    def close(self) -> None:
        """Send what is queued, for at most CLOSE_WITHIN_S seconds, and count the rest as dropped."""
        self._closed = True
        if self._shipper:
            self._shipper.finish()
            self._shipper = None


class Shipper(threading.Thread):
    """Sends queued records in their order over one connection, which it opens again when it breaks.

    A record leaves the queue once Logstash's kernel has acknowledged all of it. While Logstash stalls, no further connection is
    opened: each would bring buffers that accept records which nobody reads.
    """

    def __init__(self, address: tuple[str, int], delivery: Delivery) -> None:
        super().__init__(name="logstash", daemon=True)
        self._address, self._delivery = address, delivery
        self._records: deque[bytes] = deque()
        self._socket: socket.socket | None = None
        self._finishing, self._deadline = threading.Event(), math.inf
        self._dropped, self._reported, self._reported_at = 0, 0, time.monotonic()

    @property
    def queued(self) -> int:
        return len(self._records)

    def enqueue(self, record: bytes) -> None:
        """Queue a record, or drop it if the queue is full."""
        if self.queued < MOST_QUEUED:
            self._records.append(record)
        else:
            self._dropped += 1
            self._delivery.dropped("queue-full", 1)

    def finish(self) -> None:
        """Send what is queued until CLOSE_WITHIN_S is over, then count the rest as dropped. A failure ends it at once."""
        if not self.is_alive():
            return
        self._deadline = time.monotonic() + CLOSE_WITHIN_S
        self._finishing.set()
        self.join(CLOSE_WITHIN_S + 1)
        self._delivery.dropped("shutdown", self.queued)
        self._dropped += self.queued
        self._report_dropped()

    def run(self) -> None:
        """Send until `finish` is called and the queue is empty, or a connection fails after that."""
        while self._records or not self._finishing.is_set():
            wait = QUEUE_POLL_S
            try:
                self._send_batch()
            except (OSError, UnicodeError):  # the second for a host name that cannot be encoded
                self._disconnect()
                if self._finishing.is_set():
                    break
                wait = RETRY_WAIT_S
            self._report()
            if self.queued < BATCH or wait == RETRY_WAIT_S:
                self._finishing.wait(wait)
        self._disconnect()

    def _send_batch(self) -> None:
        """Send the oldest records and wait for their acknowledgement. Raises OSError if the connection fails."""
        batch = [self._records[index] for index in range(min(BATCH, self.queued))]
        if not batch:
            return
        data, written, acknowledged = memoryview(b"".join(batch)), 0, 0
        connection = self._connect()
        try:
            while acknowledged < len(data):
                unwritten = [connection] if written < len(data) else []
                readable, writable, _ = select([connection], unwritten, [], ACKNOWLEDGEMENT_POLL_S)
                if readable and not connection.recv(4096):
                    raise ConnectionResetError
                if writable:
                    written += connection.send(data[written : written + 65536])
                acknowledged = written - _unacknowledged_bytes(connection)
                self._report()
                if time.monotonic() > self._deadline:
                    raise TimeoutError
        finally:
            self._remove_sent(batch, acknowledged)

    def _remove_sent(self, batch: list[bytes], size: int) -> None:
        """Remove the records of a batch that lie wholly within its first `size` bytes; a cut one is sent again."""
        count = 0
        while count < len(batch) and size >= len(batch[count]):
            size -= len(batch[count])
            count += 1
            self._records.popleft()
        self._delivery.sent(count)

    def _connect(self) -> socket.socket:
        if self._socket and select([self._socket], [], [], 0)[0]:  # Logstash sends nothing: it has closed the connection
            self._disconnect()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=CONNECT_TIMEOUT_S)
            self._socket.setblocking(False)
        return self._socket

    def _disconnect(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _report(self) -> None:
        """Update the gauge, and write dropped records to stderr once in REPORT_EVERY_S; a log record would be dropped too."""
        self._delivery.queued(self.queued)
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._report_dropped()

    def _report_dropped(self) -> None:
        dropped = self._dropped - self._reported
        if dropped:
            sys.stderr.write(f"{dropped} log records dropped: Logstash does not take them\n")
        self._reported += dropped
        self._reported_at = time.monotonic()


def _unacknowledged_bytes(connection: socket.socket) -> int:
    """How many written bytes the other side's kernel has not acknowledged (SIOCOUTQ of tcp(7))."""
    (size,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return int(size)


def ship(host: str, port: int, delivery: Delivery = UNCOUNTED, context: Context = dict, *, hide: Hide = str) -> LogstashHandler:
    """Send all records of the root logger to Logstash as well. A second call replaces the first one's handler."""
    handler = LogstashHandler(host, port, delivery)
    handler.setFormatter(EcsFormatter(context, hide))
    root = logging.getLogger()
    for other in [other for other in root.handlers if isinstance(other, LogstashHandler)]:
        root.removeHandler(other)
        other.close()
    root.addHandler(handler)
    return handler
