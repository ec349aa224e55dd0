"""Figures that compare tags: over time, share of voice, side by side, what they share, and their languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations

from queries.overlap import SharedTags
from text.phrases import duration, enumeration, moment, number, plural, share
from web.charts import ChartFigure, Column, Curve, Link, Row, Table
from web.figures.comparison import FEWEST, MOST, MOST_EXAMINED, PER, ComparisonInput, groups
from web.figures.tables import PARTLY, change_cells
from web.figures.volume import UNFILTERED, FigureInput, bucket_links, bucket_name
from web.words import NO_LANGUAGE, language

MOST_GROUPS, MOST_LANGUAGES = 28, 8
UNITS = {"on X": "posts on X", "stored": "stored tweets", "own": "stored tweets"}
TITLES = {"on X": "Posts on X per", "stored": "Stored tweets per", "own": "Stored tweets per"}
LEAST_GAIN = 0.01
"""A smaller change of a share of voice is none."""
DIFFERENT = (
    "Too different a share of each tag is stored to compare them by their numbers: {}. "
    "Their courses compare, where all of them were collected."
)
ON_X = "Compared are X's own counts, for they exist for all of these tags{}."
STORED = "Compared are the stored tweets: X's own counts don't exist for all of these tags{}."
COUNTED = "On X are the posts of the hours that X has counted."
ENGAGEMENT = "Engagement is likes, reposts, replies and quotes of stored tweets, as X gave them"
SHARED_NOTE = (
    "Counted in the stored tweets, so a sample shows less than there is. "
    "An author has both tags by one tweet with both, or by one with each."
)
OF_NEWEST = "Overlap, authors, languages and engagement are those of the newest"
BY_STORED = "Of the stored tweets whose language X detected."


def over_time(given: FigureInput) -> ChartFigure | None:
    """Chart the tags as lines on one axis."""
    found = _comparison(given)
    if found is None:
        return None
    periods, now = found.axis.periods, found.query.now.timestamp()
    end = now if found.basis == "on X" else found.collected.end
    unfinished = tuple(at for at, (_, stop) in enumerate(periods) if stop > end)
    marks = () if found.basis == "on X" or not periods else tuple(found.collected.marks(found.session, periods))
    columns = (Column("From", "time"), *(Column(one.tag) for one in found.series), Column("Note", "text"))
    lines = tuple(range(1, len(found.series) + 1))
    links = bucket_links(found.axis, found.query)
    curve = Curve(periods, lines, found.query.zone, (), marks, unfinished, links, compares=True) if periods else None
    rows = tuple(_time_rows(found, marks=[(mark.first, mark.end, mark.label) for mark in marks]))
    title = f"{TITLES[found.basis]} {bucket_name(found.axis)}{f', in {PER:,} of each tag' if found.basis == 'own' else ''}"
    return ChartFigure("compare", title, _lines_finding(found), Table(columns, rows), basis_note(found), curve)


def voice(given: FigureInput) -> ChartFigure | None:
    """Show the tags' shares of all that is said with them over time, in at most 28 parts."""
    found = _comparison(given)
    if found is None or found.basis == "own":
        return None
    columns = (Column("From", "time"), *(Column(one.tag, "share") for one in found.series), Column("Sum"))
    rows = tuple(_voice_row(found, first, known) for (first, _), known in groups(found, MOST_GROUPS))
    note = f"Shares of the {UNITS[found.basis]} with these tags. A gap is time in which one of them is unknown."
    return ChartFigure("voice", "Share of voice over time", _gain_finding(found), Table(columns, rows), note)


def sides(given: FigureInput) -> ChartFigure | None:
    """Put the totals of the tags beside each other, with the coverage of each."""
    found = _comparison(given)
    if found is None:
        return None
    columns = [Column("Tag", "text"), Column("Share of voice", "share"), Column("On X"), Column("Stored")]
    columns += [Column("Stored before"), Column("Change", "change")] if _has_before(found) else []
    columns += [Column("Stored of all on X", "share"), Column("Authors, stored"), Column("Engagement per tweet", "mean")]
    rows = tuple(_side_row(found, place, one) for place, one in enumerate(found.keys))
    counts = UNFILTERED if found.query.is_narrowed else COUNTED
    note = f"{counts} {_before_note(found)}{_engagement_note(found)}{_examined_note(found)}"
    return ChartFigure("sides", "Side by side", coverage_finding(found), Table(tuple(columns), rows, bars=1), note)


