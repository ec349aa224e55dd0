"""Addresses of web pages, in the one spelling in which links are stored and counted.

The scheme and everything after the host stay as they were written, but for parameters that only say where a visitor came from:
those of the large programs for advertising, mailing and analytics, among them the ones that Firefox strips from all addresses.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

RULES = "1"
"""The version of these rules. With another one, the same tweet may have other links."""
LONGEST_URL = 2000
"""Bytes: an index of PostgreSQL takes 2,704."""
TRACKING_PREFIXES = ("utm_", "mtm_", "piwik_", "matomo_", "hsa_")
TRACKING = frozenset((
    "__hsfp", "__hssc", "__hstc", "_branch_match_id", "_branch_referrer", "_hsenc", "_hsmi", "_openstat", "cmpid", "dclid",
    "epik", "fbclid", "gbraid", "gclid", "gclsrc", "guccounter", "guce_referrer", "guce_referrer_sig", "hsctatracking",
    "icid", "igsh", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "msclkid", "ncid", "oly_anon_id", "oly_enc_id",
    "pk_campaign", "pk_kwd", "rb_clickid", "ref_src", "ref_url", "s_cid", "sc_campaign", "sc_channel", "sc_content",
    "sc_country", "sc_geo", "sc_medium", "sc_outcome", "srsltid", "trk", "trkcampaign", "ttclid", "twclid", "vero_id",
    "wbraid", "wickedid", "wt.mc_id", "wt_mc", "wt_zmc", "yclid", "ysclid",
))  # fmt: skip
X_HOSTS = frozenset({"x.com", "twitter.com", "mobile.x.com", "mobile.twitter.com"})
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*")
NO_LINKS = frozenset({"t.co", "pic.x.com", "pic.twitter.com"})


def canonical_url(url: str) -> str | None:
    """The address of a page in its one spelling, or None for what is no link: X's own posts and media, t.co, other schemes.

    The host is in lower case without `www.`, a user, and the scheme's usual port; tracking parameters and the fragment are left
    out, and so is a path of `/` alone. An address with a space or a control character, or with more than LONGEST_URL bytes of
    UTF-8, is no link.
    """
    try:
        given = urlsplit(url)
        host = _host(given)
    except ValueError:
        return None
    if given.scheme not in ("http", "https") or not host or " " in url or not url.isprintable():
        return None
    if _is_of_x(host.partition(":")[0], given.path):
        return None
    query = "&".join(part for part in given.query.split("&") if part and not _is_tracking(part))
    found = f"{given.scheme}://{host}{'' if given.path == '/' and not query else given.path}{'?' if query else ''}{query}"
    return found if len(found.encode()) <= LONGEST_URL else None


def domain_of(url: str) -> str:
    """The host of an address as `canonical_url` writes it, without its port."""
    return urlsplit(url).netloc.partition(":")[0]


def _host(given: SplitResult) -> str:
    """The host and, unless it is the scheme's usual one, the port; raises ValueError for a port that is none. No IPv6."""
    host = (given.hostname or "").removeprefix("www.").rstrip(".")
    port = "" if given.port in (None, 80 if given.scheme == "http" else 443) else f":{given.port}"
    return host + port if HOST.fullmatch(host) else ""


def _is_of_x(host: str, path: str) -> bool:
    """Whether this is a post or a medium on X, or an address that X shortened."""
    return host in NO_LINKS or (host in X_HOSTS and not {"status", "statuses"}.isdisjoint(path.lower().split("/")[2:4]))


def _is_tracking(part: str) -> bool:
    name = part.partition("=")[0].lower()
    return name in TRACKING or name.startswith(TRACKING_PREFIXES)
