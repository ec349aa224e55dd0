"""Delivery of a message by Apprise, which is imported at first use because that takes a while.

Apprise sends in the calling thread, follows no redirect, fetches no image, reads no template, writes no file and retries
nothing. Why it could not send is taken from its log as one of a few phrases, because its log has URLs. Of mail it only
reads the URL: watches/mail.py sends it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from http.client import responses
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import TYPE_CHECKING, Any

from watches.bodies import length, within
from watches.mail import send_mail
from watches.messages import WatchMessage

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

CONNECT_S, ANSWER_S = 5.0, 10.0
MAIL, JSON, READ_AS_MARKDOWN = ("mailto", "mailtos"), ("json", "jsons"), ("discord", "mmost", "mmosts")
LONGEST = {"discord": 2000, "mmost": 4000, "mmosts": 4000, "tgram": 4096, "ntfy": 3500, "ntfys": 3500}
"""How many characters services take with the title; ntfy's are bytes, of which most texts have few more."""
LONGEST_OTHER = 10_000
BETWEEN = 10
"""More than the characters that Apprise puts around a title."""
ID_KEY = "id"
"""Where the id of a message is in the JSON of json:// and jsons://."""
OPTIONS = {"redirect": False, "retry": 0, "rto": ANSWER_S, "include_image": False, "include_footer": False, "avatar": False}
OVERRIDDEN = ("format", "overflow", "emojis")
NOT_TAKEN = ("template", "pgp_mode", "pgp_key", "use_wkd")
"""Options of Apprise that read files or ask further hosts: a URL that has one is refused, as it would not do what it says."""
CHATTY = ("urllib3.connection", "urllib3.connectionpool")
"""Loggers that name the URL of a request in some warnings."""
NOT_ACCEPTED = "it did not accept the message"
PHRASES = (
    (re.compile(r"timed? ?out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"certificate|SSL|STARTTLS", re.IGNORECASE), "there is no secure connection to it"),
    (re.compile(r"refused", re.IGNORECASE), "it refuses connections"),
    (re.compile(r"resolve|not known|resolution", re.IGNORECASE), "its host is not found"),
    (re.compile(r"connection|socket|SMTP", re.IGNORECASE), "the connection to it failed"),
)
HTTP_ANSWER = re.compile(r"error=(\d{3})\b")

_sending = threading.local()


def is_usable(url: str) -> bool:
    """Whether Apprise accepts the URL of a destination as a whole, and it has one target, or is of mail.

    Apprise warns of parts that it drops, and sends to the others. Where one of several targets fails, it fails as a whole, so
    that the others would get the message at each try.
    """
    warned = list[logging.LogRecord]()
    handler = _Collecting(warned)
    _asset()
    logging.getLogger("apprise").addHandler(handler)
    try:
        apprise = _service(url, 0)
    finally:
        logging.getLogger("apprise").removeHandler(handler)
    if apprise is None or warned:
        return False
    return _has_all_recipients(url, apprise[0]) if scheme_of(url) in MAIL else len(apprise[0]) == 1


def _has_all_recipients(url: str, account: Any) -> bool:
    """Whether Apprise read each address that a mail is to go to; it says nothing of some that it leaves out."""
    given: int = sum(one.count("@") for one in (_parsed(url) or {}).get("targets", ()))
    read: int = len(account.targets)
    return 0 < read >= given


class _Collecting(logging.Handler):
    """Collects warnings."""

    def __init__(self, warned: list[logging.LogRecord]) -> None:
        super().__init__(logging.WARNING)
        self._warned = warned

    def emit(self, record: logging.LogRecord) -> None:
        self._warned.append(record)


def deliver(url: str, message: WatchMessage, message_id: int) -> str | None:
    """Send a message, and return why that failed, without anything of the URL, or None."""
    apprise = _service(url, message_id)
    if apprise is None:
        return "its URL is not accepted"
    if scheme_of(url) in MAIL:
        return _mail(apprise, message, message_id)
    title, body, body_format = _words(scheme_of(url), message)
    _sending.is_silent = True
    try:
        done = apprise.notify(body=body, title=title, body_format=body_format, log_level=logging.DEBUG)
    finally:
        _sending.is_silent = False
    return None if done else _reason([(entry.level, entry.message) for entry in done.logs()])


def scheme_of(url: str) -> str:
    """Return the scheme of a destination's URL."""
    return url.partition("://")[0]


def _words(scheme: str, message: WatchMessage) -> tuple[str, str, str]:
    """Return the title and the body that a service is sent, and the format of the body."""
    if scheme in JSON:
        return message.title, message.text, "text"
    is_markdown = scheme in READ_AS_MARKDOWN
    title, body = (message.markdown_title, message.markdown) if is_markdown else (message.title, message.text)
    most = LONGEST.get(scheme, LONGEST_OTHER) - BETWEEN - length(title)
    return title, within(body, most), "markdown" if is_markdown else "text"


def _mail(apprise: Apprise, message: WatchMessage, message_id: int) -> str | None:
    try:
        send_mail(apprise[0], message, message_id, seconds=ANSWER_S)
    except SMTPRecipientsRefused as error:
        return f"its mail server answered {next(iter(error.recipients.values()))[0]}"
    except SMTPResponseException as error:
        return f"its mail server answered {error.smtp_code}"
    except (OSError, SMTPException) as error:
        return _phrase([f"{type(error).__name__}: {error}"])
    return None


def _reason(entries: list[tuple[str, str]]) -> str:
    """Return the phrase for what Apprise logged; what it logged of the message itself and of the answer's body is not read."""
    told = [text for level, text in entries if level == "WARNING" or text.startswith("Socket Exception:")]
    for text in told:
        if match := HTTP_ANSWER.search(text):
            return _http_reason(int(match[1]))
    return _phrase(told)


def _phrase(told: Sequence[str]) -> str:
    found = [phrase for pattern, phrase in PHRASES for text in told if pattern.search(text)]
    return found[0] if found else NOT_ACCEPTED


def _http_reason(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}: redirects are not followed"
    return f"it answered {status} ({responses[status]})" if status in responses else f"it answered {status}"


def _service(url: str, message_id: int) -> Apprise | None:
    """Return an Apprise with this service alone, None if it does not accept the URL."""
    parsed = _parsed(url)
    if parsed is None:
        return None
    from apprise import Apprise

    apprise = Apprise(asset=_asset())
    own = {name: value for name, value in parsed.items() if name not in OVERRIDDEN}
    return apprise if apprise.add({**own, **_more(scheme_of(url), parsed, message_id)}) else None


def _parsed(url: str) -> dict[str, Any] | None:
    """Return a URL as Apprise reads it, None if it doesn't, or if it has an option that is not taken."""
    _asset()
    from apprise.plugins import url_to_dict

    parsed: dict[str, Any] | None = url_to_dict(url)  # type: ignore[no-untyped-call]
    if parsed is None or any(parsed.get(name) for name in NOT_TAKEN):
        return None
    return None if parsed.get("detect_owner") else parsed  # else Telegram would be asked who wrote to the bot last


def _more(scheme: str, parsed: Mapping[str, Any], message_id: int) -> dict[str, Any]:
    """Return what is added to a parsed URL: options in place of its own, and the id of the message."""
    more: dict[str, Any] = {**OPTIONS, "cto": CONNECT_S}
    if scheme in JSON:
        more["payload"] = {**parsed["payload"], ID_KEY: message_id}
    return more


@cache
def _asset() -> AppriseAsset:
    """Return Apprise's settings, and keep its log, which has URLs, out of ours. Reasons are in its records of level DEBUG."""
    own = logging.getLogger("apprise")
    own.propagate = False
    own.setLevel(logging.DEBUG)
    from apprise import AppriseAsset

    for name in CHATTY:
        logging.getLogger(name).addFilter(_is_told)
    return AppriseAsset(
        app_id="Hashtag monitor",
        app_desc="Hashtag monitor",
        app_url="",
        async_mode=False,
        http_redirects=False,
        image_url_mask="",
        image_url_logo="",
        image_path_mask="",
        interpret_emojis=False,
        pgp_autogen=False,
        pem_autogen=False,
        service_timeout=0,
        storage_mode="memory",
        timezone="UTC",
        allow_templates=False,
        language="en",
    )


def _is_told(_record: logging.LogRecord) -> bool:
    """Whether a record of a chatty logger is logged: not while this thread sends."""
    return not getattr(_sending, "is_silent", False)
