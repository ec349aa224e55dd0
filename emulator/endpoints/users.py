"""Look-up of users by their ids. X's documentation: 1 to 100 ids; users that X does not show are in errors."""

from __future__ import annotations

import re

from emulator.endpoints.parameters import USERS_PARAMETERS, Params, names, refuse_unknown
from emulator.endpoints.render import Renderer
from emulator.http.messages import EmulatorAnswer, Json, as_json, invalid, not_shown
from emulator.state import EmulatorState, RoutedCall

_ID = re.compile(r"[0-9]{1,19}")
_MOST = 100


def answer_users(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Sell the users that exist, in the order of the request."""
    params = request.call.params
    refuse_unknown(params, USERS_PARAMETERS)
    found, errors, world = list[int](), list[Json](), state.world
    render = Renderer(world, request.now_ms, frozenset(), names(params, "user.fields"), frozenset(), post_vocabulary=False)
    for user_id in _ids(params):
        number = world.authors.find_id(user_id)
        absence = "missing" if number is None else world.authors.author(number).absence
        if number is None or absence:
            errors.append(not_shown("user", str(user_id), "ids", suspended=absence == "suspended"))
        else:
            found.append(number)
    data = [render.user(world.authors.author(number)) for number in found]
    state.ledger.sell_users(request.now_ms, [int(str(user["id"])) for user in data])
    return as_json({name: part for name, part in (("data", data), ("errors", errors)) if part})


def _ids(params: Params) -> list[int]:
    """Return the requested ids, each once. Raises Problem."""
    given = [one for one in params.get("ids", "").split(",") if one]
    if not 0 < len(given) <= _MOST:
        count = f"The number of values in the `ids` query parameter list [{len(given)}] is not between 1 and {_MOST}"
        raise invalid(count, ids=params.get("ids", ""))
    for one in given:
        if not _ID.fullmatch(one):
            raise invalid(f"The `ids` query parameter value [{one}] is not valid", ids=one)
    return list(dict.fromkeys(map(int, given)))
