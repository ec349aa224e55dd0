"""What becomes of an imported tweet: its tags, its rash, its edits and its author."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import select

from collector import imports
from collector.tags import tracked
from collector.tweets.deletions import bury, bury_author
from emulator import Emulator
from formats.records import record
from models import Author
from queries.authors import most_followed
from queries.tweets import tweet as tweet_of
from tests.commands.conftest import MakeProgram, Program
from tests.fixtures.archives import Archive, Json, edited, own_row, page, post, tweet_id, user


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def tags_of(row: Json) -> tuple[str | None, list[str]]:
    return row["rash"], row["tags"]


@pytest.mark.parametrize(
    ("text", "rash", "tags"),
    [
        ("nothing here", None, []),
        ("#unknown and #other", None, []),
        ("#sre", "#sre", ["#sre"]),
        ("#SRE #unknown", "#sre", ["#sre"]),
        ("＃devops in full width", "#devops", ["#devops"]),
        ("#OBSERVABILITY", "#Observability", ["#Observability"]),
        ("#sre #observability #devops", "#devops", ["#devops", "#Observability", "#sre"]),
        ("#sreX no#devops", "#devops", ["#devops"]),
        ("sre without the sign", None, []),
    ],
)
def test_a_tweet_is_linked_to_the_tracked_tags_among_its_hashtags(
    program: Program, archive: Archive, text: str, rash: str | None, tags: list[str]
) -> None:
    program.imported(archive(page(post(0, text))))
    assert tags_of(program.tweet()) == (rash, tags)


def test_the_entities_name_the_hashtags_where_x_gives_them(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, "no sign in the text", entities={"hashtags": [{"tag": "SRE"}, {"tag": "x"}]}))))
    assert tags_of(program.tweet()) == ("#sre", ["#sre"])


def test_a_tweet_without_a_tracked_tag_counts_everywhere_but_per_tag(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, "no tag at all"), users=(user(),))))
    assert tags_of(program.tweet()) == (None, [])
    assert program.get("/tweets_per_tag") == {"tweets_per_tags": []}
    assert sum(hour["tweets"] for hour in program.get("/tweets_per_hour")["tweets_per_hour"]) == 1
    assert program.get("/tweets?order_by_followers_desc=5")["authors"][0]["tweets"] == 1


@pytest.mark.parametrize("given", ["#Launch", "Launch", " #Launch "])
def test_the_option_tag_is_linked_to_every_tweet_and_is_not_tracked_by_that(
    program: Program, archive: Archive, given: str
) -> None:
    file = archive(page(post(0, "none"), post(1, "#sre")), own_row(2, rash="#devops", tags=["#devops"]))
    program.imported("--tag", given, file)
    assert list(map(tags_of, program.tweets())) == [
        ("#Launch", ["#Launch"]),
        ("#Launch", ["#Launch", "#sre"]),
        ("#devops", ["#devops", "#Launch"]),
    ]
    with program.collector.database.reading() as session:
        assert [tag.tag for tag in tracked(session)] == ["#devops", "#Observability", "#sre"]


def test_the_option_tag_takes_the_spelling_that_is_known(program: Program, archive: Archive) -> None:
    program.imported("--tag", "observability", archive(page(post(0, "none"))))
    assert tags_of(program.tweet()) == ("#Observability", ["#Observability"])


@pytest.mark.parametrize("given", ["a b", "#", "123", "#sre OR #devops", ""])
def test_an_option_tag_that_is_no_hashtag_ends_the_command(program: Program, archive: Archive, given: str) -> None:
    ended = program.run("tweets", "import", "--tag", given, archive(page(post(0))))
    assert ended.code == 2
    assert ended.err[-1].startswith("Error: Invalid value for '--tag': ")
    assert not program.file.exists()


def test_rash_is_the_tag_of_the_earliest_import_that_found_the_tweet(program: Program, archive: Archive) -> None:
    file = archive(page(post(0, "#sre")))
    program.imported(file)
    program.imported("--tag", "#aaa", file)
    program.imported(archive(own_row(0, rash="#abc", tags=["#abc"])))
    assert tags_of(program.tweet()) == ("#sre", ["#aaa", "#abc", "#sre"])


def test_an_import_that_found_it_under_no_tag_leaves_rash_to_the_first_that_does(program: Program, archive: Archive) -> None:
    file = archive(page(post(0, "no tag")))
    program.imported(file)
    assert tags_of(program.tweet()) == (None, [])
    program.imported("--tag", "#sre", file)
    program.imported("--tag", "#aaa", file)
    assert tags_of(program.tweet()) == ("#sre", ["#aaa", "#sre"])


@pytest.mark.parametrize("batch", [1, 500])
def test_within_one_import_rash_is_the_first_tag_by_name(
    program: Program, archive: Archive, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(imports, "BATCH", batch)
    first, second = archive(page(edited(0, text="#sre"))), archive(page(edited(0, 1, text="#observability #devops")))
    program.imported(first, second)
    assert tags_of(program.tweet()) == ("#devops", ["#devops", "#Observability", "#sre"])


def test_our_own_row_keeps_the_rash_it_names_also_against_the_order_of_names(program: Program, archive: Archive) -> None:
    program.imported(archive(own_row(0, rash="#sre", tags=["#devops", "#sre"]), own_row(1, rash="#zeta", tags=["#alpha"])))
    assert list(map(tags_of, program.tweets())) == [("#sre", ["#devops", "#sre"]), ("#zeta", ["#alpha", "#zeta"])]


def test_our_own_row_is_linked_to_its_tags_and_not_to_its_hashtags(program: Program, archive: Archive) -> None:
    program.imported(archive(own_row(0, "#devops #sre", rash=None, tags=["#Launch"])))
    assert tags_of(program.tweet()) == ("#Launch", ["#Launch"])


def test_a_collection_after_an_import_adds_its_tag_and_leaves_rash(
    make_program: MakeProgram, emulator: Emulator, archive: Archive
) -> None:
    emulator.clock.hold()
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


VERSIONS = [
    edited(0, text="first #sre", lang="en", geo={"country": "Peru", "country_code": "PE"}),
    edited(0, 10, text="second #sre", lang="it"),
    edited(0, 10, 20, text="third #sre", lang="es", geo={"country": "Chile", "country_code": "CL"}),
]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_edited_tweet_is_one_tweet_in_whatever_order_its_versions_come(
    program: Program, archive: Archive, order: tuple[int, ...], together: bool
) -> None:
    objects = [page(VERSIONS[index]) for index in order]
    if together:
        assert program.imported(archive(*objects)) == "3 tweets read, 1 added, 0 refused"
    else:
        counts = [program.imported(archive(each)) for each in objects]
        assert counts == [f"1 tweets read, {added} added, 0 refused" for added in (1, 0, 0)]
    row = program.tweet()
    assert (row["id"], row["created"]) == (post(0)["id"], "2026-03-02T08:30:00Z")
    assert (row["tweet"], row["lang"], row["country"], row["country_code"]) == ("third #sre", "es", "Chile", "CL")
    with program.collector.database.reading() as session:
        for minute in (0, 10, 20):
            found = tweet_of(session, int(post(minute)["id"]))
            assert found is not None
            assert str(found.id) == post(0)["id"]


def test_of_a_tweet_whose_newest_version_alone_is_at_hand_created_is_the_first_version_s(
    program: Program, archive: Archive
) -> None:
    program.imported(archive(page(edited(0, 10, 20, text="third #sre"))))
    assert (program.tweet()["created"], program.tweet()["id"]) == ("2026-03-02T08:30:00Z", post(0)["id"])


def observed(followers: int, hour: int, name: str = "Ada Muster", number: int = 0) -> Json:
    when = datetime(2026, 5, 1, hour, tzinfo=UTC)
    return page(post(number), users=(user(7001, name, f"ada_{hour}", followers),), retrieved=when)


@pytest.mark.parametrize("order", list(permutations([9, 12, 15])))
@pytest.mark.parametrize("together", [True, False])
def test_an_author_is_shown_as_observed_last_in_whatever_order_the_observations_come(
    program: Program, archive: Archive, order: tuple[int, ...], together: bool
) -> None:
    objects = [observed(followers=hour * 100, hour=hour, name=f"Ada at {hour}", number=hour) for hour in order]
    for file in [archive(*objects)] if together else map(archive, objects):
        program.imported(file)
    rows = program.tweets()
    assert len(rows) == 3
    for row in rows:
        assert (row["author"], row["username"], row["followers"]) == ("Ada at 15", "ada_15", 1500)
        assert row["observed"] == "2026-05-01T15:00:00Z"
    assert program.get("/tweets?order_by_followers_desc=5")["authors"] == [
        {"author": "Ada at 15", "followers": 1500, "username": "ada_15", "tweets": 3}
    ]


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


def test_an_author_known_by_id_is_found_by_the_username_of_our_own_row(program: Program, archive: Archive) -> None:
    program.imported(archive(observed(120, 9)))
    program.imported(archive(own_row(1, username="ada_9", author="Ada at row")))
    assert {row["author_id"] for row in program.tweets()} == {"7001"}
    assert {row["author"] for row in program.tweets()} == {"Ada Muster"}


def test_a_tweet_without_an_author_is_stored(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0, author=None))))
    row = program.tweet()
    assert (row["author"], row["username"], row["followers"], row["author_id"]) == (None, None, None, None)


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


def test_the_smallest_ids_are_stored_and_come_in_the_order_of_numbers(program: Program, archive: Archive) -> None:
    large, small = tweet_id(datetime.now(UTC)), 20
    old = {"id": small, "text": "old", "created_at": "2006-03-21T20:50:14.000Z"}
    program.imported(archive(page({"id": str(large), "text": "last"}, old, post(0))))
    assert [row["id"] for row in program.tweets()] == [str(small), post(0)["id"], str(large)]


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Tokyo", "Pacific/Kiritimati"])
def test_no_imported_time_breaks_the_hours_of_a_zone(program: Program, archive: Archive, zone: str) -> None:
    times = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2006-03-21T00:00:00Z", "2026-01-01T00:00:00Z"]
    rows: list[Json] = [{"id": str(number), "text": "x", "created_at": time} for number, time in enumerate(times, 1)]
    late = {"id": str(tweet_id(datetime(2080, 1, 1, tzinfo=UTC))), "text": "y"}
    ended = program.run("tweets", "import", archive(page(*rows, late)))
    assert ended.err[-1] == "2 tweets read, 2 added, 3 refused"
    counted = program.get(f"/tweets_per_hour?tz={zone}")["tweets_per_hour"]
    assert sum(hour["tweets"] for hour in counted) == 2


def test_what_an_archive_says_of_strange_authors_and_texts_is_given_back_as_it_is(program: Program, archive: Archive) -> None:
    text = "a\0b \ud83c <script>alert(1)</script> ' OR 1=1; -- \u202e\n\t#sre"
    program.imported(archive(page(post(0, text), users=(user(name="\ud800", username="x"),))))
    row = program.tweet()
    assert row["tweet"] == text.replace("\0", "\ufffd").replace("\ud83c", "\ufffd")
    assert (row["author"], row["rash"]) == ("\ufffd", "#sre")


@pytest.mark.parametrize("first", ["name", "id"])
@pytest.mark.parametrize("spelling", ["ada_muster", "Ada_MUSTER"])
def test_an_author_known_by_name_only_and_the_same_by_id_are_one(
    program: Program, archive: Archive, first: str, spelling: str
) -> None:
    by_name = own_row(0, username=spelling, author="Ada Muster", followers=5, author_id=None)
    by_id = page(post(1), users=(user(7001, followers=999),))
    for line in (by_name, by_id) if first == "name" else (by_id, by_name):
        program.imported(archive(line))
    with program.collector.database.reading() as session:
        ranked = most_followed(session, limit=10)
    assert [(author.username, author.tweets) for author in ranked] == [("ada_muster", 2)]


def test_an_author_known_under_two_names_and_then_by_id_is_one(program: Program, archive: Archive) -> None:
    program.imported(archive(own_row(0, username="ada_9"), own_row(1, username="ada_12"), own_row(2, username="ada_12")))
    program.imported(archive(observed(120, 9, number=3), observed(130, 12, number=4)))
    with program.collector.database.reading() as session:
        ranked = most_followed(session, limit=10)
    assert [(author.username, author.followers, author.tweets) for author in ranked] == [("ada_12", 130, 5)]
    assert program.run("database", "verify").code == 0


def test_an_author_who_goes_while_an_import_runs_is_known_again_by_their_next_tweet(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    program.collector.prepare()
    database = program.collector.database
    rows = [
        record(json.dumps(own_row(number, author_id="7001", observed="2026-05-01T00:00:00Z")).encode()) for number in (0, 1)
    ]
    archive = imports.Import(database)
    archive.add(rows[0].tweets, rows[0].authors)
    with database.writing() as session:
        bury(session, rows[0].tweets[0].tweet.id)
        assert session.scalars(select(Author.id)).all() == []
    archive.add(rows[1].tweets, rows[1].authors)
    archive.end()
    assert (program.tweet()["author"], program.tweet()["username"]) == ("Ada Muster", "ada_muster")


def test_who_wrote_nothing_in_data_is_not_stored(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0), users=(user(), user(7999, username="nobody_known")))))
    with program.collector.database.reading() as session:
        assert session.scalars(select(Author.username)).all() == ["ada_muster"]


LONE = post(5, "second wording #sre")
WHOLE = {**LONE, "edit_history_tweet_ids": [post(1)["id"], LONE["id"]]}


@pytest.mark.parametrize("lines", [(LONE, WHOLE), (WHOLE, LONE), (WHOLE, LONE, WHOLE)])
@pytest.mark.parametrize("together", [True, False])
def test_a_version_that_came_without_its_history_is_the_same_tweet(
    program: Program, archive: Archive, lines: tuple[Json, ...], together: bool
) -> None:
    for objects in [lines] if together else [(line,) for line in lines]:
        program.imported(archive(*objects))
    only = program.tweet()
    assert only["id"] == post(1)["id"]
    assert tags_of(only) == ("#sre", ["#sre"])
    with program.collector.database.reading() as session:
        found = tweet_of(session, int(LONE["id"]))
        assert found is not None
        assert found.id == int(only["id"])


def deleted(program: Program, number: int) -> None:
    with program.collector.database.writing() as session:
        assert bury(session, int(post(number)["id"]))


def texts(program: Program) -> list[str]:
    """Return the texts of all tweets, of a database in which everything adds up."""
    assert program.run("database", "verify").code == 0
    return [row["tweet"] for row in program.tweets()]


@pytest.mark.parametrize("apart", ["before", "after", "never"])
def test_no_version_of_a_deleted_tweet_comes_back(program: Program, archive: Archive, apart: str) -> None:
    program.imported(archive(page(post(1, "one"), post(9, "another"))))
    deleted(program, 1)
    alone, known = edited(2, text="two"), edited(1, 2, text="two")
    for given in {"before": (alone, known), "after": (known, alone), "never": (known,)}[apart]:
        program.imported(archive(page(given)))
    program.imported(archive(page(edited(2, 3, text="three"))))
    assert texts(program) == ["another"]


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


def test_who_has_a_deleted_username_now_goes_with_all_their_tweets(without_bob: Program, archive: Archive) -> None:
    without_bob.imported(archive(page(post(3, "as bob", author=5), users=(BOB,), retrieved=NOW)))
    assert texts(without_bob) == []
    without_bob.imported(archive(page(post(4, "as robert", author=5), users=(ROBERT,), retrieved=NOW)))
    assert texts(without_bob) == []


def test_what_a_newer_observation_does_not_say_is_kept(program: Program, archive: Archive) -> None:
    program.imported(archive(page(post(0), users=(user(followers=5),), retrieved=datetime(2026, 11, 20, tzinfo=UTC))))
    silent = {"id": "7001", "username": "ada_muster", "name": "Ada Muster"}
    program.imported(archive(page(post(1), users=(silent,), retrieved=datetime(2026, 11, 21, tzinfo=UTC))))
    assert {tweet["followers"] for tweet in program.tweets()} == {5}
