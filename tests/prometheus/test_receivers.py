"""Alertmanager's configuration: what the entry point writes for each setting, and what it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.prometheus.rulebook import PROMETHEUS, alerts
from tests.stack.shells import LONGEST_S, Shell, found

pytestmark = pytest.mark.stack

WEBHOOK = {"ALERT_WEBHOOK_URL": "https://hooks.example.org/T0/o'b?a=%20&b=1"}
WATCHDOG = {"ALERT_WATCHDOG_URL": "http://[::1]:8000/ping/7"}
EMAIL = {
    "ALERT_EMAIL_TO": "ops@example.org, o'brien@example.org",
    "ALERT_SMTP_HOST": "smtp.example.org:587",
    "ALERT_SMTP_FROM": "monitor@example.org",
}
ACCOUNT = {"ALERT_SMTP_USER": """o'brien"\\n: #{x}""", "ALERT_SMTP_PASSWORD_FILE": "PASSWORD"}

SETTINGS = {
    "nothing": {},
    "placeholders": {"ALERT_WEBHOOK_URL": "<webhook-url>", "ALERT_EMAIL_TO": "<address>", "ALERT_SMTP_HOST": ""},
    "webhook": WEBHOOK,
    "watchdog": WATCHDOG,
    "email": EMAIL,
    "email without TLS": EMAIL | {"ALERT_SMTP_TLS": "0"},
    "email and an empty password file": EMAIL | {"ALERT_SMTP_PASSWORD_FILE": "/dev/null"},
    "all": WEBHOOK | WATCHDOG | EMAIL | ACCOUNT,
}


class Written(NamedTuple):
    """What a run of the entry point left: its exit code, its words, how it would start Alertmanager, and the configuration."""

    code: int
    said: str
    started: list[str]
    path: Path

    def config(self) -> Any:
        return yaml.safe_load(self.path.read_text())

    def receiver(self, name: str) -> Any:
        return next(receiver for receiver in self.config()["receivers"] if receiver["name"] == name)


Write = Callable[..., Written]


