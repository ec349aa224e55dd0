"""Numbers, times and lists in the words of sentences, for pages and messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

UNKNOWN = "–"
UNBROKEN = "\u00a0"
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60
THOUSAND = 1_000


def number(value: float | None) -> str:
    """Return a count with thousands separators, such as 1,234."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def compact(value: float | None) -> str:
    """Return a count in at most four characters, such as 999, 1.2k, 12k or 3.4M."""
    if value is None or value < THOUSAND:
        return number(value)
    for unit, size in (("k", THOUSAND), ("M", THOUSAND**2)):
        if value < 999.5 * size:
            return f"{value / size:.1f}{unit}" if value < 9.95 * size else f"{value / size:.0f}{unit}"
    return number(value)


def share(value: float | None) -> str:
    """Return a share of 1 in per cent: near 0 and 100 with a decimal; anything below 1 is never shown as 100 %."""
    if value is None:
        return UNKNOWN
    per_cent = value * 100
    digits = 1 if 0 < per_cent < 10 or 99 < per_cent < 100 else 0
    if 0 < per_cent < 0.1:
        return "< 0.1 %"
    if per_cent < 100 and round(per_cent, digits) >= 100:
        return "> 99.9 %"
    return f"{per_cent:,.{digits}f} %"


def change(now: float | None, before: float | None) -> str:
    """Return the change of a count: in per cent, or in words if the earlier count was 0."""
    if before is None or now is None:
        return UNKNOWN
    if not before:
        return "new" if now else "none, as before"
    by = (now - before) / before
    return "as before" if now == before else f"{'+' if by > 0 else '−'}{share(abs(by))}"


def direction(now: float, before: float | None) -> str:
    """Return the direction of a change: up, down or same."""
    return "same" if before is None or now == before else "up" if now > before else "down"


def comparison(now: float, before: float | None, *, than: str) -> str:
    """Return the change as the end of a sentence, such as `12 % more than in the 7 days before`; empty if there was nothing."""
    if before is None:
        return ""
    if not before:
        return f"none in {than}" if now else ""
    by = abs(now - before) / before
    return f"as many as in {than}" if now == before else f"{share(by)} {'more' if now > before else 'fewer'} than in {than}"


def dollars(micro: int) -> str:
    """Return micro-dollars as dollars and cents, such as $1.50; amounts that round to zero as < $0.01."""
    return "< $0.01" if 0 < micro < 5_000 else f"${micro / 1_000_000:,.2f}"


def times(value: float | None) -> str:
    """Return a lift, such as 3.2 ×."""
    return UNKNOWN if value is None else f"{value:,.1f} ×"


def moment(when: datetime | None, zone: ZoneInfo, *, with_zone: bool = False) -> str:
    """Return a local time, such as Mon 23 Nov 2026, 14:05, on request or if a clock change repeats it with the zone's name."""
    if when is None:
        return "never"
    local = when.astimezone(zone)
    twice = local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()
    name = f" {zone_name(local)}" if with_zone or twice else ""
    return f"{local:%a %-d %b %Y, %H:%M}{name}".replace(" ", UNBROKEN)


def zone_name(local: datetime) -> str:
    """Return the abbreviation of a local time's zone, or its offset if it has none, such as UTC-03:00."""
    name, offset = f"{local:%Z}", f"{local:%z}"
    return name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"


def clock(when: datetime, zone: ZoneInfo) -> str:
    """Return the local time of day, such as 14:05."""
    return f"{when.astimezone(zone):%H:%M}"


def as_of(measured: datetime, posted: datetime, zone: ZoneInfo) -> str:
    """Return when a tweet's numbers were measured, such as `as of 23:10, 6 hours after posting`, with another day's date."""
    at, began = measured.astimezone(zone), posted.astimezone(zone)
    when = f"{at:%H:%M}" if at.date() == began.date() else f"{at:%-d %b %Y, %H:%M}".replace(" ", UNBROKEN)
    return f"as of {when}, {age(measured - posted)} after posting"


def age(span: timedelta) -> str:
    """Return a duration in its largest unit of which it has nearly two, rounded: 70 seconds, 4 minutes, 30 hours or 3 days."""
    seconds = max(0, int(span.total_seconds()))
    units = (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S))
    name, unit = next((one for one in units if seconds >= 1.9 * one[1]), ("second", 1))
    return plural(round(seconds / unit), name)


def day(when: date) -> str:
    """Return a date, such as 1 Dec 2026."""
    return f"{when:%-d %b %Y}".replace(" ", UNBROKEN)


def duration(span: timedelta) -> str:
    """Return a duration in the largest unit that expresses it, such as 7 days or 90 minutes."""
    seconds = int(span.total_seconds())
    for name, unit in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if seconds > unit and (seconds % unit == 0 or seconds >= 3 * unit):
            return plural(round(seconds / unit), name)
    return plural(seconds, "second")


def sentence(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return a count with its noun, such as 1 tweet or 2 tweets; `nouns` is an irregular plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or f'{noun}s'}"


def enumeration(texts: Iterable[str]) -> str:
    """Return texts as a list in a sentence, such as `a, b and c`."""
    *first, last = list(texts) or [""]
    return f"{', '.join(first)} and {last}" if first else last
