"""Token files: what they hold counts within two seconds, and a file that is empty, gone or unfit changes nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from emulator import Emulator
from security import tokens
from security.tokens import Scope, Tokens
from settings import SettingError, load
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.service import in_process
from tests.fixtures.waiting import wait_until
from tests.security.conftest import READ_TOKEN, TOKEN, bearer

NEW = "rotated-5d8e1f7a3c9b2046"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CHECK_S", -1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "api-token"
    made.write_text(f"{TOKEN}\n")
    return made


def loaded(file: Path, **more: str) -> Tokens:
    return Tokens(load({"API_TOKEN_FILE": str(file), **more}, folder=file.parent))


def scope(known: Tokens, token: str) -> Scope:
    assert known.are_required
    return known.scope_of(token)


def test_a_file_may_hold_several_tokens_and_all_are_right(file: Path) -> None:
    file.write_text(f"{NEW}\r\n\n  {TOKEN}  \n")
    known = loaded(file)
    assert scope(known, NEW) == scope(known, TOKEN) == Scope.WRITE
    assert scope(known, f"{NEW} {TOKEN}") == scope(known, "") == Scope.NOTHING


def test_a_token_that_is_put_in_the_file_counts_and_one_that_is_taken_out_does_not(file: Path) -> None:
    known = loaded(file, API_READ_TOKEN=READ_TOKEN)
    file.write_text(f"{NEW}\n{TOKEN}\n")
    assert scope(known, NEW) == scope(known, TOKEN) == Scope.WRITE
    other = file.with_name("other")
    other.write_text(f"{NEW}\n")
    other.replace(file)
    assert (scope(known, NEW), scope(known, TOKEN)) == (Scope.WRITE, Scope.NOTHING)
    assert scope(known, READ_TOKEN) == Scope.READ


def test_a_file_that_is_unfit_or_gone_opens_nothing_and_locks_nobody_out(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = loaded(file, API_READ_TOKEN=READ_TOKEN)
    for content in (b"", b"\n", b"<api-token>", b"two words", b"\xff\xfe", "tökèn".encode(), READ_TOKEN.encode()):
        file.write_bytes(content)
        assert scope(known, TOKEN) == Scope.WRITE
        assert scope(known, content.decode("latin-1")) == (Scope.READ if content == READ_TOKEN.encode() else Scope.NOTHING)
        assert scope(known, "words") == Scope.NOTHING
    assert caplog.messages[-1] == "token file not taken"
    assert "two words" not in caplog.text
    caplog.clear()
    file.unlink()
    assert [scope(known, TOKEN) for _ in range(5)] == [Scope.WRITE] * 5
    assert caplog.messages == ["token file not taken"]
    file.write_text(NEW)
    assert (scope(known, NEW), scope(known, TOKEN)) == (Scope.WRITE, Scope.NOTHING)


def test_a_file_that_is_empty_at_the_start_asks_for_a_token_once_it_has_one_and_warns_of_a_short_one(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("")
    known = loaded(file)
    assert not known.are_required
    file.write_text("tiny")
    assert scope(known, "tiny") == Scope.WRITE
    assert caplog.messages[-1].startswith("API_TOKEN: shorter than")


@pytest.mark.process
def test_all_workers_take_a_new_token_without_a_restart_and_so_does_the_one_that_replaces_another(
    file: Path, tmp_path: Path, emulator: Emulator
) -> None:
    settings = environment(tmp_path, emulator) | {"API_TOKEN_FILE": str(file), "WORKERS": "2"}

    def all_say(server: Server, token: str, status: int) -> bool:
        return all(server.get("/tags", headers=bearer(token)).status_code == status for _ in range(4))

    with serving(tmp_path, **settings) as server:
        workers = server.workers()
        file.write_text(f"{NEW}\n{TOKEN}\n")
        wait_until(lambda: all_say(server, NEW, 200))
        assert server.get("/tags", headers=bearer(TOKEN)).status_code == 200
        file.write_text(f"{NEW}\n")
        wait_until(lambda: all_say(server, TOKEN, 401))
        assert all_say(server, NEW, 200)
        assert server.workers() == workers
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and workers[0] not in server.workers())
        assert all_say(server, NEW, 200)
        assert all_say(server, TOKEN, 401)


@pytest.mark.parametrize("content", ["", "two words"])
def test_a_process_that_begins_with_an_unfit_file_lets_nobody_in_with_a_token_of_the_start(file: Path, content: str) -> None:
    """Its settings are those of the start: the file may have held others since, and what was retired must stay so."""
    settings = load({"API_TOKEN_FILE": str(file)}, folder=file.parent)
    file.write_text(content)
    late = Tokens(settings)
    assert scope(late, TOKEN) == scope(late, "") == scope(late, "two") == Scope.NOTHING
    file.write_text(NEW)
    assert (scope(late, NEW), scope(late, TOKEN)) == (Scope.WRITE, Scope.NOTHING)


def test_a_file_of_many_lines_or_without_end_is_read_or_refused_at_once(file: Path, tmp_path: Path) -> None:
    file.write_text(f"{TOKEN}\n\n\n" + f"{'a' * 20}\n\n \n" * 1000)
    assert scope(loaded(file), TOKEN) == Scope.WRITE
    file.write_text("a" * 100_000)
    for path in (file, Path("/dev/zero")):
        with pytest.raises(SettingError, match="API_TOKEN_FILE"):
            load({"API_TOKEN_FILE": str(path)}, folder=tmp_path)


def test_a_token_that_came_with_a_file_is_hidden_in_the_log_as_well(file: Path, tmp_path: Path, emulator: Emulator) -> None:
    with in_process(tmp_path, **environment(tmp_path, emulator), API_TOKEN_FILE=str(file)) as service:
        file.write_text(f"{NEW}\n")
        assert service.get(f"/nothing/{NEW}", headers=bearer(NEW) | {"X-Request-Id": NEW}).status_code == 404
    log = service.log.read_text()
    assert '"path":"/nothing/[hidden]"' in log
    assert NEW not in log


def test_a_file_counts_only_where_the_layers_above_it_say_no_token(file: Path) -> None:
    (file.parent / ".env").write_text(f"API_TOKEN_FILE={file}\n")
    known = Tokens(load({"API_TOKEN": NEW}, folder=file.parent))
    file.write_text(f"{TOKEN}x\n")
    assert [scope(known, one) for one in (NEW, TOKEN, f"{TOKEN}x")] == [Scope.WRITE, Scope.NOTHING, Scope.NOTHING]
    file.write_text(TOKEN)
    upper = file.with_name("upper")
    upper.write_text("")
    known = Tokens(load({"API_TOKEN_FILE": str(upper)}, folder=file.parent))
    assert scope(known, TOKEN) == Scope.WRITE
    file.write_text(NEW)
    assert (scope(known, NEW), scope(known, TOKEN)) == (Scope.WRITE, Scope.NOTHING)
    upper.write_text(TOKEN)
    assert (scope(known, NEW), scope(known, TOKEN)) == (Scope.NOTHING, Scope.WRITE)
