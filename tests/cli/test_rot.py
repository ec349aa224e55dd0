"""`flask --app app database verify` compares rows with what X gave: a letter that has rotted is found, and nothing else."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import insert, select, update

from alchemy import Database, open_database
from api import get_tweets
from collector.compliance import redactions
from collector.imports import Import
from collector.tweets.deletions import delete_tweet, scrub_location
from collector.verification import faults
from emulator import Emulator
from models import Author, Payload, Tweet
from schemas.records import record
from tests.cli.conftest import Ended, MakeProgram, Program, asked, rewrite
from tests.fixtures.archives import FIXTURES, MORNING, Archive, edited, own_row, page, post, tweet_id, user
from tests.reliability.judge import BILLING

ADDS_UP = Ended(0, [], ["everything adds up"])
LATER = MORNING + timedelta(days=1)
PLACE = {"id": "p1", "full_name": "Springfield", "country": "Elbonia", "country_code": "EB"}
CONTENT = dict.fromkeys(("tweets", "payloads", "author_payloads", "tweet_tags", "versions", "tags"), "*")
CONTENT["authors"] = "id, username, name, followers, tweets"


def number(minute: int) -> int:
    return tweet_id(MORNING + timedelta(minutes=minute))


def flat(one: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**one, "author": user(), "__twarc": {"retrieved_at": LATER.isoformat()}, **more}


def verified(program: Program) -> list[str]:
    """Return what verify says is wrong."""
    ended = program.run("database", "verify")
    assert ended.out == []
    return [] if ended == ADDS_UP else ended.err


@pytest.fixture
def given(program: Program, archive: Archive) -> Program:
    """A program with tweets of which X's own objects are kept."""
    posts = (post(1), post(2, "Deploy, on a Friday?!"), edited(3, 4, text="version two"), post(5, geo={"place_id": "p1"}))
    program.imported(archive(page(*posts, users=(user(),), places=[PLACE], retrieved=LATER)))
    return program


WRONG: list[tuple[int, dict[str, Any], str]] = [
    (2, {"text": "Deploy, on a Friday?."}, "text"),
    (1, {"lang": "em"}, "language"),
    (1, {"created": MORNING + timedelta(minutes=1, seconds=1)}, "created"),
    (3, {"text": "version twO"}, "text"),
    (5, {"text": "on Call again #sre", "lang": None}, "text and language"),
]


@pytest.mark.dialects
def test_what_differs_is_named_by_the_id_of_its_tweet(given: Program) -> None:
    assert verified(given) == []
    for minute, values, names in WRONG:
        with given.collector.database.writing() as session:
            before = session.execute(select(*(getattr(Tweet, name) for name in values)).where(Tweet.id == number(minute))).one()
            session.execute(update(Tweet).where(Tweet.id == number(minute)).values(values))
        assert f"tweet {number(minute)}: {names} is not as it was stored" in verified(given)
        with given.collector.database.writing() as session:
            session.execute(update(Tweet).where(Tweet.id == number(minute)).values(before._asdict()))
    assert verified(given) == []


@pytest.mark.dialects
def test_every_tweet_that_is_wrong_is_named(program: Program, archive: Archive) -> None:
    program.imported(archive(page(*(post(minute, f"number {minute}!") for minute in range(30)), users=(user(),))))
    with program.collector.database.writing() as session:
        session.execute(update(Tweet).values(text=Tweet.text + "?"))
    named = [line for line in verified(program) if "is not as it was stored" in line]
    assert named == [f"tweet {number(minute)}: text is not as it was stored" for minute in range(30)]


@pytest.mark.dialects
def test_another_author_and_another_name_are_found(given: Program) -> None:
    with given.collector.database.writing() as session:
        session.execute(insert(Author).values(id=9, tweets=0))
        session.execute(update(Tweet).where(Tweet.id == number(1)).values(author_id=9))
        session.execute(update(Author).where(Author.id == 7001).values(name="Ada Mustes"))
    found = verified(given)
    assert f"tweet {number(1)}: author is not as it was stored" in found
    assert "author 7001: name is not as it was stored" in found


@pytest.mark.dialects
def test_a_version_that_rotted_is_found_though_no_payload_is_known_by_it(given: Program) -> None:
    with given.collector.database.writing() as session:
        session.execute(update(Tweet).where(Tweet.id == number(1)).values(version=Tweet.version + 1))
    assert f"tweet {number(1)}: version is not as it was stored" in verified(given)


