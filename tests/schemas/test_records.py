"""Lines of archives."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.values import ObservedAuthor, TweetVersion
from collector.x.documents import unpack
from schemas import records
from schemas.records import ArchiveRecord, lines, record
from tests.fixtures.archives import FIXTURES, MORNING, Json, edited, json_lines, own_row, page, post, user

RETRIEVED = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = ObservedAuthor(7001, "ada_muster", "Ada Muster", 120, RETRIEVED)
BO = ObservedAuthor(7002, "bo_primer", "Бо Пример", 15, RETRIEVED)


def read(body: object) -> ArchiveRecord:
    """Read an object as a line, without what is kept of it as X gave it."""
    return bare(record(json.dumps(body).encode() + b"\n"))


def bare(one: ArchiveRecord) -> ArchiveRecord:
    tweets = tuple(each._replace(tweet=each.tweet._replace(payload=None, retrieved=None)) for each in one.tweets)
    return ArchiveRecord(tweets, tuple(author._replace(payload=None) for author in one.authors), one.refused)


def read_all(name: str) -> tuple[dict[int, TweetVersion], dict[int, ObservedAuthor], list[str]]:
    """Return all tweets and authors of a file by id, and what was refused."""
    tweets, authors, refused = dict[int, TweetVersion](), dict[int, ObservedAuthor](), list[str]()
    for line in lines(FIXTURES / name):
        tweets |= {archived.tweet.id: archived.tweet for archived in line.record.tweets}
        authors |= {author.id: author for author in bare(line.record).authors}
        refused += line.record.refused
    return tweets, authors, refused


def only(read: ArchiveRecord) -> TweetVersion:
    assert read.refused == ()
    return read.tweets[0].tweet


@pytest.mark.parametrize("name", ["twarc-pages.jsonl", "pages-post-fields.jsonl", "twarc-flattened.jsonl"])
def test_pages_in_both_vocabularies_and_flattened_tweets_give_the_same_tweets(name: str) -> None:
    tweets, authors, refused = read_all(name)
    assert refused == []
    assert sorted(tweets) == [int(post(number)["id"]) for number in range(3)]
    first, second, third = (tweets[own] for own in sorted(tweets))
    assert (first.text, first.created) == ("on call again #SRE and #sre with @nobody_known", MORNING)
    assert (first.country, first.country_code, first.author_id, first.lang) == ("Colombia", "CO", 7001, "en")
    assert first.hashtags == ("SRE", "sre")
    assert second.text.startswith("xxxxx the whole text &amp; its end #Observability é")
    assert len(second.text) > 280
    assert (second.hashtags, second.country, second.country_code) == (("Observability",), None, None)
    assert third.author_id == 7003
    assert (authors[7001], authors[7002]) == (ADA, BO)
    assert 7003 not in authors


def test_a_page_s_referenced_tweets_are_not_read_and_a_page_may_have_one_tweet_or_none() -> None:
    stranger = post(90, "a stranger's #sre")
    body = page(post(0), users=(user(),), tweets=[stranger], posts=[stranger])
    assert [archived.tweet.id for archived in read(body).tweets] == [int(post(0)["id"])]
    assert len(read({"data": post(0)}).tweets) == 1
    empty: list[Json] = [{"meta": {"result_count": 0}}, {"data": None, "errors": [{"title": "Not Found Error"}]}, {"data": []}]
    assert [read(body) for body in empty] == [ArchiveRecord((), ())] * 3


def test_one_object_that_cannot_be_stored_costs_no_other() -> None:
    broken: list[Any] = [{**post(1), "id": None}, {**post(2), "text": ""}, "a text", None, {**post(3), "id": "x\n1:2: y"}]
    read_page = read(page(post(0), *broken, post(4)))
    assert [archived.tweet.id for archived in read_page.tweets] == [int(post(0)["id"]), int(post(4)["id"])]
    assert read_page.refused[:2] == ("no id (id None)", f"no text (id {post(2)['id']})")
    assert read_page.refused[2:] == ("no id (id None)", "no id (id None)", "no id (id x1:2: y)")


def test_a_place_without_an_id_is_the_place_of_no_tweet() -> None:
    nowhere = {"country": "Atlantis", "country_code": "AT"}
    body = page(post(0), post(1, geo={}), post(2, geo={"place_id": None}), places=[nowhere, {**nowhere, "id": None}])
    assert {archived.tweet.country for archived in read(body).tweets} == {None}


def test_a_page_is_observed_when_it_was_retrieved_and_else_when_its_newest_tweet_was_made() -> None:
    newest = datetime(2026, 3, 2, 8, 35, tzinfo=UTC)
    for retrieved, observed in ((RETRIEVED, RETRIEVED), (None, newest)):
        body = page(post(5), post(0), users=(user(),), retrieved=retrieved)
        assert read(body).authors == (ADA._replace(observed=observed),)
        kept = record(json.dumps(body).encode()).tweets
        assert {one.tweet.retrieved for one in kept} == {observed}


def test_a_flattened_tweet_brings_its_author_also_where_the_tweet_itself_does_not_name_them() -> None:
    without = {name: value for name, value in post(0).items() if name != "author_id"}
    read_tweet = read({**without, "author": user(), "__twarc": {"retrieved_at": "2026-03-02T12:00:00Z"}})
    assert only(read_tweet).author_id == 7001
    assert read_tweet.authors == (ADA,)
    assert read({**post(0), "author": user()}).authors == (ADA._replace(observed=MORNING),)


def kept(name: str) -> tuple[dict[int, Json], dict[int, Json]]:
    """Return what is kept as X gave it of a file's tweets and authors, with when it was retrieved."""
    found = [line.record for line in lines(FIXTURES / name)]
    tweets = {one.tweet.id: (one.tweet.payload, one.tweet.retrieved) for read_line in found for one in read_line.tweets}
    authors = {author.id: author.payload for read_line in found for author in read_line.authors}
    assert {when for _, when in tweets.values()} == {RETRIEVED}
    return (
        {key: unpack(body) for key, (body, _) in tweets.items() if body},
        {key: unpack(body) for key, body in authors.items() if body},
    )


