"""Every setting, declared once: name, default, meaning, and whether it is a secret.

A setting is read from the environment, then from `.env.local`, then from `.env`. A secret can also be in a file named by
`NAME_FILE`. An empty value or a placeholder such as `<consumer-key>` counts as unset in its layer.
"""

from __future__ import annotations

import io
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from dotenv.parser import parse_stream

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent
DATA = ROOT / "data"
LAYER_FILES = (".env.local", ".env")
PLACEHOLDER = re.compile(r"<[^<>]*>")
DURATION = re.compile(r"([0-9]{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SPAN = timedelta(days=366)
LONGEST_RETENTION = timedelta(days=36_500)
LONGEST_SECRET = 64 * 1024
DESTINATION = re.compile(r"([a-z0-9_-]{1,40})=([a-z]+)(://\S+)")
DESTINATION_SCHEMES = (
    *("slack", "discord", "tgram", "mailto", "mailtos", "json", "jsons", "ntfy", "ntfys", "gotify", "gotifys"),
    *("mmost", "mmosts", "workflows"),
)
EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 (nothing listens here)
SIMILARITY = 0.82  # difflib's ratio: one or two letters differ; GRAFANA_URL and KIBANA_URL differ more
OAUTH = ("TWITTER_CONSUMER_KEY", "TWITTER_CONSUMER_SECRET", "TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_TOKEN_SECRET")
PARTNERS = {**dict.fromkeys(OAUTH, OAUTH), "API_READ_TOKEN": ("API_TOKEN",)}
"""Credentials that are useless alone, and those that must be set with them."""
LOG_FORMATS = ("auto", "json", "text")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingError(Exception):
    """An invalid setting; its text is one line for the operator and never contains a secret."""


class UnacceptedPart(ValueError):
    """A part of a setting's text is not accepted. Its own text says which, without anything secret."""


class SettingReader(NamedTuple):
    """Parses a setting's text; `read` raises ValueError for anything but the `expected`."""

    expected: str
    read: Callable[[str], Any]


class Destination(NamedTuple):
    """Where messages go: a name, by which users choose it, and the URL by which Apprise reaches it, which is secret."""

    name: str
    url: str


class Declaration(NamedTuple):
    """What is declared of a setting."""

    default: str | None
    meaning: str
    reader: SettingReader
    is_secret: bool


def _text(value: str) -> str:
    return value if value.isprintable() else _refuse(value)


def _tokens(value: str) -> str:
    """Accepts one token per line, of characters that every client can send in a header unencoded."""
    return value if all(re.fullmatch(r"[!-~]*", line.strip()) for line in value.split("\n")) else _refuse(value)


def _comma_list(value: str) -> list[str]:
    return [word for part in value.split(",") if (word := part.strip().casefold())]


def _hosts(value: str) -> tuple[str, ...]:
    """Accepts names and addresses, IPv6 with or without brackets, and writes them as in the header Host."""
    return tuple(_host(word) for word in _comma_list(value))


def _host(word: str) -> str:
    if ":" in word:
        return f"[{ipaddress.IPv6Address(word.strip('[]'))}]"
    return word if re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", word) else _refuse(word)


def _origins(value: str) -> tuple[str, ...]:
    """Accepts origins, and writes them as browsers do."""
    origins = tuple(_web_url(word, r"") for word in _comma_list(value))
    return tuple(re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin) for origin in origins)


def _url(value: str) -> str:
    return _web_url(value, r"(/[^\s?#]*)?").rstrip("/")


def _link(value: str) -> str:
    """Accepts a URL for browsers, which may have a query."""
    return _web_url(value, r"([/?#]\S*)?")


def _web_url(value: str, rest: str) -> str:
    """Accepts a URL with a valid host and port, and what may follow. urlsplit raises ValueError for a port out of range."""
    parts = urlsplit(value) if re.fullmatch(rf"https?://[^\s/?#@]+{rest}", value) else _refuse(value)
    return value if parts.hostname and parts.port != 0 else _refuse(value)


def _one_of(*words: str) -> SettingReader:
    known = {word.casefold(): word for word in words}
    return SettingReader(f"one of {', '.join(words)}", lambda value: known.get(value.casefold()) or _refuse(value))


def _whole(lowest: int, highest: int) -> SettingReader:
    def read(value: str) -> int:
        number = int(value) if re.fullmatch(r"\d{1,9}", value, re.ASCII) else _refuse(value)
        return number if lowest <= number <= highest else _refuse(value)

    return SettingReader(f"a whole number from {lowest} to {highest}", read)


def _switch(value: str) -> bool:
    return value == "1" if value in ("0", "1") else _refuse(value)


