"""What stands around the two programs: a service whose metrics the test sets, a webhook, and a mail server."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Told(NamedTuple):
    """An alert as a webhook heard of it."""

    name: str
    status: str
    annotations: dict[str, str]


class Web:
    """Serves `metrics` at /metrics and keeps what was shown there, and the alerts that are posted to any other path."""

    def __init__(self, port: int = 0) -> None:
        self.metrics: dict[str, float] = {}
        self.shown: list[str | None] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def told(self, path: str) -> list[Told]:
        """Return the alerts that were posted to the path, in order of arrival."""
        posts = [body["alerts"] for to, body in list(self.posted) if to == path]
        return [Told(a["labels"]["alertname"], a["status"], a["annotations"]) for alerts in posts for a in alerts]

    def names(self, path: str) -> set[tuple[str, str]]:
        return {(told.name, told.status) for told in self.told(path)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.shown.append(self.headers["Authorization"])
                text = "".join(f"{series} {value}\n" for series, value in list(web.metrics.items()))
                self._answer(text.encode())

            def do_POST(self) -> None:
                web.posted.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


class Mail(NamedTuple):
    """A message as the mail server took it: who signed in, the addresses of its envelope, and what it says."""

    login: tuple[str, str] | None
    sender: str
    recipients: list[str]
    message: EmailMessage


@contextmanager
def mail_server() -> Iterator[tuple[str, list[Mail]]]:
    """Take mail without TLS; give the server's address and the list that it fills."""
    taken: list[Mail] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _Conversation(self, taken).run()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", taken
        server.shutdown()
        thread.join()


class _Conversation:
    """One connection of SMTP (RFC 5321), as far as a client that sends one message needs it."""

    def __init__(self, connection: socketserver.StreamRequestHandler, taken: list[Mail]) -> None:
        self._connection, self._taken = connection, taken
        self._login: tuple[str, str] | None = None
        self._sender, self._recipients = "", list[str]()

    def run(self) -> None:
        self._say("220 ready")
        for line in self._connection.rfile:
            command, _, argument = line.decode().strip().partition(" ")
            if command == "QUIT":
                self._say("221 bye")
                return
            self._do(command.upper(), argument)

    def _do(self, command: str, argument: str) -> None:
        if command == "EHLO":
            self._say("250-here\r\n250 AUTH PLAIN")
        elif command == "AUTH":
            _, user, password = base64.b64decode(argument.split()[1]).decode().split("\0")
            self._login = user, password
            self._say("235 welcome")
        elif command == "DATA":
            self._say("354 go on")
            self._take()
            self._say("250 taken")
        else:
            if command == "MAIL":
                self._sender = argument.partition("<")[2].partition(">")[0]
            elif command == "RCPT":
                self._recipients.append(argument.partition("<")[2].partition(">")[0])
            self._say("250 fine")

    def _take(self) -> None:
        lines = iter(self._connection.rfile.readline, b".\r\n")
        text = b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)
        message = email.message_from_bytes(text, policy=email.policy.default)
        self._taken.append(Mail(self._login, self._sender, self._recipients, message))

    def _say(self, line: str) -> None:
        self._connection.wfile.write(f"{line}\r\n".encode())
