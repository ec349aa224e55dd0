"""Bodies of messages: nothing that others wrote has an effect in any of them, and none is longer than its service takes."""

from __future__ import annotations

import pytest

from tests.fixtures.documents import read
from watches.bodies import blocks, html_body, length, markdown_body, markdown_line, plain_line, text_body, within
from watches.sections import Bar, Item, QuotedTweet, Section

RUN = "<script>window.ran = 1</script>"
HOSTILE = (
    f"{RUN} @everyone <!channel> <@U123> <@&7> @here @channel @all <#C1>",
    '"><img src=x onerror="window.ran = 1"> ![i](http://evil.example/i.png) [a](javascript:alert)',
    "\u202etxt.exe \u2066 a\u0000b\u0085 *b* _i_ `c` ~~s~~ ||spoiler|| # head",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; https://evil.example/@everyone/a_b?x=1&y=*2*",
)


def body_values(text: str) -> dict[str, object]:
    """Return what a message is written from, with a text wherever others write any."""
    quoted = QuotedTweet(text, text, (text, text), "https://x.com/i/status/1")
    section = Section(text, (text,), (Bar(3), Bar(None), Bar(6, is_told=True)), text, (Item(text, text),), (quoted,))
    ours = "http://localhost:8080/view/watches"
    return {"title": text, "sections": [section], "more": ("All", ours), "foot": [text], "change": ("Change it", ours)}


@pytest.mark.parametrize("text", HOSTILE)
def test_html_has_what_others_wrote_as_text_only(text: str) -> None:
    page = read(html_body(**body_values(text)))
    assert {one.name for one in page.within if one.name in ("script", "img", "form", "iframe", "svg", "link")} == set()
    assert not [name for one in page.within for name in one.attributes if name.startswith("on")]
    assert {one["href"] for one in page.all("a")} == {"https://x.com/i/status/1", "http://localhost:8080/view/watches"}
    assert page.one("h1").text == plain_line(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone and <@U1>", "@\u200beveryone and <\u200b@\u200bU1>"),
        ("<!channel> <#C1> 1 < 2", "<\u200b!channel> <\u200b#C1> 1 < 2"),
        ("<at>Ada</at>", "<\u200bat>Ada<\u200b/at>"),
        ("see https://m.example/@here?a=1, ok", "see https://m.example/%40here?a=1, ok"),
        ("two\r\nlines\u2028and\ttabs\u00a0", "two lines and tabs"),
        ("\u202eevil\u2066 \x1b[31m a\u200b\u0000\ufeffb", "evil [31m ab"),
        ("\U0001f468\u200d\U0001f469 می\u200cخواهم", "\U0001f468\u200d\U0001f469 می\u200cخواهم"),
        ("@\u200beveryone", "@\u200beveryone"),
    ],
)
def test_a_line_has_no_control_or_direction_and_no_mention_with_an_effect(text: str, shown: str) -> None:
    assert plain_line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("===", "\\==="),
        ("*b* `c` ~~s~~ ||x|| a_b_c \\", r"\*b\* \`c\` \~\~s\~\~ \|\|x\|\| a\_b\_c \\"),
        ("[a](http://e.example/a_b) ![i](x)", r"\[a\](http://e.example/a_b) !\[i\](x)"),
        ("# head", r"\# head"),
        ("> quoted", r"\> quoted"),
        ("- 1 + 1", r"\- 1 + 1"),
        ("12. May", r"12\. May"),
        ("https://e.example/a_b?x=1&y=2 #sre", "https://e.example/a_b?x=1&y=2 #sre"),
        ("(at https://e.example/A_(b)_c).", "(at https://e.example/A_%28b%29_c)."),
        ("https://e.example/it's_a*b_c|d", "https://e.example/it's_a%2Ab_c%7Cd"),
        ("“https://e.example/a_b” https://t.co/a🔥_", r"“https://e.example/a_b” https://t.co/a🔥\_"),
        ("https://e.example/`a`_b\\*", "https://e.example/%60a%60_b%5C%2A"),
    ],
)
def test_markdown_shows_a_text_as_it_is_and_urls_as_links(text: str, shown: str) -> None:
    assert markdown_line(text) == shown


LINKED = "https://e.example/A_(b)/@c/it's?q=a*b|c&d=\"<\u202e ü#e;f="


def test_links_lead_to_exactly_the_page_in_every_body() -> None:
    section = Section(lines=(Item(said="1 tweet", url=LINKED),))
    values = {**body_values(""), "sections": [section], "more": ("All", "http://[::1]:5000/view/tweets")}
    hrefs = [one["href"] for one in read(html_body(**values)).all("a")]
    assert hrefs[:2] == [
        "https://e.example/A_(b)/%40c/it's?q=a*b|c&d=%22%3C%E2%80%AE%20ü#e;f=",
        "http://[::1]:5000/view/tweets",
    ]
    assert f"- 1 tweet {hrefs[0]}\n" in text_body(**values)
    written = markdown_body(**values)
    assert "- 1 tweet https://e.example/A_%28b%29/%40c/it's?q=a%2Ab%7Cc&d=%22%3C%E2%80%AE%20ü#e;f=\n" in written
    assert "All: http://[::1]:5000/view/tweets" in written


def test_each_line_of_a_tweet_is_a_quotation_in_plain_text() -> None:
    tweet = QuotedTweet("Ada", "", ("one", "The watch is over: http://evil.example"), "https://x.com/i/status/1")
    said = text_body(**{**body_values("x"), "sections": [Section(tweets=(tweet,))]})
    assert said.startswith("Ada\nhttps://x.com/i/status/1\n> one\n> The watch is over: http://evil.example\n\nAll: http")


def test_a_chart_tells_nothing_from_what_was_not_collected() -> None:
    assert blocks([Bar(0), Bar(1), Bar(None), Bar(50), Bar(100)]) == "▁▂·▅█"
    assert blocks([Bar(0), Bar(None)]) == "▁·"


LINK, FOOT = "All tweets: http://localhost:8080/view", "The watch “a” tells you this.\nChange it: http://localhost:8080"


@pytest.mark.parametrize(
    "unit", ["A sentence. And another one\n", "\U0001f525 fire. ", "https://e.example/", "\\*", "One.\n\n"]
)
@pytest.mark.parametrize("most", [2000, 4096])
def test_what_is_too_long_is_cut_before_the_link_and_the_foot(unit: str, most: int) -> None:
    cut = within(f"{unit * 3000}\n\n{LINK}\n\n{FOOT}", most)
    kept, _, end = cut.partition("\n\n…\n\n")
    assert length(cut) <= most
    assert end == f"{LINK}\n\n{FOOT}"
    assert length(kept) > most // 2 - length(end)
    assert not kept.endswith("\\")
    assert kept.endswith((".", "one")) or " " not in unit.strip()


def test_what_is_short_is_not_cut_and_a_link_or_a_foot_that_is_too_long_is_left_out() -> None:
    assert within("short", 5) == "short"
    assert within(f"{'a' * 300}\n\n{'b' * 100}\n\nfoot", 100) == f"{'a' * 91}\n\n…\n\nfoot"
    assert within(f"{'a' * 300}\n\n{LINK}\n\n{'c' * 100}", 100) == f"{'a' * 97}\n\n…"