def test_of_flattened_tweets_the_same_is_kept_as_of_their_pages() -> None:
    tweets, authors = kept("twarc-pages.jsonl")
    found, writers = kept("twarc-flattened.jsonl")
    assert len(found) == 3
    assert json.dumps([found[key] for key in tweets]) == json.dumps(list(tweets.values()))
    assert writers == {key: author for key, author in authors.items() if key in (7001, 7002)}


def test_what_flattening_added_is_not_kept() -> None:
    mention, quoted = {"start": 0, "end": 4, "username": "bo", "id": "2"}, {"type": "quoted", "id": "3"}
    own = post(0, in_reply_to_user_id="2", attachments={"media_keys": ["m"], "poll_ids": ["p"]}, referenced_tweets=[quoted])
    own["entities"] = {"mentions": [mention], "urls": [{"start": 5}]}
    own["note_tweet"] = {"text": "x", "entities": {"mentions": [mention]}}
    own["geo"] = {"place_id": "p1", "coordinates": {"type": "Point"}}
    other, place = {"id": "2", "username": "bo", "name": "Bo"}, {"id": "p1", "country": "Chile", "geo": {"bbox": [1]}}
    flat = {
        **own,
        "attachments": {**own["attachments"], "media": [{"media_key": "m"}], "poll": {"id": "p"}},
        "entities": {**own["entities"], "mentions": [mention | other]},
        "note_tweet": {"text": "x", "entities": {"mentions": [mention | other]}},
        "referenced_tweets": [post(3) | quoted],
        "geo": own["geo"] | place,
        **{"in_reply_to_user": other, "author": user(), "matching_rules": [{"id": "5"}], "__twarc": {}},
    }
    read_line = record(json.dumps(flat).encode())
    assert unpack(read_line.tweets[0].tweet.payload or b"") == {"data": own, "includes": {"places": [place]}}
    assert unpack(read_line.authors[0].payload or b"") == user()
    older = {**post(0), "id": int(post(0)["id"]), "id_str": post(0)["id"]}  # of another API
    assert only(record(json.dumps(older).encode())).payload is None


def test_the_id_of_an_edited_tweet_is_its_first_version_s_and_so_is_its_time() -> None:
    tweet = only(read(page(edited(0, 10, 20, text=" third &amp;amp;  #sre\n\u200d\ufeff"))))
    assert (tweet.id, tweet.version) == (int(post(0)["id"]), int(post(20)["id"]))
    assert tweet.versions == tuple(int(post(number)["id"]) for number in (0, 10, 20))
    assert (tweet.created, tweet.text) == (MORNING, " third &amp;amp;  #sre\n\u200d\ufeff")


