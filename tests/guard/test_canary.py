"""Marked secrets, and every way out: answers, log lines, files, exports, metrics, and what commands say. None shows one.

What is looked for is also looked for as JSON, URLs, HTML, hex and base64 write it. X quotes whatever it is asked with.
"""

from __future__ import annotations

import base64
import html
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests

from app import create_app
from emulator import Emulator
from settings import load
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.loggers import logging_restored
from tests.fixtures.processes import Server, serving
from tests.guard.conftest import Route, bearer, routes
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
        length = int(self.headers.get("Content-Length") or 0)
        quoted = f"{self.path} {dict(self.headers)} {self.rfile.read(length).decode()}"
        authorization = self.headers.get("Authorization", "")
        quoted = f"{authorization} {base64.b64encode(authorization.encode()).decode()} {quote(authorization)} {quoted}"
        type(self).answers += 1
        statuses = (400, 401, 403, 404, 429, 500, 503, 200)
        status = statuses[self.answers % len(statuses)]
        problem = {"title": quoted, "detail": quoted[:250], "type": "about:blank", "status": status}
        errors = [{"message": quoted[:250]}, {"message": authorization}]
        body = json.dumps(problem | {"errors": errors} if self.answers % 2 else problem | {"data": quoted})
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
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def all_routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    folder = tmp_path_factory.mktemp("routes")
    settings = load({"DATABASE_URL": f"sqlite:///{folder}/x.db", "TWITTER_API_URL": "http://127.0.0.1:9"}, folder=folder)
    with logging_restored():
        app = create_app(settings)
        app.extensions["collector"].close()
    return routes(app)


def whole(answer: requests.Response) -> bytes:
    return f"{answer.status_code} {answer.headers}".encode() + answer.content


def every_answer(server: Server, paths: list[Route]) -> bytes:
    """Ask for everything, with every token, right and wrong, in the right place and in wrong ones."""
    shown = b""
    for route in paths:
        for method, token in (*product(sorted(route.methods), TOKENS.values()), ("PATCH", TOKENS["API_TOKEN"]), ("GET", "")):
            headers = bearer(token) if token else {}
            shown += whole(server.request(method, route.path, headers=headers, allow_redirects=False))
        for headers in (
            {"Authorization": f"Basic {base64.b64encode(f'user:{TYPED}'.encode()).decode()}"},
            {"Authorization": TYPED},
            {"Authorization": f"Token {TOKENS['API_TOKEN']}"},
            {"Cookie": f"hashtag_monitor_session={TYPED}; other={TOKENS['API_TOKEN']}"},
            {"X-Api-Key": TOKENS["API_TOKEN"], "X-Request-Id": TOKENS["API_TOKEN"], "traceparent": TYPED},
        ):
            shown += whole(server.get(route.path, headers=headers, allow_redirects=False))
        given = {"access_token": TYPED, "cursor": TYPED, "limit": TYPED}
        shown += whole(server.get(route.path, params=given, headers=bearer(TOKENS["API_READ_TOKEN"]), allow_redirects=False))
    shown += whole(server.get("/tags", headers=bearer(TYPED)))
    for token in (TYPED, *TOKENS.values()):
        answer = server.request("POST", "/sign-in", data={"token": token, "next": "/"}, allow_redirects=False)
        shown += whole(answer) + whole(server.get("/tags", cookies=answer.cookies))
    return shown + unreadable(server)


def unreadable(server: Server) -> bytes:
    """Send what can't be read, with a token in it."""
    shown = b""
    token = TOKENS["API_TOKEN"]
    for sent in (
        f"GET /tweets?token={TYPED}  HTTP/1.1\r\n\r\n",
        f"GET /tags HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {token}\r\n\r\n",
        f"GET /tags HTTP/1.1\r\nHost: {TYPED}\r\nAuthorization: Bearer {token}\r\n\r\n",
        f"GET /tags HTTP/1.1\r\nHost: x\r\nA: b\r\n Authorization: Bearer {token}\r\n\r\n",
        f"{token} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET /tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}{'x' * 40_000}\r\n\r\n",
    ):
        with closing(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20)) as connection:
            connection.sendall(sent.encode())
            connection.settimeout(5)
            while part := connection.recv(65536):
                shown += part
                if len(part) < 65536 and b"\r\n\r\n" in part:
                    break
    return shown


