"""What stands out, in plain Python, as docs/api.md and its rules say it: terms, links, spikes and their causes, tags over time.

Times of buckets are epoch seconds. The reach of a tag is the list of times in which it was collected.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import combinations
from math import log
from operator import itemgetter
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.queries.clocks import Period, naive
from tests.reliability.plain import Asked, Json, Plain, Tweet, engagement, hashtags, key, shown
from tests.reliability.plain_texts import terms as terms_of

WEEK_S, HOUR_S, QUARTER_S = 7 * 86400, 3600, 900
Reaches = Mapping[str, Sequence[Period]]
"""When each tag was collected, by its name in lower case."""
Found = Callable[[Tweet], set[str]]


class Bucket(NamedTuple):
    """A bucket that was collected, its place in the day or the week, and its tweets."""

    first: int
    end: int
    place: int
    tweets: list[Tweet]


def likelihood(here: int, of: int, there: int, of_there: int) -> float:
    """Return twice the sum of observed x ln(observed / expected), negative if the share is the smaller; two decimals."""
    both = Fraction(here + there, of + of_there)
    table = (here, of * both), (there, of_there * both), (of - here, of * (1 - both)), (of_there - there, of_there * (1 - both))
    ratio = 2 * sum(number * log(number / expected) for number, expected in table if number)
    return round(ratio if here * of_there > there * of else -ratio, 2) + 0.0


def lift(here: int, of: int, there: int, of_there: int) -> float | None:
    return round(here * of_there / (of * there), 2) if there else None


def terms(plain: Plain, asked: Asked, tags: Iterable[str], limit: int) -> Json:
    """Compare the terms of what is wanted with those of the other tweets of the same tags."""
    same = Asked(tag=asked.tag, any_tag=asked.any_tag)
    inside, every = plain.wanted(asked), plain.wanted(same)
    wanted = {tweet.id for tweet in inside}
    rest = [tweet for tweet in every if tweet.id not in wanted]
    here, there = (_counts(tweets, _terms(tags)) for tweets in (inside, rest))
    rows = list[tuple[Any, Json]]()
    for term, tweets in here.items():
        score = likelihood(tweets, len(inside), there[term], len(rest)) if rest else None
        compared = lift(tweets, len(inside), there[term], len(rest))
        row = {"term": term, "tweets": tweets, "share": tweets / len(inside), "lift": compared, "score": score}
        rows += [((-tweets if score is None else -score, term), row)] if tweets >= 3 else []
    return {"terms": [row for _, row in sorted(rows, key=itemgetter(0))][:limit], "sampled": len(inside), "of": len(inside)}


def _counts(tweets: Iterable[Tweet], found: Found) -> Counter[str]:
    return Counter(value for tweet in tweets for value in found(tweet))


def _terms(tags: Iterable[str]) -> Found:
    names = frozenset(map(key, tags))
    return lambda tweet: terms_of(tweet.text, tweet.lang, names)


def _domains(tweet: Tweet) -> set[str]:
    return {urlsplit(link).hostname or "" for link in tweet.links}


def links(plain: Plain, asked: Asked, by: str, limit: int) -> Json:
    """Return the domains or pages that are linked to, most tweets first, ties by name."""
    linking = defaultdict[str, list[Tweet]](list)
    for tweet in plain.wanted(asked):
        for name in _domains(tweet) if by == "domain" else tweet.links:
            linking[name].append(tweet)
    rows: list[Json] = [
        {
            by: name,
            "tweets": len(tweets),
            "authors": len({tweet.author for tweet in tweets} - {None}),
            "engagement": engagement(tweets),
        }
        for name, tweets in linking.items()
    ]
    return {"links": sorted(rows, key=lambda row: (-row["tweets"], row[by]))[:limit]}


def network(plain: Plain, asked: Asked, by: str, limit: int) -> Json:
    """Return the heaviest pairs of what occurs together, hashtags in lower case, and their members, most tweets first."""
    own, weights = Counter[str](), Counter[tuple[str, str]]()
    for tweet in plain.wanted(asked):
        person = plain.people.get(tweet.author or 0)
        writer = {f"@{person.username.lower()}"} if person else set[str]()
        mentioned = {f"@{name}" for name in tweet.mentions}
        together = hashtags(tweet) if by == "tag" else mentioned | writer if mentioned else set[str]()
        own.update(together)
        pairs = combinations(sorted(together), 2)
        weights.update(pair for pair in pairs if by == "tag" or not writer.isdisjoint(pair))
    heaviest = sorted(weights.items(), key=lambda each: (-each[1], each[0]))[:limit]
    listed = {name for pair, _ in heaviest for name in pair}
    nodes = [{"id": name, "tweets": own[name]} for name in sorted(listed, key=lambda name: (-own[name], name))]
    return {"nodes": nodes, "edges": [{"source": one, "target": other, "weight": weight} for (one, other), weight in heaviest]}


def by_tag(plain: Plain, asked: Asked, buckets: Sequence[Period], reaches: Reaches, names: Sequence[str]) -> list[list[Json]]:
    """Return for each bucket, which may be cut, what each of the tags asked for, or of these tracked ones, has found in it."""
    found, known = plain.wanted(asked), {key(name): name for name in names}
    tags = sorted(set(map(key, asked.any_tag or names)))
    rows = []
    for first, end in buckets:
        here = [tweet for tweet in found if first <= tweet.created.timestamp() < end]
        row = []
        for tag in tags:
            own = [tweet for tweet in here if tag in map(key, tweet.tags)]
            touched = any(start < end and stop > first for start, stop in reaches.get(tag, ()))
            whole = covers(reaches.get(tag, ()), first, end)
            counted = {"tweets": len(own), "engagement": engagement(own)} if touched else {"tweets": None, "engagement": None}
            row.append({"tag": known.get(tag, tag), **counted, "complete": whole})
        rows.append(row)
    return rows


def covers(reach: Iterable[Period], first: int, end: int) -> bool:
    return any(start <= first and end <= stop for start, stop in reach)


def spikes(
    plain: Plain, asked: Asked, bucket: timedelta, zone: tzinfo, now: datetime, reaches: Reaches, tags: Sequence[str]
) -> list[Json]:
    """Return the newest hundred spikes of the period asked for, newest first. `tags` are the tracked ones."""
    end = min(int(now.timestamp()), int((asked.until or now).timestamp()))
    since = (end - WEEK_S) // HOUR_S * HOUR_S if asked.since is None else int(asked.since.timestamp())
    first = min(since, end)
    names = list(map(key, (*asked.tag, *asked.any_tag) or tags))
    matching, low = plain.wanted(asked._replace(since=None, until=None)), max(2 * first - end, _first(reaches, names))
    both: tuple[list[Bucket], list[Bucket]] = [], []
    for start, stop in naive(zone, bucket, (low, end)) if low < end else ():
        if (
            start >= 2 * first - end
            and stop <= end
            and not start < first < stop
            and all(covers(reaches.get(name, ()), start, stop) for name in names)
        ):
            here = [tweet for tweet in matching if start <= tweet.created.timestamp() < stop]
            local = datetime.fromtimestamp(start, zone)
            place = local.weekday() if bucket == timedelta(days=1) else local.hour
            both[start < first].append(Bucket(start, stop, place, here))
    values, baseline = both
    found = [(one, expected) for one in values if (expected := _expected(one, [*values, *baseline])) is not None]
    return [{**_spike(one, expected), **causes(plain, one, values, baseline, tags)} for one, expected in found[::-1][:100]]


def _first(reaches: Reaches, names: Iterable[str]) -> int:
    """Return where the first bucket can be: looking at every minute since the year 1 would take long."""
    return max(min((start for start, _ in reaches.get(name, ())), default=2**40) for name in names)


def _expected(one: Bucket, every: Sequence[Bucket]) -> float | None:
    """Return what was expected of a spike, None for what is none."""
    others = [other for other in every if other.first != one.first]
    count, counts = len(one.tweets), [len(other.tweets) for other in others]
    same = [len(other.tweets) for other in others if other.place == one.place]
    if len(every) < 24 or count < 10:
        return None
    mean = Fraction(sum(counts), len(counts))
    variance = sum((other - mean) ** 2 for other in counts) / len(counts)
    usual = median(same) if same else None
    if count <= mean or (count - mean) ** 2 <= 9 * variance or (usual is not None and count <= 2 * usual):
        return None
    return float(mean) if usual is None else usual


def _spike(one: Bucket, expected: float) -> Json:
    start, end = (shown(datetime.fromtimestamp(second, UTC)) for second in one[:2])
    return {"start": start, "end": end, "tweets": len(one.tweets), "expected": expected}


def causes(plain: Plain, one: Bucket, values: Sequence[Bucket], baseline: Sequence[Bucket], tags: Sequence[str]) -> Json:
    """Return what stands out in a bucket against the baseline, or against the period if the baseline has no tweets."""
    before = [tweet for other in baseline for tweet in other.tweets]
    against = before or [tweet for other in values for tweet in other.tweets]
    kinds: dict[str, Found] = {"tag": lambda tweet: tweet.tags, "term": _terms(tags), "domain": _domains}
    standing_out = {f"{kind}s": _outliers(one.tweets, against, kind, found) for kind, found in kinds.items()}
    if not before:
        standing_out = {kind: [{**row, "lift": None} for row in rows] for kind, rows in standing_out.items()}
    top = sorted(one.tweets, key=lambda tweet: (_known(tweet.numbers["engagement"]), tweet.id), reverse=True)
    quotes = sum("quote" in tweet.has for tweet in one.tweets)
    return {
        **standing_out,
        **_authors(plain, one.tweets),
        "quotes_share": quotes / len(one.tweets),
        "top": [str(tweet.id) for tweet in top[:3]],
    }


def _outliers(tweets: Sequence[Tweet], against: Sequence[Tweet], kind: str, found: Found) -> list[Json]:
    here, there, rows = _counts(tweets, found), _counts(against, found), list[tuple[Any, Json]]()
    for value, number in here.items():
        table = number, len(tweets), there[value], len(against)
        if number >= 3 and number * len(against) > there[value] * len(tweets):
            rows.append(((-likelihood(*table), value), {kind: value, "tweets": number, "lift": lift(*table)}))
    return [row for _, row in sorted(rows, key=itemgetter(0))][:5]


def _authors(plain: Plain, tweets: Sequence[Tweet]) -> Json:
    wrote = Counter(tweet.author for tweet in tweets if tweet.author in plain.people)
    ranked = sorted((-number, plain.people[own].username, own) for own, number in wrote.items() if own is not None)[:3]
    return {
        "authors": [{"username": username, "tweets": -number} for number, username, _ in ranked if number <= -3],
        "top_authors_share": -sum(number for number, _, _ in ranked) / len(tweets),
    }


def _known(number: int | None) -> int:
    return -1 if number is None else number
