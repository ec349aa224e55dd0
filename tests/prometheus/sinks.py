"""What stands around the two programs: a service whose metrics the test sets, a webhook, and a mail server."""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import NamedTuple

from tests.stack.standin import Answer, Asked, Standin


class Told(NamedTuple):
    """An alert as a webhook heard of it."""

    labels: dict[str, str]
    status: str
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        return self.labels["alertname"]


class Web(Standin):
    """Serves `metrics` at /metrics, and takes the alerts that are posted to any other path."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: dict[str, float] = {}

    def answer(self, asked: Asked) -> Answer:
        return 200, "".join(f"{series} {value}\n" for series, value in list(self.metrics.items()))

    def shown(self) -> set[str]:
        """Return the credentials that came with the requests."""
        return {asked.headers.get("authorization", "") for asked in list(self.asked)}

    def told(self, path: str) -> list[Told]:
        """Return the alerts that were posted to the path, in order of arrival."""
        posts = [asked.json()["alerts"] for asked in list(self.asked) if (asked.method, asked.path) == ("POST", path)]
        return [Told(alert["labels"], alert["status"], alert["annotations"]) for alerts in posts for alert in alerts]

    def names(self, path: str) -> set[tuple[str, str]]:
        return {(told.name, told.status) for told in self.told(path)}


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
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
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
