"""Tables: tags, coverage, authors, languages, countries and hashtags, ranked, and the hours of the week."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from queries.authors import FOLLOWERS, AuthorRank, author_page
from queries.facets import Facets, facets
from queries.hashtags import hashtags, related_hashtags
from queries.series import TagSeries, totals
from queries.tags import tracked_id, tracked_keys
from queries.volume import Share
from queries.zones import HOUR, Period, buckets
from text.phrases import change, duration, number, plural, share, times
from web.charts import ChartFigure, Column, Link, Row, Table
from web.figures.collected import Counts, tag_names
from web.figures.volume import (
    LONGEST,
    NOT_COLLECTED,
    UNFILTERED,
    FigureInput,
    TweetVolume,
    coverage_finding,
    omitted_note,
    visible_time,
)
from web.view_query import ViewQuery
from web.words import NO_LANGUAGE, language

FOLLOWERS_NOTE = "Follower counts are as last reported by X."
UNNAMED = "not named by X"
ENGAGEMENT_NOTE = "Engagement: likes, reposts, replies and quotes of the stored tweets, as last reported by X."
COUNTRY_NOTE = "Only tweets to which their authors added a place have a country."
LIFT_NOTE = "Lift: how many times as often the hashtag occurs with the tag as in all tweets. 1 × is chance."
BY_CHANCE = 1.05
NO_HASHTAGS = "No other hashtags in these tweets."
NOT_COUNTED = "X's own counts were not requested for this period."
HOURS_NOTE = "Only hours with a count from X are compared. A post with two tags counts for each."
PARTLY = "Before and change are up to where a tag was collected."
ONCE_A_TAG = "A tweet with several tags counts for each of them."
AUTHOR = (Column("Author", "text"), Column("Name", "file"))
TWEETS_AND_SHARE = (Column("Tweets"), Column("Share", "share"))
ENGAGEMENT = Column("Engagement")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def tags(given: FigureInput) -> ChartFigure:
    """Rank tags by their tweets, each with its curves; while only a sample is stored, by X's counts."""
    if given.sample and not given.query.is_narrowed:
        return _sampled_tags(given)
    found, leading = given.volume, given.volume.leading
    total = sum(series.total or 0 for series in leading)
    columns = [Column("Tag", "text"), Column("Over time", "line"), *TWEETS_AND_SHARE]
    columns += [Column("Before"), Column("Change", "change")] if found.compared else []
    engagement = _engagement_by_tag(given)
    rows = tuple((*_tag_row(one, total, given), engagement.get(one.tag)) for one in leading[: given.most_tags])
    table = Table((*columns, ENGAGEMENT), rows, bars=2)
    partly = any(not one.whole for one in found.compared.values())
    return ChartFigure(
        "tags",
        "Tweets by tag",
        _tags_finding(leading, total) or given.nothing,
        table,
        _join(PARTLY if partly else "", ONCE_A_TAG, ENGAGEMENT_NOTE, omitted_note(given)),
    )


def _sampled_tags(given: FigureInput) -> ChartFigure:
    """Rank tags by X's counts, and show what is stored as a sample of them."""
    shares = {one.tag: one.share for one in given.shares}
    counted = {tag: own.counted if own else 0 for tag, own in shares.items()}
    leading = sorted(given.volume.tags, key=lambda series: -counted.get(series.tag, 0))[: given.most_tags]
    columns = (
        Column("Tag", "text"),
        Column("Over time, stored", "line"),
        Column("On X"),
        Column("Stored"),
        Column("Sample", "share"),
        ENGAGEMENT,
    )
    engagement = _engagement_by_tag(given)
    rows = tuple(
        (
            Link(one.tag, given.query.tag_url(one.tag)),
            one.counts,
            *((*own, own.coverage) if own else (None, one.total, None)),
            engagement.get(one.tag),
        )
        for one in leading
        for own in [shares.get(one.tag)]
    )
    finding = _sample_finding(leading[0].tag, shares.get(leading[0].tag), given.query) if leading else ""
    note = _join(HOURS_NOTE, ENGAGEMENT_NOTE, omitted_note(given))
    return ChartFigure("tags", "Tweets by tag", finding, Table(columns, rows, bars=2), note)


