"""The service gets copies of what the user has: all of it that is its business, nothing else, and never half a file."""

from __future__ import annotations

import os
import shutil

import pytest

from settings import load
from tests.stack.shells import Secrets

pytestmark = pytest.mark.stack

FOREIGN = """\
ELASTIC_PASSWORD=s3cret-of-elastic
 export ELASTIC_PASSWORD = s3cret-of-elastic
'ELASTIC_PASSWORD'='s3cret-of-elastic'
ALERT_WEBHOOK_URL=https://example.org/s3cret
ALERT_SMTP_PASSWORD_FILE=/somewhere/s3cret
"""
OURS = """\
# ELASTIC_PASSWORD stands elsewhere
TAGS="#dev ops, #sre"
TWITTER_BEARER_TOKEN='with a space and $sign'
export TW_NUMBER=50
GRAFANA_URL=http://x/?ALERT_X=1
"""
HOSTILE = ("with space", "new\nline", "trailing\n", "-rf", "*", "$(id)", "`id`;b", "quote'\"", "x.part", "ümläut", "%s\\n")


def test_settings_and_secrets_reach_the_service_as_they_are(secrets: Secrets) -> None:
    binary = b"\xff s3cret binary \0 too\r\n"
    secrets.give(".env", OURS)
    secrets.give(".env.local", "TW_NUMBER=60")
    secrets.give("secrets/bearer", binary)
    secrets.give("secrets/api-token", "newer\nolder\n")
    said = secrets.run()
    assert secrets.copies() == {".env": OURS.encode(), ".env.local": b"TW_NUMBER=60", "bearer": binary}
    assert secrets.copy("api-token") == "newer\nolder\n"
    settings = load({}, folder=secrets.service)
    assert (settings.tags, settings.tw_number) == (("#dev ops", "#sre"), 60)
    assert settings.twitter_bearer_token == "with a space and $sign"
    assert not [shown for shown in ("s3cret", "with a space", secrets.copy("metrics-token")) if shown in said]
    secrets.run(env_local="")
    assert set(secrets.copies()) == {".env", "bearer"}, ".env.local counts only where it is named"


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_what_is_none_of_its_business_is_left_out(secrets: Secrets, start: str) -> None:
    for name in (".env", ".env.local"):
        secrets.give(name, start + FOREIGN + OURS)
    secrets.run()
    assert secrets.copies() == {".env": OURS.encode(), ".env.local": OURS.encode()}


def test_what_docker_makes_of_a_file_that_is_missing_is_no_file(secrets: Secrets) -> None:
    (secrets.given / ".env").unlink()
    (secrets.given / ".env").mkdir()
    (secrets.given / ".env.local").symlink_to("/dev/null")
    secrets.run()
    assert secrets.copies() == {}


def test_an_empty_token_file_leaves_the_token_to_env(secrets: Secrets) -> None:
    secrets.give(".env", "API_TOKEN=of-env\n")
    variables = {"API_TOKEN_FILE": str(secrets.service / "api-token")}
    for file, counts in (("", "of-env"), ("of-a-file\n", "of-a-file")):
        secrets.give("secrets/api-token", file)
        secrets.run()
        assert counts in str(load(variables, folder=secrets.service).api_token)


def test_a_second_run_changes_only_what_changed_in_one_step_also_after_one_that_was_killed(secrets: Secrets) -> None:
    secrets.give(".env", FOREIGN + OURS)
    for name in ("api-token", "bearer", "metrics-token"):
        secrets.give(f"secrets/{name}", f"{name}\n")
    secrets.run()
    before = secrets.states()
    assert "made:" not in secrets.run()
    assert secrets.states() == before
    (secrets.service / ".part").write_text("half")
    (secrets.service / ".part").chmod(0o400)
    with (secrets.service / "api-token").open() as reader:
        secrets.give("secrets/api-token", "4\n")
        secrets.run()
        assert reader.read() == "api-token\n", "a reader sees the old file or the new one"
    assert secrets.copy("api-token") == "4\n"
    after = secrets.states()
    assert {name for name in before if before[name] != after[name]} == {"twitterapi/api-token"}
    assert set(before) == set(after), "nothing is left behind"


def test_hostile_names_are_names_and_what_is_deleted_disappears(secrets: Secrets) -> None:
    secrets.give("secrets/api-token", "x\n")
    for name in (*HOSTILE, "..hidden.not"):
        secrets.give(f"secrets/{name}", f"of {name}")
    secrets.run()
    environment = (secrets.given / ".env").read_bytes()
    assert secrets.copies() == {name: f"of {name}".encode() for name in HOSTILE} | {".env": environment}
    shutil.rmtree(secrets.given)
    secrets.run()
    assert secrets.copies() == {}
    assert secrets.copy("api-token") == secrets.copy("api-read-token") == ""


def test_only_files_of_the_folder_are_copied(secrets: Secrets) -> None:
    folder = secrets.given / "secrets"
    (secrets.given / "secrets-of-others").mkdir()
    (folder / "folder").mkdir()
    for name in ("secrets-of-others/key", "secrets/folder/inner", "secrets/.hidden"):
        secrets.give(name, "s3cret")
    (folder / "current").symlink_to("folder/inner")
    links = {
        "env": "../.env",
        "absolute": "/etc/passwd",
        "sibling": "../secrets-of-others/key",
        "around": "folder/../../.env",
        "dangling\x1b[2J": "nowhere",
        "loop": "loop",
        "process": "/proc/self/environ",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    said = secrets.run()
    assert secrets.copies() == {".env": (secrets.given / ".env").read_bytes(), "current": b"s3cret"}
    left_out = {line.partition(", ")[0] for line in said.splitlines() if line.startswith("left out: ")}
    named = {name.replace("\x1b", "?") for name in links} | {"folder", "pipe"}
    assert left_out == {f"left out: secrets/{name}" for name in named}


@pytest.mark.parametrize("text", [None, "\n \n", "<metrics-token>\n"])
def test_a_metrics_token_that_nobody_gave_is_made_for_the_service_and_prometheus(secrets: Secrets, text: str | None) -> None:
    if text is not None:
        secrets.give("secrets/metrics-token", text)
    secrets.run()
    made = secrets.made()["prometheus/metrics-token"]
    assert len(made) == 32
    assert made.isalnum()
    assert secrets.copy("metrics-token") == made
    (secrets.root / "prometheus/metrics-token").unlink()
    secrets.run()
    assert made != secrets.made()["prometheus/metrics-token"] == secrets.copy("metrics-token")


def test_of_several_metrics_tokens_of_the_user_prometheus_sends_the_first(secrets: Secrets) -> None:
    secrets.run()
    secrets.give("secrets/metrics-token", "\ufeff\n newest \nolder\n")
    secrets.run()
    assert secrets.made()["prometheus/metrics-token"] == "newest"
    assert secrets.copy("metrics-token") == "\ufeff\n newest \nolder\n"
    (secrets.given / "secrets/metrics-token").unlink()
    secrets.run()
    assert secrets.made()["prometheus/metrics-token"] == secrets.copy("metrics-token") == "newest"


def test_grafana_gets_its_own_file_and_the_service_does_not(secrets: Secrets) -> None:
    text = "GF_SECURITY_ADMIN_PASSWORD='s3cret of mine'\n"
    secrets.give("grafana.env", text)
    secrets.run()
    assert secrets.made()["grafana/env"] == text
    assert not any(b"s3cret" in copy for copy in secrets.copies().values())
    (secrets.given / "grafana.env").unlink()
    secrets.run()
    assert "grafana/env" not in secrets.made()