def commands(folder: Path, settings: dict[str, str]) -> bytes:
    """Run the commands, and return all that they say."""
    shown = b""
    flask = (sys.executable, "-m", "flask", "--app", "app")
    for command in (
        (sys.executable, "api.py"),
        (sys.executable, "api.py", "--estimate"),
        (sys.executable, "api.py", "--comply"),
        (sys.executable, "api.py", "--since", "2026-11-01", "--yes"),
        (*flask, "database", "verify"),
        (*flask, "database", "backup", str(folder / "backup.db")),
        *((*flask, "tweets", "export", "--format", form) for form in ("ndjson", "csv", "twarc")),
        (*flask, "tweets", "import", str(folder / "server.log")),
        (*flask, "routes"),
        (sys.executable, "app.py"),  # another one has its port
    ):
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, timeout=120, check=False)
        shown += done.stdout + done.stderr
    return shown


@pytest.mark.parametrize(
    "credentials", [CREDENTIALS, pytest.param(BEARER, marks=pytest.mark.slow)], ids=["OAuth 1.0a", "Bearer"]
)
def test_no_secret_is_in_anything_that_comes_out(
    tmp_path: Path, emulator: Emulator, all_routes: list[Route], credentials: dict[str, str]
) -> None:
    secrets = credentials | TOKENS
    settings = environment(tmp_path, emulator) | secrets | {"LOG_LEVEL": "DEBUG", "X_RETRIES": "0", "MONTHLY_BUDGET_USD": "off"}
    sink = Sink()
    sink.start()
    with echo_x() as url:
        settings |= {"TWITTER_API_URL": url, "LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(sink.port)}
        with serving(tmp_path, **settings) as server:
            answers = every_answer(server, all_routes)
            port = server.url.rpartition(":")[2]
            said = commands(tmp_path, settings | {"PORT": port})
    sink.stop()
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    log = (tmp_path / "server.log").read_bytes()
    assert EchoX.answers > 5
    assert log.count(b'"message":"request"') > 300
    assert len(sink.lines) > 300
    assert b"X refuses the request" in answers + log
    mistyped = {"what was typed": TYPED}
    assert not seen(answers, secrets)
    assert not seen(log + b"".join(sink.lines), secrets | mistyped)
    assert not seen(said, secrets)
    assert not seen(files, secrets)


@pytest.mark.parametrize("form", sorted(forms(TOKENS["API_TOKEN"])))
def test_a_secret_that_is_shown_is_noticed_in_each_form(form: bytes) -> None:
    assert seen(b"before" + form + b"after", TOKENS)


def test_a_service_that_logs_its_settings_is_still_silent_about_secrets(tmp_path: Path, emulator: Emulator) -> None:
    """An error that nobody expected, with all of them in its text: the answer says nothing, the log hides them."""
    code = (
        "import os, sys, app, resources.spend as spend\n"
        "def broken(*_args, **_kw): raise RuntimeError(repr(dict(os.environ)) + os.environ['API_TOKEN'])\n"
        "spend.newest = broken\n"
        "sys.exit(app.main())"
    )
    secrets = CREDENTIALS | TOKENS
    with serving(tmp_path, command=("-c", code), **environment(tmp_path, emulator), **secrets) as server:
        answer = server.get("/spend", headers=bearer(TOKENS["API_TOKEN"]))
        assert answer.status_code == 500
        assert not seen(whole(answer), secrets)
    log = server.log.read_bytes()
    assert b"RuntimeError" in log
    assert not seen(log, secrets)
