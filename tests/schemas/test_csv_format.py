"""CSV that spreadsheets open safely and that programs read back exactly."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from queries.tweets import TweetView
from schemas.csv_format import cell, csv_pieces, with_byte_order_mark
from schemas.tweets import COLUMNS, encode_tweet, tweet_json
from tests.schemas.views import FIRST, MANY, views

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠a"]
BEHIND_NOTHING = [" =1", "\ufeff=1+1", "\u200b \u2060@a", "\xa0+1", "\x01=1", "\u3000＝1", " \t=1"]
NASTY = st.text(st.sampled_from(list("=+-@＝'\";,\t\r\n \u200b\ufeffa1")), min_size=1, max_size=30)


ID = 2028387331077046272
ONE = TweetView("one", "Ada Muster", 120, FIRST, None, None, None, ID, "ada_muster", (), None, 7001, FIRST, ID, (ID,))


def sheet(*batches: list[TweetView]) -> bytes:
    return b"".join(csv_pieces([[encode_tweet(view) for view in batch] for batch in batches], COLUMNS))


def read(data: bytes) -> list[dict[str, str]]:
    """Read as the decisions say: a ' is dropped at the start of a text, and in all but the first of a row inside too."""
    table = csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True)
    first, *others = COLUMNS
    return [
        {first: row[first].removeprefix("'"), **{name: re.sub(r"(^|[;\t\r\n])'", r"\1", row[name]) for name in others}}
        for row in table
    ]


@st.composite
def nasty(draw: st.DrawFn) -> TweetView:
    """Return a tweet whose texts are made of what readers of tables trip over."""
    return draw(views())._replace(text=draw(NASTY), author=draw(NASTY), country=draw(NASTY), lang=draw(NASTY))


def plain(row: dict[str, Any]) -> dict[str, str]:
    joined = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in row.items()}
    return {name: "" if value is None else str(value) for name, value in joined.items()}


@MANY
@given(st.lists(st.lists(views() | nasty(), max_size=3), max_size=3))
def test_what_is_read_back_is_what_was_written(batches: list[list[TweetView]]) -> None:
    assert read(sheet(*batches)) == [plain(tweet_json(view)) for batch in batches for view in batch]


@MANY
@given(views() | nasty(), st.sampled_from(",;\t"))
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(view: TweetView, separator: str) -> None:
    table = list(csv.reader(io.StringIO(sheet([view]).decode(), newline=""), delimiter=separator))
    assert separator != "," or len(table[1]) == len(COLUMNS)
    for value in (value for row in table for value in row):
        assert not value.lstrip(" \xa0\u3000\u200b\u2060\ufeff").startswith(tuple("=+-@＝＋－＠")), value


def test_a_text_is_quoted_and_a_number_is_not() -> None:
    data = sheet([ONE._replace(text="x;=1+1", followers=120, author=None)]).decode()
    assert data.splitlines()[1].startswith('"x;=1+1","",120,"2')


def test_a_name_that_another_separator_would_split_is_marked_where_it_would_be() -> None:
    (row,) = csv.DictReader(io.StringIO(sheet([ONE._replace(text="a;=1", author="a;=1\t'b;c")]).decode()))
    assert (row["tweet"], row["author"]) == ("a;=1", "a;'=1\t''b;c")


def test_what_a_spreadsheet_would_take_for_something_else_is_marked_as_text_and_nothing_else() -> None:
    odd, plain = [*FORMULAS, *BEHIND_NOTHING, "'", "'=1"], ["", " 1", "a=1", "1", "2028387331077046272", "#sre", '"=1', "؀"]
    assert [cell(text) for text in odd] == [f"'{text}" for text in odd]
    assert [cell(text) for text in plain] == plain


def test_numbers_stay_numbers_lists_are_joined_by_spaces_and_a_nul_does_not_end_the_line() -> None:
    assert [cell(120), cell(None), cell(("#devops", "#sre")), cell(())] == [120, "", "#devops #sre", ""]
    assert cell("a\0b") == "a\ufffdb"


def test_lines_end_with_cr_and_lf_and_a_marked_sheet_begins_with_the_mark() -> None:
    assert tuple(tweet_json(ONE)) == COLUMNS
    header = ",".join(f'"{name}"' for name in COLUMNS).encode() + b"\r\n"
    assert sheet() == header
    assert b"".join(with_byte_order_mark(csv_pieces([], COLUMNS))) == b"\xef\xbb\xbf" + header