def test_a_payload_that_rotted_is_found(given: Program) -> None:
    dice = random.Random(3)
    with given.collector.database.reading() as session:
        bodies = {row.id: row.body for row in session.execute(select(Payload.id, Payload.body))}
    for own, body in bodies.items():
        for _ in range(4):
            place = dice.randrange(len(body))
            rotted = body[:place] + bytes([body[place] ^ dice.randrange(1, 256)]) + body[place + 1 :]
            with given.collector.database.writing() as session:
                session.execute(update(Payload).where(Payload.id == own).values(body=rotted))
            assert any("what X gave of it can't be read" in line for line in verified(given)), place
        with given.collector.database.writing() as session:
            session.execute(update(Payload).where(Payload.id == own).values(body=body))
    assert verified(given) == []


LONG = "a text that X cuts short where the whole of it is not asked for, https://t.co/x #sre"
CUT = {**post(1, "a text that X cuts… #sre"), "lang": "und"}
WHOLE = {**CUT, "lang": "en", "note_tweet": {"text": LONG}}
ARCHIVES: list[list[Any]] = [
    [own_row(1, lang=None), page(post(1), users=(user(),), retrieved=LATER)],
    [own_row(1, "an older version's text", created="2026-03-02T08:31:59Z"), page(post(1), retrieved=LATER)],
    [page(CUT, users=(user(),), retrieved=LATER), page(WHOLE, users=(user(),), retrieved=LATER + timedelta(days=1))],
    [page(WHOLE, retrieved=LATER), page(CUT, retrieved=MORNING + timedelta(hours=1))],
    [flat(post(1)), page(post(1), users=(user(7001, "Ada M."),))],
    [flat({key: value for key, value in post(1).items() if key != "author_id"}), own_row(1)],
    [page(edited(1, 2, text="two"), retrieved=LATER), page(post(1, "one"), retrieved=LATER), own_row(1, "three?")],
    [page(post(2, "two"), retrieved=LATER + timedelta(days=2)), page(edited(1, 2, text="two #ops"), retrieved=LATER)],
    [own_row(1, author="Ada M."), flat(post(1), __twarc={})],
    [own_row(1, "Ada's", username="ada_muster"), page(post(1, author=7002), users=(user(7002, username="other"),))],
    [page(post(3), users=(user(7001),)), own_row(1), page(post(1, author=7002), users=(user(7002, username="other"),))],
    [own_row(1, username="ada_muster"), page(post(1, author=7002)), page(post(3), users=(user(7001),))],
    [page({**post(1), "created_at": "2026-03-02T08:31:07.000Z"}), page(edited(1, 2, text="later"))],
    [page(post(1, geo={"place_id": "p1"}), places=[PLACE]), page(post(1, geo={"place_id": "p1"}))],
    [page(post(1, "half \ud83d and \u0000")), own_row(1, "half \ufffd and \ufffd")],
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, bytes]]:
    """A database, so that its statements are compiled once, and its file as it is without a tweet."""
    file = tmp_path_factory.mktemp("empty") / "tweets.db"
    with closing(open_database(f"sqlite:///{file}")) as database:
        database.upgrade()
        database.checkpoint()
        yield database, file.read_bytes()


def imported(database: Database, whole: bytes, *archives: list[Any]) -> list[Any]:
    """Import these archives into this file, one after the other. Return what is wrong, and the texts and languages in it."""
    rewrite(database, whole)
    for archive in archives:
        current = Import(database)
        for one in archive:
            read = record(json.dumps(one).encode())
            assert not read.refused
            current.add(read.tweets, read.authors)
        current.end()
    with database.reading() as session:
        return [faults(database, BILLING), session.execute(select(Tweet.id, Tweet.text, Tweet.lang, Tweet.author_id)).all()]


@pytest.mark.parametrize("objects", ARCHIVES)
def test_archives_that_say_different_things_of_a_tweet_add_up(empty: tuple[Database, bytes], objects: list[Any]) -> None:
    """In this order or the other, and the size of a batch changes nothing."""
    for order in (objects, objects[::-1]):
        together, apart = imported(*empty, order), imported(*empty, *([one] for one in order))
        assert together == apart
        assert together[0] == []


