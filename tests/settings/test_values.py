"""What each setting accepts, and the one line in which it refuses the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api import collector_for
from settings import Declaration, SettingError, declared_settings, load
from tests.fixtures.archives import FIXTURES
from tests.settings.conftest import Load

WRONG = {
    "TWITTER_API_URL": [
        *("api.x.com", "ftp://api.x.com", "http://", "http://:80", "http://x:0", "http://x:99999", "http://x:port"),
        *("http://[::1", "http://me:pw@x", "http://x/?a=1", "http://x#y", "http://x y"),
    ],
    "TAGS": [",", " , ,", ",,,", "#sre,", "#sre, ,devops"],
    "TW_NUMBER": ["9", "0", "-10", "100001", "1e2", "10.0", "0x10", "+10", "1_000", "ten", "١٠", "9" * 5000],
    "COLLECT_ON_START": ["true", "yes", "on", "2", "01", "-1", "TRUE"],
    "DATABASE_URL": [
        *("tweets.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "file:x.db"),
        "mysql://u:geheim@h/d",
    ],
    "ALLOWED_HOSTS": ["http://monitor.example", "monitor.example:5000", "*", "a b", "-a", "[::g]", "a/b"],
    "CORS_ORIGINS": ["dashboard.example", "https://dashboard.example/", "https://a.example/b", "*", "null"],
    "HOST": ["a\nb", "a\tb", "a\x1b[31mb"],
    "PORT": ["0", "65536", "-1", "http", "80,81", "5000.0", "٥٠٠٠"],
    "WORKERS": ["0", "65", "two", "-1"],
    "API_TOKEN": ["two words", "línea", "tab\tbed", "one\ntwo words", "nul\0"],
    "ALLOW_OPEN": ["true", "2", "no"],
    "LOG_LEVEL": ["CHATTY", "20", "WARN", "INFO,DEBUG"],
    "PRICE_POST_USD": ["-1", "0.0000001", "1e-3", "$1", "1,5", ".5", "5.", "1234567", "NaN", "inf"],
    "PRICE_USER_USD": ["-0.01", "free"],
    "X_TIMEOUT": ["0s", "31", "31 s", "1.5s", "-1s", "367d", "999999d", "1w", "s", "1h30m", "٣١s", "31S"],
    "X_RETRIES": ["-1", "11", "some"],
    "X_RETRY_WAIT": ["1", "1ms", "-1s", "367d"],
    "X_RATE_LIMIT_WAIT": ["for ever", "15", "366d1s"],
    "TWITTER_BEARER_TOKEN": ["line\nfeed", "nul\0", "bell\a"],
}
HOSTILE = [
    *(",", "\n", "a\nb", "x" * 100_000, "\ud800", "\0", "-1", "true", "nonsense", "١", "'\"", "$(id)", "a,b", "9" * 30),
    *("<", "<a>b", "\u2028"),
]
RIGHT: dict[str, dict[str, Any]] = {
    "TWITTER_API_URL": {"http://[::1]:8080/base/": "http://[::1]:8080/base", "https://x.example": "https://x.example"},
    "TAGS": {"#sre, devops ": ("#sre", "devops")},
    "TW_NUMBER": {"10": 10, " 100000 ": 100_000},
    "COLLECT_ON_START": {"0": False, "1": True},
    "PORT": {"65535": 65535},
    "API_TOKEN": {"-._~+/=!:,;": "-._~+/=!:,;"},
    "LOG_LEVEL": {"debug": "DEBUG"},
    "PRICE_POST_USD": {"0.005": 5000, "999999.999999": 999_999_999_999, "0": 0},
    "X_RETRY_WAIT": {"0s": timedelta(0), "15m": timedelta(minutes=15), "2h": timedelta(hours=2), "366d": timedelta(days=366)},
}
FACTS = dict(declared_settings())


def refusal(name: str, value: str) -> str | None:
    try:
        load({name: value}, folder=FIXTURES)
    except SettingError as error:
        return str(error)
    return None


def assert_is_the_line(line: str, name: str, value: str, facts: Declaration) -> None:
    """Hold that the line names the setting, the value unless it is a secret's, and what is expected; nothing more."""
    shown = ("entry 1" if name == "NOTIFY_URLS" else "its value") if facts.is_secret else repr(value.strip()[:80])
    assert line == f"{name}: {shown} is not accepted, expected {facts.reader.expected}"
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert len(line) < 400


def test_a_wrong_value_is_refused_in_one_line_and_no_setting_takes_everything() -> None:
    for name, facts in FACTS.items():
        lines = {value: refusal(name, value) for value in WRONG.get(name, []) + HOSTILE}
        assert all(lines[value] for value in WRONG.get(name, [])), name
        assert any(lines.values()), name
        for value, line in lines.items():
            if line is not None:
                assert_is_the_line(line, name, value, facts)


def test_no_part_of_a_secret_s_value_is_in_its_line() -> None:
    for name in (name for name, facts in FACTS.items() if facts.is_secret):
        assert "geheim" not in (refusal(name, "geheim\n") or "")
        line = refusal(name, "ge\x07heim" if not name.startswith("DATABASE") else "postgresql://u:geheim@h/")
        assert line is not None
        assert "heim" not in line


def test_a_right_value_is_read() -> None:
    for name, values in RIGHT.items():
        for text, value in values.items():
            assert getattr(load({name: text}, folder=FIXTURES), name.lower()) == value, name


def test_a_tag_that_is_no_hashtag_stops_the_start_in_one_line(load_from: Load) -> None:
    for tags in ("#a b", "from:someone", "#sre OR #devops", "123", "#", "#a,##b", "x" * 101, "(sre)"):
        settings = load_from({"TAGS": tags, "DATABASE_URL": "sqlite:////nowhere/x.db"})
        with pytest.raises(SettingError, match=r"\ATAGS: .+ is not accepted, expected a hashtag of 1 to 100 ") as refused:
            collector_for(settings)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 400


def test_secrets_are_not_in_the_settings_repr() -> None:
    given = {name: f"value-of-{name}" for name, facts in FACTS.items() if facts.is_secret}
    given |= {"DATABASE_URL": "sqlite:////srv/value-of-database.db", "HOST": "host-is-shown"}
    given |= {"DATABASE_REPLICA_URL": "postgresql+psycopg://app:value-of-password@/tweets"}
    given |= {"NOTIFY_URLS": "team=slack://value-of-token"}
    shown = repr(load(given, folder=FIXTURES))
    assert "value-of" not in shown
    assert "host-is-shown" in shown
