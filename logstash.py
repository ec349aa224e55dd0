"""The log record as one line of ECS JSON.

Field names are those of the Elastic Common Schema. `host` is an object: Elasticsearch refuses a document in which it is a
string. What a record carries beside its message stands under `monitor`, apart from the few names that ECS knows.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

SERVICE = "twitterapi"
ECS_VERSION = "8.17.0"
QUIET = ("tweepy", "urllib3", "requests_oauthlib", "oauthlib", "alembic", "gunicorn.access")
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
SECRET = re.compile(r"(?i)\b(bearer|oauth|basic)\s+[\w%.~+/=,\"-]+")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LONGEST_TEXT = 10_000

Context = Callable[[], Mapping[str, Any]]


class EcsFormatter(logging.Formatter):
    """Formats records as ECS JSON; `context` gives fields of the request that is being served."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(self.document(record), default=str).decode()

    def document(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the record as nested objects, never with dotted keys."""
        document: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "message": _clean(record.getMessage()),
            "ecs": {"version": ECS_VERSION},
            "log": {"level": record.levelname.lower(), "logger": record.name},
            "service": {"name": SERVICE},
            "host": {"name": self._host},
            "process": {"pid": record.process},
            **self._context(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
        document |= extra.pop("ecs_fields", {})
        if extra:
            document["monitor"] = {name: _clean(value) if isinstance(value, str) else value for name, value in extra.items()}
        if record.exc_info and record.exc_info[0]:
            document["error"] = _error(*record.exc_info[:2])
        return document


def configure(level: str, context: Context = dict, *, stream: TextIO | None = None) -> None:
    """Log from the given level on, to stdout unless another stream is given.

    Libraries that are chatty or log credentials stay at WARNING. A second call replaces what the first one set.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(EcsFormatter(context))
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other.formatter, EcsFormatter)] + [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _error(kind: type[BaseException], error: BaseException | None) -> dict[str, str]:
    trace = "".join(traceback.format_exception(kind, error, error.__traceback__ if error else None))
    return {"type": kind.__name__, "message": _clean(str(error)), "stack_trace": _clean(trace)}


def _clean(text: str) -> str:
    """Return a text without credentials and control characters, of bounded length."""
    text = text.encode("utf-8", "replace").decode()
    return CONTROL.sub("\ufffd", SECRET.sub(r"\1 [hidden]", text))[:LONGEST_TEXT]
