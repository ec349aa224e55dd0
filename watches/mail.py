"""Mail: a message as plain text and as HTML, sent by the account that Apprise reads from a URL.

Apprise itself would make the plain text from the HTML, without its links and quotation marks.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid
from functools import partial
from typing import Any

from watches.messages import WatchMessage

log = logging.getLogger(__name__)

Account = Any  # Apprise's NotifyEmail, whose attributes have no types
ID_HEADER = "X-Notification-Id"
SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Mail servers need not take more."""


def send_mail(account: Account, message: WatchMessage, message_id: int, *, seconds: float) -> None:
    """Send a mail to each recipient of an account; each part of the server's answer may take so many seconds.

    Raises OSError, SMTPException if nobody's was accepted. Where only some were, it counts as sent: a retry would repeat it to
    the others. As in Apprise, recipients don't see each other, all see Cc, and nobody sees Bcc.
    """
    accepted, failures = 0, list[Exception]()
    with _connected(account, seconds) as server:
        for to in account.targets:
            mail, recipients = _written(account, message, message_id, to), {to[1], *account.cc, *account.bcc}
            try:
                refused = server.send_message(mail, account.from_addr[1], sorted(recipients))
            except (OSError, smtplib.SMTPException) as error:
                failures.append(error)
            else:
                accepted += 1
                failures += [smtplib.SMTPRecipientsRefused(refused)] if refused else []
    if failures and accepted:
        log.warning("mail refused for some recipients", extra={"notification": message_id, "refused": len(failures)})
    elif failures:
        raise failures[0]


@contextmanager
def _connected(account: Account, seconds: float) -> Iterator[smtplib.SMTP]:
    """Give a session with the account's server, secure as its URL says."""
    context = ssl.create_default_context()
    if not account.verify_certificate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = account.smtp_host, account.port
    connect = partial(smtplib.SMTP_SSL, context=context) if account.secure_mode == "ssl" else smtplib.SMTP
    with connect(host, port, timeout=seconds) as server:
        if account.secure_mode == "starttls":
            server.starttls(context=context)
        if account.user and account.password:
            server.login(account.user, account.password)
        yield server


def _written(account: Account, message: WatchMessage, message_id: int, to: tuple[Any, str]) -> EmailMessage:
    mail = EmailMessage(policy=SEVEN_BIT)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    named = {
        "Cc": [(account.names.get(one), one) for one in sorted(account.cc - account.bcc - {to[1]})],
        "Reply-To": [(account.names.get(one), one) for one in sorted(account.reply_to - {to[1]})],
    }
    headers = {
        **account.headers,
        **{name: ", ".join(map(_address, people)) for name, people in named.items() if people},
        "Subject": message.title,
        "From": _address(account.from_addr),
        "To": _address(to),
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": make_msgid(domain=account.smtp_host),
        ID_HEADER: str(message_id),
    }
    for name, value in headers.items():
        del mail[name]
        mail[name] = " ".join(value.split())
    return mail


def _address(named: tuple[Any, str]) -> str:
    """Return an address with its name, which Apprise leaves False or None if there is none."""
    return formataddr((named[0] or None, named[1]), "utf-8")