def test_a_tweet_without_a_possible_time_gets_that_of_its_id_or_is_refused() -> None:
    for created in (None, "", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 12):
        assert only(read(page(post(0, created_at=created)))).created == MORNING
    old = {"id": "20", "text": "just setting up", "edit_history_tweet_ids": ["20"]}  # from before snowflakes
    for created in (None, "0001-01-01T00:00:00Z", "2006-03-20T23:59:59Z", "9999-12-31T23:59:59Z"):
        assert read(page({**old, "created_at": created})).refused == ("no created_at (id 20)",)
    assert only(read(page({**old, "created_at": "2006-03-21T20:50:14.000Z"}))).created.year == 2006


def test_our_own_row_with_the_contract_s_keys_alone_is_read() -> None:
    row = own_row(0, country="Colombia", country_code="CO", tags=["#devops", "#SRE"])
    ((tweet, tags, rash),), (author,), _ = read(row)
    assert (tags, rash) == (("#devops", "#SRE"), "#sre")
    assert (tweet.id, tweet.created) == (int(row["id"]), MORNING)
    assert (tweet.country, tweet.country_code, tweet.lang) == ("Colombia", "CO", "en")
    assert author[1:5] == ("ada_muster", "Ada Muster", 120, MORNING)
    assert author.id < 0
    assert author.id == tweet.author_id


def test_our_own_row_names_the_version_that_is_shown_and_all_that_are_known() -> None:
    first, second, third = (int(post(number)["id"]) for number in range(3))
    row = own_row(0, version=str(second), versions=[str(first), str(second), str(third)])
    assert (only(read(row)).version, only(read(row)).versions) == (second, (first, second, third))
    assert only(read(row)).created == MORNING
    assert only(read(own_row(0, version=str(third)))).versions == (first, third)
    for older in (own_row(0), own_row(0, version=None, versions=None), own_row(0, version=str(first), versions=[])):
        assert (only(read(older)).version, only(read(older)).versions) == (first, (first,))
    assert read(own_row(0, versions="20")).refused == ("versions is no list",)


def test_the_author_of_our_own_row_has_an_id_or_the_same_one_in_every_row_and_letter_case() -> None:
    one, other = read(own_row(0)).authors[0], read(own_row(1, username="ADA_Muster")).authors[0]
    assert one.id == other.id
    assert read(own_row(2, username="bo_primer")).authors[0].id != one.id
    row = own_row(0, author_id="7001", observed="2026-03-02T12:00:00Z", some_later_key={"x": 1})
    assert read(row).authors == (ADA,)
    assert only(read(row)).author_id == 7001


def test_our_own_row_of_an_author_who_was_never_observed_is_no_observation() -> None:
    row = own_row(0, author_id="7001", author=None, username=None, followers=None, observed=None)
    assert only(read(row)).author_id == 7001
    assert read(row).authors == ()
    assert len(read({**row, "observed": "2026-03-02T12:00:00Z"}).authors) == 1


def test_the_whole_answer_of_get_tweets_is_read_as_its_rows_are() -> None:
    rows = [own_row(number) for number in range(3)]
    assert read({"tweets": rows}).tweets == tuple(read(row).tweets[0] for row in rows)
    assert read({"tweets": []}) == ArchiveRecord((), ())
    assert read({"tweets": [rows[0], 5, {}]}).refused == ("no id", "no id")


ODD_ROWS: dict[str, list[Json]] = {
    "no id": [{"id": one} for one in (None, "-5", "1e5", str(2**63), 5.0, True, "١٢٣")],
    "no text": [{"tweet": ""}],
    "no created_at": [{"id": "20", "created": None}],
    "tags is no list": [{"tags": "#sre"}, {"tags": {"#sre": 1}}],
    "a hashtag that is no text": [*({"tags": tags} for tags in ([None], ["#sre", 5], [["#sre"]])), {"rash": 5}],
}


@pytest.mark.parametrize("reason", ODD_ROWS)
def test_our_own_row_that_cannot_be_stored_is_refused_with_the_reason(reason: str) -> None:
    for changes in ODD_ROWS[reason]:
        assert read(own_row(0, **changes)) == ArchiveRecord((), (), (reason,)), changes


def test_a_tag_that_is_no_hashtag_is_refused_in_one_line() -> None:
    for tag in ("#a b", "", "#" + "\U0010ffff" * 101, "#\ud800", "#\n"):
        for changes in ({"tags": [tag]}, {"rash": tag}):
            (reason,) = read(own_row(0, **changes)).refused
            assert "is not accepted, expected a hashtag of 1 to 100 letters" in reason
            assert reason.isprintable()
            assert len(reason) < 400


