"""Posts by their ids. X's documentation: at most 100 a request; a post that is gone is an error beside the data."""

from __future__ import annotations

import re

from emulator.endpoints.parameters import LOOKUP_PARAMETERS, Params, refuse_both_vocabularies, refuse_unknown
from emulator.endpoints.render import sold_page
from emulator.endpoints.search import sell_page
from emulator.http.messages import EmulatorAnswer, Json, invalid, not_authorized, not_shown
from emulator.state import EmulatorState, RoutedCall

_MOST_IDS = 100
_ID = re.compile(r"[0-9]{1,19}")


def answer_lookup(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Sell the posts with the requested ids, in their order, each once."""
    params, world = request.call.params, state.world
    refuse_unknown(params, LOOKUP_PARAMETERS)
    refuse_both_vocabularies(params)
    asked = {one: world.post(one, request.now_ms) for one in requested_ids(params)}
    found = [world.tweet(post) for post in asked.values() if post]
    page = sold_page(world, params, request.now_ms, found, meta={})
    if request.fault and request.fault.kind == "counted_again":
        state.usage_drift += len(found)
    gone = tuple(_gone(state, one) for one, post in asked.items() if post is None)
    return sell_page(state, request, page._replace(errors=(*gone, *page.errors)), query="ids")


def requested_ids(params: Params) -> tuple[int, ...]:
    """Return the requested ids, each once. Raises Problem."""
    given = params.get("ids", "")
    texts = given.split(",") if given else []
    if not 0 < len(texts) <= _MOST_IDS:
        message = f"The number of values in the `ids` query parameter list [{len(texts)}] is not between 1 and {_MOST_IDS}"
        raise invalid(message, ids=given)
    for text in texts:
        if not _ID.fullmatch(text):
            raise invalid(f"The `ids` query parameter value [{text}] is not valid", ids=given)
    return tuple(dict.fromkeys(map(int, texts)))


def _gone(state: EmulatorState, post_id: int) -> Json:
    removal = state.removals.all().get(post_id)
    if removal and removal.reason == "protected":
        return not_authorized(str(post_id), "ids")
    return not_shown("tweet", str(post_id), "ids")