def _span(lowest: timedelta, longest: timedelta = LONGEST_SPAN) -> SettingReader:
    def read(value: str) -> timedelta:
        match = DURATION.fullmatch(value)
        span = timedelta(seconds=int(match[1]) * SECONDS[match[2]]) if match else _refuse(value)
        return span if lowest <= span <= longest else _refuse(value)

    least = f"at least {lowest.total_seconds():.0f}s and " if lowest else ""
    return SettingReader(f"a number followed by s, m, h or d, such as 15m, {least}at most {longest.days}d", read)


def _destinations(value: str) -> tuple[Destination, ...]:
    """Accepts names with URLs, separated by ; or one a line. %3B in a URL is Apprise's to decode."""
    found = dict[str, Destination]()
    for number, entry in enumerate(filter(None, map(str.strip, re.split(r"[;\n]", value))), 1):
        match = DESTINATION.fullmatch(entry)
        if not match:
            raise UnacceptedPart(f"entry {number}")
        name, scheme, rest = match.groups()
        if scheme not in DESTINATION_SCHEMES:
            raise UnacceptedPart(f"the scheme of {name}")
        if name in found:
            raise UnacceptedPart(f"a second entry named {name}")
        found[name] = Destination(name, scheme + rest)
    return tuple(found.values())


def _tag_list(value: str) -> tuple[str, ...]:
    """Accepts names separated by commas. An empty one is refused: in a .env file, ` #` starts a comment."""
    tags = tuple(map(str.strip, value.split(",")))
    return tags if all(tags) else _refuse(value)


def _or_off(reader: SettingReader, off: str = "off") -> SettingReader:
    return SettingReader(f"{reader.expected}, or {off}", lambda text: None if text.casefold() == off else reader.read(text))


def _micro_dollars(value: str) -> int:
    match = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,6}))?", value, re.ASCII)
    return int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0")) if match else _refuse(value)


def _sqlite(value: str) -> str:
    """Accepts the URL of a SQLite file and makes its path absolute: tools resolve a relative one differently."""
    match = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?#]+)", value)
    return f"sqlite:///{ROOT / match[1]}" if match and not match[1].startswith(":memory:") else _refuse(value)


def _database(value: str) -> str:
    """Accepts the URL of a SQLite file or of one or several PostgreSQL servers."""
    return _sqlite(value) if value.startswith("sqlite") else _postgresql(value)


def _postgresql(value: str) -> str:
    match = re.fullmatch(r"postgresql(?:\+psycopg)?(://(?:[^\s/?#@]*@)?[^\s/?#@]*/[^\s/?#]+(?:\?[^\s#]*)?)", value)
    return f"postgresql+psycopg{match[1]}" if match else _refuse(value)


def _folder(value: str) -> Path:
    """Accepts an existing folder: creating it would hide a misspelt name. Only the default folder is created."""
    folder = ROOT / _text(value)
    return folder if folder == DATA or os.path.isdir(folder) else _refuse(value)  # noqa: PTH112 (Path's raises OSError)


def _refuse(value: str) -> Any:
    raise ValueError(value)


FORMAT = SettingReader("auto, json or text", lambda text: text.lower() if text.lower() in LOG_FORMATS else _refuse(text))
TEXT = SettingReader("text without line breaks and control characters", _text)
TOKENS = SettingReader("visible ASCII characters without spaces", _tokens)
HOSTS = SettingReader("names or addresses separated by commas, without ports", _hosts)
ORIGINS = SettingReader("origins separated by commas, such as https://dashboard.example", _origins)
SWITCH = SettingReader("1 or 0", _switch)
SPAN = _span(timedelta())
EVERY = _span(timedelta(seconds=1))
URL = SettingReader("an http:// or https:// URL without query and user", _url)
LINK = SettingReader("an http:// or https:// URL without user", _link)
USD = SettingReader("an amount in USD with at most six decimals, such as 0.005", _micro_dollars)
DATABASE = SettingReader("sqlite:///PATH of a file or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME", _database)
REPLICAS = SettingReader("postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME", _postgresql)
FOLDER = SettingReader("the path of an existing folder", _folder)
RETENTION = _or_off(_span(timedelta(), LONGEST_RETENTION), "forever")
HOURLY = _or_off(_span(timedelta(hours=1)))
DESTINATIONS = SettingReader(
    "NAME=URL, NAME of a-z, 0-9, _ and -, separated by ; or one a line, each name once, with one of the schemes "
    + ", ".join(DESTINATION_SCHEMES),
    _destinations,
)
TAG_LIST = SettingReader("hashtags separated by commas, in quotes where there are spaces", _tag_list)


