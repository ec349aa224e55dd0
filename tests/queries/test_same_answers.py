"""The same is done on SQLite and on PostgreSQL, and whatever is asked then, both answer the same bytes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.archives import Json, edited, json_lines, own_row, page, post, user
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process

pytestmark = pytest.mark.postgresql
USERNAMES = ["ada", "Ada", "ADA_b", "_", "a", "Zed", "zed_1"]
NAMES = ["Ada", "ada", "Édith", "Zoë", "東京", "🚀", "ß", "_", " ", "Ä", "a\u0301"]
LANGUAGES = ["en", "EN", "pt", "und", "zxx", "qme", "in", None]
COUNTRIES = [("Colombia", "CO"), ("Côte d’Ivoire", "CI"), ("Österreich", "AT"), ("Australia", "AU"), (None, None)]
TAGS = ["#sre", "#devops", "#Café", "#日本語", "#Observability", "#z_1"]
WORDS = [
    "on call",
    "Café",
    "cafe",
    "STRASSE",
    "ß",
    "東京へ",
    "ที่นี่",
    "मौसम",
    '"',
    "'; --",
    "🚀",
    "%_\\",
    "İ",
    "ı",
    "\u2028",
    "<&>",
]
TEXTS = st.lists(st.sampled_from(WORDS + TAGS) | st.text(max_size=4), min_size=1, max_size=6).map(" ".join)
NUMBERS, AUTHORS = st.integers(0, 12), st.integers(1, 6)
FOLLOWERS = st.sampled_from([None, 0, 5, 5, 900, 2**31])
PEOPLE = st.dictionaries(AUTHORS, st.tuples(st.sampled_from(NAMES), st.sampled_from(USERNAMES), FOLLOWERS))
POSTS = st.tuples(NUMBERS, TEXTS, AUTHORS | st.none(), st.sampled_from(LANGUAGES))


def _row(number: int, text: str, country: tuple[Any, Any], tags: list[str], **more: Any) -> tuple[int, str, dict[str, Any]]:
    return number, text, {**more, "country": country[0], "country_code": country[1], "tags": sorted(set(tags))}


ROWS = st.builds(
    _row,
    number=NUMBERS,
    text=TEXTS,
    country=st.sampled_from(COUNTRIES),
    tags=st.lists(st.sampled_from(TAGS), max_size=3),
    username=st.sampled_from([*USERNAMES, None]),
    author=st.sampled_from([*NAMES, None]),
    followers=FOLLOWERS,
    lang=st.sampled_from(LANGUAGES),
)

SORTS = [f"{sign}{column}" for column in ("id", "created", "followers") for sign in ("", "-")]
AUTHOR_SORTS = ["-followers", "-tweets"]
QUOTED = [f"{name}={quote(value)}" for name, value in (("tag", "#日本語"), ("tag", "café"), ("country", "Österreich"))]
FILTERS = [
    *("", "tag=sre", "tag=sre&tag=DEVOPS", "lang=en", "lang=und", "country=CO", "author=ADA", "author=_", "q=on", *QUOTED),
    *(f"q={quote(text)}" for text in ("Café", "東京", "ß call")),
    *("since=2026-03-02T08:33:00Z", "until=2026-03-02T08:36:00.5Z", "min_followers=5", "min_followers=0&lang=en"),
]
LISTS = [f"/tweets?sort={sort}&{wanted}" for sort in SORTS for wanted in ("", "lang=en", "q=on", "tag=sre")]
COUNTS = [
    path
    for wanted in FILTERS
    for path in (
        f"/tweets?{wanted}",
        f"/tweets_per_hour?{wanted}",
        f"/tweets_per_tag?{wanted}",
        f"/timeline?bucket=hour&{wanted}",
        *(f"/facets?by={by}&{wanted}" for by in ("lang", "country", "tag", "author")),
    )
]
OTHERS = [
    *(f"/tweets?format={form}" for form in ("json", "ndjson", "csv", "ids")),
    *(f"/tweets?order_by_followers_desc={most}" for most in (1, 3, 1000)),
    *("/tweets?fields=id,tags,author", "/tweets?since_id=0", "/tweets_per_hour?tz=Asia/Kathmandu"),
    *(f"/timeline?bucket={bucket}&tz=Asia/Kathmandu" for bucket in ("15m", "hour", "day")),
    "/timeline?bucket=15m&since=2026-03-02T08:31:00Z&until=2026-03-02T09:00:00Z",
    *("/authors?limit=1000", *(f"/authors?sort={sort}" for sort in AUTHOR_SORTS), "/tags"),
    *(f"/tags/{quote(tag.removeprefix('#'))}/related" for tag in TAGS),
    *("/volume", "/volume?tag=sre&bucket=day", "/collections/1", "/spend"),
]
PAGED = [f"/tweets?limit=2&sort={sort}" for sort in SORTS] + [f"/authors?limit=2&sort={sort}" for sort in AUTHOR_SORTS]
PATHS = [*LISTS, *COUNTS, *OTHERS, *PAGED]
SOME_PATHS = [*LISTS, *COUNTS[::3], *OTHERS, *PAGED]
"""Each filter with some of the eight, by turns."""


NOW = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SOME = 10


class Sides:
    """A service over each backend, both in this process, and one X for both."""

    def __init__(self, folder: Path, x: Emulator) -> None:
        self.file, self.all, self._open = folder / "archive.jsonl", list[Service](), ExitStack()
        with pytest.MonkeyPatch.context() as patch:
            for backend in databases.BACKENDS:
                patch.setattr(databases, "current", backend)
                own = folder / backend
                own.mkdir()
                settings = {**environment(own, x), "TW_NUMBER": "10", "CACHE_MB": "0"}
                self.all.append(self._open.enter_context(in_process(own, **settings)))

    def close(self) -> None:
        self._open.close()

    def imported(self, *arguments: str, objects: Sequence[Json]) -> None:
        """Import on both, which say the same."""
        command = ["tweets", "import", *arguments, str(json_lines(self.file, *objects))]
        said = [side.app.test_cli_runner().invoke(args=command) for side in self.all]
        _same([(one.exit_code, one.stdout, one.stderr.splitlines()[-1:]) for one in said])

    def request(self, method: str, path: str) -> None:
        """Change something on both, which answer the same, but for a name or a time."""
        _same([side.request(method, path).status_code for side in self.all], path)

    def compare(self, paths: Sequence[str] = PATHS) -> None:
        for path in paths:
            _same([_body(side, path) for side in self.all], path)


def _body(side: Service, path: str) -> bytes:
    """Return the status and body of an answer, without times of today's; of a list in pages all their items."""
    if path not in PAGED:
        answer = side.get(path)
        body = answer.content if answer.ok else b""
        if path.endswith("/related"):
            body = body.lower()  # a spelling is the first that was stored, and tags are collected at once
        return f"{answer.status_code} ".encode() + NOW.sub(_then, body)
    items, following = list[Any](), path
    while following:
        given = side.get(following).json()
        items.append(given[path[1 : path.index("?")]])
        following = given["next"]
    return json.dumps(items, ensure_ascii=False).encode()


