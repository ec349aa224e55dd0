"""How figures are drawn: bars, shades, the lines of tags and their colours."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from schemas.parameters import UTC as UTC_ZONE
from text import phrases
from web.charts import ChartFigure, Column, Curve, Table, bars, heat_level, tag_class
from web.static_files import FOLDER

STYLE = (Path(FOLDER) / "page.css").read_text()
GROUNDS = ("card", "ground")
FEWEST_CONTRAST = 3


def bar_count(counts: list[int]) -> int:
    return bars(counts)[1].count("M")


def test_a_sparkline_has_14_to_28_bars_of_as_many_counts_each() -> None:
    assert {bar_count([1] * count) for count in range(28, 500)} <= set(range(14, 29))
    assert bar_count([1] * 5) == 5
    assert bars([]) == (8, "")
    heights = re.findall(r"h6v([\d.]+)z", bars([9, 9, *[1, 2, 3] * 19])[1])  # the first two are left out: they fill no bar
    assert set(heights) == {"28.0"}


def test_one_burst_does_not_fade_the_other_hours() -> None:
    table = Table((Column("Day", "text"), *(Column(f"{hour}", "heat") for hour in range(24))), (("Monday", *[10] * 23, 900),))
    assert table.hottest == 10
    assert [heat_level(count, table.hottest) for count in (0, 1, 10, 900)] == [0, 1, 5, 5]


def lines(*tags: int) -> list[tuple[int, str]]:
    """Return the columns and kinds of what is drawn for these sums of tags over two hours."""
    titles = [Column(f"#tag{number}") for number, _ in enumerate(tags)]
    columns = (Column("From", "time"), Column("Tweets"), Column("7 days before"), *titles, Column("Note", "text"))
    rows = tuple((datetime(2026, 11, 24, hour, tzinfo=UTC), 50, 40, *(tag // 2 for tag in tags), "") for hour in (1, 2))
    curve = Curve(((0, 3600), (3600, 7200)), (1, 2), UTC_ZONE)
    return [(line.column, line.kind) for line in ChartFigure("volume", "", "", Table(columns, rows), "", curve).lines]


@pytest.mark.parametrize(
    ("tags", "drawn"),
    [
        ((8, 40), [(1, "all"), (4, "tag"), (3, "tag")]),
        ((2, 4, 6, 8, 10, 12), [(1, "all"), (8, "tag"), (7, "tag"), (6, "tag"), (5, "tag"), (4, "tag")]),
        ((40,), [(1, "first"), (2, "before")]),
        ((2, 2), [(1, "first"), (2, "before")]),
    ],
    ids=["two", "the five with the most", "one", "too few tweets for lines"],
)
def test_tags_with_enough_tweets_have_lines_in_front_of_all_tweets(tags: tuple[int, ...], drawn: list[tuple[int, str]]) -> None:
    assert lines(*tags) == drawn


def colours() -> list[dict[str, str]]:
    """Return the colours of the style by name, light and dark."""
    light, dark = (STYLE.split("@media (prefers-color-scheme: dark)")[at] for at in (0, 1))
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", part.split("\n.tag-1")[0])) for part in (light, dark)]


def luminance(colour: str) -> float:
    digits = colour.strip("#") if len(colour) == 7 else "".join(2 * digit for digit in colour.strip("#"))
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_colour_of_each_tag_stands_out_on_both_grounds_and_both_schemes() -> None:
    for scheme in colours():
        tags = {name: value for name, value in scheme.items() if name.startswith("tag-")}
        assert len(set(tags.values())) == 10
        faint = [
            (tag, ground) for tag, ground in product(tags, GROUNDS) if contrast(tags[tag], scheme[ground]) < FEWEST_CONTRAST
        ]
        assert faint == []


def test_a_tag_keeps_the_colour_of_its_number() -> None:
    numbers = {"#devops": 1, "#sre": 10, "#eleventh": 11}
    assert [tag_class(tag, numbers) for tag in (*numbers, "#other")] == ["tag-1", "tag-10", "tag-1", ""]


def test_counts_in_narrow_cells_have_at_most_four_characters() -> None:
    shown = {0: "0", 999: "999", 1_000: "1.0k", 9_940: "9.9k", 9_960: "10k", 999_400: "999k", 1_234_567: "1.2M"}
    assert {count: phrases.compact(count) for count in shown} == shown
