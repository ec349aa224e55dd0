"""What a destination receives, by which service, and what is told when it does not: never its URL, nor a part of it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from requests.adapters import HTTPAdapter

from settings import Destination, SettingError, load
from tests.fixtures.environment import ROOT
from tests.fixtures.processes import free_port
from tests.fixtures.receiver import Receiver
from watches.delivery import ANSWER_S, CONNECT_S, deliver
from watches.destinations import check_destinations
from watches.messages import WatchMessage

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = "discord://1234567890123456/abcdefghijklmnopqrstuvwxyz_0123456789"
TELEGRAM = "tgram://123456789:AAabcdefghijklmnopqrstuvwxyz123456/12315544"
MESSAGE = WatchMessage(
    *("#incident: 101 tweets", "It peaks. <!channel> & *more*", "<p>It <b>peaks</b>.</p>", r"It peaks. \& \*more\*"),
    "https://ours.example/view/tweets",
)


class Sent(list[requests.PreparedRequest]):
    """The requests that would have gone to fixed hosts, each answered with a status."""

    status, options = 200, dict[str, Any]()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Answer all requests in place of their hosts."""
    kept = Sent()

    def answer(_adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        kept.append(request)
        kept.options = options
        response = requests.Response()
        response.status_code, response.request, response.url = kept.status, request, request.url or ""
        response._content = b"ok"
        response.headers["Location"] = "https://elsewhere.example/"
        return response

    monkeypatch.setattr(HTTPAdapter, "send", answer)
    return kept


def test_slack_gets_what_its_incoming_webhooks_take(sent: Sent) -> None:
    assert deliver(SLACK, MESSAGE, 7) is None
    (request,) = sent
    assert (request.method, request.url) == ("POST", f"https://hooks.slack.com/services/{SLACK[8:]}")
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    payload = json.loads(request.body or "")
    assert payload.keys() <= {"text", "attachments", "blocks", "mrkdwn", "username"}
    ((attachment,)) = payload["attachments"]
    assert attachment.keys() <= {"title", "text", "color"}
    assert attachment["title"] == MESSAGE.title
    assert "<!channel>" not in attachment["text"]


def test_discord_gets_what_execute_webhook_takes(sent: Sent) -> None:
    assert deliver(DISCORD, MESSAGE, 7) is None
    (request,) = sent
    assert (request.method, request.url) == ("POST", f"https://discord.com/api/webhooks/{DISCORD[10:]}")
    payload = json.loads(request.body or "")
    assert payload.keys() <= {"content", "tts", "wait", "username"}  # no avatar, no embeds
    assert payload["content"] == f"{MESSAGE.markdown_title}\r\n{MESSAGE.markdown}"
    sent.clear()
    assert deliver(f"{DISCORD}?format=text", MESSAGE._replace(markdown="so much. " * 900), 8) is None
    (request,) = sent
    content = json.loads(request.body or "")["content"]
    assert len(content) <= 2000
    assert content.endswith(MESSAGE.link)


@pytest.mark.parametrize("url", [SLACK, DISCORD, TELEGRAM])
def test_services_with_fixed_hosts_are_asked_once_in_bounded_time_and_redirects_are_failures(sent: Sent, url: str) -> None:
    for sent.status in (302, 500):
        sent.clear()
        reason = deliver(f"{url}?redirect=yes&retry=3&cto=900&rto=900&image=yes", MESSAGE, 7)
        assert f"it answered {sent.status}" in (reason or "")
        assert len(sent) == 1
        assert sent.options["timeout"] == (CONNECT_S, ANSWER_S)


@pytest.mark.parametrize(
    "url",
    [
        *("mmost://127.0.0.1:{}/3ccdd113474722377935511fc85d3dd4", "gotify://127.0.0.1:{}/abcdefghijklmno"),
        *("ntfy://127.0.0.1:{}/topic", "json://127.0.0.1:{}/path"),
    ],
)
def test_own_servers_are_asked_and_redirects_are_not_followed(receiver: Receiver, url: str) -> None:
    url = url.format(receiver.port)
    assert deliver(url, MESSAGE, 7) is None
    (received,) = receiver.seen
    assert MESSAGE.text.split()[0] in json.dumps(received.body)
    receiver.answers[received.path.strip("/")] = 302
    assert "redirects are not followed" in (deliver(f"{url}?redirect=yes", MESSAGE, 7) or "")
    assert [one.path for one in receiver.seen] == [received.path] * 2


def test_json_has_the_id_of_the_message_whatever_the_url_adds(receiver: Receiver) -> None:
    assert deliver(f"{receiver.url('path')}?:id=mine&:team=ours", MESSAGE, 7) is None
    (received,) = receiver.seen
    assert received.body == {
        **{"version": "1.0", "title": MESSAGE.title, "message": MESSAGE.text, "attachments": [], "type": "info"},
        **{"id": 7, "team": "ours"},
    }


class Mailbox:
    """An SMTP server's handler that keeps what it accepts, and refuses the recipients that it is told."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.refuses = False

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    handler = Mailbox()
    controller = Controller(handler, "127.0.0.1", port=free_port())
    controller.start()
    try:
        yield handler, f"mailto://127.0.0.1:{controller.port}?from=monitor@ours.example&to=people@ours.example"
    finally:
        controller.stop()


def test_mail_has_html_a_text_and_the_id(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    hostile = MESSAGE._replace(title="two\r\nBcc: others@theirs.example")
    for message in (MESSAGE, hostile):
        assert deliver(url, message, 7) is None
    mail, second = (message_from_bytes(one, policy=policy.default) for one in handler.mails)
    assert (mail["Subject"], mail["To"], mail["X-Notification-Id"]) == (MESSAGE.title, "people@ours.example", "7")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = (part.get_content() for part in list(mail.walk())[1:])
    assert "It peaks" in plain
    assert html.strip() == MESSAGE.html
    assert second["Bcc"] is None


def test_a_mail_server_that_refuses_says_so_by_its_number_alone(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    handler.refuses = True
    assert deliver(url, MESSAGE, 7) == "its mail server answered 550"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "slack://TSECRET01/ASECRET02/SECRETsecretSECRETsecret",
            "json://secret-user:secret-pass@secret-host.invalid/secret-path",
        ),
        *("mailtos://secret-user:secret-pass@secret-host.invalid?from=secret@secret.example", "ntfy://secret-topic"),
        *("discord://1234567890123456/secretsecretsecretsecret?x=secret", "jsons://127.0.0.1:9/secret-path?-key=secret"),
        "json://127.0.0.1:9/secret-path?+X-Key=secret",
    ],
)
def test_why_it_failed_and_what_is_logged_has_no_part_of_the_url(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", _unknown)
    root = logging.getLogger()
    kept: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: kept.append(record.getMessage()))
    root.addHandler(handler)
    with caplog.at_level(logging.DEBUG):
        reason = deliver(url, MESSAGE, 7)
        logging.getLogger("urllib3.connectionpool").warning("told after it")
    root.removeHandler(handler)
    assert reason in ("its host is not found", "it refuses connections")
    assert kept == ["told after it"]


def _unknown(host: str, *_more: Any, **_options: Any) -> Any:
    import socket

    if host.startswith("127."):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 9))]
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize(
    "url",
    [
        *("slack://secret", "json://", "tgram://secret/", "mailto://secret", "gotify://localhost/", "workflows://secret"),
        *("tgram://123456789:AAsecretefghijklmnopqrstuvwxyz123456", f"{DISCORD}?template=https://secret.example/"),
        "mailto://secret:secret@gmail.com?pgp=yes",
    ],
)
def test_a_url_that_cant_be_used_stops_the_start_with_one_line_without_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^NOTIFY_URLS: the URL of team is not accepted") as caught:
        check_destinations([Destination("me", "json://localhost"), Destination("team", url)])
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.process
@pytest.mark.parametrize("command", [("app.py",), ("api.py",), ("-c", "import app; app.create_app()")])
def test_every_command_checks_the_destinations_first(command: tuple[str, ...], tmp_path: Path) -> None:
    environment = {"NOTIFY_URLS": "team=slack://secret", "DATABASE_URL": f"sqlite:///{tmp_path}/t.db", "PATH": ""}
    ran = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert ran.returncode == 2
    assert re.fullmatch(r"NOTIFY_URLS: the URL of team is not accepted, [^\n]*\n", ran.stderr)


@pytest.mark.process
def test_apprise_is_not_imported_without_destinations(tmp_path: Path) -> None:
    code = "import app, sys; app.create_app(); sys.exit('apprise' in sys.modules)"
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/t.db", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("settings", "site"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"HOST": "0.0.0.0", "PORT": "80"}, "http://localhost:80"),
        ({"HOST": "::"}, "http://localhost:5000"),
        ({"HOST": "::1"}, "http://[::1]:5000"),
        ({"TWITTERAPI_PORT": "5001"}, "http://127.0.0.1:5000"),  # Compose's
        ({"HOST": "0.0.0.0", "PUBLISHED_PORT": "5001"}, "http://localhost:5001"),
        ({"HOST": "monitor.example", "PUBLIC_URL": "https://x.example/m/"}, "https://x.example/m"),
    ],
)
def test_links_begin_with_the_address_of_the_pages(settings: dict[str, str], site: str, tmp_path: Path) -> None:
    assert load(settings, folder=tmp_path).site == site