def _setting(default: str | None, meaning: str, reader: SettingReader = TEXT, *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"declaration": Declaration(default, meaning, reader, secret)})


@dataclass(frozen=True)
class Settings:
    """The values of all settings. A field's name in capitals is the setting's name; None means unset."""

    twitter_consumer_key: str | None = _setting(None, "X: consumer key (OAuth 1.0a)", secret=True)
    twitter_consumer_secret: str | None = _setting(None, "X: consumer secret", secret=True)
    twitter_access_token: str | None = _setting(None, "X: access token", secret=True)
    twitter_access_token_secret: str | None = _setting(None, "X: access token secret", secret=True)
    twitter_bearer_token: str | None = _setting(
        None, "X: Bearer token; preferred to the four above, as it cannot write and has a higher limit", secret=True
    )
    twitter_api_url: str | None = _setting(None, "another host that speaks the X API", URL)
    tags: tuple[str, ...] | None = _setting(None, "hashtags to track, separated by commas; default: those of api.py", TAG_LIST)
    tw_number: int | None = _setting(None, "most tweets to buy per tag and collection; 100, as in api.py", _whole(10, 100_000))
    collect_on_start: bool = _setting("1", "collect at start if the database has no tweet and no collection", SWITCH)
    cache_mb: int = _setting("32", "memory for cached responses in MB, per worker; 0 for none", _whole(0, 100_000))
    query_timeout: timedelta = _setting("10s", "time limit of the database for a request", EVERY)
    collect_every: timedelta | None = _setting("off", "interval between collections", _or_off(EVERY))
    count_every: timedelta | None = _setting("1d", "interval at which X counts the posts of each hashtag", HOURLY)
    reconcile_every: timedelta | None = _setting("1d", "interval at which the ledger is compared with X's own count", HOURLY)
    refresh: str = _setting(
        "same-day",
        "read the tweets that were bought on a UTC day again on its evening, free of charge: same-day or off",
        _one_of("same-day", "off"),
    )
    comply_every: timedelta | None = _setting("12h", "interval at which X names the stored tweets to be deleted", HOURLY)
    backup_every: timedelta | None = _setting("1d", "interval of backups into the folder backups", HOURLY)
    backups_kept: int = _setting("3", "how many of these backups are kept", _whole(1, 1000))
    tweet_retention: timedelta | None = _setting("forever", "age at which tweets are removed", RETENTION)
    payload_retention: timedelta | None = _setting(
        "forever", "age at which payloads of tweets and authors are removed; what the API shows stays", RETENTION
    )
    authors: str = _setting(
        "expand",
        "how authors are read: expand (with every page), lookup (by id, once a week), or auto (the cheaper one)",
        _one_of("expand", "lookup", "auto"),
    )
    monthly_budget_usd: int | None = _setting("20", "most that X may charge per billing month, authors included", _or_off(USD))
    billing_day: int | None = _setting(
        None, "day on which X's billing month begins; default: the one that X names, and 1 until it is known", _whole(1, 31)
    )
    database_url: str | None = _setting(
        None, "the database; data/tweets.db, or data/emulated.db for invented tweets", DATABASE, secret=True
    )
    database_replica_url: str | None = _setting(
        None,
        "PostgreSQL replicas for reads; needs a DATABASE_URL of PostgreSQL",
        REPLICAS,
        secret=True,
    )
    data_folder: Path = _setting("data", "folder for backups of a database server, and for workers' metrics", FOLDER)
    host: str = _setting("127.0.0.1", "address to listen on; others than loopback need API_TOKEN")
    port: int = _setting("5000", "port to listen on", _whole(1, 65535))
    workers: int = _setting("1", "processes that serve requests", _whole(1, 64))
    api_token: str | None = _setting(
        None,
        "token that requests must send as `Authorization: Bearer`; a file may contain one per line",
        TOKENS,
        secret=True,
    )
    api_read_token: str | None = _setting(
        None, "token that may read and scrape, but change nothing; needs API_TOKEN", TOKENS, secret=True
    )
    metrics_token: str | None = _setting(
        None, "token that may only scrape /metrics; has no effect without API_TOKEN", TOKENS, secret=True
    )
    allowed_hosts: tuple[str, ...] | None = _setting(
        None, "Host names by which the service may be addressed, besides localhost, 127.0.0.1, [::1] and HOST", HOSTS
    )
    trusted_proxies: int = _setting(
        "0", "number of reverse proxies whose X-Forwarded headers are trusted; never more than there are", _whole(0, 10)
    )
    cors_origins: tuple[str, ...] | None = _setting(None, "origins of other sites whose pages may read the API", ORIGINS)
    allow_open: bool = _setting("0", "listen beyond loopback without API_TOKEN, with a warning", SWITCH)
    notify_urls: tuple[Destination, ...] = _setting(
        "",
        "destinations of watches' messages, as `team=slack://…;me=mailto://…` (a ; in a URL is %3B); off when empty",
        DESTINATIONS,
        secret=True,
    )
    public_url: str | None = _setting(
        None,
        "address at which people reach the pages, for links in messages and feeds; default: http://HOST:PORT, in a feed the "
        "address by which it was read",
        URL,
    )
    published_port: int | None = _setting(
        None,
        "port on this machine that leads to the service, where PUBLIC_URL is empty; Compose sets it from TWITTERAPI_PORT",
        _whole(1, 65535),
    )
    logstash_host: str | None = _setting(None, "host of Logstash, to which log records are sent besides stdout; off when empty")
    logstash_port: int = _setting("5044", "port of Logstash's TCP input", _whole(1, 65535))
    setup_state: str | None = _setting(
        None, "folder with a file for each setup service that has not succeeded; Compose sets it"
    )
    grafana_url: str | None = _setting(None, "address of Grafana for people; pages link to it", LINK)
    grafana_port: int | None = _setting(None, "port of Grafana on this machine, where GRAFANA_URL is empty", _whole(1, 65535))
    kibana_url: str | None = _setting(None, "address of Kibana for people", LINK)
    kibana_port: int | None = _setting(None, "port of Kibana on this machine, where KIBANA_URL is empty", _whole(1, 65535))
    prometheus_url: str | None = _setting(None, "address of Prometheus for people", LINK)
    prometheus_port: int | None = _setting(
        None, "port of Prometheus on this machine, where PROMETHEUS_URL is empty", _whole(1, 65535)
    )
    log_level: str = _setting("INFO", "minimum severity of log records", _one_of(*LOG_LEVELS))
    log_format: str = _setting("auto", "log lines: readable on a terminal, else JSON (`auto`); `json`; `text`", FORMAT)
    price_post_usd: int = _setting("0.005", "what X charges for a post read", USD)
    price_user_usd: int = _setting("0.010", "what X may charge for an author read", USD)
    price_count_usd: int = _setting("0.005", "what X charges for a count of the last seven days", USD)
    price_count_all_usd: int = _setting("0.010", "what X charges for a count of the full archive", USD)
    x_timeout: timedelta = _setting("31s", "longest silence of X during a request", _span(timedelta(seconds=1)))
    x_retries: int = _setting("3", "how often a request is retried after an error of X", _whole(0, 10))
    x_retry_wait: timedelta = _setting("1s", "wait before the first retry; it doubles each time, with jitter", SPAN)
    x_rate_limit_wait: timedelta = _setting("901s", "longest wait for X's rate limit to reset", SPAN)
    secret_files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict, repr=False)
    """The files named for each secret, by the setting's name, those that take precedence first."""
    read_from_files: frozenset[str] = frozenset()
    """The secrets whose value came from a file."""
    spelling_hints: tuple[str, ...] = ()
    """A line for each unknown name in the files that resembles a setting's."""

    @property
    def site(self) -> str:
        """The address at which people reach the pages, without a slash at its end."""
        port = self.published_port or self.port
        here = self.host if self.host not in EVERY_ADDRESS else "localhost"
        return self.public_url or f"http://{f'[{here}]' if ':' in here and not here.startswith('[') else here}:{port}"

    @property
    def local_site(self) -> str | None:
        """Where messages link to if that is this machine only, because PUBLIC_URL is unset, though others reach the service."""
        is_shared = self.host in EVERY_ADDRESS or bool(self.allowed_hosts)
        return self.site if self.notify_urls and not self.public_url and is_shared else None

    def secrets(self) -> set[str]:
        """The values of all secrets that are set, and the passwords in them."""
        values = [getattr(self, name.lower()) or "" for name, declared in declared_settings() if declared.is_secret]
        texts = [text for value in values for text in ([value] if isinstance(value, str) else [one.url for one in value])]
        return {text for value in texts for text in (*value.split(), *_password(value)) if text}


