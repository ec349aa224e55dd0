"""Marked secrets, and every way out: answers, log lines, files, exports, metrics, and what commands say. None shows one.

What is looked for is also looked for as JSON, URLs, HTML, hex and base64 write it. X quotes whatever it is asked with.
"""

from __future__ import annotations

import base64
import html
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from werkzeug import Response

import api
from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.loggers import logging_restored
from tests.fixtures.processes import Server, serving
from tests.fixtures.service import Service, in_process
from tests.security.conftest import bearer, client, routes
from tests.telemetry.sink import Sink

CREDENTIALS = {
    "TWITTER_CONSUMER_KEY": "Cana+ry/ck=7fQ29Zk&mVb",
    "TWITTER_CONSUMER_SECRET": 'Cana"ry\\cs<8hR31Xl>nWc',
    "TWITTER_ACCESS_TOKEN": "Cana~ry-at.9jS42Ym_oXd",
    "TWITTER_ACCESS_TOKEN_SECRET": "Cana%ry@ats0kT53Zn:pYe",
}
BEARER = {"TWITTER_BEARER_TOKEN": "AAAACana%2Fry1lU64Ao3DqZf"}
TOKENS = {
    "API_TOKEN": "Cana+ry/wr=2mV75Bp&rAg",
    "API_READ_TOKEN": "Cana'ry;rd?3nW86Cq#sBh",
    "METRICS_TOKEN": "Cana,ry!sc(4oX97Dr)tCi",
}
SECRETS = CREDENTIALS | BEARER | TOKENS
TYPED = "Cana*ry^typed5pY08Es$uDj"  # what somebody sends by mistake


def forms(value: str) -> set[bytes]:
    """Return the ways in which a value may be seen."""
    raw = value.encode()
    texts = {value, value.lower(), value.upper(), value[::-1], json.dumps(value)[1:-1], html.escape(value), repr(value)[1:-1]}
    texts |= {quote(value), quote(value, safe=""), quote_plus(value), quote(quote(value, safe=""), safe=""), raw.hex()}
    texts |= {raw.hex().upper(), base64.b32encode(raw).decode().rstrip("=")}
    inner = [base64.b64encode(b"\0" * before + raw).decode()[4 if before else 0 :].rstrip("=")[:-1] for before in range(3)]
    texts |= {*inner, *(text.replace("+", "-").replace("/", "_") for text in inner)}
    return {text.encode() for text in texts} | {value.encode("utf-16-le")}


def seen(shown: bytes, secrets: dict[str, str]) -> list[str]:
    """Return the names of the secrets that can be seen."""
    return [f"{name} as {form!r}" for name, value in secrets.items() for form in forms(value) if form in shown]


class EchoX(BaseHTTPRequestHandler):
    """An X that refuses each request in another way, and quotes it: its headers, its URL and its body."""

    answers = 0

    def do_GET(self) -> None:
        said = self.headers.get("Authorization", "")
        quoted = f"{said} {base64.b64encode(said.encode()).decode()} {quote(said)} {self.path} {dict(self.headers)} "
        quoted += self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        type(self).answers += 1
        statuses = (400, 401, 403, 404, 429, 500, 503, 200)
        status = statuses[self.answers % len(statuses)]
        problem = {"title": quoted, "detail": quoted[:250], "type": "about:blank", "status": status}
        more = {"errors": [{"message": quoted[:250]}, {"message": said}]} if self.answers % 2 else {"data": quoted}
        body = json.dumps(problem | more)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-rate-limit-reset", quoted.encode("ascii", "replace").decode()[:100].replace("\n", " "))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_PUT = do_GET

    def log_message(self, *_args: object) -> None: ...


@contextmanager
def echo_x() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EchoX) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def headers_of(method: str) -> Iterable[dict[str, str]]:
    """Every token, right and wrong, in the right place and in wrong ones."""
    yield bearer(TOKENS["API_TOKEN"])
    if method == "GET":
        yield from ({}, bearer(TOKENS["METRICS_TOKEN"]), bearer(TYPED))
        yield {"Authorization": f"Basic {base64.b64encode(f'user:{TYPED}'.encode()).decode()}"}
        yield {"Authorization": f"Token {TOKENS['API_TOKEN']}"}
        yield {"Cookie": f"hashtag_monitor_session={TYPED}; other={TOKENS['API_TOKEN']}"}
        yield {"X-Api-Key": TOKENS["API_TOKEN"], "X-Request-Id": TOKENS["API_TOKEN"], "traceparent": TYPED}


