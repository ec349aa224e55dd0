"""Search: whatever is stored, edited and deleted, a search finds exactly the tweets that match it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import event
from sqlalchemy import text as sql

from alchemy import Database
from collector.backups.backups import drop
from collector.runs import runs
from collector.tweets import checks, deletions
from collector.tweets.store import store
from collector.values import TaggedTweet
from collector.x import parsing
from models import TWEET_WORDS
from queries import lists
from queries.facets import facets
from queries.filters import BY_ID, Filters, PagePosition, SortOrder
from queries.lists import TweetList, page
from queries.tweets import TweetViews, matching_count
from tests.fixtures.archives import Json, edited, post
from tests.queries.invented import imported
from text.search import InvalidSearch, TextSearch, parse_search
from text.words import index_words, query_words

LATIN = ["on call", "Café", "cafe", "STRASSE", "é", "rust_2", "AND", '"', "*", "🚀"]
OTHERS = ["东京", "東京へ", "東", "京", "ที่นี่", "हिन्दी", "한국어", "مرحبا"]
TEXTS = st.lists(st.sampled_from(LATIN + OTHERS) | st.text(max_size=5), max_size=6).map(" ".join).filter(bool)
NUMBERS = st.integers(0, 40)
PARTS = st.sampled_from([part for part in LATIN + OTHERS if part != '"'])
WRITTEN = st.lists(PARTS, min_size=1, max_size=3).map(" ".join)
QUERIES = st.lists(st.builds("{}{}".format, st.sampled_from(["", "", "-"]), PARTS | WRITTEN.map('"{}"'.format)), max_size=3)
PART = re.compile(r"""(?:(?<!\S)(-))?(?:"([^"]*)"|([^\s"]+))""")


def stored(database: Database, *posts: Json) -> None:
    with database.writing() as session:
        store(session, [TaggedTweet(parsing.tweet(each), ()) for each in posts], [], run_id=runs.begin_import(session))


def matching(database: Database, search: TextSearch) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(TWEET_WORDS.matching(search)))


def is_match(query: str, text: str) -> bool:
    """Whether a text matches, in plain Python."""
    words = index_words(text)
    for minus, phrase, word in PART.findall(query):
        own = index_words(phrase)
        at = [words[start : start + len(own)] for start in range(len(words))]
        if (own or query_words(word)) and bool(minus) == (own in at if phrase else set(query_words(word)) <= set(words)):
            return False
    return True


class Searched(RuleBasedStateMachine):
    """A database beside a dictionary of texts by the first version's minute; a version's minute is 100 more for each edit."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.database = self.open.enter_context(imported())
        self.texts, self.edits, self.gone = dict[int, str](), dict[int, int](), set[int]()

    def teardown(self) -> None:
        self.open.close()

    @rule(given=st.dictionaries(NUMBERS, TEXTS, max_size=8))
    def store(self, given: dict[int, str]) -> None:
        stored(self.database, *(post(number, text) for number, text in given.items()))
        for number, text in given.items():
            if number not in self.gone and number not in self.texts:
                self.texts[number] = self._seen(text)

    @precondition(lambda self: self.texts)
    @rule(data=st.data(), text=TEXTS)
    def edit(self, data: st.DataObject, text: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.texts)))
        self.edits[number] = self.edits.get(number, 0) + 1
        versions = [number + 100 * edit for edit in range(self.edits[number] + 1)]
        stored(self.database, edited(*versions, text=text))
        self.texts[number] = self._seen(text)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.texts)))
        with self.database.writing() as session:
            deletions.delete_tweet(session, int(post(number)["id"]))
        self.gone.add(number)
        del self.texts[number]

    @rule()
    def drop(self) -> None:
        drop(self.database)
        self.texts.clear()
        self.edits.clear()

    @rule()
    def write_anew(self) -> None:
        self.database.vacuum()

    @rule(query=TEXTS.map(lambda text: text.replace('"', "")) | QUERIES.map(" ".join), sort=st.sampled_from(["id", "-created"]))
    def ask(self, query: str, sort: str) -> None:
        try:
            search, order = parse_search(query), SortOrder(sort.strip("-"), descending=sort.startswith("-"))
        except InvalidSearch:
            return
        if any(search):
            ids = [int(post(number)["id"]) for number, text in sorted(self.texts.items()) if is_match(query, text)]
            batches = lists.batches(self.database, TweetList(Filters(search=search), order), TweetViews(), most=2)
            assert [view.id for batch in batches for view in batch] == (ids[::-1] if order.descending else ids)
            with self.database.reading() as session:
                assert matching_count(session, Filters(search=search), most=100) == len(ids)
                assert sum(row.tweets for row in facets(session, "lang", Filters(search=search)).rows) == len(ids)

    @invariant()
    def the_index_says_what_the_texts_say(self) -> None:
        with self.database.reading() as session:
            assert list(checks.index_faults(session)) == []
            assert self.database.backend_name != "SQLite" or session.scalar(sql("PRAGMA integrity_check")) == "ok"

    def _seen(self, text: str) -> str:
        return parsing.tweet(post(0, text)).text


@pytest.mark.dialects
@pytest.mark.parametrize("examples", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_words_find_what_has_them_whatever_happened(database_backend: str, examples: int) -> None:
    slow = [HealthCheck.too_slow]
    some = settings(max_examples=examples, stateful_step_count=12, deadline=None, derandomize=True, suppress_health_check=slow)
    run_state_machine_as_test(Searched, settings=some)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Tweets that all have a word, every second of them another, and one a rare one."""
    rare = {7: " zymurgy"}
    with imported() as ready:
        stored(ready, *(post(n, f"always{' half' if n % 2 else ''}{rare.get(n, '')}") for n in range(100)))
        yield ready


def listed(database: Database, search: str, order: SortOrder, after: int) -> list[int]:
    with database.reading() as session:
        found = page(session, TweetList(Filters(search=parse_search(search)), order), after=PagePosition(None, after), most=3)
    return [place.id for place in found]


@pytest.mark.dialects
def test_a_list_by_id_is_read_from_the_index_and_from_any_place_on(database: Database) -> None:
    words, middle = "half always", int(post(50)["id"])
    up, down = [51, 53, 55], [49, 47, 45]
    assert listed(database, words, BY_ID, middle) == [int(post(number)["id"]) for number in up]
    assert listed(database, words, SortOrder("id", descending=True), middle) == [int(post(number)["id"]) for number in down]


def test_a_list_by_id_gathers_and_sorts_nothing(database: Database) -> None:
    for descending, sign, number in ((False, ">", 64), (True, "<", 192)):
        with database.reading() as session:
            connection, asked_for = session.connection(), list[tuple[str, Any]]()
            event.listen(connection, "before_cursor_execute", lambda *given, to=asked_for: to.append(given[2:4]))
            page(
                session,
                TweetList(Filters(search=parse_search("half")), SortOrder("id", descending=descending)),
                after=PagePosition(None, 5),
                most=3,
            )
            statement, values = asked_for[0]
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        assert [step.detail for step in steps] == [f"SCAN tweet_words VIRTUAL TABLE INDEX {number}:M1{sign}"]


@pytest.mark.dialects
def test_nothing_of_a_query_is_an_operator(database: Database) -> None:
    none = ["always OR absent", "zymurgy AND half", "half NOT always", "alw* ^half", "tweet_words:zymurgy"]
    for query, minutes in {**{one: [] for one in none}, "NEAR(always) zymurgy": [], "ZYMURGY + (half)": [7]}.items():
        assert matching(database, parse_search(query)) == [int(post(minute)["id"]) for minute in minutes], query
