"""A client's connection: how its answers begin and end, what is answered to what can't be read, and whether it dawdles."""

from __future__ import annotations

import logging
import secrets
import socket
import struct
import time
from typing import Any, NamedTuple

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from formats.problems import MEDIA_TYPE, problem
from guard.failures import HOLD
from guard.headers import NOTHING, SECURITY
from server.parsing import LARGEST_HEADERS, Request
from telemetry.requests import SANE_ID

log = logging.getLogger(__name__)

LINGER_S = 5
NO_LINGER = struct.pack("ii", 1, 0)
GREETING_S = 1  # what a client that has just connected has sent may still be on its way
DETAILS = {
    400: "the request can't be read as HTTP/1.1",
    408: "the request took too long to come whole",
    413: "the body is too large",
    431: f"the headers are longer than {LARGEST_HEADERS // 1024} KB",
    500: "an error that nobody expected; the log has it",
    501: "a body is taken with its Content-Length or in chunks, and no other way",
}


class TooSlow(Error):
    """A request that has begun and didn't come whole in time."""

    code, reason = 408, "Request Timeout"


class Patience(NamedTuple):
    """How many seconds a client may say nothing, may take to send a request whole, and may leave an answer unread."""

    silent: float
    sending: float
    reading: float


class Answer(WSGITask):
    """The app's answer. One that breaks off has no last chunk, so that the client notices."""

    close_on_finish: bool

    def service(self) -> None:
        """Give the answer. One that breaks off without chunks to tell ends by a reset, not as if it were whole."""
        try:
            super().service()
        except ClientDisconnected:
            raise
        except Exception:
            if self.wrote_header and not self.chunked_response:
                self.channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            raise

    def build_response_header(self) -> bytes:
        """Return the head of the answer, which says so if it is the connection's last.

        waitress takes each answer without a length for the last one, unless it is told already that it is. In HTTP/1.1 the last
        chunk, or a status that has no body, says where it ends.
        """
        wishes = self.request.headers.get("CONNECTION", "").lower().split(",")
        if self.channel.server.leaving or "close" in map(str.strip, wishes):
            self.set_close_on_finish()
        last = self.close_on_finish
        self.close_on_finish |= self.version == "1.1"
        head: bytes = super().build_response_header()
        if self.version == "1.1":
            self.close_on_finish = last
        self.chunked_response &= self.request.command != "HEAD"
        return head

    def get_environment(self) -> dict[str, Any]:
        """Return what the app is told: the request, and how it can have its answer held back."""
        environ: dict[str, Any] = super().get_environment()
        environ[HOLD] = self.channel.hold
        return environ


class Refusal(ErrorTask):
    """A problem, answered to a request that never reaches the app. The log gets nothing of the request itself."""

    def execute(self) -> None:
        status, given = self.request.error.code, self.request.headers.get("X_REQUEST_ID", "")
        request_id = given if SANE_ID.fullmatch(given) else secrets.token_hex(8)
        body = problem(status, DETAILS[status], instance="/", request_id=request_id)
        extra = {"reason": DETAILS[status], "client": self.channel.addr[0], "request_id": request_id}
        log.warning("request refused unread", extra=extra)
        self.version, self.status = "1.1", f"{status} {self.request.error.reason}"
        headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Request-Id": request_id}
        self.response_headers.extend((*headers.items(), *SECURITY, NOTHING))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if getattr(self.request, "command", None) == "HEAD" else body)
        self.channel.refused = time.monotonic()
        self.channel.server.refused(status)


class Channel(HTTPChannel):
    """A connection that knows since when its client keeps it waiting.

    After a refusal what the client sends on is read and forgotten for a while: a connection that is closed with something
    unread is reset, and the client might never see the answer.
    """

    parser_class = Request
    task_class = Answer
    error_task_class = Refusal
    will_close: bool
    request: Any
    refused: float | None = None
    _lingers = _heard = False
    _held_until = 0.0

    def hold(self, seconds: float) -> None:
        """Send nothing for a while: for requests that came together, one while after the other. No thread waits for it."""
        self._held_until = max(time.monotonic(), self._held_until) + seconds

    def dismiss(self) -> None:
        """Close the connection of a client that dawdles. Who has begun a request is told so first."""
        with self.requests_lock:
            late = self.request
            told = bool(late and not self.requests and not self.total_outbufs_len and not self.refused)
            if told:
                late.error, late.completed, self.request = TooSlow("too slow"), True, None
                self.requests.append(late)
        if told:
            self.server.add_task(self)
        else:
            self.handle_close()

    def writable(self) -> bool:
        """Tell whether there is something to send, or to close."""
        return not self._holds and bool(super().writable())

    def handle_close(self) -> None:
        """Close the connection, or our side of it if the client was refused."""
        if self.refused and self.will_close and not self.total_outbufs_len and not self._lingers:
            self._lingers, self.will_close = True, False
            self.socket.shutdown(socket.SHUT_WR)
        else:
            super().handle_close()

    def received(self, data: bytes) -> bool:
        """Take what the client has sent."""
        self._heard = True
        return not self._lingers and bool(super().received(data))

    def write_soon(self, data: Any) -> int:
        """Hand data to the client; from now on it is the client's turn, however long the app has taken."""
        if not self.total_outbufs_len:
            self.last_activity = time.time()
        written: int = super().write_soon(data)
        return written

    def _flush_some(self, do_close: bool = True) -> bool:
        return not self._holds and bool(super()._flush_some(do_close))

    @property
    def _holds(self) -> bool:
        return self._held_until > 0 and time.monotonic() < self._held_until

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn, to send a request or the rest of one."""
        return not self.requests and not self.total_outbufs_len

    @property
    def holds_a_thread(self) -> bool:
        """Whether the app waits for the client to read what it has got so far."""
        return bool(self.requests) and self.total_outbufs_len > self.adj.outbuf_high_watermark

    def dawdles(self, patience: Patience) -> bool:
        """Tell whether the client has used up one of its times."""
        if self._lingers and self.refused:
            return time.monotonic() - self.refused > LINGER_S
        idle = time.time() - self.last_activity
        if self.total_outbufs_len:
            return bool(idle > patience.reading)
        if self.requests:
            return False
        if self.request is None:
            return bool(idle > (patience.silent if self._heard else max(patience.silent, GREETING_S)))
        return bool(time.monotonic() - self.request.began > patience.sending)
