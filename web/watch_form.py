"""The form that makes or changes a watch: how it was filled in, and the watch that it describes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson
from marshmallow import Schema, fields
from werkzeug.datastructures import MultiDict

from schemas.parameters import UTC, Parameter, Zone, choice
from schemas.problems import BadInput, ParameterError
from watches.definitions import (
    DEFAULTS,
    KEYS,
    KINDS,
    WatchDefinition,
    checked_filters,
    checked_name,
    parse_definition,
    parse_filters,
)
from web.watch_words import suggested_name

NOBODY = "nobody"
"""Stands for a destination while none is chosen, so that what the rest describes can be shown."""
TEXTS = ("name", "filters", "most_a_day", "quiet_from", "quiet_to", "zone", "bucket", "than", "number", "max_tweets")
TEXTS_OF_DIGESTS = ("every", "at", "weekday")
FIELDS = {"quiet": "quiet_from", "tz": "zone", "more_than": "number", "less_than": "number"}
"""The fields of the form by keys of a watch, where they differ."""
MOST_DIGITS = 12


def _text() -> Parameter:
    return Parameter(str, "a text", {})


WatchArguments = Schema.from_dict(
    {name: _text() for name in (*TEXTS, *TEXTS_OF_DIGESTS, "watch", "deleted")}
    | {"filters": Parameter(checked_filters, KEYS["filters"].expected, {})}
    | {"kind": choice(KINDS, "", "spike"), "to": fields.List(_text()), "tz": Zone()},
    name="WatchArguments",
)
"""Parameters of the page: what the form is filled in with, and the page's time zone.

`watch` is the name of the watch that is changed, `deleted` of one that was deleted and may be saved again.
"""


class WatchForm(NamedTuple):
    """The form as it was filled in; `watch` is the name of the watch that it changes, `errors` are by field."""

    kind: str = "spike"
    watch: str = ""
    name: str = ""
    filters: str = ""
    to: tuple[str, ...] = ()
    most_a_day: str = "20"
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = UTC.key
    bucket: str = "hour"
    than: str = "more"
    number: str = ""
    max_tweets: str = str(DEFAULTS["new"]["max_tweets"])
    every: str = "7d"
    at: str = DEFAULTS["digest"]["at"]
    weekday: str = "mon"
    paused: bool = False
    errors: tuple[ParameterError, ...] = ()

    @classmethod
    def posted(cls, given: MultiDict[str, str]) -> WatchForm:
        """Return the form that a request has sent; raises BadInput for a kind or filters that the form does not offer."""
        texts: dict[str, Any] = {
            name: given.get(name, "").strip() for name in (*TEXTS, *TEXTS_OF_DIGESTS, "watch") if name in given
        }
        kind = given.get("kind", "")
        if kind not in KINDS:
            raise BadInput([ParameterError("kind", f"expected one of {', '.join(KINDS)}")])
        parse_filters(texts.get("filters", ""))
        return cls(kind=kind, to=tuple(given.getlist("to")), **texts)

    @classmethod
    def of_link(cls, read: dict[str, Any], names: Sequence[str], taken: Collection[str]) -> WatchForm:
        """Return the form that a link fills in, the only destination ticked."""
        texts = {name: value for name, value in read.items() if name in cls._fields}
        form = cls(**texts | {"to": tuple(read.get("to", ())), "zone": read.get("zone", read["tz"].key)})
        name = form.name or form.watch or suggested_name(form.kind, form.filters, taken)
        return form._replace(name=name, to=form.to or (tuple(names) if len(names) == 1 and not form.watch else ()))

    @classmethod
    def of_watch(cls, name: str, definition: WatchDefinition) -> WatchForm:
        """Return the form that changes a watch."""
        keys = definition.as_json()
        first, _, end = (definition.quiet or "").partition("-")
        than = "less" if definition.less_than is not None else "more"
        number = definition.less_than if than == "less" else definition.more_than
        values: dict[str, Any] = {key: str(keys[key]) for key in cls._fields if keys.get(key) is not None}
        values |= {"number": "" if number is None else str(number), "than": than, "quiet_from": first, "quiet_to": end}
        values |= {"watch": name, "name": name, "to": definition.to, "zone": definition.tz, "paused": definition.paused}
        return cls(**values)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that fill the form in again."""
        texts = ("kind", "watch", *TEXTS, *TEXTS_OF_DIGESTS)
        return [(name, getattr(self, name)) for name in texts if getattr(self, name)] + [("to", one) for one in self.to]

    def error(self, name: str) -> str:
        """Return what is wrong with a field; empty if nothing is."""
        if name == "to" and any(one.parameter == name for one in self.errors):
            return "choose at least one"
        return next((one.detail for one in self.errors if FIELDS.get(one.parameter, one.parameter) == name), "")

    def definition(self, names: Collection[str]) -> WatchDefinition:
        """Return the watch that the form describes; raises BadInput."""
        checked_name(self.name)
        return parse_definition(self.name.strip(), self._body(self.to), destinations=names)

    def draft(self) -> WatchDefinition | None:
        """Return the watch that the form describes, whoever is told; None while its number is missing. Raises BadInput."""
        if self.kind == "threshold" and not self.number:
            return None
        return parse_definition(self.name, self._body((NOBODY,)), destinations=[NOBODY])

    def _body(self, to: Sequence[str]) -> bytes:
        """Return the watch as a body of the API."""
        body: dict[str, Any] = {"kind": self.kind, "filters": self.filters, "to": list(to), "tz": self.zone}
        body |= {"most_a_day": _whole(self.most_a_day), "quiet": self._quiet, "paused": self.paused}
        return orjson.dumps(body | self._of_kind())

    @property
    def _quiet(self) -> str | None:
        return f"{self.quiet_from}-{self.quiet_to}" if self.quiet_from or self.quiet_to else None

    def _of_kind(self) -> dict[str, Any]:
        if self.kind == "digest":
            return {"every": self.every, "at": self.at, **({"weekday": self.weekday} if self.every == "7d" else {})}
        if self.kind == "new":
            return {"max_tweets": _whole(self.max_tweets)}
        limit = {"less_than" if self.than == "less" else "more_than": _whole(self.number)}
        return {"bucket": self.bucket, **(limit if self.kind == "threshold" else {})}


def _whole(text: str) -> int | str | None:
    """Return a text as the number that it is, else as it is, so that it is refused; None if it is empty."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else text or None
