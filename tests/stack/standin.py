"""An HTTP server that stands in for a part of the stack, or around it, as far as a test needs that part."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

Answer = tuple[int, Any]


class Asked(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    body: str
    headers: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


class Standin:
    """An HTTP server on a port of loopback that knows its users' passwords, and keeps what it was asked."""

    address = "127.0.0.1"
    protocol = "HTTP/1.0"

    def __init__(self, **passwords: str) -> None:
        self.passwords = passwords
        self.asked: list[Asked] = []
        self.unready = 0
        self.flaky = False
        self.refuses = ""
        self.port = 0
        self._times: Counter[tuple[str, str]] = Counter()

    def answer(self, asked: Asked) -> Answer:
        """Return status and body, which is text or becomes JSON, for a request of a user who is known."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self, method: str) -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]

    def handled(self, asked: Asked) -> Answer:
        """Return what is answered, status 0 for nothing. A flaky one is busy twice, then does it and hangs up, then answers."""
        self._times[asked.method, asked.path] += 1
        match self._times[asked.method, asked.path] if self.flaky else 0:
            case 1 | 2 as time:
                return (429, 503)[time - 1], {"error": "busy"}
            case 3:
                self._handled(asked)
                return 0, ""
        return self._handled(asked)

    def _handled(self, asked: Asked) -> Answer:
        if self.unready > 0:
            self.unready -= 1
            return 503, {"status": "not yet"}
        scheme, _, credentials = asked.headers.get("authorization", "").partition(" ")
        user, _, password = base64.b64decode(credentials).decode().partition(":") if scheme == "Basic" else ("", "", "")
        if self.passwords and self.passwords.get(user) != password:
            return 401, {"error": "missing authentication credentials"}
        self.asked.append(asked)
        is_refused = self.refuses and asked.path.startswith(self.refuses)
        return (400, {"error": "unknown field [x]"}) if is_refused else self.answer(asked)

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve until the block ends; the port stays this one's, also when it serves again."""
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = standin.protocol

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, found = standin.handled(Asked(self.command, self.path, body, headers))
                if not status:
                    self.close_connection = True
                    return
                is_text = isinstance(found, str)
                data = (found if is_text else json.dumps(found)).encode()
                self.send_response(status)
                self.send_header("content-type", "text/plain; version=0.0.4" if is_text else "application/json")
                self.send_header("content-length", str(len(data)))
                self.send_header("x-request-id", headers.get("x-request-id", "none"))
                self.end_headers()
                self.wfile.write(data if self.command != "HEAD" else b"")

            do_HEAD = do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, format: str, *arguments: Any) -> None:
                """Keep the test's output clean."""

        with ThreadingHTTPServer((self.address, self.port), Handler) as server:
            server.daemon_threads = True
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()
