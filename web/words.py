"""Numbers, shares and times in words, as pages write them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

UNKNOWN = "–"
UNBROKEN = "\u00a0"
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60


def number(value: float | None) -> str:
    """Return a count with its thousands apart, such as 1,234."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Return a share of one in per cent: of few, with a decimal; what is not all is never 100 %."""
    if value is None:
        return UNKNOWN
    per_cent = value * 100
    digits = 1 if 0 < per_cent < 10 or 99 < per_cent < 100 else 0
    if 0 < per_cent < 0.1:
        return "< 0.1 %"
    if per_cent < 100 and round(per_cent, digits) >= 100:
        return "> 99.9 %"
    return f"{per_cent:,.{digits}f} %"


def change(now: float, before: float | None) -> str:
    """Return by how much a count has changed: in per cent, or in words where there was nothing."""
    if before is None:
        return UNKNOWN
    if not before:
        return "new" if now else "none, as before"
    by = (now - before) / before
    return "as before" if now == before else f"{'+' if by > 0 else '−'}{share(abs(by))}"


def comparison(now: float, before: float | None, *, than: str) -> str:
    """Return the same as the end of a sentence, such as `12 % more than in the 7 days before`; nothing without a before."""
    if before is None:
        return ""
    if not before:
        return f"none in {than}" if now else ""
    by = abs(now - before) / before
    return f"as many as in {than}" if now == before else f"{share(by)} {'more' if now > before else 'fewer'} than in {than}"


def dollars(micro: int) -> str:
    """Return an amount of micro-dollars in dollars and cents, such as $1.50; less than a cent is said as that."""
    return "< $0.01" if 0 < micro < 5_000 else f"${micro / 1_000_000:,.2f}"


def times(value: float | None) -> str:
    """Return a lift, such as 3.2 ×."""
    return UNKNOWN if value is None else f"{value:,.1f} ×"


def moment(when: datetime | None, zone: ZoneInfo) -> str:
    """Return a time by the clock of a zone, such as Mon 23 Nov 2026, 14:05; with its offset where clocks show it twice."""
    if when is None:
        return "never"
    local = when.astimezone(zone)
    twice = local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()
    return f"{local:%a %-d %b %Y, %H:%M}{f' {local:%Z}' if twice else ''}".replace(" ", UNBROKEN)


def day(when: date) -> str:
    """Return a date, such as 1 Dec 2026."""
    return f"{when:%-d %b %Y}".replace(" ", UNBROKEN)


def length(span: timedelta) -> str:
    """Return a stretch of time in its largest unit that says it, such as 7 days or 90 minutes."""
    seconds = int(span.total_seconds())
    for name, unit in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if seconds > unit and (seconds % unit == 0 or seconds >= 3 * unit):
            return plural(round(seconds / unit), name)
    return plural(seconds, "second")


def sentence(text: str) -> str:
    """Return a text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as 1 tweet or 2 tweets."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def enumeration(texts: Iterable[str]) -> str:
    """Return texts as a list in a sentence, such as `a, b and c`."""
    *first, last = list(texts) or [""]
    return f"{', '.join(first)} and {last}" if first else last
