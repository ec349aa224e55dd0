"""Watches: what people asked to be told, as messages to the operator's destinations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import request
from werkzeug.exceptions import NotFound

from collector.runs.collector import Collector
from queries.watches import stored_watches
from resources.api import CollectorResource, no_content, problem_response
from schemas.json_schema import (
    DocumentedAnswer,
    DocumentedBody,
    NamedSchema,
    Schema,
    answers,
    flag,
    many,
    nullable,
    reads,
    record,
    text,
    whole,
    word,
)
from schemas.views import LONGEST_NAME
from watches.definitions import (
    COMMON,
    EVERY,
    KINDS,
    LONGEST_FILTERS,
    MOST_A_DAY,
    MOST_COUNTED,
    MOST_DESTINATIONS,
    MOST_TWEETS,
    WEEKDAYS,
    checked_name,
    parse_definition,
    read_definition,
)
from watches.destinations import Destinations
from watches.keeping import TooManyWatches, delete_watch, save_watch

CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
NAME = text("A name of NOTIFY_URLS")
REQUIRED: Mapping[str, Schema] = {
    "kind": word("What it finds", *KINDS),
    "filters": text("Filters as in a query, such as tag=devops&q=outage", maxLength=LONGEST_FILTERS),
    "to": {**many(NAME, "Its destinations"), "minItems": 1, "maxItems": MOST_DESTINATIONS},
}
OPTIONAL: Mapping[str, Schema] = {
    "most_a_day": whole(1, MOST_A_DAY, "The most messages a day; more are held back, and counted in the next one"),
    "quiet": text("Hours in which nothing is sent", pattern=f"^{CLOCK}-{CLOCK}$", examples=["22:00-07:00"]),
    "tz": text("The time zone of its hours and days"),
    "paused": flag("Whether it tells nothing for now"),
    "bucket": word("`spike`, `threshold`: the length of a bucket", "hour", "day"),
    "more_than": whole(0, MOST_COUNTED, "`threshold`: told when a bucket has more tweets"),
    "less_than": whole(1, MOST_COUNTED, "`threshold`: told when a complete bucket has fewer tweets"),
    "max_tweets": whole(1, MOST_TWEETS, "`new`: the most tweets in a message"),
    "every": word("`digest`: its interval", *EVERY),
    "at": text("`digest`: its time of day", pattern=f"^{CLOCK}$", examples=["08:00"]),
    "weekday": word("`digest` of every 7d: its day", *WEEKDAYS),
}
NULLABLE = ("quiet", "more_than", "less_than", "weekday")


def _or_null(schema: Schema) -> Schema:
    """Return the schema of what may be null as well, also if it has an enum."""
    return nullable({**schema, "enum": [*schema["enum"], None]} if "enum" in schema else schema)


WATCH = NamedSchema(
    "Watch",
    {
        "type": "object",
        "description": "A watch, with the keys of its kind.",
        "required": ["name", *COMMON],
        "properties": {
            "name": text("Its name", minLength=1, maxLength=LONGEST_NAME),
            **REQUIRED,
            **{key: _or_null(value) if key in NULLABLE else value for key, value in OPTIONAL.items()},
        },
    },
)
NEW_WATCH = NamedSchema(
    "NewWatch",
    {
        "type": "object",
        "description": "A watch. What is left out or null has its default.",
        "additionalProperties": False,
        "required": list(REQUIRED),
        "properties": {
            "name": nullable(text("The name in the path")),
            **REQUIRED,
            **{key: _or_null(value) for key, value in OPTIONAL.items()},
        },
    },
)
WATCHES = record("Watches", "The watches, by name.", {"watches": many(WATCH)})
EXAMPLE = {"kind": "spike", "filters": "tag=devops", "to": ["team"]}


class WatchResourceBase(CollectorResource):
    """A resource that knows the destinations as well."""

    def __init__(self, collector: Collector, destinations: Destinations) -> None:
        super().__init__(collector)
        self._destinations = destinations


class WatchesResource(CollectorResource):
    """The watches, by name."""

    answers = answers(get=reads(WATCHES, "The watches"))

    def get(self) -> Any:
        """List the watches."""
        with self._database.reading() as session:
            found = stored_watches(session)
        return {"watches": [{"name": one.name, **read_definition(one.definition).as_json()} for one in found]}


class WatchResource(WatchResourceBase):
    """A watch."""

    answers = answers(
        put=[
            DocumentedAnswer(200, "The watch was saved in place of another", WATCH),
            DocumentedAnswer(201, "The watch was saved", WATCH),
            DocumentedAnswer(409, "There are 100 watches, which is the most"),
        ],
        delete=[DocumentedAnswer(204, "The watch was deleted"), DocumentedAnswer(404, "There is no such watch")],
    )
    bodies = MappingProxyType(
        {
            "put": DocumentedBody(
                "What it watches, and whom it tells", NEW_WATCH, EXAMPLE, is_required=True, is_cross_checked=True
            )
        }
    )

    def put(self, watch: str) -> Any:
        """Save a watch under a name. It tells what happens from now on."""
        name = checked_name(watch)
        definition = parse_definition(name, request.get_data(), destinations=self._destinations.names)
        try:
            is_new = save_watch(self._database, name, definition)
        except TooManyWatches as error:
            return problem_response(409, str(error))
        return {"name": name, **definition.as_json()}, 201 if is_new else 200

    def delete(self, watch: str) -> Any:
        """Delete a watch; its messages that wait are not sent."""
        if not delete_watch(self._database, checked_name(watch)):
            raise NotFound("there is no watch with this name")
        return no_content()
