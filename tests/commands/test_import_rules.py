"""What becomes of an imported tweet: its tags, its rash, its edits and its author."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from collector import imports
from collector.tweets.deletions import bury, bury_author
from emulator import Emulator
from formats.records import record
from models import Author
from queries.authors import most_followed
from tests.commands.conftest import MakeProgram, Program
from tests.fixtures.archives import Archive, Json, edited, own_row, page, post, tweet_id, user


def tags_of(row: Json) -> tuple[str | None, list[str]]:
    return row["rash"], row["tags"]


LINKED = [
    ("nothing here", None, []),
    ("#unknown and #other", None, []),
    ("#sre", "#sre", ["#sre"]),
    ("#SRE #unknown", "#sre", ["#sre"]),
    ("＃devops in full width", "#devops", ["#devops"]),
    ("#OBSERVABILITY", "#Observability", ["#Observability"]),
    ("#sre #observability #devops", "#devops", ["#devops", "#Observability", "#sre"]),
    ("#sreX no#devops", "#devops", ["#devops"]),
    ("sre without the sign", None, []),
]


def test_a_tweet_is_linked_to_the_tracked_tags_among_its_hashtags(program: Program, archive: Archive) -> None:
    entities = {"hashtags": [{"tag": "SRE"}, {"tag": "x"}]}  # of X's, which count where it gives them
    posts = [post(number, text) for number, (text, *_) in enumerate(LINKED)]
    program.imported(archive(page(*posts, post(len(posts), "no sign in the text", entities=entities))))
    assert [(row["tweet"], *tags_of(row)) for row in program.tweets()] == [*LINKED, ("no sign in the text", "#sre", ["#sre"])]


def test_a_tweet_without_a_tracked_tag_counts_everywhere_but_per_tag(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, "no tag at all"), users=(user(),))))
    assert tags_of(program.tweet()) == (None, [])
    assert program.get("/tweets_per_tag") == {"tweets_per_tags": []}
    assert sum(hour["tweets"] for hour in program.get("/tweets_per_hour")["tweets_per_hour"]) == 1
    assert program.get("/tweets?order_by_followers_desc=5")["authors"][0]["tweets"] == 1


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


def test_an_option_tag_that_is_no_hashtag_ends_the_command(nothing: Program, archive: Archive) -> None:
    file = archive(page(post(0)))
    for given in ("a b", "#", "123", "#sre OR #devops", ""):
        ended = nothing.run("tweets", "import", "--tag", given, file)
        assert ended.code == 2
        assert ended.err[-1].startswith("Error: Invalid value for '--tag': ")
    assert not nothing.file.exists()


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
def test_within_one_import_rash_is_the_first_tag_by_name(
    program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(imports, "BATCH", batch)
    first, second = archive(page(edited(0, text="#sre"))), archive(page(edited(0, 1, text="#observability #devops")))
    program.imported(first, second)
    assert tags_of(program.tweet()) == ("#devops", ["#devops", "#Observability", "#sre"])


def test_our_own_row_is_linked_to_its_tags_not_its_hashtags_and_keeps_the_rash_it_names(
    program: Program, archive: Archive
) -> None:
    own = [("#sre", ["#devops", "#sre"]), ("#zeta", ["#alpha"]), (None, ["#Launch"])]
    program.imported(archive(*(own_row(each, "#devops #sre", rash=rash, tags=tags) for each, (rash, tags) in enumerate(own))))
    assert list(map(tags_of, program.tweets())) == [own[0], ("#zeta", ["#alpha", "#zeta"]), ("#Launch", ["#Launch"])]


@pytest.mark.dialects
def test_a_collection_after_an_import_adds_its_tag_and_leaves_rash(
    make_program: MakeProgram, emulator: Emulator, archive: Archive
) -> None:
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
def test_an_edited_tweet_has_the_id_and_time_of_its_first_version_and_the_words_of_its_newest(
    program: Program, archive: Archive
) -> None:
    """In whatever order they come: test_import_orders tries many."""
    for versions, text, added in (((0, 10, 20), "third", 1), ((0,), "first", 0), ((0, 10), "second", 0)):
        where = {"country": "Chile", "country_code": "CL"} if text == "third" else {"country": "Peru", "country_code": "PE"}
        line = page(edited(*versions, text=f"{text} #sre", lang={"third": "es"}.get(text, "en"), geo=where))
        assert program.imported(archive(line)) == f"1 tweets read, {added} added, 0 refused"
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
    assert program.get("/tweets?order_by_followers_desc=5")["authors"] == [
        {"author": "Ada at 15", "followers": 1500, "username": "ada_15", "tweets": 3}
    ]
    silent = {"id": "7001", "username": "ada_15", "name": "Ada later"}
    program.imported(archive(page(post(3), users=(silent,), retrieved=datetime(2026, 5, 2, tzinfo=UTC))))
    assert {(row["author"], row["followers"]) for row in program.tweets()} == {("Ada later", 1500)}


def test_an_old_archive_imported_over_a_collection_does_not_overwrite_its_authors(
    make_program: MakeProgram, emulator: Emulator, archive: Archive
) -> None:
    program = make_program(TWITTER_API_URL=emulator.url, TAGS="#sre", TW_NUMBER="10")
    program.collector.prepare()
    program.collector.start().over.result(30)
    before = program.tweets()
    known = next(row for row in before if row["author_id"] and row["username"])
    renamed = user(int(known["author_id"]), "An older name", "older_name", 1)
    program.imported(archive(page(post(0, author=int(known["author_id"])), users=(renamed,))))
    rows = [row for row in program.tweets() if row["author_id"] == known["author_id"]]
    assert len(rows) >= 2
    assert {(row["author"], row["username"], row["followers"]) for row in rows} == {
        (known["author"], known["username"], known["followers"])
    }


def test_a_tweet_without_an_author_is_stored_and_who_wrote_nothing_is_not(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, author=None), post(1), users=(user(), user(7999, username="nobody_known")))))
    row = program.tweets()[0]
    assert (row["author"], row["username"], row["followers"], row["author_id"]) == (None, None, None, None)
    with program.collector.database.reading() as session:
        assert session.scalars(select(Author.username)).all() == ["ada_muster"]


@pytest.mark.parametrize("shape", ["page", "page without its author", "flattened", "our own row"])
def test_the_author_with_the_id_0_is_an_author(program: Program, archive: Archive, shape: str) -> None:
    one = post(1, author=0)
    given = {
        "page": page(one, users=(user(0),)),
        "page without its author": page(one),
        "flattened": {**one, "author": user(0)},
        "our own row": own_row(1, author_id="0"),
    }
    program.imported(archive(given[shape], page(post(2))))
    assert [row["author_id"] for row in program.tweets()] == ["0", "7001"]


@pytest.mark.dialects
def test_the_smallest_ids_are_stored_and_come_in_the_order_of_numbers(program: Program, archive: Archive) -> None:
    large, small = tweet_id(datetime.now(UTC)), 20
    old = {"id": small, "text": "old", "created_at": "2006-03-21T20:50:14.000Z"}
    program.imported(archive(page({"id": str(large), "text": "last"}, old, post(0))))
    assert [row["id"] for row in program.tweets()] == [str(small), post(0)["id"], str(large)]


@pytest.mark.dialects
def test_no_imported_time_breaks_the_hours_of_a_zone(program: Program, archive: Archive) -> None:
    times = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2006-03-21T00:00:00Z", "2026-01-01T00:00:00Z"]
    rows: list[Json] = [{"id": str(number), "text": "x", "created_at": time} for number, time in enumerate(times, 1)]
    late = {"id": str(tweet_id(datetime(2080, 1, 1, tzinfo=UTC))), "text": "y"}
    ended = program.run("tweets", "import", archive(page(*rows, late)))
    assert ended.err[-1] == "2 tweets read, 2 added, 3 refused"
    for zone in ("UTC", "America/Sao_Paulo", "Asia/Tokyo", "Pacific/Kiritimati"):
        counted = program.get(f"/tweets_per_hour?tz={zone}")["tweets_per_hour"]
        assert sum(hour["tweets"] for hour in counted) == 2


@pytest.mark.dialects
def test_what_an_archive_says_of_strange_authors_and_texts_is_given_back_as_it_is(program: Program, archive: Archive) -> None:
    text = "a\0b \ud83c <script>alert(1)</script> ' OR 1=1; -- \u202e\n\t#sre"
    program.imported(archive(page(post(0, text), users=(user(name="\ud800", username="x"),))))
    row = program.tweet()
    assert row["tweet"] == text.replace("\0", "\ufffd").replace("\ud83c", "\ufffd")
    assert (row["author"], row["rash"]) == ("\ufffd", "#sre")


@pytest.mark.dialects
def test_an_author_known_by_name_only_and_the_same_by_id_are_one(program: Program, archive: Archive) -> None:
    for case, spelling in enumerate(("ada_0", "Ada_1", "ada_2", "ADA_3")):
        by_name = own_row(2 * case, username=spelling, author="Ada at row", followers=5, author_id=None)
        by_id = page(post(2 * case + 1, author=case), users=(user(case, username=f"ada_{case}", followers=999 - case),))
        for line in (by_name, by_id) if case < 2 else (by_id, by_name):
            program.imported(archive(line))
    with program.collector.database.reading() as session:
        ranked = most_followed(session, limit=10)
    assert [(author.username, author.tweets) for author in ranked] == [(f"ada_{case}", 2) for case in range(4)]
    assert {row["author"] for row in program.tweets()} == {"Ada Muster"}


def test_an_author_known_under_two_names_and_then_by_id_is_one(program: Program, archive: Archive) -> None:
    program.imported(archive(*(own_row(number, username=f"ada_{hour}") for number, hour in enumerate((9, 12, 12)))))
    program.imported(archive(observed(9, 3), observed(12, 4)))
    with program.collector.database.reading() as session:
        ranked = most_followed(session, limit=10)
    assert [(author.username, author.followers, author.tweets) for author in ranked] == [("ada_12", 1200, 5)]
    assert program.run("database", "verify").code == 0


def test_an_author_who_goes_while_an_import_runs_is_known_again_by_their_next_tweet(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    program.collector.prepare()
    database = program.collector.database
    known = {"author_id": "7001", "observed": "2026-05-01T00:00:00Z"}
    rows = [record(json.dumps(own_row(number, **known)).encode()) for number in (0, 1)]
    archive = imports.Import(database)
    archive.add(rows[0].tweets, rows[0].authors)
    with database.writing() as session:
        bury(session, rows[0].tweets[0].tweet.id)
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
            assert bury(session, int(post(first)["id"]))
        given = {"alone": edited(first + 1, text="two"), "known": edited(first, first + 1, text="two")}
        for name in order.split():
            program.imported(archive(page(given[name])))
        program.imported(archive(page(edited(first + 1, first + 2, text="three"))))
    assert texts(program) == ["another"]


@pytest.mark.dialects
def test_a_tweet_without_an_author_goes_when_they_turn_out_to_be_deleted(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(1, "of nobody", author=None), post(2, "of ada"), users=(user(),))))
    assert bury_author(program.collector.database, "ada_muster") == 1
    program.imported(archive(page(post(1, "of nobody"))))
    assert texts(program) == []


NOW, LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
ROBERT, BOB = user(5, "Robert", "robert"), user(5, "Robert", "bob")


@pytest.fixture
def without_bob(program: Program, archive: Archive) -> Program:
    """A program with a tweet of Robert, from which somebody named bob was deleted."""
    somebody, robert = post(1, "of bob", author=9), post(2, "of robert", author=5)
    program.imported(archive(page(somebody, robert, users=(user(9, "Bob", "bob"), ROBERT), retrieved=NOW)))
    assert bury_author(program.collector.database, "bob") == 1
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