DEEP = b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000
ODD_LINES = {
    "no JSON": (b"not json\n", b'{"data": [\n', b"\x80\x81\xff", b'{"tweet": "\xff"}', b"NaN", b'{"id": -Infinity}'),
    "values are nested too deeply": DEEP,
    "no JSON object": (b"1" * 5_000, b"1e400", b"[]\n", b'[{"id": "1"}]', b"null", b'"text"', b"5"),
    "no id": (b"{}", b'{"tweets": {"tweet": "x"}}', b'{"title": "Unauthorized", "status": 401, "type": "about:blank"}'),
    "data is neither a list nor an object": (b'{"data": "text"}', b'{"data": 5, "meta": {}}'),
    "no text": (b'{"id": "1", "text": 5}',),
}


@pytest.mark.parametrize("reason", ODD_LINES)
def test_a_line_that_holds_no_tweet_is_refused_with_the_reason(reason: str) -> None:
    for line in ODD_LINES[reason]:
        assert record(line).refused == (reason,), line[:100]


@pytest.mark.parametrize("depth", [300, 1005])
def test_values_nested_as_deeply_as_the_parser_allows_are_refused_too(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for text in (
        f'{{"data":[{{"id":{deep},"text":"x"}}]}}',
        f'{{"data":[{{"id":"20","text":"x","geo":{{"place_id":{deep}}}}}],"includes":{{"places":[{{"id":{deep}}}]}}}}',
        f'{{"tweet":"x","id":"20","created":"2026-01-01T00:00:00Z","tags":[{deep}]}}',
        f'{{"tweet":"x","id":{deep},"rash":{deep}}}',
    ):
        assert len(record(text.encode()).refused) == 1
    for text in (f'{{"id":"{2**40}","text":"x","deep":{deep}}}', f'{{"data":[{{"id":"{2**40}","text":"x","deep":{deep}}}]}}'):
        read_line = record(text.encode())
        assert len(read_line.tweets) + len(read_line.refused) == 1


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    odd = post(0, "a\0b\ud83dc \ud83e\udd89", lang="\udfff", author=1)
    read_page = read(page(odd, users=(user(1, "\ud800", "\0"),)))
    assert (only(read_page).text, only(read_page).lang) == ("a\ufffdb\ufffdc 🦉", "\ufffd")
    assert (read_page.authors[0].username, read_page.authors[0].name) == (None, "\ufffd")


def test_lines_are_numbered_as_they_lie_in_the_file_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "archive.jsonl"
    first, second = (json.dumps(page(post(number))).encode() for number in (0, 1))
    file.write_bytes(b"\xef\xbb\xbf" + first + b"\r\n\n  \t\r\nnot json\n" + second)
    read_lines = list(lines(file))
    told = [(line.number, len(line.record.tweets), line.record.refused) for line in read_lines]
    assert told == [(1, 1, ()), (4, 0, ("no JSON",)), (5, 1, ())]
    assert read_lines[-1].position == file.stat().st_size


def test_a_packed_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    packed = json_lines(tmp_path / "archive.gz", page(post(0)), page(post(1)))
    plain = json_lines(tmp_path / "plain.gz.txt", page(post(0)), page(post(1)))
    renamed = tmp_path / "archive.jsonl"
    renamed.write_bytes(packed.read_bytes())
    expected = [line.record for line in lines(plain)]
    assert [line.record for line in lines(packed)] == [line.record for line in lines(renamed)] == expected


def test_an_empty_file_has_no_lines_and_one_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    assert list(lines(tmp_path / "empty")) == list(lines(tmp_path / "empty.gz")) == []
    with pytest.raises(FileNotFoundError):
        next(lines(tmp_path / "missing"))


def test_a_line_that_is_too_long_is_refused_once_and_the_next_keeps_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 1000)
    file = tmp_path / "archive.jsonl"
    good = json.dumps(page(post(0))).encode()
    exact = good + b" " * (999 - len(good))
    file.write_bytes(b"\n".join((b"x" * 5000, good, exact, b"y" * 1000, b"z" * 999, b"x" * 2500)))
    refused = ("the line is longer than 1000 bytes",)
    expected = [(0, refused), (1, ()), (1, ()), (0, refused), (0, ("no JSON",)), (0, refused)]
    found = [(line.number, len(line.record.tweets), line.record.refused) for line in lines(file)]
    assert found == [(number, *one) for number, one in enumerate(expected, 1)]
