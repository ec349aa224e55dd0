"""The faults that spoil a right answer. X answered 200, so what such a page holds is sold: a cut page too.

A page without its data key holds no post, so it is free; one without its users sells posts only.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.endpoints.render import Json
from emulator.endpoints.search import SoldPage
from emulator.faults.faults import PlannedFault
from emulator.http import problems
from emulator.http.answer import EmulatorAnswer

_SLOW_SECONDS = 2


def spoil(fault: PlannedFault, page: SoldPage) -> SoldPage:
    """Return the page as the fault leaves it."""
    spoil = _SPOILERS.get(fault.kind)
    return spoil(page) if spoil and page.data else page


def deliver(fault: PlannedFault, answer: EmulatorAnswer) -> EmulatorAnswer:
    """Return the answer in the way the fault delivers it."""
    if fault.kind == "broken_json":
        return answer._replace(body=answer.body[: len(answer.body) * 2 // 3])
    if fault.kind == "slow":
        return answer._replace(wait=_SLOW_SECONDS if fault.seconds is None else fault.seconds)
    if fault.kind == "cut":
        return answer._replace(delivery="cut" if answer.body else "hang")  # of nothing, no half would be missed
    return answer


def _no_data_key(page: SoldPage) -> SoldPage:
    return page._replace(data=None, posts=(), users=())


def _missing_users(page: SoldPage) -> SoldPage:
    return page._replace(includes={}, users=())


def _partial_errors(page: SoldPage) -> SoldPage:
    """Take the first user and the first place out of the includes and say so in errors."""
    includes, errors = dict(page.includes), list(page.errors)
    for kind, problem in (("users", _missing_user), ("places", problems.absent_place)):
        if kind in includes:
            gone, *includes[kind] = includes[kind]
            errors.append(problem(str(gone["id"])))
    includes = {kind: rest for kind, rest in includes.items() if rest}
    return page._replace(includes=includes, errors=tuple(errors or [_missing_user("1")]), users=page.users[1:])


def _missing_user(user_id: str) -> Json:
    return problems.absent_user(user_id, "author_id", "missing")


def _odd_created_at(page: SoldPage) -> SoldPage:
    """Write created_at without its milliseconds."""
    data = [
        {**tweet, "created_at": f"{str(tweet['created_at'])[:19]}Z"} if "created_at" in tweet else tweet
        for tweet in page.data or []
    ]
    return page._replace(data=data)


def _duplicate_post(page: SoldPage) -> SoldPage:
    """Give the first post of the page once more at its end."""
    return page._replace(data=[*(page.data or []), *(page.data or [])[:1]], posts=(*page.posts, *page.posts[:1]))


_SPOILERS: dict[str, Callable[[SoldPage], SoldPage]] = {
    "no_data_key": _no_data_key,
    "missing_users": _missing_users,
    "partial_errors": _partial_errors,
    "odd_created_at": _odd_created_at,
    "duplicate_post": _duplicate_post,
}