def every_answer(service: Service) -> bytes:
    """Ask for everything, in every way."""
    made, shown = client(service.app), bytearray()
    given = {"access_token": TYPED, "cursor": TYPED, "limit": TYPED}

    def asked(method: str, path: str, **more: Any) -> Response:
        with made.open(path, method=method, **more) as answer:
            shown.extend(f"{answer.status_code} {answer.headers}".encode() + answer.data)
        return answer

    for route in routes(service.app):
        for method in sorted({*route.methods, "PATCH"}):
            for headers in headers_of(method):
                asked(method, route.path, headers=headers)
        asked("GET", route.path, query_string=given, headers=bearer(TOKENS["API_READ_TOKEN"]))
    for token in (TYPED, *TOKENS.values()):
        answer = asked("POST", "/sign-in", data={"token": token, "next": "/"})
        asked("GET", "/tags", headers={"Cookie": answer.headers.get("Set-Cookie", "").partition(";")[0]})
    return bytes(shown)


def unreadable(server: Server) -> bytes:
    """Send what can't be read, with a token in it."""
    shown, token = b"", TOKENS["API_TOKEN"]
    for sent in (
        f"GET /tweets?token={TYPED}  HTTP/1.1",
        f"GET /tags HTTP/1.1\r\nAuthorization Bearer {token}",
        f"GET /tags HTTP/1.1\r\nHost: {TYPED}\r\nAuthorization: Bearer {token}",
        f"GET /tags HTTP/1.1\r\nA: b\r\n Authorization: Bearer {token}",
        f"{token} / HTTP/1.1",
        f"GET /tags HTTP/1.1\r\nAuthorization: Bearer {token}{'x' * 100_000}",
    ):
        answer = server.raw(sent)
        shown += f"{answer.status} {answer.headers}".encode() + answer.body
    return shown


def said_by_commands(service: Service, folder: Path) -> str:
    """Run the commands in this process, and return what they say beside what they write to stdout and stderr."""
    with logging_restored():
        for arguments in ([], ["--comply"], ["--since", "2026-11-01", "--yes"]):
            api.main(arguments)
        commands = [["database", "verify"], ["database", "backup", str(folder / "backup.db")]]
        commands += [["tweets", "export", "--format", "twarc"], ["tweets", "import", str(folder / "server.log")]]
        ended = [service.app.test_cli_runner().invoke(args=command) for command in commands]
    return "".join(f"{one.output}{one.exception!r}" for one in ended)


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def broken(*_args: object, **_more: object) -> None:
    """Fail as nobody expected, with all secrets in the text."""
    raise RuntimeError(repr(SECRETS) + TOKENS["API_TOKEN"])


def test_a_secret_that_is_shown_is_noticed_in_each_form() -> None:
    token = TOKENS["API_TOKEN"]
    assert len(forms(token)) > 3
    for form in forms(token):
        assert seen(b"before" + form + b"after", TOKENS), form


def test_no_answer_no_line_no_command_and_no_file_shows_a_secret(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("queries.spend.newest_comparison", broken)
    with echo_x() as url:
        settings = environment(tmp_path, emulator) | SECRETS | {"TWITTER_API_URL": url, "LOG_LEVEL": "DEBUG", "X_RETRIES": "1"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with in_process(tmp_path, **settings) as service:
            answers = every_answer(service)
            said = said_by_commands(service, tmp_path)
    said += "".join(capfd.readouterr())
    log = (tmp_path / "server.log").read_bytes()
    assert EchoX.answers > 5
    assert log.count(b'"message":"request"') > 300
    assert b"X refuses the request" in answers + log
    assert b"RuntimeError" in log
    assert not seen(answers, SECRETS)
    assert not seen(log, SECRETS | {"what was typed": TYPED})
    assert not seen(said.encode(), SECRETS)
    assert not seen(contents(tmp_path), SECRETS)


@pytest.mark.process
def test_nor_does_the_real_service_show_one_or_ship_it(tmp_path: Path, emulator: Emulator) -> None:
    sink = Sink()
    sink.start()
    with echo_x() as url:
        settings = environment(tmp_path, emulator) | SECRETS | {"TWITTER_API_URL": url, "LOG_LEVEL": "DEBUG"}
        settings |= {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(sink.port)}
        with serving(tmp_path, **settings) as server:
            answers = unreadable(server) + b"".join(
                server.request(method, path, headers=bearer(TOKENS["API_TOKEN"])).content
                for method in ("GET", "POST", "PATCH", "DELETE")
                for path in ("/database", "/metrics", f"/nothing?{TYPED}")
            )
    sink.close()
    lines = (tmp_path / "server.log").read_bytes() + b"".join(sink.lines)
    assert len(sink.lines) > 12
    assert b"X refuses the request" in answers + lines
    assert not seen(answers + contents(tmp_path), SECRETS)
    assert not seen(lines, SECRETS | {"what was typed": TYPED})