def _engagement_by_tag(given: FigureInput) -> Mapping[str, int | None]:
    return {row.value: row.engagement for row in facets(given.session, "tag", given.query.filters).rows}


def _sample_finding(tag: str, own: Share | None, query: ViewQuery) -> str:
    span = f" in {duration(query.shift)}" if query.seconds else ""
    if own is None:
        return ""
    stored = f"{number(own.stored)} stored, a sample of {share(own.coverage)}"
    return f"{tag} leads: {plural(own.counted, 'tweet')} on X{span}; {stored}."


def coverage(given: FigureInput) -> ChartFigure:
    """Compare the tweets stored with X's counts of the same hours, the tags with the highest counts first."""
    found = list(given.shares)
    known = [one.share for one in found if one.share]
    changed = {one.tag for one in given.collected.changes} if given.rules_changed else set()
    unknown = [one.tag for one in found if not one.share and one.tag not in changed]
    finding = _join(coverage_finding(known) if known else "", given.rules_changed) or NOT_COUNTED
    if known and unknown:
        finding += f" No counts from X for {tag_names(unknown)}."
    found.sort(key=lambda one: -one.share.counted if one.share else 0)
    columns = (Column("Tag", "text"), Column("X counted"), Column("Stored"), Column("Coverage", "share"))
    rows = tuple(
        (Link(one.tag, given.query.tag_url(one.tag)), *((*one.share, one.share.coverage) if one.share else (None, None, None)))
        for one in found[: given.most_tags]
    )
    more = f"{len(found) - given.most_tags} more are in the CSV." if len(found) > given.most_tags else ""
    note = _join(HOURS_NOTE, UNFILTERED if given.query.is_narrowed else "", more)
    title = "Coverage: stored of all on X"
    return ChartFigure("coverage", title, finding, Table(columns, rows, bars=3), note)


def most_followed(given: FigureInput) -> ChartFigure:
    """Rank authors by their followers."""
    page = author_page(given.session, given.query.filters, sort=FOLLOWERS, after=None, most=given.most)
    columns = (*AUTHOR, Column("Followers"), Column("Tweets stored"))
    rows = tuple((*_author_cells(rank, given.query), rank.followers, rank.tweets) for rank in page.authors)
    finding = given.nothing
    if page.authors:
        first = page.authors[0]
        followers = "an unknown number of accounts" if first.followers is None else plural(first.followers, "account")
        finding = f"{_author_name(first)} is the most followed, by {followers}."
    return ChartFigure("followers", "Most followed authors", finding, Table(columns, rows, bars=2), FOLLOWERS_NOTE)


def most_active(given: FigureInput) -> ChartFigure:
    """Rank authors by their tweets."""
    found, most_active = given.activity, given.activity.most_active
    columns = (*AUTHOR, *TWEETS_AND_SHARE, ENGAGEMENT, Column("Followers"))
    rows = tuple(
        (*_author_cells(rank, given.query), rank.tweets, rank.tweets / found.tweets, rank.engagement, rank.followers)
        for rank in most_active
    )
    finding = given.nothing
    if most_active:
        first, part = most_active[0], sum(rank.tweets for rank in most_active) / found.tweets
        finding = f"{_author_name(first)} wrote the most, {number(first.tweets)} of {number(found.tweets)}."
        finding += (
            f" These {len(most_active)} wrote {share(part)} of all {number(found.tweets)}." if len(most_active) > 1 else ""
        )
    return ChartFigure(
        "active", "Most active authors", finding, Table(columns, rows, bars=2), _join(ENGAGEMENT_NOTE, FOLLOWERS_NOTE)
    )


def languages(given: FigureInput) -> ChartFigure:
    """Rank the languages that X detected."""
    query, found = given.query, facets(given.session, "lang", given.query.filters)
    finding = _facet_finding(
        found, lambda code: f"{'have no language:' if code in NO_LANGUAGE else 'are in'} {language(code) or code}"
    )
    if found.rows and found.unknown_share:
        finding += f" X gave no language for {share(found.unknown_share)}."
    finding = finding or given.nothing
    table = _facet_table(found, "Language", lambda code: Link(code, query.tweets_url(lang=code), language(code)), given.most)
    return ChartFigure("languages", "Languages", finding, table, _join(ENGAGEMENT_NOTE, _rest_note(found, given.most)))


