"""What becomes of an imported tweet: its tags, rash, edits and author; and what an import doesn't believe."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from collector import imports
from collector.tweets.deletions import delete_author, delete_tweet
from collector.x.documents import unpack
from emulator import Emulator
from models import Author, AuthorPayload
from queries.authors import most_followed
from schemas.records import record
from tests.cli.conftest import MakeProgram, Program
from tests.fixtures.archives import Archive, Json, edited, own_row, page, post, tweet_id, user


def tags_of(row: Json) -> tuple[str | None, list[str]]:
    return row["rash"], row["tags"]


LINKED = [
    ("sre without the sign, #unknown", None, []),
    ("#SRE #unknown", "#sre", ["#sre"]),
    ("＃devops in full width", "#devops", ["#devops"]),
    ("#sre #observability #devops", "#devops", ["#devops", "#Observability", "#sre"]),
    ("#sreX no#devops", "#devops", ["#devops"]),
]


def test_a_tweet_is_linked_to_the_tracked_tags_among_its_hashtags(program: Program, archive: Archive) -> None:
    entities = {"hashtags": [{"tag": "SRE"}, {"tag": "x"}]}  # of X's, which count where it gives them
    posts = [post(number, text) for number, (text, *_) in enumerate(LINKED)]
    program.imported(archive(page(*posts, post(len(posts), "no sign in the text", entities=entities))))
    assert [(row["tweet"], *tags_of(row)) for row in program.tweets()] == [*LINKED, ("no sign in the text", "#sre", ["#sre"])]


def test_the_option_tag_is_linked_to_every_tweet_and_is_not_tracked_by_that(program: Program, archive: Archive) -> None:
    file = archive(page(post(0, "none"), post(1, "#sre")), own_row(2, rash="#devops", tags=["#devops"]))
    program.imported("--tag", " Launch ", file)
    program.imported("--tag", "observability", archive(page(post(3, "in the spelling that is known"))))
    assert list(map(tags_of, program.tweets())) == [
        ("#Launch", ["#Launch"]),
        ("#Launch", ["#Launch", "#sre"]),
        ("#devops", ["#devops", "#Launch"]),
        ("#Observability", ["#Observability"]),
    ]
    assert [tag["tag"] for tag in program.get("/tags")["tags"]] == ["#devops", "#Observability", "#sre"]


@pytest.mark.dialects
def test_rash_is_the_tag_of_the_earliest_import_that_found_the_tweet_under_one(program: Program, archive: Archive) -> None:
    found, untagged = archive(page(post(0, "#sre"))), archive(page(post(1, "no tag")))
    program.imported(found, untagged)
    assert list(map(tags_of, program.tweets())) == [("#sre", ["#sre"]), (None, [])]
    program.imported("--tag", "#sre", untagged)
    program.imported("--tag", "#aaa", found, untagged)
    program.imported(archive(own_row(0, rash="#abc", tags=["#abc"])))
    assert list(map(tags_of, program.tweets())) == [("#sre", ["#aaa", "#abc", "#sre"]), ("#sre", ["#aaa", "#sre"])]


@pytest.mark.parametrize("batch", [1, 500])
def test_rash_is_an_imports_first_tag(program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(imports, "BATCH", batch)
    first, second = archive(page(edited(0, text="#sre"))), archive(page(edited(0, 1, text="#observability #devops")))
    program.imported(first, second)
    assert tags_of(program.tweet()) == ("#devops", ["#devops", "#Observability", "#sre"])


def test_our_own_row_is_linked_to_its_tags_and_keeps_the_rash_it_names(program: Program, archive: Archive) -> None:
    own = [("#sre", ["#devops", "#sre"]), ("#zeta", ["#alpha"]), (None, ["#Launch"])]
    program.imported(archive(*(own_row(each, "#devops #sre", rash=rash, tags=tags) for each, (rash, tags) in enumerate(own))))
    assert list(map(tags_of, program.tweets())) == [own[0], ("#zeta", ["#alpha", "#zeta"]), ("#Launch", ["#Launch"])]


@pytest.mark.dialects
def test_a_collection_after_an_import_leaves_rash(make_program: MakeProgram, emulator: Emulator, archive: Archive) -> None:
    settings = {"TWITTER_API_URL": emulator.url, "TAGS": "#sre", "TW_NUMBER": "10"}
    elsewhere, program = make_program("elsewhere", **settings), make_program("program", **settings)
    elsewhere.collector.prepare()
    elsewhere.collector.start().over.result(30)
    collected = elsewhere.tweets()
    program.imported(archive(*({**row, "rash": "#zeta", "tags": ["#zeta"]} for row in collected[:5])))
    program.collector.start().over.result(30)
    rows = program.tweets()
    assert [row["id"] for row in rows] == [row["id"] for row in collected]
    assert [tags_of(row) for row in rows] == [("#zeta", ["#sre", "#zeta"])] * 5 + [("#sre", ["#sre"])] * 5


@pytest.mark.dialects
def test_an_edited_tweet_has_its_first_id_and_its_newest_words(program: Program, archive: Archive) -> None:
    """In whatever order they come: test_import tries many."""
    for versions, text, lang, where in (
        ((0, 10, 20), "third", "es", {"country": "Chile", "country_code": "CL"}),
        ((0,), "first", "en", {"country": "Peru", "country_code": "PE"}),
        ((0, 10), "second", "en", {"country": "Peru", "country_code": "PE"}),
    ):
        added = program.imported(archive(page(edited(*versions, text=f"{text} #sre", lang=lang, geo=where))))
        assert added == f"1 tweet read, {int(text == 'third')} added, 0 refused"
        row = program.tweet()
        assert (row["id"], row["created"]) == (post(0)["id"], "2026-03-02T08:30:00Z")
        assert (row["tweet"], row["lang"], row["country"], row["country_code"]) == ("third #sre", "es", "Chile", "CL")
    assert [program.get(f"/tweets/{post(minute)['id']}")["id"] for minute in (0, 10, 20)] == [post(0)["id"]] * 3


def observed(hour: int, number: int) -> Json:
    """Return a page of a tweet whose author was observed at this hour, which their name, username and followers tell."""
    author = user(7001, f"Ada at {hour}", f"ada_{hour}", 100 * hour)
    return page(post(number), users=(author,), retrieved=datetime(2026, 5, 1, hour, tzinfo=UTC))


@pytest.mark.dialects
def test_an_author_is_shown_as_observed_last_whenever_that_came(program: Program, archive: Archive) -> None:
    program.imported(archive(observed(12, 0), observed(15, 1)))
    program.imported(archive(observed(9, 2)))
    for row in program.tweets():
        assert (row["author"], row["username"], row["followers"]) == ("Ada at 15", "ada_15", 1500)
        assert row["observed"] == "2026-05-01T15:00:00Z"
    silent = {"id": "7001", "username": "ada_15", "name": "Ada later"}
    program.imported(archive(page(post(3), users=(silent,), retrieved=datetime(2026, 5, 2, tzinfo=UTC))))
    assert {(row["author"], row["followers"]) for row in program.tweets()} == {("Ada later", 1500)}


OTHERS = [page(post(60 + number, author=number), users=(user(number, username=f"bo_{number}"),)) for number in (1, 2, 1, 2)]


@pytest.mark.dialects
@pytest.mark.parametrize("most", [0, 1, 100])
@pytest.mark.parametrize(("hours", "newest"), [((9, 12, 15, 12), 15), ((15, 12, 9), 15), ((9, 15, 15, 12, 18), 18)])
def test_an_author_whose_observations_wait_is_shown_as_observed_last(
    program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch, most: int, hours: tuple[int, ...], newest: int
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    monkeypatch.setattr(imports, "MOST_POSTPONED", most)
    lines = [observed(hour, number) for number, hour in enumerate(hours)]
    program.imported(archive(*lines[:2], *OTHERS, *lines[2:]))
    for row in program.tweets()[: len(hours)]:
        assert (row["author"], row["username"], row["followers"]) == (f"Ada at {newest}", f"ada_{newest}", 100 * newest)
        assert row["observed"] == f"2026-05-01T{newest}:00:00Z"
    with program.collector.database.reading() as session:
        payload = session.scalars(select(AuthorPayload.body).where(AuthorPayload.author_id == 7001)).one()
    assert unpack(payload)["username"] == f"ada_{newest}"
    assert program.run("database", "verify").code == 0


def test_what_an_observation_lacks_is_told_by_the_one_that_waited(
    program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    silent = page(post(2), users=({"id": "7001", "name": "Ada later"},), retrieved=datetime(2026, 5, 2, tzinfo=UTC))
    program.imported(archive(observed(9, 0), observed(12, 1), silent, *OTHERS))
    for row in program.tweets()[:3]:
        assert (row["author"], row["username"], row["followers"]) == ("Ada later", "ada_12", 1200)


def test_a_row_that_names_its_author_only_is_of_who_bears_the_name_by_what_was_read_before(
    program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    by_name = [own_row(number, username=f"ada_{hour}", author_id=None) for number, hour in ((5, 9), (6, 12))]
    program.imported(archive(observed(9, 0), observed(10, 1), observed(12, 2), *by_name))
    assert [row["author_id"] for row in program.tweets()] == ["7001"] * 3 + [None, "7001"]


def test_an_author_who_goes_while_their_observation_waits_stays_away(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    program.collector.prepare()
    database = program.collector.database
    other = page(post(9, author=7002), users=(user(7002, username="bo"),))
    lines = [record(json.dumps(line).encode()) for line in (other, observed(9, 0), observed(10, 1))]
    archive = imports.Import(database)
    for line in lines:
        archive.add(line.tweets, line.authors)
    with database.writing() as session:
        assert session.scalars(select(Author.followers).where(Author.id == 7001)).one() == 900  # the newer one waits
        for line in lines[1:]:
            delete_tweet(session, line.tweets[0].tweet.id)
    archive.end()
    with database.reading() as session:
        assert session.scalars(select(Author.username)).all() == ["bo"]
        assert session.scalars(select(AuthorPayload.author_id)).all() == [7002]


def test_a_tweet_without_an_author_is_stored_and_who_wrote_nothing_is_not(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, author=None), post(1), users=(user(), user(7999, username="nobody_known")))))
    row = program.tweets()[0]
    assert (row["author"], row["username"], row["followers"], row["author_id"]) == (None, None, None, None)
    with program.collector.database.reading() as session:
        assert session.scalars(select(Author.username)).all() == ["ada_muster"]


def ranked(program: Program) -> list[tuple[str | None, int]]:
    with program.collector.database.reading() as session:
        return [(author.username, author.tweets) for author in most_followed(session, limit=10)]


@pytest.mark.dialects
def test_an_author_known_by_name_only_and_the_same_by_id_are_one(program: Program, archive: Archive) -> None:
    for case, spelling in enumerate(("ada_0", "Ada_1", "ada_2", "ADA_3")):
        by_name = own_row(2 * case, username=spelling, author="Ada at row", followers=5, author_id=None)
        by_id = page(post(2 * case + 1, author=case), users=(user(case, username=f"ada_{case}", followers=999 - case),))
        for line in (by_name, by_id) if case < 2 else (by_id, by_name):
            program.imported(archive(line))
    assert ranked(program) == [(f"ada_{case}", 2) for case in range(4)]
    assert {row["author"] for row in program.tweets()} == {"Ada Muster"}


def test_an_author_known_under_two_names_and_then_by_id_is_one(program: Program, archive: Archive) -> None:
    program.imported(archive(*(own_row(number, username=f"ada_{hour}") for number, hour in enumerate((9, 12, 12)))))
    program.imported(archive(observed(9, 3), observed(12, 4)))
    assert ranked(program) == [("ada_12", 5)]
    assert program.run("database", "verify").code == 0


def test_an_author_who_goes_meanwhile_is_known_by_their_next_tweet(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    program.collector.prepare()
    database = program.collector.database
    known = {"author_id": "7001", "observed": "2026-05-01T00:00:00Z"}
    rows = [record(json.dumps(own_row(number, **known)).encode()) for number in (0, 1)]
    archive = imports.Import(database)
    archive.add(rows[0].tweets, rows[0].authors)
    with database.writing() as session:
        delete_tweet(session, rows[0].tweets[0].tweet.id)
        assert session.scalars(select(Author.id)).all() == []
    archive.add(rows[1].tweets, rows[1].authors)
    archive.end()
    assert (program.tweet()["author"], program.tweet()["username"]) == ("Ada Muster", "ada_muster")


def texts(program: Program) -> list[str]:
    """Return the texts of all tweets, of a database in which everything adds up."""
    assert program.run("database", "verify").code == 0
    return [row["tweet"] for row in program.tweets()]


@pytest.mark.dialects
def test_no_version_of_a_deleted_tweet_comes_back(program: Program, archive: Archive) -> None:
    program.imported(archive(page(*(post(number, "one") for number in (1, 11, 21)), post(9, "another"))))
    for first, order in ((1, "alone known"), (11, "known alone"), (21, "known")):
        with program.collector.database.writing() as session:
            assert delete_tweet(session, int(post(first)["id"]))
        given = {"alone": edited(first + 1, text="two"), "known": edited(first, first + 1, text="two")}
        for name in order.split():
            program.imported(archive(page(given[name])))
        program.imported(archive(page(edited(first + 1, first + 2, text="three"))))
    assert texts(program) == ["another"]


@pytest.mark.dialects
def test_a_tweet_without_an_author_goes_when_they_turn_out_to_be_deleted(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(1, "of nobody", author=None), post(2, "of ada"), users=(user(),))))
    assert delete_author(program.collector.database, "ada_muster") == 1
    program.imported(archive(page(post(1, "of nobody"))))
    assert texts(program) == []


NOW, LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
ROBERT, BOB = user(5, "Robert", "robert"), user(5, "Robert", "bob")


@pytest.fixture
def without_bob(program: Program, archive: Archive) -> Program:
    """A program with a tweet of Robert, from which somebody named bob was deleted."""
    somebody, robert = post(1, "of bob", author=9), post(2, "of robert", author=5)
    program.imported(archive(page(somebody, robert, users=(user(9, "Bob", "bob"), ROBERT), retrieved=NOW)))
    assert delete_author(program.collector.database, "bob") == 1
    return program


@pytest.mark.parametrize("batch", [1, 10_000])
def test_who_had_a_deleted_username_long_ago_stays(
    without_bob: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(imports, "BATCH", batch)
    posts = [post(number, "as bob", author=5) for number in (-2, -1, 0)]
    then = page(*posts, users=(BOB,), retrieved=LONG_AGO)
    later = page(post(3, "as robert", author=5), users=(ROBERT,), retrieved=NOW)
    without_bob.imported(archive(then, then))
    assert texts(without_bob) == ["of robert"]
    without_bob.imported(archive(then, later))
    assert texts(without_bob) == ["of robert", "as robert"]
    assert {row["username"] for row in without_bob.tweets()} == {"robert"}


@pytest.mark.dialects
def test_who_has_a_deleted_username_now_goes_with_all_their_tweets(without_bob: Program, archive: Archive) -> None:
    without_bob.imported(archive(page(post(3, "as bob", author=5), users=(BOB,), retrieved=NOW)))
    assert texts(without_bob) == []
    without_bob.imported(archive(page(post(4, "as robert", author=5), users=(ROBERT,), retrieved=NOW)))
    assert texts(without_bob) == []


FUTURE, IN_2070, LATER = "9999-12-31T23:59:59Z", "2070-01-01T00:00:00Z", "lies in the future"
IN_40_YEARS = 40 * 365 * 24 * 60
NO_USERNAMES = ["<script>", "=1+1", "a/b?c#d", "bad name\n", "%2e%2e", "..", "ada\n", "ада", "x" * 51, " ", "@ada", "\u202eada"]


UNBELIEVED = [
    (own_row(0, author_id="7001", author="x", followers=9, observed=FUTURE), f"observed {FUTURE} {LATER}"),
    (own_row(0, version=str(2**63 - 1)), f"the time of version {2**63 - 1}, 2080-07-10T17:30:30Z {LATER}"),
    (own_row(0, author_id="7001", author="x", created=IN_2070), f"created {IN_2070} {LATER}"),
    (page(post(0, "x"), users=(user(name="x"),)) | {"__twarc": {"retrieved_at": FUTURE}}, f"retrieved_at {FUTURE} {LATER}"),
    (page(edited(0, IN_40_YEARS, text="x"), users=(user(name="x"),)), LATER),
    (page(post(0, "x", created_at=IN_2070), users=(user(name="x"),)), f"created {IN_2070} {LATER}"),
    ({**post(0, "x"), "author": user(name="x"), "__twarc": {"retrieved_at": FUTURE}}, f"retrieved_at {FUTURE} {LATER}"),
    ({**edited(0, IN_40_YEARS, text="x"), "author": user(name="x")}, LATER),
    (own_row(0, created="soon"), "created is no time such as"),
    (own_row(0, created="2006-03-20T23:59:59Z"), "created is no time at which there were tweets"),
]


def test_a_time_that_cannot_be_is_refused_and_overwrites_nothing_for_good(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, "as it is #sre"), users=(user(),), retrieved=LONG_AGO)))
    before = program.tweet()
    for line, reason in UNBELIEVED:
        ended = program.run("tweets", "import", archive(line))
        assert (ended.code, ended.err[-1][-18:]) == (1, "0 added, 1 refused")
        assert reason in ended.err[0]
        assert program.tweet() == before
    program.imported(archive(page(post(0, "as it is #sre"), users=(user(name="Ada Later", followers=7),), retrieved=NOW)))
    assert program.tweet() == before | {"author": "Ada Later", "followers": 7, "observed": "2026-11-20T00:00:00Z"}


def test_an_archive_may_be_of_a_clock_that_is_half_an_hour_ahead(program: Program, archive: Archive) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    given_out = page({**post(2), "id": str(tweet_id(soon))})
    program.imported(archive(own_row(0, observed=soon.isoformat()), page(post(1), retrieved=soon), given_out))
    assert len(program.tweets()) == 3


def test_what_nobody_can_ask_for_is_no_username_and_its_bearer_keeps_their_id(program: Program, archive: Archive) -> None:
    lines: list[Json] = []
    for number, username in zip(range(0, 4 * len(NO_USERNAMES), 4), NO_USERNAMES, strict=True):
        lines += [
            page(post(number, author=number), users=(user(number, username=username),)),
            {**post(number + 1, author=number + 1), "author": user(number + 1, username=username)},
            own_row(number + 2, username=username, author_id=str(number + 2), observed="2026-05-01T00:00:00Z"),
            own_row(number + 3, username=username),
        ]
    program.imported(archive(*lines))
    assert [(row["author_id"], row["author"], row["username"]) for row in program.tweets()] == [
        (None, None, None) if number % 4 == 3 else (str(number), "Ada Muster", None) for number in range(len(lines))
    ]
    assert program.run("database", "verify").code == 0


def test_every_username_that_is_stored_can_be_asked_for_and_deleted(program: Program, archive: Archive) -> None:
    names = ["_", "1", "Ada_2026", "Z" * 50]
    people = [user(number, username=name) for number, name in enumerate(names)]
    program.imported(archive(page(*(post(n, author=n) for n in range(len(names))), users=tuple(people))))
    for number, name in enumerate(names):
        assert [row["author_id"] for row in program.get(f"/tweets?author={name.swapcase()}")["tweets"]] == [str(number)]
        assert program.app.test_client().delete(f"/authors/{name}").json == {"deleted": 1}
    assert program.tweets() == []