def shared(given: FigureInput) -> ChartFigure | None:
    """Show the tweets and authors that each two of the tags share, those with the most authors first."""
    found = _comparison(given)
    if found is None:
        return None
    names, both = list(found.names.values()), found.overlap
    columns = [Column("Tags", "text"), Column("Tweets with both")]
    columns += [Column("Of the first", "share"), Column("Of the second", "share")]
    columns += [Column("Authors with both"), Column("Of the first's", "share"), Column("Of the second's", "share")]
    pairs: list[Row] = [
        (f"{names[one]} and {names[other]}", *(value for side in both for value in _shared_cells(side, one, other)))
        for one, other in combinations(range(len(names)), 2)
    ]
    rows, note = tuple(sorted(pairs, key=lambda row: (-row[4], -row[1]))), SHARED_NOTE + _examined_note(found)
    return ChartFigure("shared", "Overlap", _shared_finding(rows), Table(tuple(columns), rows), note)


def tongues(given: FigureInput) -> ChartFigure | None:
    """Put the languages of the tags beside each other, those with the largest share of any tag first."""
    found = _comparison(given)
    if found is None:
        return None
    counts = [found.languages[one] for one in found.keys]
    sums = [sum(count for code, count in own.items() if code) for own in counts]
    codes = sorted({code for own in counts for code in own if code})
    parts = {code: [own[code] / total if total else None for own, total in zip(counts, sums, strict=True)] for code in codes}
    codes.sort(key=lambda code: (-max(part or 0 for part in parts[code]), code))
    bare = [name.removeprefix("#") for name in found.names.values()]
    columns = (Column("Language", "text"), *(Column(name, "share") for name in found.names.values()))
    rows = tuple(
        (Link(code, found.query.tweets_url(tag=None, any_tag=bare, lang=code), language(code)), *parts[code])
        for code in codes[: max(MOST_LANGUAGES, given.most if given.most > MOST_GROUPS else 0)]
    )
    more = f" {plural(len(codes) - len(rows), 'more is', 'more are')} in the CSV." if len(codes) > len(rows) else ""
    finding = _tongues_finding(list(found.names.values()), codes, parts)
    return ChartFigure(
        "tongues", "Languages side by side", finding, Table(columns, rows), BY_STORED + more + _examined_note(found)
    )


def _comparison(given: FigureInput) -> ComparisonInput | None:
    """Return what is compared; None for fewer or more tags than compare."""
    found = given if isinstance(given, ComparisonInput) else ComparisonInput(given.session, given.query, given.most)
    return found if FEWEST <= len(found.keys) <= MOST else None


def basis_note(found: ComparisonInput) -> str:
    """Return what is compared, and why, as a sentence."""
    if found.basis == "own":
        return DIFFERENT.format(_coverages(found))
    counted = len(found.counted_hours)
    if found.basis == "on X":
        part = f", of {plural(counted, 'hour')} of {number(found.hours_over)}" if counted < found.hours_over else ""
        return ON_X.format(part)
    stored = STORED.format(" with these filters" if found.query.is_narrowed else "")
    return f"{stored} About the same share is stored of each: {known}." if (known := _coverages(found)) else stored


def coverage_finding(found: ComparisonInput) -> str:
    """Return how much of what X counted is stored of each tag, as a sentence."""
    known = _coverages(found)
    return f"Stored of what X counted: {known}." if known else "X's own counts were not requested for this period."


def _coverages(found: ComparisonInput) -> str:
    shares = ((found.names[one], own) for one, own in found.on_x_by_key.items())
    known = any(own for own in found.on_x_by_key.values())
    said = (f"{name} {share(own.coverage) if own and own.coverage is not None else 'unknown'}" for name, own in shares)
    return enumeration(said) if known else ""


def _time_rows(found: ComparisonInput, *, marks: Sequence[tuple[int, int, str]]) -> Iterator[Row]:
    for at, (first, end) in enumerate(found.axis.periods):
        notes = sorted({label for start, stop, label in marks if start < end and stop > first})
        notes += ["not over yet"] * (end > found.query.now.timestamp() >= first)
        yield (datetime.fromtimestamp(first, UTC), *(one.counts[at] for one in found.series), ", ".join(notes))


def _lines_finding(found: ComparisonInput) -> str:
    """Return which tag leads and by how much, or, where numbers don't compare, when each had its highest."""
    if found.basis == "own":
        return " ".join(_highest(found)) or "Nothing is known of this time."
    ranked = sorted(found.sums.items(), key=lambda one: -one[1])
    total = sum(count for _, count in ranked)
    if not total:
        return "Nothing was posted with these tags, as far as is known."
    span = f" in {duration(found.query.shift)}" if found.query.seconds else ""
    top, *rest = [(found.names[one], count) for one, count in ranked]
    others = enumeration(f"{name} {number(count)}" for name, count in rest)
    if top[1] == rest[0][1]:
        return f"{top[0]} and {rest[0][0]} have as many {UNITS[found.basis]}{span}: {number(top[1])}."
    return f"{top[0]} leads with {number(top[1])} {UNITS[found.basis]}{span}, {share(top[1] / total)} of the voice; {others}."