@pytest.mark.dialects
def test_what_compliance_takes_away_adds_up(given: Program, archive: Archive) -> None:
    database = given.collector.database
    with database.writing() as session:
        assert scrub_location(session, number(5))
        assert delete_tweet(session, number(1))
    redactions.apply(database, [b'{"id":"%d","action":"delete"}' % number(4)], lambda _session, _applied: None)
    given.imported(archive(page(post(5, geo={"place_id": "p1"}), post(2, withheld={"country_codes": ["XX"]}), places=[PLACE])))
    assert verified(given) == []
    assert [tweet["id"] for tweet in given.tweets()] == [str(number(minute)) for minute in (2, 5)]


@pytest.mark.dialects
def test_the_files_of_the_fixtures_and_their_export_add_up(program: Program, tmp_path: Path) -> None:
    files = [FIXTURES / name for name in ("twarc-pages.jsonl", "twarc-flattened.jsonl", "pages-post-fields.jsonl")]
    for order in (files, files[::-1]):
        program.imported(*order)
        assert verified(program) == []
    assert program.run("tweets", "export", "-o", tmp_path / "own.ndjson").code == 0
    program.imported(tmp_path / "own.ndjson")
    assert verified(program) == []


def content(file: Path) -> Any:
    """Return all rows of what is stored, undecoded, or None where they can't be read."""
    try:
        with closing(sqlite.connect(f"file:{file}?immutable=1", uri=True)) as connection:
            connection.text_factory = bytes
            tables = [connection.execute(f"SELECT {columns} FROM {name} NOT INDEXED") for name, columns in CONTENT.items()]
            return [sorted(rows.fetchall(), key=repr) for rows in tables]
    except (sqlite.Error, UnicodeDecodeError):
        return None


@pytest.fixture
def collected(make_program: MakeProgram, emulator: Emulator) -> Program:
    """A program with what two collections found, in a file without a log."""
    usual = {"MONTHLY_BUDGET_USD": "off", "TW_NUMBER": "60", "TAGS": "#devops,#sre"}
    program = make_program(TWITTER_API_URL=emulator.url, **usual)
    program.collector.prepare()
    for _ in range(2):
        get_tweets(program.collector)
        emulator.clock.advance(7200)
    program.imported(FIXTURES / "twarc-pages.jsonl")
    program.collector.database.close()
    asked(program.file, "PRAGMA wal_checkpoint(TRUNCATE)")
    asked(program.file, "PRAGMA journal_mode=DELETE")
    return program


def found(program: Program, whole: bytes, place: int, mask: int) -> bool:
    """Flip bits of a byte of the file, and tell whether verify notices it."""
    rewrite(program.collector.database, whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
    ended = program.run("database", "verify")
    program.collector.database.close()
    assert (ended.code, ended.err) == (0, ADDS_UP.err) or (ended.code == 1 and ended.err)
    return ended.code == 1


def test_a_flipped_letter_of_a_text_or_a_name_is_found(collected: Program) -> None:
    whole, dice = collected.file.read_bytes(), random.Random(11)
    rows = asked(collected.file, "SELECT text FROM tweets JOIN payloads p ON p.id = version UNION ALL SELECT name FROM authors")
    for text in dice.sample([row[0].encode() for row in rows if row[0] and whole.count(row[0].encode()) == 1], 8):
        place = whole.index(text) + dice.randrange(len(text))
        assert found(collected, whole, place, dice.randrange(1, 256)), (place, text)


@pytest.mark.reliability
def test_bytes_that_are_flipped_anywhere_are_found_where_they_change_content(collected: Program) -> None:
    """Content is what is in the tables of tweets and authors, read past all indexes, but for when an author was observed."""
    whole, before, dice = (
        collected.file.read_bytes(),
        content(collected.file),
        random.Random(int(os.environ.get("FLIPS_SEED", "1"))),
    )
    flips, changed, missed = int(os.environ.get("FLIPS", "80")), 0, []
    for _ in range(flips):
        place, mask = dice.randrange(len(whole)), dice.randrange(1, 256)
        noticed = found(collected, whole, place, mask)
        now = content(collected.file)
        changed += now != before
        if now != before and not noticed:
            missed.append((place, mask))
    assert changed > flips / 10
    assert missed == [], f"{len(missed)} of {changed}"
