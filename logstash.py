"""Log records as lines of ECS JSON (Elastic Common Schema), and as readable lines on a terminal.

telemetry/shipping.py sends the JSON to Logstash.

`host` is an object: Elasticsearch refuses a document in which it is a string. The extra fields of a record are under `monitor`,
apart from those that ECS defines.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson

SERVICE = "twitterapi"
ECS_VERSION = "8.17.0"
QUIET = ("tweepy", "urllib3", "requests_oauthlib", "oauthlib", "alembic")
LINE = "ecs_line"
CLEAN = "ecs_clean"
"""The attribute of a record whose ECS fields are complete and clean: nothing is added from the context."""
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", LINE}
SECRET_NAME = re.compile(r"(?i)oauth_\w+|\w*(?:token|secret|password|consumer_key|api_key)|authorization")
HIDDEN = "[hidden]"
SECRETS = (
    (re.compile(r"(?i)\b(oauth)\s+(?:\w+=\\?\"[^\"]*\"[,\s]*)+"), rf"\1 {HIDDEN} "),
    (re.compile(r"(?i)\b(bearer|oauth|basic)(?:[\s:+]|%20)+\\?[\"']?[^\s\"'<>]+"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?i)\b(oauth_\w+|\w*(?:token|secret|password|consumer_key|api_key))"
            r"(\\?[\"']?\s*=\s*|\\?[\"']\s*:\s*)(?:\\?\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"://[^/\s@]*@"), f"://{HIDDEN}@"),
    (re.compile(r"\?[^\s'\"<>=?]+=[^\s'\"<>]*"), f"?{HIDDEN}"),
)
HARMLESS = re.compile(r"[\w./-]*")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that end lines, move a terminal's cursor, or reverse the order of letters."""
LONGEST_TEXT = 10_000
DEEPEST = 8
MOST_LINES = 1000

Context = Callable[[], Mapping[str, Any]]
Hide = Callable[[str], str]


class EcsFormatter(logging.Formatter):
    """Formats records as ECS JSON. `context` returns the fields of the current request, `hide` redacts secrets."""

    def __init__(self, context: Context, hide: Hide = str) -> None:
        super().__init__()
        self._context, self._hide = context, hide
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, which is cached for further handlers."""
        line: str | None = getattr(record, LINE, None)
        if line is None:
            line = self._hide(orjson.dumps(self.document(record)).decode())
            setattr(record, LINE, line)
        return line

    def document(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the record as nested objects without dotted keys, credentials and query strings."""
        fields: dict[str, Any] | None = getattr(record, CLEAN, None)
        return {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "message": clean(_message(record)),
            "ecs": {"version": ECS_VERSION},
            "log": {"level": record.levelname.lower(), "logger": clean(str(record.name))},
            "service": {"name": SERVICE},
            "host": {"name": self._host},
            "process": {"pid": record.process},
            **(self._fields(record) if fields is None else fields),
        }

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
        fields = {**self._context(), **extra.pop("ecs_fields", {})}
        if extra:
            fields["monitor"] = {**fields.get("monitor", {}), **extra}
        if record.exc_info and record.exc_info[0]:
            fields["error"] = _error(*record.exc_info[:2])
        return {_key(name): _plain(value) for name, value in fields.items()}


class TextFormatter(EcsFormatter):
    """Formats records as a readable line: the local time, the level above INFO, the message, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        document = self.document(record)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        text = _request_line(document) if "event" in document else f"{document['message']}{_facts(document)}"
        return self._hide(f"{datetime.fromtimestamp(record.created):%H:%M:%S} {level}{text}".replace("\n", " "))  # noqa: DTZ006 (local)


class EcsHandler(logging.StreamHandler[TextIO]):
    """Writes records to a stream.

    A thread does not wait for another that is writing: that one writes its record as well, unless MOST_LINES are queued.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: deque[str] = deque()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record, or leave it to the thread that is writing."""
        if not self.filter(record):
            return False
        try:
            self._lines.append(f"{self.format(record)}\n")
            while self._lines and self.lock and self.lock.acquire(blocking=len(self._lines) > MOST_LINES):
                try:
                    self._write()
                finally:
                    self.lock.release()
        except Exception:  # noqa: BLE001 (as in logging: a record that cannot be written must not stop its caller)
            self.handleError(record)
        return True

    def _write(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        self.stream.write("".join(lines))
        self.flush()


def is_readable(form: str, stream: TextIO | None) -> bool:
    """Whether lines in this format (auto, json or text) are for people; auto means so on a terminal."""
    return form == "text" or (form == "auto" and stream is not None and stream.isatty())


def configure(
    level: str, context: Context = dict, *, hide: Hide = str, stream: TextIO | None = None, form: str = "json"
) -> None:
    """Log records of at least this level to a stream, stdout by default, in a format (auto, json or text).

    Libraries that are verbose or log credentials stay at WARNING. A second call replaces the first one's handler.
    """
    stream = stream or sys.stdout
    handler = EcsHandler(stream)
    handler.setFormatter((TextFormatter if is_readable(form, stream) else EcsFormatter)(context, hide))
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, EcsHandler)] + [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _request_line(document: Mapping[str, Any]) -> str:
    http, milliseconds = document["http"], document["event"]["duration"] / 1e6
    return f"{http['request']['method']} {document['url']['path']} {http['response']['status_code']} in {milliseconds:.0f} ms"


def _facts(document: Mapping[str, Any]) -> str:
    """Return the facts of a record after its message, and where an error was raised."""
    facts = "".join(f" {name}={_short(value)}" for name, value in document.get("monitor", {}).items())
    if error := document.get("error"):
        places = re.findall(r'File "([^"]*)", line (\d+)', error["stack_trace"])
        at = f" at {':'.join(places[-1])}" if places else ""
        facts += f": {error['type']}: {error['message']}{at}"
    return facts


def _short(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'"{text}"' if " " in text else text


def _error(kind: type[BaseException], error: BaseException | None) -> dict[str, str]:
    trace = "".join(traceback.format_exception(kind, error, error.__traceback__ if error else None))
    return {"type": kind.__name__, "message": str(error), "stack_trace": trace}


def _message(record: logging.LogRecord) -> str:
    """Return the message, even if a library passed arguments that do not match it."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _plain(value: object, depth: int = 0) -> object:
    """Return a value for JSON with clean texts. Values nested more than DEEPEST levels are replaced."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else f"{value:#x}"[:LONGEST_TEXT]
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _nest(value, depth + 1) if depth < DEEPEST else "[nested too deeply]"
    return value.isoformat() if isinstance(value, datetime) else clean(str(value))


def _nest(value: Any, depth: int) -> object:
    if isinstance(value, dict):
        return {_key(name): HIDDEN if _is_secret(name, part) else _plain(part, depth) for name, part in value.items()}
    return [_plain(part, depth) for part in value]


@lru_cache(maxsize=1024)
def _key(name: object) -> str:
    return clean(str(name)).replace(".", "_")


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and _names_secret(str(name))


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return SECRET_NAME.fullmatch(name) is not None


def clean(text: str) -> str:
    """Return a text without credentials, query strings and control characters, and of bounded length."""
    if HARMLESS.fullmatch(text):
        return text[:LONGEST_TEXT]
    text = text[: 2 * LONGEST_TEXT].encode("utf-8", "replace").decode()
    for secret, shown in SECRETS:
        text = secret.sub(shown, text)
    return CONTROL.sub("\ufffd", text)[:LONGEST_TEXT]