def _password(value: str) -> tuple[str, ...]:
    """The password in the URL of a database, both encoded and decoded."""
    match = re.match(r"postgresql[^:]*://[^:@/?#]*:([^@/?#]*)@", value)
    return (match[1], unquote(match[1])) if match else ()


def declared_settings() -> list[tuple[str, Declaration]]:
    """The names and declarations of all settings, in their order."""
    return [(f.name.upper(), f.metadata["declaration"]) for f in fields(Settings) if f.metadata]


def load(environ: Mapping[str, str] | None = None, *, folder: Path = ROOT) -> Settings:
    """Reads all settings. Raises SettingError for the first invalid one.

    `flask` copies `.env` into the environment before this runs, so under it a variable that equals `.env`'s counts as `.env`'s.
    """
    environ = os.environ if environ is None else environ
    files = [_read_file(folder / name) for name in LAYER_FILES]
    variables = dict(environ)
    if environ.get("FLASK_RUN_FROM_CLI") == "true":
        variables = {name: value for name, value in variables.items() if files[-1].get(name) != value}
    layers = [variables, *files]
    values, secret_files, from_files = dict[str, Any](), dict[str, tuple[Path, ...]](), set[str]()
    for name, declared in declared_settings():
        text, paths, is_from_file = _look_up(name, layers, is_secret=declared.is_secret)
        text = text or declared.default
        values[name.lower()] = None if text is None else _parse(name, text, declared)
        if paths:
            secret_files[name] = tuple(paths)
        if is_from_file:
            from_files.add(name)
    return Settings(
        **values, secret_files=secret_files, read_from_files=frozenset(from_files), spelling_hints=_spelling_hints(files)
    )


