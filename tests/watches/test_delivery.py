"""What a destination receives, by which service, and what is told when it does not: never its URL, nor a part of it."""

from __future__ import annotations

import json
import logging
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
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
    "#incident: 101 tweets", "It peaks. <!channel> & *more*", "<p>It <b>peaks</b>.</p>", r"It peaks. \& \*more\*"
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
    foot = "\n\nAll: https://ours.example/view/tweets\n\nThe watch"
    assert deliver(f"{DISCORD}?format=text", MESSAGE._replace(markdown=f"{'so much. ' * 900}{foot}"), 8) is None
    (request,) = sent
    content = json.loads(request.body or "")["content"]
    assert len(content) <= 2000
    assert content.endswith(f"so much.\n\n…{foot}")


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


def test_json_has_all_of_the_message_and_its_id_whatever_the_url_adds(receiver: Receiver) -> None:
    text = "a" * 40_000
    assert deliver(f"{receiver.url('path')}?:id=mine&:team=ours", MESSAGE._replace(text=text), 7) is None
    (received,) = receiver.seen
    assert received.body == {
        **{"version": "1.0", "title": MESSAGE.title, "message": text, "attachments": [], "type": "info"},
        **{"id": 7, "team": "ours"},
    }


class Mailbox:
    """An SMTP server's handler that keeps what it accepts, and refuses the recipients that it is told."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.secure: list[bool] = []
        self.refused = self.deferred = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address == self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if envelope.rcpt_tos == [self.deferred]:
            return "451 try again later"
        self.mails.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos)
        self.secure.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    handler = Mailbox()
    with served(handler) as port:
        yield handler, f"mailto://127.0.0.1:{port}?from=monitor@ours.example&to=people@ours.example"


@contextmanager
def served(handler: Mailbox, **options: Any) -> Iterator[int]:
    """Serve SMTP, and give its port."""
    controller = Controller(handler, "127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def read_mails(handler: Mailbox) -> list[EmailMessage]:
    return [message_from_bytes(one, EmailMessage, policy=policy.default) for one in handler.mails]


def test_mail_has_the_html_the_text_as_it_is_and_the_id(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    text = f"It peaks “now”.\n\n▁▂█\n\nAda, 3 likes\nhttps://x.com/i/status/1\n> first\n.\n> {'zwölf ' * 100}".rstrip()
    message = MESSAGE._replace(text=text, html="<p>It <a href='https://x.com/i/status/1'>peaks</a> “now”.</p>")
    for one in (message, message._replace(title="two\r\nBcc: others@theirs.example")):
        assert deliver(url, one, 7) is None
    mail, second = read_mails(handler)
    assert (mail["Subject"], mail["From"], mail["To"]) == (MESSAGE.title, "monitor@ours.example", "people@ours.example")
    assert (mail["X-Notification-Id"], second["Bcc"]) == ("7", None)
    assert mail["Date"].datetime.tzinfo
    assert mail["Message-ID"] != second["Message-ID"]
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = (part.get_content().strip() for part in mail.iter_parts())
    assert (plain.splitlines(), html) == (message.text.splitlines(), message.html)
    assert all(one.isascii() for one in handler.mails)


def test_mail_goes_to_each_recipient_and_nobody_sees_hidden_copies(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    more = ",second@ours.example&cc=copy@ours.example&bcc=hidden@ours.example&reply=Desk<desk@ours.example>&+X-Team=ours"
    url = url.replace("monitor@ours.example", "The Monitor<monitor@ours.example>")
    assert deliver(url + more, MESSAGE, 7) is None
    assert handler.recipients == [
        ["copy@ours.example", "hidden@ours.example", f"{one}@ours.example"] for one in ("people", "second")
    ]
    first, second = read_mails(handler)
    assert (first["To"], second["To"]) == ("people@ours.example", "second@ours.example")
    assert (first["From"], first["Cc"]) == ("The Monitor <monitor@ours.example>", "copy@ours.example")
    assert (first["Reply-To"], first["X-Team"]) == ("Desk <desk@ours.example>", "ours")
    assert not any(b"hidden" in one for one in handler.mails)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return how a server without a known certificate speaks TLS."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is missing: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificate")
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "own.pem")]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.example", *files]
    subprocess.run(["openssl", *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    return context


@pytest.mark.stack
@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_mail_is_sent_securely_as_the_url_says(mode: str, certificate: ssl.SSLContext) -> None:
    handler = Mailbox()
    with served(handler, **{"ssl_context" if mode == "ssl" else "tls_context": certificate}) as port:
        url = f"mailtos://127.0.0.1:{port}?from=monitor@ours.example&mode={mode}"
        assert deliver(url, MESSAGE, 7) == "there is no secure connection to it"
        assert deliver(f"{url}&verify=no", MESSAGE, 7) is None
    assert handler.secure == [True]


def test_mail_is_not_sent_in_the_open_if_the_server_has_no_tls(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    assert deliver(url.replace("mailto:", "mailtos:"), MESSAGE, 7) == "there is no secure connection to it"
    assert handler.mails == []


def test_a_mail_server_that_refuses_says_so_by_its_number_alone(mailbox: tuple[Mailbox, str]) -> None:
    handler, url = mailbox
    handler.refused = "people@ours.example"
    assert deliver(url, MESSAGE, 7) == "its mail server answered 550"


@pytest.mark.parametrize(
    "url",
    [
        *("mailto://127.0.0.1?from=me@x.example&to=team", "mailto://127.0.0.1?from=me@x.example&to=a@x.example,ops@localhost"),
        *("ntfy://host/one/two", "ntfy://host/!!", "tgram://123456789:abcdefg_hijklmnop/!!"),
        *("mmost://host/abcdefghijklmnopqrstuvwx12?channels=!!", "mmost://host/abcdefghijklmnopqrstuvwx12?channels=a,b"),
    ],
)
def test_a_url_of_which_a_part_reaches_nobody_or_that_has_several_targets_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="the URL of team is not accepted") as raised:
        check_destinations([Destination("team", url)])
    assert "expected one of Apprise's" in str(raised.value)
    assert url not in str(raised.value)


def test_mail_that_some_recipients_refuse_counts_as_sent_for_a_retry_would_repeat_it_to_the_others(
    mailbox: tuple[Mailbox, str],
) -> None:
    handler, url = mailbox
    handler.refused = "people@ours.example"
    assert deliver(f"{url},second@ours.example", MESSAGE, 7) is None
    handler.refused, handler.deferred = "", "people@ours.example"
    assert deliver(f"{url},second@ours.example", MESSAGE, 7) is None
    assert handler.recipients == [["second@ours.example"]] * 2


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


@pytest.mark.parametrize(
    ("settings", "site"),
    [
        ({}, None),
        ({"HOST": "::"}, "http://localhost:5000"),
        ({"ALLOWED_HOSTS": "monitor.example"}, "http://127.0.0.1:5000"),
        ({"HOST": "0.0.0.0", "PUBLIC_URL": "https://x.example"}, None),
        ({"HOST": "0.0.0.0", "NOTIFY_URLS": ""}, None),
    ],
)
def test_links_that_only_this_machine_can_open_are_known(settings: dict[str, str], site: str | None, tmp_path: Path) -> None:
    assert load({"NOTIFY_URLS": "me=json://127.0.0.1:9", **settings}, folder=tmp_path).local_site == site
