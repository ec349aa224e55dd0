"""What is told where nothing was collected: why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from queries.collections import CollectionView, latest
from queries.counters import schedule
from queries.tags import tag_name, tracked_keys, untracked
from text.advice import advice
from text.names import hashtag
from text.phrases import moment
from watches.occasions import Occasion
from watches.sections import Section, Told
from watches.wording import listed

MOST_NAMED = 3


def uncollected(occasion: Occasion) -> Told:
    """Return what is told if nothing was collected since the finding's start."""
    unknown = "What was posted since then is unknown, so this watch may be missing something."
    return nothing_collected(
        occasion, f"since {moment(occasion.finding.start, occasion.definition.zone, with_zone=True)}", unknown
    )


def nothing_collected(occasion: Occasion, when: str, *said: str) -> Told:
    """Return that nothing was collected at a time (`when`), what more is `said`, and why that is."""
    names = [tag_name(occasion.session, key=one) or hashtag(one) for one in occasion.filters.named_tags]
    of, unknown = f" of {listed(names, MOST_NAMED)}" if names else "", untracked(occasion.session, names)
    is_tracked = not unknown and bool(tracked_keys(occasion.session))
    why = [*([] if is_tracked else [_untracked(unknown)]), *(_reasons(occasion) if is_tracked or unknown != names else ())]
    page = ("Health", f"{occasion.site}/view/health") if is_tracked else ("Tags", f"{occasion.site}/view/tags")
    return Told(f"Nothing{of} was collected {when}", (Section(sentences=(*said, *why)),), page)


def _untracked(names: list[str]) -> str:
    """Return that these hashtags, or all, are not tracked, and what to do."""
    if not names:
        return "No hashtag is tracked. Track one on the page Tags."
    are, them = ("is", "it") if len(names) == 1 else ("are", "them")
    return (
        f"{listed(names, MOST_NAMED)} {are} not tracked, so collections don't ask X for {them}. Track {them} on the page Tags."
    )


def _reasons(occasion: Occasion) -> Iterator[str]:
    """Yield why nothing is collected of tags that are tracked, and what to do."""
    zone, view = occasion.definition.zone, latest(occasion.session)
    if view is None:
        yield "No collection has run yet."
    else:
        yield from _of_collection(view, occasion)
    every = schedule(occasion.session)
    if every is None:
        yield "The schedule is off: collect on the page Collections, or choose an interval on the page Schedule."
    elif every.kept:
        yield f"The next collection is due on {moment(every.due, zone, with_zone=True)}."
    else:
        yield "The process that keeps the schedule does not run."


def _of_collection(view: CollectionView, occasion: Occasion) -> Iterator[str]:
    zone = occasion.definition.zone
    if view.state == "running":
        yield f"A collection runs since {moment(view.started, zone, with_zone=True)}."
    else:
        ended = moment(view.ended or view.started, zone, with_zone=True)
        if view.problem:
            reason, kind = view.problem
            yield f"The last collection, {ended}, did not succeed: {reason}. {advice(kind)}"
        else:
            yield f"The last collection ended {ended}."