def check_credentials(settings: Settings) -> None:
    """Raises SettingError for credentials that are set without those that belong to them."""
    is_set = {name: bool(getattr(settings, name.lower())) for name, _ in declared_settings()}
    missing = dict.fromkeys(other for name, others in PARTNERS.items() if is_set[name] for other in others if not is_set[other])
    if missing:
        raise SettingError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")


def read_secret(name: str, paths: Iterable[Path]) -> Any:
    """Reads a secret again from the first of its files that is not empty. None if all are. Raises SettingError."""
    text = next(filter(None, (_real_value(_read_secret_file(name, str(path))) for path in paths)), None)
    return text and _parse(name, text, dict(declared_settings())[name])


def _look_up(name: str, layers: list[dict[str, str]], *, is_secret: bool) -> tuple[str | None, list[Path], bool]:
    """Returns a setting's text, the files named for it in the layers down to its value, and whether it is from a file."""
    text, files = None, list[Path]()
    for layer in layers:
        value, path = _real_value(layer.get(name)), _real_value(layer.get(f"{name}_FILE")) if is_secret else None
        if value and path and not text:
            raise SettingError(f"{name}: is set together with {name}_FILE, expected one of them")
        if value:
            return text or value, files, text is not None
        if path:
            text = text or _real_value(_read_secret_file(name, path))
            files.append(ROOT / path)
    return text, files, text is not None


def _spelling_hints(files: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """A line for each unknown name in the files that resembles a setting's. Names of other programs are ignored."""
    known = [name for name, _ in declared_settings()] + [
        f"{name}_FILE" for name, declared in declared_settings() if declared.is_secret
    ]
    unknown = dict.fromkeys(name for file in files for name in file if name not in known)
    matches = {name: get_close_matches(name.upper(), known, 1, SIMILARITY) for name in unknown}
    return tuple(f"{name}: did you mean {close[0]}?" for name, close in matches.items() if close)


def _read_file(path: Path) -> dict[str, str]:
    """Reads a file of settings, if it exists. Raises SettingError for an invalid line, where python-dotenv only warns."""
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path.name}: can't be read: {type(error).__name__}") from error
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            blank = line.original.string[: -len(line.original.string.lstrip())].count("\n")
            raise SettingError(f"{path.name}: line {line.original.line + blank} can't be read, expected NAME=value")
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _parse(name: str, text: str, declared: Declaration) -> Any:
    try:
        return declared.reader.read(text)
    except ValueError as error:
        shown = "its value" if declared.is_secret else repr(text[:80])
        shown = str(error) if isinstance(error, UnacceptedPart) else shown
        raise SettingError(f"{name}: {shown} is not accepted, expected {declared.reader.expected}") from None


def _real_value(value: str | None) -> str | None:
    value = (value or "").strip()
    return None if not value or PLACEHOLDER.fullmatch(value) else value


def _read_secret_file(name: str, path: str) -> str:
    try:
        if (ROOT / path).is_fifo():  # opening it could block for ever
            raise ValueError(path)
        with (ROOT / path).open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST_SECRET + 1)
        return text if len(text) <= LONGEST_SECRET else _refuse(text)
    except (OSError, ValueError) as error:
        raise SettingError(f"{name}_FILE: {path[:80]!r} can't be read, expected a text file: {type(error).__name__}") from error
