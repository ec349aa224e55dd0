"""CSV that spreadsheets open safely and that programs read back exactly."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import rows
from formats.sheets import COLUMNS, cell, marked, sheet
from queries.tweets import TweetView
from tests.formats.views import MANY, views

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠a"]


def read(data: bytes) -> list[dict[str, str]]:
    """Read as the decisions say: a ' at the start of a text is dropped."""
    table = csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True)
    return [{name: value.removeprefix("'") for name, value in row.items()} for row in table]


def plain(row: rows.Json) -> dict[str, str]:
    joined = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in row.items()}
    return {name: "" if value is None else str(value) for name, value in joined.items()}


@MANY
@given(st.lists(st.lists(views(), max_size=3), max_size=3))
def test_what_is_read_back_is_what_was_written(batches: list[list[TweetView]]) -> None:
    assert read(b"".join(sheet(batches))) == [plain(rows.tweet(view)) for batch in batches for view in batch]


@MANY
@given(views())
def test_no_cell_is_a_formula(view: TweetView) -> None:
    _, row = csv.reader(io.StringIO(b"".join(sheet([[view]])).decode(), newline=""), strict=True)
    for name, value in zip(COLUMNS, row, strict=True):
        assert not value.startswith(tuple("=+-@＝＋－＠\t\r\n")), name


@pytest.mark.parametrize("text", [*FORMULAS, "'", "'=1"])
def test_what_a_spreadsheet_would_take_for_something_else_is_marked_as_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " =1", "a=1", "1", "2028387331077046272", "#sre", '"=1', "؀"])
def test_what_is_a_text_anyway_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_numbers_stay_numbers_and_lists_are_joined_by_spaces() -> None:
    assert [cell(120), cell(None), cell(("#devops", "#sre")), cell(())] == [120, "", "#devops #sre", ""]


def test_a_nul_does_not_end_the_line() -> None:
    assert cell("a\0b") == "a\ufffdb"


def test_lines_end_with_cr_and_lf_and_a_marked_sheet_begins_with_the_mark() -> None:
    header = ",".join(COLUMNS).encode() + b"\r\n"
    assert b"".join(sheet([])) == header
    assert b"".join(marked(sheet([]))) == b"\xef\xbb\xbf" + header


@MANY
@given(views())
def test_the_columns_are_the_keys_of_a_row(view: TweetView) -> None:
    assert tuple(rows.tweet(view)) == COLUMNS