def _highest(found: ComparisonInput) -> Iterator[str]:
    for one in found.series:
        known = [(count, -at) for at, count in enumerate(one.counts) if count]
        if known:
            start = datetime.fromtimestamp(found.axis.periods[-max(known)[1]][0], UTC).astimezone(found.query.zone)
            yield f"{one.tag} was highest on {start:%a %-d %b, %H:%M}."


def _voice_row(found: ComparisonInput, first: int, known: Sequence[int]) -> Row:
    counts = [sum(one.counts[at] or 0 for at in known) for one in found.series]
    total = sum(counts)
    parts = [count / total if total else None for count in counts]
    return (datetime.fromtimestamp(first, UTC), *parts, total if known else None)


def _gain_finding(found: ComparisonInput) -> str:
    """Return which tag gained the most from the first half of the known time to the second."""
    middle = len(found.known) // 2
    halves = [_shares(found, part) for part in (found.known[:middle], found.known[middle:])]
    if not all(halves):
        return "There is too little to compare over time."
    gains = [(after - before, one.tag, before, after) for one, before, after in zip(found.series, *halves, strict=True)]
    gain, tag, before, after = max(gains)
    if gain < LEAST_GAIN:
        return "The shares of voice are about the same in both halves of this time."
    return f"{tag} gains the most: {share(before)} of the voice in the first half of this time, {share(after)} in the second."


def _shares(found: ComparisonInput, buckets: Sequence[int]) -> list[float]:
    counts = [sum(one.counts[at] or 0 for at in buckets) for one in found.series]
    return [count / sum(counts) for count in counts] if sum(counts) else []


def _side_row(found: ComparisonInput, place: int, own: str) -> Row:
    total, on_x = sum(found.sums.values()), found.on_x_by_key[own]
    voice = found.sums[own] / total if total and found.basis != "own" else None
    stored, authors = sum(found.counts[own]), found.overlap.authors.having(place)
    nothing = found.stored[place].total is None and not stored
    link = Link(found.names[own], found.query.tag_url(found.names[own]))
    counted, coverage = (on_x.counted, on_x.coverage) if on_x else (None, None)
    before = change_cells(found.names[own], stored, found.volume) if _has_before(found) else ()
    known = (stored, *before, coverage, authors) if not nothing else (None, *before, coverage, None)
    return (link, voice, counted, *known, found.engagement[own].mean)


def _has_before(found: ComparisonInput) -> bool:
    """Whether what is stored compares with the time before: samples of different sizes don't."""
    return found.basis != "own" and any(name in found.volume.compared for name in found.names.values())


def _before_note(found: ComparisonInput) -> str:
    """Return what the change is against, as a sentence, if there is one."""
    if not _has_before(found):
        return ""
    partly = any(not both.whole for tag, both in found.volume.compared.items() if tag in found.names.values())
    return f"Before is what was stored of the {duration(found.query.shift)} before. {f'{PARTLY} ' if partly else ''}"


def _examined_note(found: ComparisonInput) -> str:
    is_all = found.examined == found.query.filters
    return "" if is_all else f" {OF_NEWEST} {number(MOST_EXAMINED)} of the stored tweets."


def _engagement_note(found: ComparisonInput) -> str:
    """Return what engagement is, and when it was measured."""
    known = [one for one in found.engagement.values() if one.tweets]
    firsts, lasts = [one.first for one in known if one.first], [one.last for one in known if one.last]
    if not firsts or not lasts:
        return "X gave no engagement of these tweets."
    first, last = moment(min(firsts), found.query.zone), moment(max(lasts), found.query.zone)
    return f"{ENGAGEMENT} {f'on {first}' if first == last else f'between {first} and {last}'}."


def _shared_cells(side: SharedTags, one: int, other: int) -> tuple[int, float | None, float | None]:
    both, first, second = side.having(one, other), side.having(one), side.having(other)
    return both, both / first if first else None, both / second if second else None


def _shared_finding(rows: Sequence[Row]) -> str:
    most = rows[0]
    if not most[4]:
        return "No author wrote with two of these tags."
    tweets = f"{plural(most[1], 'tweet')} {'has' if most[1] == 1 else 'have'} both"
    return f"{most[0]} share the most: {plural(most[4], 'author')} wrote with both, {tweets}."


def _tongues_finding(names: Sequence[str], codes: Sequence[str], parts: dict[str, list[float | None]]) -> str:
    said = []
    for at, name in enumerate(names):
        known = [(parts[code][at] or 0, code) for code in codes if code not in NO_LANGUAGE]
        part, code = max(known, default=(0, ""))
        if part:
            said.append(f"{name} {share(part)} {language(code) or code}")
    return f"Most frequent: {enumeration(said)}." if said else "No language is known of these tweets."
