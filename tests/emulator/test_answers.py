"""Every answer of the emulator has the shape of X's: all endpoints, with every fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import pytest

from emulator import Emulator
from emulator.endpoints.table import endpoints
from emulator.faults.kinds import FAULT_KINDS
from emulator.http.messages import Call, EmulatorAnswer, as_json
from emulator.state import EmulatorSettings
from tests.emulator.client import COUNTS, CREDITS, JOBS, LOOKUP, SEARCH, USAGE, USUAL, Client, Json
from tests.emulator.test_faults import NAMES, calls
from tests.fixtures import x_answers
from tests.fixtures.x_answers import SCHEMAS, differences

Change = Callable[[Any], object]
ALL_OF_TWEETS = (
    "created_at,lang,author_id,public_metrics,geo,entities,note_tweet,referenced_tweets,edit_controls,attachments,"
    "conversation_id,in_reply_to_user_id,display_text_range,possibly_sensitive,paid_partnership,reply_settings,source"
)
ALL_OF_USERS = "created_at,description,location,protected,verified,verified_type,profile_image_url,public_metrics"
PLANTED: dict[str, tuple[str, dict[str, Any], Change]] = {
    "a number for a text": (USAGE, {}, lambda body: body["data"].update(project_usage=12)),
    "a text for a number": (CREDITS, {}, lambda body: body["data"].update(total_balance="12")),
    "an id as a number": (SEARCH, {}, lambda body: body["data"][0].update(id=12)),
    "an unknown key": (SEARCH, {}, lambda body: body["data"][-1].update(colour="red")),
    "a key of the other vocabulary": (SEARCH, {}, lambda body: body["data"][0].update(note_post={"text": "x"})),
    "an instant without milliseconds": (SEARCH, {}, lambda body: body["data"][0].update(created_at="2026-11-24T12:00:00Z")),
    "an instant that is none": (COUNTS, {}, lambda body: body["data"][0].update(start="2026-13-24T12:00:00.000Z")),
    "a count that is missing": (SEARCH, {}, lambda body: body["data"][0]["public_metrics"].pop("like_count")),
    "a user with a metric too many": (SEARCH, {}, lambda body: body["includes"]["users"][0]["public_metrics"].update(x=1)),
    "a null": (SEARCH, {}, lambda body: body["meta"].update(next_token=None)),
    "no meta": (SEARCH, {}, lambda body: body.pop("meta")),
    "an empty list": (COUNTS, {}, lambda body: body.update(data=[])),
    "a partial error without its type": (LOOKUP, {"ids": "1"}, lambda body: body["errors"][0].pop("type")),
    "a refusal with another title": (SEARCH, {"max_results": 5}, lambda body: body.update(title="Wrong")),
}


def called(path: str) -> Call:
    return Call("GET", path, {}, "", b"", True, "x")


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_drift_is_seen(client: Client, planted: str) -> None:
    path, params, change = PLANTED[planted]
    query = {"query": "#devops"} if path in (SEARCH, COUNTS) else {}
    reply = client.get(path, **{**query, **(USUAL if path == SEARCH else {}), **params})
    headers = tuple(reply.headers.items())
    headers = tuple(one for one in headers if one[0] not in ("date", "content-type", "content-length"))
    right: EmulatorAnswer = as_json(reply.body, status=reply.status, headers=headers)
    assert differences(called(path), right) == []
    body: Json = copy.deepcopy(reply.body)
    change(body)
    assert differences(called(path), right._replace(body=json.dumps(body).encode()))


def test_a_drift_of_headers_and_an_endpoint_without_a_schema_are_seen(client: Client) -> None:
    reply = as_json({"meta": {"result_count": 0}}, headers=(("x-rate-limit-limit", "many"),))
    assert len(differences(called(SEARCH), reply)) > 1
    assert "no schema of GET /2/spaces" in differences(called("/2/spaces"), as_json({}))


def test_all_fields_and_both_vocabularies_are_held_to_it(client: Client) -> None:
    """What is unlike X fails every test in which it is answered (conftest.py)."""
    for query in ("#devops", "#ai has:geo", "#sre is:reply"):
        fields: dict[str, Any] = {
            **USUAL,
            "place.fields": "geo,name,country,country_code,place_type",
            "user.fields": ALL_OF_USERS,
        }
        fields |= {"tweet.fields": ALL_OF_TWEETS, "expansions": "author_id,geo.place_id,referenced_tweets.id,username"}
        assert client.search(query, **fields).status == 200
        fields["post.fields"] = fields.pop("tweet.fields").replace("note_tweet", "note_post").replace("referenced_tweets", "id")
        assert client.search(query, **fields).status == 200


@pytest.mark.parametrize("endpoint", NAMES)
def test_each_endpoint_answers_with_each_fault_as_x_does_or_is_spoilt_on_purpose(emulator: Emulator, endpoint: str) -> None:
    client = Client(emulator.port)
    scheme = {"token": "Basic a2V5OnNlY3JldA==", "upload": "", "download": ""}.get(endpoint, "Bearer x")
    paths = {one.path for one in endpoints(EmulatorSettings()) if one.name == endpoint and one.name != "upload"}
    assert all(f"{one.method} {one.path}" in SCHEMAS["answers"] for one in endpoints(EmulatorSettings()) if one.path in paths)
    for kind in FAULT_KINDS.values():
        if endpoint not in (kind.endpoints or (endpoint,)) or kind.name in ("hang", "reset", "slow"):
            continue
        call = calls(client)[endpoint]
        emulator.plan(kind.name, endpoint=endpoint)
        with suppress(HTTPException, ConnectionError):
            client.send(*call, headers={"Authorization": scheme})
        emulator.clear_faults()
        emulator.reset_limits()
    assert x_answers.unlike == []


def test_what_the_server_refuses_itself_is_plain(client: Client) -> None:
    for length, status in (("1000001", 413), ("many", 400)):
        reply = client.send("POST", JOBS, headers={"Content-Length": length})
        assert (reply.status, differences(called(JOBS), as_json(reply.body, status=status))) == (status, [])
