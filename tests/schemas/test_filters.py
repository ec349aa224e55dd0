"""The vocabulary of filters: what is read, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.filters import ALL, Filters
from schemas.parameters import PARAMETERS, filters
from schemas.problems import BadInput, ParameterError
from tests.schemas.views import MANY
from text.search import UNCLOSED, WORDLESS, SearchTerm, TextSearch

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


def test_a_good_value_is_read() -> None:
    values: list[tuple[str, str, Any]] = [
        ("lang", "PT-BR", "pt-br"),
        ("country", "co", "CO"),
        ("country", "Côte d’Ivoire", "Côte d’Ivoire"),
        ("author", "@Ada_Muster", "ada_muster"),
        ("since", "2026-11-17T13:30:00.5+01:30", NOON.replace(microsecond=500_000)),
        ("until", "2026-11-17", NOON.replace(hour=0)),
        ("min_followers", "0", 0),
        ("min_followers", "1000000000", 10**9),
    ]
    for name, value, read in values:
        assert filters({name: [value]}) == Filters(**{name: read})
    assert filters({"tag": ["SRE", "#sre", "#Ärger"]}).tags == ("#sre", "#ärger")  # each counts once, by its key
    assert filters({}) == ALL


def test_a_date_is_its_midnight_in_the_zone_and_the_first_instant_of_a_day_without_one() -> None:
    for zone, day, midnight in (
        ("America/Sao_Paulo", "2026-11-17", NOON.replace(hour=3)),
        ("Asia/Kathmandu", "2026-11-18", datetime(2026, 11, 17, 18, 15, tzinfo=UTC)),
        ("America/Sao_Paulo", "2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # clocks go from 0:00 to 1:00
    ):
        assert filters({"since": [day]}, zone=ZoneInfo(zone)) == Filters(since=midnight)


def test_a_search_is_read_as_words_phrases_and_exclusions_and_has_no_other_operators() -> None:
    required = (SearchTerm(("on", "call"), adjacent=True), SearchTerm(("near", "x")), SearchTerm(("2",)))
    search = TextSearch(required, (SearchTerm(("again",)),))
    assert filters({"q": ['"on call" -again NEAR(x, 2)']}) == Filters(search=search)
    cases: dict[str, list[tuple[str, ...]]] = {
        "Café  OR night_shift": [("café",), ("or",), ("night_shift",)],
        "東京へ 京 京": [("東京", "京へ"), ("京",)],
        "a" * 200: [("a" * 100,)],
        'on-call say"hello" - 🚀': [("on", "call"), ("say",), ("hello",)],
    }
    for value, words in cases.items():
        assert filters({"q": [value]}).search == TextSearch(tuple(SearchTerm(each) for each in words))


def test_a_hyphen_excludes_only_at_the_start_or_after_a_space() -> None:
    excluded = (SearchTerm(("a", "b"), adjacent=True), SearchTerm(("on", "call")))
    assert filters({"q": ['-"a b" -on-call']}).search == TextSearch((), excluded)
    required = (SearchTerm(("x",)), SearchTerm(("a", "b"), adjacent=True), SearchTerm(("c",)))
    assert filters({"q": ['x-"a b"-c']}).search == TextSearch(required)


def test_a_quote_that_is_not_closed_or_has_no_word_is_named() -> None:
    for value, expected in {'"on call': UNCLOSED, 'a "b" c"': UNCLOSED, '""': WORDLESS, 'a -"🚀"': WORDLESS}.items():
        with pytest.raises(BadInput) as refused:
            filters({"q": [value]})
        assert refused.value.faults == [ParameterError("q", f"expected {expected}")]


CJK = "".join(map(chr, range(0x4E00, 0x4F00)))
BAD = {
    "tag": ["", "#", "##sre", "a b", "123", "#sre OR #devops", "a" * 101],
    "lang": ["", "e", "english", "en_US", "ſr", "en\n"],
    "country": ["", "a\0b", "a\nb", "x" * 101],
    "author": ["", "@", "@@ada", "ada muster", "бо", "a" * 51, "ada\n"],
    "since": ["", "yesterday", "2026-02-30", "2026-11-17T12:00:00", "2026-11-17T12:00:00 01:00", "20261117", "٢026-11-17"],
    "until": ["", "0000-01-01", "2026-11-17T25:00:00Z", "0001-01-01T00:00:00+23:59", "2026-W01-1", "2026-11-17\n"],
    "has": ["", "Media", "link,reply", "x"],
    "min_followers": ["", "-1", "+1", "1.5", "1_000", "٣", " 1", "1000000001", "9" * 30],
    "q": ["", " ", "#", "🚀", "\u0301", "- -🚀", "a" * 201, " ".join(CJK[:51]), CJK[:52]],
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_with_what_is_expected(name: str) -> None:
    for value in BAD[name]:
        with pytest.raises(BadInput) as refused:
            filters({name: [value]})
        assert [tuple(fault) for fault in refused.value.faults] == [(name, f"expected {PARAMETERS[name].expected}")], value


def test_what_is_given_twice_is_refused() -> None:
    for name in (name for name, one in PARAMETERS.items() if not one.is_repeated):
        with pytest.raises(BadInput, match=f"{name}: is given more than once"):
            filters({name: ["1", "2"]})


def test_since_may_be_until_but_not_after_it() -> None:
    assert filters({"since": ["2026-11-17"], "until": ["2026-11-17"]}).until is not None
    with pytest.raises(BadInput, match="until: expected a time that is not before since"):
        filters({"since": ["2026-11-17T00:00:01Z"], "until": ["2026-11-17"]})


def test_every_fault_is_named() -> None:
    with pytest.raises(BadInput) as refused:
        filters({"lang": ["?"], "author": ["a b"], "since": ["yesterday"]})
    assert [fault.parameter for fault in refused.value.faults] == ["lang", "author", "since"]


@MANY
@given(st.sampled_from(sorted(PARAMETERS)), st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"))
def test_any_text_is_read_or_refused(name: str, value: str) -> None:
    with suppress(BadInput):
        assert filters({name: [value]}) != ALL