@pytest.fixture(params=["sh", "busybox"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Run the entry point by the system's shell, or with nothing but busybox, with a stand-in for Alertmanager."""
    programs, password, shell = tmp_path / "bin", tmp_path / "pass word's", Shell.named(request.param, tmp_path)
    programs.mkdir()
    password.write_text("secret\n")
    (programs / "alertmanager").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (programs / "alertmanager").chmod(0o755)

    def run(**settings: str) -> Written:
        given = {name: str(password) if value == "PASSWORD" else value for name, value in settings.items()}
        script = PROMETHEUS / "alertmanager-entrypoint.sh"
        with_ours = Shell(shell.command, f"{programs}:{shell.tools}")
        ran = with_ours.run(script, "--storage.path=/alertmanager", TMPDIR=str(tmp_path), **given)
        return Written(ran.returncode, ran.stderr, ran.stdout.splitlines(), tmp_path / "alertmanager.yml")

    return run


def amtool(*arguments: str | Path) -> str:
    command = [found("amtool", "prometheus-alertmanager"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_what_is_written_is_valid_and_alertmanager_starts_with_it(write: Write) -> None:
    amtool("check-config", PROMETHEUS / "alertmanager.yml")
    for name, settings in SETTINGS.items():
        written = write(**settings)
        assert written.code == 0, written.said
        assert written.started == [f"--config.file={written.path}", "--storage.path=/alertmanager"]
        amtool("check-config", written.path)
        assert written.path.stat().st_mode & 0o777 == 0o600
        if name in ("nothing", "placeholders", "watchdog"):
            assert written.said.startswith("ALERT_WEBHOOK_URL, ALERT_EMAIL_TO: neither is set, so alerts reach nobody")
            assert written.said.count("\n") == 1
            assert written.receiver("people") == {"name": "people"}
        else:
            assert written.said == "", name
        for email in written.receiver("people").get("email_configs", ()):
            assert email.get("require_tls", True) is (name != "email without TLS")


def test_values_arrive_as_they_were_given(write: Write, tmp_path: Path) -> None:
    written = write(**SETTINGS["all"])
    assert written.receiver("watchdog")["webhook_configs"] == [{"url": WATCHDOG["ALERT_WATCHDOG_URL"], "send_resolved": False}]
    assert written.receiver("people")["webhook_configs"] == [{"url": WEBHOOK["ALERT_WEBHOOK_URL"]}]
    assert written.receiver("people")["email_configs"] == [
        {
            "to": EMAIL["ALERT_EMAIL_TO"],
            "from": EMAIL["ALERT_SMTP_FROM"],
            "smarthost": EMAIL["ALERT_SMTP_HOST"],
            "auth_username": ACCOUNT["ALERT_SMTP_USER"],
            "auth_password_file": str(tmp_path / "smtp-password"),
            "send_resolved": True,
        }
    ]
    config, base = written.config(), yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())
    del config["receivers"], base["receivers"]
    assert config == base, "routes and inhibitions are those of the file"
    assert (tmp_path / "smtp-password").read_text() == "secret"
    assert (tmp_path / "smtp-password").stat().st_mode & 0o777 == 0o600


REFUSED = [
    ({"ALERT_WEBHOOK_URL": "ftp://secret"}, "ALERT_WEBHOOK_URL: its value is not accepted, expected an http"),
    ({"ALERT_WEBHOOK_URL": "https://h/secret\n  - name: x"}, "ALERT_WEBHOOK_URL: its value"),
    ({"ALERT_WEBHOOK_URL": "https://h/{{ secret }}"}, "ALERT_WEBHOOK_URL: its value"),
    ({"ALERT_WEBHOOK_URL": "https://h:port/secret"}, "ALERT_WEBHOOK_URL: its value"),
    ({"ALERT_WATCHDOG_URL": "secret"}, "ALERT_WATCHDOG_URL: its value is not accepted"),
    (EMAIL | {"ALERT_EMAIL_TO": "ops"}, "ALERT_EMAIL_TO: 'ops' is not accepted, expected addresses"),
    (EMAIL | {"ALERT_EMAIL_TO": "a@b.org\nc@d.org"}, "ALERT_EMAIL_TO: 'a@b.org?c@d.org' is not accepted"),
    (EMAIL | {"ALERT_SMTP_HOST": "smtp.example.org"}, "ALERT_SMTP_HOST: 'smtp.example.org' is not accepted"),
    (EMAIL | {"ALERT_SMTP_FROM": "x y@z"}, "ALERT_SMTP_FROM: 'x y@z' is not accepted"),
    (EMAIL | {"ALERT_SMTP_TLS": "no"}, "ALERT_SMTP_TLS: 'no' is not accepted, expected 1 or 0"),
    (EMAIL | {"ALERT_SMTP_HOST": ""}, "ALERT_EMAIL_TO: is set without ALERT_SMTP_HOST"),
    (EMAIL | {"ALERT_SMTP_FROM": ""}, "ALERT_EMAIL_TO: is set without ALERT_SMTP_FROM"),
    (EMAIL | {"ALERT_EMAIL_TO": ""}, "ALERT_EMAIL_TO: is not set, but some of ALERT_SMTP_HOST, _FROM and _USER are"),
    (EMAIL | {"ALERT_SMTP_USER": "u"}, "ALERT_SMTP_USER: is set without ALERT_SMTP_PASSWORD_FILE"),
    (EMAIL | ACCOUNT | {"ALERT_SMTP_USER": "ü"}, "ALERT_SMTP_USER: '??' is not accepted"),
    (EMAIL | {"ALERT_SMTP_PASSWORD_FILE": "PASSWORD"}, "ALERT_SMTP_PASSWORD_FILE: is set without ALERT_SMTP_USER"),
    (EMAIL | ACCOUNT | {"ALERT_SMTP_PASSWORD_FILE": "/nope"}, "ALERT_SMTP_PASSWORD_FILE: '/nope' can't be read"),
    (EMAIL | ACCOUNT | {"ALERT_SMTP_PASSWORD_FILE": "x"}, "ALERT_SMTP_PASSWORD_FILE: 'x' is not accepted"),
]


def test_a_value_that_can_not_be_meant_is_refused_in_one_line(write: Write) -> None:
    for settings, said in REFUSED:
        written = write(**settings)
        assert (written.code, written.started) == (2, []), said
        assert written.said.startswith(said)
        assert written.said.count("\n") == 1
        assert "secret" not in written.said


def test_every_alert_but_the_watchdog_goes_to_people() -> None:
    for alert in alerts():
        labels = [f"alertname={alert.name}", *(f"{name}={value}" for name, value in alert.labels.items())]
        routed = amtool("config", "routes", "test", f"--config.file={PROMETHEUS / 'alertmanager.yml'}", *labels)
        assert routed.strip() == ("watchdog" if alert.name == "Watchdog" else "people"), alert.name
