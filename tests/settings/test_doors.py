"""A wrong setting stops every door with exit code 2 and one line, printed once."""

from __future__ import annotations

import pytest

import api
from app import create_app
from tests.fixtures.processes import free_port
from tests.settings.conftest import Checkout, Load

NOWHERE = "sqlite:////nowhere/x.db"
QUERY = "#sre OR #devops"
EXPECTED = "a hashtag of 1 to 100 letters, digits and underscores, one a letter, and nothing unseen"
NO_HASHTAG = f"TAGS: {QUERY!r} is not accepted, expected {EXPECTED}"
DOORS = {
    "app.py": ("app.py",),
    "api.py": ("api.py",),
    "flask": ("-m", "flask", "--app", "app", "database", "upgrade"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_wrong_value_is_said_once_by_each_door(checkout: Checkout, door: tuple[str, ...]) -> None:
    ended = checkout.run(*door, PORT="http", WORKERS="4")
    assert ended == (2, [], ["PORT: 'http' is not accepted, expected a whole number from 1 to 65535"])
    assert not (checkout.folder / "data").exists()


def test_a_tag_that_is_no_hashtag_is_said_once_by_the_service(checkout: Checkout) -> None:
    checkout.write(".env.local", f'TAGS="{QUERY}"')
    assert checkout.run("app.py", PORT=str(free_port())) == (2, [], [NO_HASHTAG])


def test_a_tag_that_is_no_hashtag_is_said_once_by_the_collector(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGS", QUERY)
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    assert api.main([]) == 2
    assert capsys.readouterr() == ("", f"{NO_HASHTAG}\n")


def test_a_tag_that_is_no_hashtag_is_said_once_by_the_app(load_from: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        create_app(load_from({"TAGS": QUERY, "DATABASE_URL": NOWHERE}))
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"{NO_HASHTAG}\n")