def _then(found: re.Match[bytes]) -> bytes:
    """Leave times of today out, and of the day that may just have ended."""
    days = [f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}".encode() for ago in (0, 1)]
    return b"now" if found[0].startswith(tuple(days)) else found[0]


def _same(answers: Sequence[object], of: object = None) -> None:
    assert answers[0] == answers[1], of


class Both(RuleBasedStateMachine):
    """What may happen to tweets, on both."""

    x: ClassVar[Emulator]
    asked: ClassVar[Sequence[str]] = PATHS
    """What is asked at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.steps = tempfile.TemporaryDirectory(), 0
        self.sides = Sides(Path(self.folder.name), self.x)

    def teardown(self) -> None:
        try:
            self.sides.compare(self.asked)
        finally:
            self.sides.close()
            self.folder.cleanup()

    @rule(given=st.lists(POSTS, min_size=1, max_size=8), people=PEOPLE)
    def import_a_page(self, given: list[Any], people: dict[int, Any]) -> None:
        posts = [post(number, text, author=author, lang=lang) for number, text, author, lang in given]
        users = tuple(user(number, *facts) for number, facts in people.items())
        self.sides.imported(objects=[page(*posts, users=users)])

    @rule(given=st.lists(ROWS, min_size=1, max_size=8))
    def import_rows(self, given: list[tuple[int, str, dict[str, Any]]]) -> None:
        self.sides.imported(objects=[own_row(number, text, **more) for number, text, more in given])

    @rule(number=NUMBERS, text=TEXTS, tag=st.sampled_from(TAGS))
    def import_an_edit(self, number: int, text: str, tag: str) -> None:
        self.sides.imported("--tag", tag, objects=[page(edited(number, number + 20, text=text))])

    @rule(number=NUMBERS)
    def delete_a_tweet(self, number: int) -> None:
        self.sides.request("DELETE", f"/tweets/{post(number)['id']}")

    @rule(name=st.sampled_from(USERNAMES))
    def delete_an_author(self, name: str) -> None:
        self.sides.request("DELETE", f"/authors/{name}")

    @rule(tag=st.sampled_from(TAGS), method=st.sampled_from(["PUT", "DELETE"]))
    def track_or_untrack(self, tag: str, method: str) -> None:
        self.sides.request(method, f"/tags/{quote(tag.removeprefix('#'))}")

    @rule()
    def collect(self) -> None:
        self.sides.request("POST", "/database")

    @rule()
    def drop(self) -> None:
        self.sides.request("DELETE", "/database")

    @invariant()
    def both_answer_the_same(self) -> None:
        self.steps += 1
        self.sides.compare(PATHS[self.steps * 7 % SOME :: SOME])


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator]:
    """An emulator whose clock stands still, so that both are told the same."""
    databases.cluster()
    with Emulator() as running:
        running.clock.hold()
        yield running


def test_both_answer_the_same_after_everything_that_may_happen_to_tweets(emulated: Emulator) -> None:
    chance, Both.x, Both.asked = Random(1), emulated, SOME_PATHS
    both = Both()

    def texts(number: int) -> list[str]:
        return [" ".join(chance.choices(WORDS + TAGS, k=4)) for _ in range(number)]

    def drawn(values: Sequence[Any]) -> Any:
        return chance.choice(values)

    page = [(number, text, drawn([None, *range(1, 7)]), drawn(LANGUAGES)) for number, text in enumerate(texts(8))]
    people = {number: (NAMES[number], USERNAMES[number], drawn([None, 0, 5, 5, 900, 2**31])) for number in range(1, 6)}
    both.import_a_page(given=page, people=people)
    rows = [
        _row(number, text, drawn(COUNTRIES), chance.sample(TAGS, 2), username=drawn(USERNAMES), author=drawn(NAMES), lang="en")
        for number, text in enumerate(texts(8), 5)
    ]
    both.import_rows(given=rows)
    both.import_an_edit(number=1, text="Café at #z_1", tag=TAGS[2])
    both.delete_a_tweet(number=2)
    both.delete_an_author(name=USERNAMES[3])
    both.track_or_untrack(tag=TAGS[3], method="PUT")
    both.track_or_untrack(tag=TAGS[0], method="DELETE")
    both.collect()
    both.teardown()


@pytest.mark.slow
def test_both_answer_the_same_whatever_happened(emulated: Emulator) -> None:
    Both.x, Both.asked, slow = emulated, PATHS, [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    some = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(Both, settings=some)


def test_a_difference_is_noticed(tmp_path: Path, emulated: Emulator) -> None:
    """Names that sort as people do stand for any other: Zed comes before ada on one side only."""
    with closing(Sides(tmp_path, emulated)) as sides:
        url = sides.all[1].collector.database.url.render_as_string(hide_password=False)
        databases.asked(url, 'ALTER TABLE authors ALTER COLUMN username TYPE text COLLATE "und-x-icu"')
        sides.imported(objects=[own_row(number, username=name, author=name) for number, name in enumerate(("ada", "Zed"))])
        with pytest.raises(AssertionError, match="/authors"):
            sides.compare(["/authors"])