def countries(given: FigureInput) -> ChartFigure:
    """Rank the countries from which tweets were sent."""
    found = facets(given.session, "country", given.query.filters)
    finding = _facet_finding(found, lambda name: f"with a place are from {name}")
    if found.rows and found.unknown_share is not None:
        finding = f"{share(1 - found.unknown_share)} of the tweets have a place. {finding}"
    finding = finding or given.nothing
    table = _facet_table(found, "Country", lambda name: Link(name, given.query.tweets_url(country=name)), given.most)
    return ChartFigure(
        "countries", "Countries", finding, table, _join(COUNTRY_NOTE, ENGAGEMENT_NOTE, _rest_note(found, given.most))
    )


def related(given: FigureInput) -> ChartFigure:
    """Rank other hashtags of the tweets; for a single tracked tag with their lift."""
    keys = given.query.filters.tags
    tag_id = tracked_id(given.session, key=keys[0]) if len(keys) == 1 else None
    return _related_to_tag(given, tag_id) if tag_id else _most_frequent(given)


def week(given: FigureInput) -> ChartFigure:
    """Add up the tweets of each hour of the week by local time, over the last 400 days at most.

    Hours in which nothing was collected, or that are not in the period, are unknown.
    """
    query, (first, end) = given.query, visible_time(given.session, given.query)
    begin = max(first, end - int(LONGEST.total_seconds()))
    hours = tuple(buckets(query.zone, HOUR, begin, end)) if begin < end else ()
    collected = given.volume.collected
    known = collected.without_unknown(totals(given.session, hours, query.filters), hours, collected.asked)
    counts = _by_hour_of_week(hours, known, query)
    columns = (Column("Day", "text"), *(Column(f"{hour:02d}", "heat") for hour in range(24)), Column("Sum"))
    rows = tuple((day, *own, _known_sum(own)) for day, own in zip(WEEKDAYS, counts, strict=True))
    note = "Only the last 400 days are counted." if begin > first else ""
    return ChartFigure("week", "Hours of the week", _week_finding(counts, query) or given.nothing, Table(columns, rows), note)


def _by_hour_of_week(hours: Sequence[Period], known: Counts, query: ViewQuery) -> list[list[int | None]]:
    """Add up counts by weekday and local hour; None where none is known."""
    counts: list[list[int | None]] = [[None] * 24 for _ in WEEKDAYS]
    for (start, _), count in zip(hours, known, strict=True):
        local = datetime.fromtimestamp(start, query.zone)
        if count is not None:
            counts[local.weekday()][local.hour] = (counts[local.weekday()][local.hour] or 0) + count
    return counts


