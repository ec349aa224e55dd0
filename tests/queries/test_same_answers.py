"""The same is done on SQLite and on PostgreSQL, and whatever is asked then, both answer the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.archives import Json, edited, json_lines, own_row, page, post, user
from tests.fixtures.clocks import standing
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process

pytestmark = pytest.mark.postgresql
USERNAMES = ["ada", "Ada", "ADA_b", "_", "a", "Zed", "zed_1"]
NAMES = ["Ada", "ada", "Édith", "Zoë", "東京", "🚀", "ß", "_", " ", "Ä", "a\u0301"]
LANGUAGES = ["en", "EN", "pt", "und", "zxx", "qme", "in", None]
COUNTRIES = [("Colombia", "CO"), ("Côte d’Ivoire", "CI"), ("Österreich", "AT"), ("Australia", "AU"), (None, None)]
TAGS = ["#sre", "#devops", "#Café", "#日本語", "#Observability", "#z_1"]
WORDS = ["on call", "Café", "cafe", "STRASSE", "ß", "東京へ", "ที่นี่", "मौसम", "İ", "ı", "\u2028"]
WORDS += ['"', "'; --", "🚀", "%_\\", "<&>"]
URLS = [f"https://{host}/{path}" for host in ("a.example", "Ä.example", "b-c.example", "b.example") for path in ("", "é")]
URLS += ["https://b.example/ü?a=1&utm_source=x", "http://A.example", "https://x.com/ada/status/1", "https://x.com/ada"]
FOLLOWERS = [None, 0, 5, 5, 900, 2**31]
SORTED_BY = ("id", "created", "followers", "engagement", "likes", "reposts", "views")
SORTS = [f"{sign}{column}" for column in SORTED_BY for sign in ("", "-")]
AUTHOR_SORTS = ["-followers", "-tweets", "engagement", "-engagement"]
QUOTED = [f"{name}={quote(value)}" for name, value in (("tag", "#日本語"), ("tag", "café"), ("country", "Österreich"))]
FILTERS = [
    *("", "tag=sre", "tag=sre&tag=DEVOPS", "lang=en", "lang=und", "country=CO", "author=ADA", "author=_", "q=on", *QUOTED),
    *(f"q={quote(text)}" for text in ("Café", "東京", "ß call", '"on call"', '"東京へ"', "-on", 'call -"on call" -cafe')),
    *("has=link", "has=reply&has=media", "any_tag=SRE&any_tag=z_1&any_tag=nobody"),
    *(
        "since=2026-03-02T08:33:00Z",
        "until=2026-03-02T08:36:00.5Z",
        "min_followers=5",
        "min_followers=0&lang=en",
        "min_engagement=8",
        "min_engagement=0&tag=sre",
    ),
]
WANTED = ("", "lang=en", "q=on", "tag=sre", "min_engagement=5", "any_tag=sre&any_tag=devops")
LISTS = [f"/tweets?sort={sort}&{wanted}" for sort in SORTS for wanted in WANTED]
COUNTS = [
    path
    for wanted in FILTERS
    for path in (
        f"/tweets?{wanted}",
        f"/tweets_per_hour?{wanted}",
        f"/tweets_per_tag?{wanted}",
        f"/timeline?bucket=hour&{wanted}",
        f"/spikes?{wanted}" if "since" in wanted else f"/spikes?since=2026-03-01T00:00:00Z&{wanted}",
        *(f"/facets?by={by}&{wanted}" for by in ("lang", "country", "tag", "author")),
        f"/terms?limit=200&{wanted}",
        *(f"/links?by={by}&{wanted}" for by in ("domain", "url")),
    )
]
OTHERS = [
    *(f"/tweets?format={form}" for form in ("json", "ndjson", "csv", "ids")),
    *(f"/tweets?order_by_followers_desc={most}" for most in (1, 3, 1000)),
    *("/tweets?fields=id,tags,author", "/tweets?since_id=0", "/tweets_per_hour?tz=Asia/Kathmandu"),
    *(f"/timeline?bucket={bucket}&tz=Asia/Kathmandu" for bucket in ("15m", "hour", "day")),
    *("/timeline?by=tag", "/timeline?bucket=day&by=tag&any_tag=sre&any_tag=caf%C3%A9&lang=en"),
    "/timeline?bucket=15m&since=2026-03-02T08:31:00Z&until=2026-03-02T09:00:00Z",
    *("/authors?limit=1000", *(f"/authors?sort={sort}" for sort in AUTHOR_SORTS), "/tags"),
    *(f"/tags/{quote(tag.removeprefix('#'))}/related" for tag in TAGS),
    *("/volume", "/volume?tag=sre&bucket=day", "/collections/1", "/spend"),
]
PAGED = [f"/tweets?limit=2&sort={sort}" for sort in SORTS] + [f"/authors?limit=2&sort={sort}" for sort in AUTHOR_SORTS]
PATHS = [*LISTS, *COUNTS, *OTHERS, *PAGED]


NOW = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Sides:
    """A service over each backend, both in this process, and one X for both."""

    def __init__(self, folder: Path, x: Emulator) -> None:
        self.file, self.all, self._open = folder / "archive.jsonl", list[Service](), ExitStack()
        self.x = x
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


class Life:
    """What may happen to tweets, on both, drawn by chance."""

    def __init__(self, sides: Sides, chance: Random) -> None:
        self.sides, self._chance = sides, chance

    def _one(self, values: Sequence[Any]) -> Any:
        return self._chance.choice(values)

    def _text(self) -> str:
        return " ".join(self._chance.choices(WORDS + TAGS, k=self._chance.randint(1, 6)))

    def _numbers(self) -> list[int]:
        return self._chance.sample(range(13), 8)

    def import_a_page(self) -> None:
        posts = [
            post(number, self._text(), author=self._one([None, *range(1, 7)]), lang=self._one(LANGUAGES), **self._rich())
            for number in self._numbers()
        ]
        people = [user(number, self._one(NAMES), self._one(USERNAMES), self._one(FOLLOWERS)) for number in range(1, 6)]
        self.sides.imported(objects=[page(*posts, users=tuple(people))])

    def _rich(self) -> Json:
        """Return numbers, links and mentions."""
        counts = {f"{name}_count": self._one([None, 0, 5, 8, 10**12]) for name in ("like", "retweet", "reply", "impression")}
        urls = [{"expanded_url": self._one(URLS)} for _ in range(self._chance.randint(0, 2))]
        mentions = [{"username": self._one(USERNAMES)} for _ in range(self._chance.randint(0, 2))]
        media = {"attachments": {"media_keys": ["3_1"]}} if self._chance.random() < 0.3 else {}
        return {"public_metrics": counts, "entities": {"urls": urls, "mentions": mentions}, **media}

    def import_rows(self) -> None:
        self.sides.imported(objects=[self._row(number) for number in self._numbers()])

    def _row(self, number: int) -> Json:
        country, code = self._one(COUNTRIES)
        username, author = self._one([*USERNAMES, None]), self._one([*NAMES, None])
        named = {"username": username, "author": author, "followers": self._one(FOLLOWERS)}
        tags = sorted(self._chance.sample(TAGS, self._chance.randint(0, 3)))
        return own_row(number, self._text(), **named, country=country, country_code=code, tags=tags, lang=self._one(LANGUAGES))

    def import_an_edit(self) -> None:
        number = self._one(range(13))
        self.sides.imported("--tag", self._one(TAGS), objects=[page(edited(number, number + 20, text=self._text()))])

    def delete_a_tweet(self) -> None:
        self.sides.request("DELETE", f"/tweets/{post(self._one(range(13)))['id']}")

    def delete_an_author(self) -> None:
        self.sides.request("DELETE", f"/authors/{self._one(USERNAMES)}")

    def track_or_untrack(self) -> None:
        self.sides.request(self._one(["PUT", "DELETE"]), f"/tags/{quote(self._one(TAGS).removeprefix('#'))}")

    def collect(self) -> None:
        """Collect with X's time known: before its first answer, a page ends five seconds earlier, whichever tag is first."""
        for side in self.sides.all:
            side.app.extensions["collector"].clock.set_by_answer(self.sides.x.clock.now())
        self.sides.request("POST", "/database")

    def drop(self) -> None:
        self.sides.request("DELETE", "/database")


LIFE = [Life.import_a_page, Life.import_rows, Life.import_an_edit, Life.delete_a_tweet, Life.delete_an_author]
LIFE += [Life.track_or_untrack, Life.collect]


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator]:
    """An emulator beside which all clocks stand still, so that both are told the same."""
    databases.cluster()
    with standing() as running:
        yield running


def test_both_answer_the_same_after_everything_that_may_happen_to_tweets(emulated: Emulator, tmp_path: Path) -> None:
    with closing(Sides(tmp_path, emulated)) as sides:
        life = Life(sides, Random(1))
        for happen in LIFE:
            happen(life)
        sides.compare([*LISTS, *COUNTS[::3], *OTHERS, *PAGED])  # each filter with some of them, by turns
        life.drop()
        life.import_rows()
        sides.compare(PAGED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_both_answer_the_same_whatever_happened(emulated: Emulator, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with closing(Sides(tmp_path, emulated)) as sides:
        life = Life(sides, chance)
        for step in range(30):
            chance.choice([*LIFE, Life.drop])(life)
            sides.compare(PATHS[step * 7 % 10 :: 10])
        sides.compare()
