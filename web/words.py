"""Languages and the texts of tweets, as pages write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from queries.resonance import reactions as reactions
from text.entities import plain as plain
from text.search import TextSearch, found_places

LINK_REL = "noopener nofollow ugc"
URL = re.compile(r"(https?://[^\s<>\"'`\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*[\w/=&#%+~-])", re.IGNORECASE)
HTML_LANG = re.compile(r"[a-z]{2}", re.ASCII)
UNKNOWN_TO_BROWSERS = frozenset({"in", "iw", "ji", "un"})

LANGUAGES = {
    "am": "Amharic",
    "ar": "Arabic",
    "art": "emoji or symbols only",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bo": "Tibetan",
    "bs": "Bosnian",
    "ca": "Catalan",
    "ckb": "Sorani Kurdish",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "dv": "Maldivian",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fr": "French",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "in": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "iw": "Hebrew",
    "ja": "Japanese",
    "ka": "Georgian",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "or": "Odia",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "qam": "mentions only",
    "qct": "cashtags only",
    "qht": "hashtags only",
    "qme": "media only",
    "qst": "very short texts",
    "ro": "Romanian",
    "ru": "Russian",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "ug": "Uyghur",
    "uk": "Ukrainian",
    "und": "not recognized",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
    "zxx": "no words",
}
"""Languages by X's codes: ISO 639-1, some withdrawn codes, and X's own for texts without a language."""

NO_LANGUAGE = frozenset({"art", "qam", "qct", "qht", "qme", "qst", "und", "zxx"})
"""Codes of texts without a language."""


def tweet_text(text: str, search: TextSearch | None = None) -> Markup:
    """Return a tweet's text as HTML: escaped, with what was searched for marked.

    URLs are links that search engines don't follow.
    """
    shown = plain(text)
    found, html, at = found_places(shown, search or TextSearch()), Markup(""), 0
    for number, part in enumerate(URL.split(shown)):
        inner = _marked(part, [(start - at, end - at) for start, end in found])
        html, at = html + (_link(part, inner) if number % 2 else inner), at + len(part)
    return html


def language(code: str) -> str:
    """Return the name of a language, also of a code with a region or script; empty if unknown."""
    return LANGUAGES.get(code) or LANGUAGES.get(code.partition("-")[0], "")


def html_lang(lang: str | None) -> str | None:
    """Return a language of X as the HTML attribute `lang`; None if X's code is not a language."""
    return lang if lang and HTML_LANG.fullmatch(lang) and lang not in UNKNOWN_TO_BROWSERS else None


def _link(url: str, shown: Markup) -> Markup:
    return Markup('<a href="{0}" rel="{1}"><bdi>{2}</bdi></a>').format(url, LINK_REL, shown)


def _marked(part: str, places: Iterable[tuple[int, int]]) -> Markup:
    """Return a part of a text, escaped, with these places of it marked; they may begin before it or end behind it."""
    html, at = Markup(""), 0
    for start, end in places:
        first, last = max(start, 0), min(end, len(part))
        if first < last:
            html, at = html + escape(part[at:first]) + Markup("<mark>{}</mark>").format(part[first:last]), last
    return html + escape(part[at:])
