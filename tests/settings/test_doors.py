"""A wrong setting stops every door with exit code 2 and one line, printed once; each door chooses database and X alike."""

from __future__ import annotations

from contextlib import closing

import pytest

import api
from app import create_app
from collector.x.failures import CREDENTIALS
from emulator import Emulator
from settings import OAUTH, SettingError
from tests.fixtures.processes import serving
from tests.settings.conftest import FEW, Checkout, Load

NOWHERE = "sqlite:////nowhere/x.db"
INVENTED = "no credentials are set: an emulator of X stands in, the tweets are invented"
QUERY = "#sre OR #devops"
EXPECTED = "a hashtag of 1 to 100 letters, digits and underscores, one a letter, and nothing unseen"
NO_HASHTAG = f"TAGS: {QUERY!r} is not accepted, expected {EXPECTED}"
NO_CREDENTIALS = f"the stored tweets are real and no credentials are set: set {CREDENTIALS}"
FLASK = ("-m", "flask", "--app", "app", "database", "upgrade")


@pytest.mark.process
def test_each_door_says_a_wrong_value_once_and_reads_the_same_files(checkout: Checkout) -> None:
    for door in (("app.py",), ("api.py",), FLASK):
        ended = checkout.run(*door, PORT="http", WORKERS="4")
        assert ended == (2, [], ["PORT: 'http' is not accepted, expected a whole number from 1 to 65535"])
        assert not (checkout.folder / "data").exists()
    (checkout.folder / "chosen").mkdir()
    checkout.write(".env", "DATABASE_URL=sqlite:///chosen/by-env.db")
    checkout.write(".env.local", "DATABASE_URL=sqlite:///chosen/by-env-local.db")
    assert checkout.run(*FLASK).code == 0
    assert [file.name for file in (checkout.folder / "chosen").glob("*.db")] == ["by-env-local.db"]


@pytest.mark.process
def test_the_command_chooses_by_itself(checkout: Checkout) -> None:
    """No credentials: invented tweets in emulated.db. Another host: tweets.db. Then none again: tweets.db, and a refusal."""
    with Emulator() as elsewhere:
        for line, files in (("", ["emulated.db"]), (f"TWITTER_API_URL={elsewhere.url}", ["emulated.db", "tweets.db"])):
            checkout.write(".env", line)
            ended = checkout.run("api.py", **FEW)
            assert (ended.code, ended.err[-1]) == (0, "10 tweets added, 1 of 1 tag collected")
            assert sorted(file.name for file in (checkout.folder / "data").glob("*.db")) == files
            assert any(INVENTED in said for said in ended.out) == (not line)
    checkout.write(".env", "TWITTER_API_URL=<url>")
    ended = checkout.run("api.py", **FEW)
    assert (ended.code, ended.err[-1]) == (2, NO_CREDENTIALS)
    assert not any(INVENTED in said for said in ended.out)


PARTIAL = [
    *((set(OAUTH) - {missing}, f"{missing} is missing") for missing in OAUTH),
    ({OAUTH[0]}, f"{', '.join(OAUTH[1:])} are missing"),
    ({"API_READ_TOKEN"}, "API_TOKEN is missing"),
]


@pytest.mark.parametrize(("names", "said"), PARTIAL)
@pytest.mark.parametrize("more", [{}, {"TWITTER_BEARER_TOKEN": "bearer"}, {"TWITTER_API_URL": "http://127.0.0.1:9"}])
def test_credentials_without_their_partners_stop_the_start(
    names: set[str], said: str, more: dict[str, str], load_from: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict.fromkeys(names, "a-credential") | more
    placeholders = dict.fromkeys(set(OAUTH) - names, "<placeholder>")
    with pytest.raises(SettingError) as refused:
        api.collector_for(load_from(given | placeholders))
    assert str(refused.value) == said
    with pytest.raises(SystemExit, match="2"):
        create_app(load_from(placeholders, env="\n".join(f"{name}={value}" for name, value in given.items())))
    assert capsys.readouterr().err.splitlines()[0].startswith(said)
    with closing(api.collector_for(load_from(given, env="\n".join(f"{name}=other" for name in (*OAUTH, "API_TOKEN"))))):
        pass


@pytest.mark.process
def test_each_door_says_which_credential_is_missing(checkout: Checkout) -> None:
    checkout.write(".env", *(f"{name}=<value>" for name in OAUTH))
    checkout.write(".env.local", *(f"{name}=value" for name in OAUTH[:3]))
    for door in (("app.py",), ("api.py",), ("api.py", "--estimate"), FLASK):
        assert checkout.run(*door) == (2, [], [f"{OAUTH[3]} is missing"])
        assert not (checkout.folder / "data").exists()


@pytest.mark.process
def test_a_folder_that_is_not_there_is_named_with_its_setting_and_not_made(checkout: Checkout) -> None:
    url, file = f"sqlite:///{checkout.folder}/new/folder/x.db", f"{checkout.folder}/new/folder/x.db"
    for door in (("app.py",), ("api.py",), FLASK):
        said = f"DATABASE_URL: {file!r} can't be created, expected a file in an existing folder"
        assert checkout.run(*door, DATABASE_URL=url) == (2, [], [said])
        said = "DATA_FOLDER: 'new/folder' is not accepted, expected the path of an existing folder"
        assert checkout.run(*door, DATA_FOLDER="new/folder", WORKERS="2") == (2, [], [said])
    assert not (checkout.folder / "new").exists()
    assert checkout.run(*FLASK, DATABASE_URL="sqlite:///data/x.db").code == 0


@pytest.mark.process
def test_each_door_doubts_a_misspelt_setting_once(checkout: Checkout) -> None:
    checkout.write(".env", "COLLECT_EVRY=geheim", "COLLECT_EVERY=1h")
    for door in (("api.py", "--estimate"), FLASK):
        ended = checkout.run(*door)
        assert ended.code == 0
        assert [("COLLECT_EVRY: did you mean COLLECT_EVERY?" in line) for line in ended.out + ended.err].count(True) == 1
        assert "geheim" not in "".join(ended.out + ended.err)
    with serving(checkout.folder, command=(str(checkout.folder / "app.py"),), WORKERS="2", COLLECT_ON_START="0") as server:
        server.until(lambda: server.get("/readyz").ok)
    assert server.log.read_text().count("COLLECT_EVRY: did you mean COLLECT_EVERY?") == 1


def test_a_tag_that_is_no_hashtag_is_said_once_by_the_collector_and_by_the_app(
    load_from: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGS", QUERY)
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    assert api.main([]) == 2
    assert capsys.readouterr() == ("", f"{NO_HASHTAG}\n")
    with pytest.raises(SystemExit) as ended:
        create_app(load_from({"TAGS": QUERY, "DATABASE_URL": NOWHERE}))
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"{NO_HASHTAG}\n")