def _known_sum(counts: Counts) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _join(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _tag_row(series: TagSeries, total: int, given: FigureInput) -> Row:
    found, tweets = given.volume, series.total
    link = Link(series.tag, given.query.tag_url(series.tag))
    part = tweets / total if total and tweets is not None else None
    row = (link, series.counts, tweets, part)
    return (*row, *change_cells(series.tag, tweets, found)) if found.compared else row


def change_cells(tag: str, tweets: int | None, found: TweetVolume) -> tuple[int | None, str]:
    """Return a tag's tweets of the time before, and the change since; unknown if its tweets compare with nothing."""
    compared = found.compared.get(tag)
    if not compared or (tweets and not compared.now and not compared.before):
        return None, change(None, None)
    return compared.before, change(compared.now, compared.before)


def _tags_finding(leading: Sequence[TagSeries], total: int) -> str:
    if not total:
        return ""
    top = leading[0].total or 0
    first = [series.tag for series in leading if series.total == top]
    leads = f"{leading[0].tag} leads with {number(top)}, {share(top / total)} of {plural(total, 'tag match', 'tag matches')}."
    if len(first) > 1:
        leads = f"{tag_names(first)} lead with {number(top)} each." if len(first) < len(leading) else f"Each has {number(top)}."
    silent = [series.tag for series in leading if series.total == 0]
    unknown = [series.tag for series in leading if series.total is None]
    nothing = f"No tweets for {tag_names(silent)}." if silent else ""
    return _join(leads, nothing, f"Not collected in this time: {tag_names(unknown)}." if unknown else "")


def _author_cells(rank: AuthorRank, query: ViewQuery) -> tuple[object, str]:
    name = rank.author or ""
    return (Link(f"@{rank.username}", query.author_url(rank.username), name) if rank.username else UNNAMED), name


def _author_name(rank: AuthorRank) -> str:
    return f"@{rank.username}" if rank.username else rank.author or "an author whom X did not name"


def _facet_finding(found: Facets, phrase: Callable[[str], str]) -> str:
    if not found.rows:
        return "" if found.unknown_share is None else "Unknown for all of the tweets."
    first, known = found.rows[0], _known_count(found)
    leading = sum(row.tweets == first.tweets for row in found.rows)
    if leading > 1:
        return f"{leading} lead with {number(first.tweets)} each, of {plural(known, 'tweet')}."
    return f"{share(first.tweets / known)} of {plural(known, 'tweet')} {phrase(first.value)}."


def _facet_table(found: Facets, title: str, link: Callable[[str], Link], most: int) -> Table:
    columns, known = (Column(title, "text"), *TWEETS_AND_SHARE, ENGAGEMENT), _known_count(found)
    rows = tuple((link(row.value), row.tweets, row.tweets / known, row.engagement) for row in found.rows[:most])
    return Table(columns, rows, bars=1)


def _known_count(found: Facets) -> int:
    return sum(row.tweets for row in found.rows)


def _rest_note(found: Facets, most: int) -> str:
    rest = found.rows[most:]
    return f"{len(rest)} more, with {plural(sum(row.tweets for row in rest), 'tweet')}, are in the CSV." if rest else ""


def _most_frequent(given: FigureInput) -> ChartFigure:
    found = hashtags(given.session, given.query.filters, most=given.most, besides=tracked_keys(given.session))
    columns = (Column("Hashtag", "text"), *TWEETS_AND_SHARE)
    rows = tuple((_hashtag_link(row.tag, given.query), row.tweets, row.share) for row in found.rows)
    note = "" if found.whole else f"Counted in the newest {plural(found.among, 'tweet')} only."
    finding = NOT_COLLECTED if given.volume.is_unknown else NO_HASHTAGS
    if found.rows:
        first = found.rows[0]
        of = f"{share(first.share)} of {plural(found.among, 'tweet')}"
        finding = f"{first.tag} is the most frequent besides the tracked tags, in {of}."
    return ChartFigure("hashtags", "Related hashtags", finding, Table(columns, rows, bars=1), note)


def _related_to_tag(given: FigureInput, tag_id: int) -> ChartFigure:
    filters = given.query.filters._replace(tags=())
    found = related_hashtags(given.session, tag_id, limit=given.most, filters=filters)
    columns = (Column("Hashtag", "text"), *TWEETS_AND_SHARE, Column("Lift", "lift"))
    rows = tuple((_hashtag_link(row.tag, given.query), row.tweets, row.share, row.lift) for row in found)
    finding = NOT_COLLECTED if given.volume.is_unknown else NO_HASHTAGS
    if found:
        closest = max(found, key=lambda row: row.lift)
        first = found[0]
        finding = f"{first.tag} is in {share(first.share)} of the tag's {plural(round(first.tweets / first.share), 'tweet')}."
        if closest.lift > BY_CHANCE:
            finding += f" {closest.tag} is the most closely related: {times(closest.lift)} as often as in all tweets."
    return ChartFigure("hashtags", "Related hashtags", finding, Table(columns, rows, bars=1), LIFT_NOTE)


def _hashtag_link(tag: str, query: ViewQuery) -> Link:
    return Link(tag, query.tweets_url(q=tag.removeprefix("#")))


def _week_finding(counts: Sequence[Counts], query: ViewQuery) -> str:
    most, day, hour = max((count or 0, -day, -hour) for day, own in enumerate(counts) for hour, count in enumerate(own))
    if not most:
        return ""
    hours = f"{-hour:02d}:00 to {(-hour + 1) % 24:02d}:00 ({query.zone.key})"
    return f"The busiest hour was {WEEKDAYS[-day]}, {hours}, with {plural(most, 'tweet')}."
