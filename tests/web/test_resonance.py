"""What resonated: the tweets and authors with the most engagement, and a tweet's own page with its numbers and versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.fixtures.archives import MORNING, Json, edited, page, post, user
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import Element, opened
from tests.fixtures.service import Service
from tests.fixtures.views import Serve, against_the_policy, caption, figure, figures, rows

HOUR = timedelta(hours=1)
HOSTILE = "#sre <script>window.ran=1</script> &lt;b&gt; first"
SRE = "/view/tags/sre?period=all"


def measured(number: int, text: str, likes: int, *, replies: int = 0, **more: Any) -> Json:
    return post(number, text, public_metrics={"like_count": likes, "reply_count": replies, "impression_count": 900}, **more)


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    """The service with four tweets, one measured twice and edited, one without reactions, one without numbers."""
    grown = {"like_count": 40, "retweet_count": 1, "impression_count": 5000}
    users = (user(), user(7002, "Bob", "bob"))
    first = (measured(0, HOSTILE, 1), measured(2, "#sre unnoticed", 0), measured(3, "#sre by bob", 20, replies=3, author=7002))
    later = edited(0, 9, text="#sre second <b>version</b>", public_metrics=grown)
    bare = post(4, "#sre without numbers")
    return serve(
        page(*first, bare, users=users, retrieved=MORNING + HOUR), page(later, users=users, retrieved=MORNING + 30 * HOUR)
    )


def tweet_path(page: Element, text: str) -> str:
    """Return the URL of the page of the tweet that the list of what resonated shows with this text."""
    return next(link["href"] for link in figure(page, "resonated").all("a", href=True) if text in link.text)


@pytest.fixture(scope="module")
def grown(service: Service) -> Element:
    return opened(service, tweet_path(opened(service, SRE), "second"))


def test_what_resonated_is_ranked_with_the_time_of_its_numbers(service: Service) -> None:
    shown = opened(service, SRE)
    assert rows(shown, "resonated") == [
        ["Tweet", "Engagement", "Likes", "Reposts", "Replies", "Quotes", "Views", "Measured"],
        [
            "#sre second <b>version</b> @ada_muster",
            *("41", "40", "1", "–", "–", "5,000"),
            "as of 3\u00a0Mar\u00a02026,\u00a014:30, 30 hours after posting",
        ],
        ["#sre by bob @bob", *("23", "20", "–", "3", "–", "900"), "as of 09:30, 57 minutes after posting"],
    ]
    said = "@ada_muster wrote the tweet with the most engagement: 41 likes, reposts, replies and quotes, as of 3"
    assert said in caption(shown, "resonated")


def test_without_reactions_nothing_resonated(service: Service) -> None:
    assert "resonated" not in figures(opened(service, "/?period=all&q=unnoticed"))


def test_authors_are_ranked_by_the_engagement_of_the_same_tweets(service: Service) -> None:
    [link] = [
        one["href"]
        for one in figure(opened(service, SRE), "resonated").all("a", href=True)
        if "/figures/engaged" in one["href"]
    ]
    shown = opened(service, link)
    assert rows(shown, "engaged")[0][1:] == ["Engagement", "Tweets", "Per tweet", "Last measured"]
    assert [row[:4] for row in rows(shown, "engaged")[1:]] == [
        ["@ada_muster Ada Muster", "41", "2", "20"],
        ["@bob Bob", "23", "1", "23"],
    ]
    assert "@ada_muster resonated the most: 41 likes, reposts, replies and quotes of 2 tweets" in caption(shown, "engaged")


def test_a_card_carries_the_numbers_and_leads_to_the_tweet(service: Service) -> None:
    cards = {card.all("p")[0].text: card for card in opened(service, "/view/tweets?period=all").all("article")}
    assert "20 likes, 3 replies, 900 views, as of 09:30, 57 minutes after posting" in cards["#sre by bob"].words
    assert "no reactions yet, 900 views, as of 09:30" in cards["#sre unnoticed"].words
    assert "as of" not in cards["#sre without numbers"].words
    [link] = [
        one["href"]
        for one in cards["#sre by bob"].all("a", href=True)
        if urlsplit(one["href"]).path.startswith("/view/tweets/")
    ]
    assert opened(service, link).one("article").all("p")[0].text == "#sre by bob"


def test_a_tweet_has_its_numbers_over_time_and_its_versions(grown: Element) -> None:
    assert [[cell.text for cell in row.all("td")] for row in grown.one("tbody").all("tr")] == [
        ["30 hours", "40", "1", "–", "–", "–", "5,000"],
        ["60 minutes", "1", "–", "0", "–", "–", "900"],
    ]
    assert grown.one("polyline")["points"] == "0.0,97.6 1000.0,0.0"
    assert "From 1 to 41 likes, reposts, replies and quotes within 29 hours" in " ".join(one.words for one in grown.all("p"))
    assert [one.text for one in grown.one("ol").all("p", dir="auto")] == [
        "#sre second <b>version</b>",
        HOSTILE.replace("&lt;b&gt;", "<b>"),
    ]
    assert not grown.all("b")
    assert against_the_policy(grown) == []


def test_numbers_that_stayed_are_said_to_have_stayed(serve: Serve) -> None:
    same = [page(measured(7, "#sre calm", 5), users=(user(),), retrieved=MORNING + at * HOUR) for at in (2, 26)]
    shown = opened(serve(*same), f"/view/tweets/{post(7)['id']}")
    said = " ".join(one.words for one in shown.all("p"))
    assert "Still 5 likes, reposts, replies and quotes together after 24 hours, as of" in said


def test_any_version_finds_the_tweet_and_nothing_else_does(service: Service, grown: Element) -> None:
    later = opened(service, f"/view/tweets/{post(9)['id']}")
    assert later.one("article").text == grown.one("article").text
    assert [service.get(f"/view/tweets/{own}").status_code for own in ("123", "0", "x", "99999999999999999999")] == [404] * 4


def test_a_tweet_that_x_gave_no_numbers_of_says_so(service: Service) -> None:
    assert "X gave no numbers of this tweet." in [
        one.words for one in opened(service, f"/view/tweets/{post(4)['id']}").all("p")
    ]


def test_networks_are_offered_with_what_opens_them(service: Service) -> None:
    shown = figure(opened(service, f"{SRE}&lang=en"), "hashtags")
    links = [one["href"] for one in shown.all("a", href=True) if one["href"].startswith("/network")]
    assert "Gephi" in shown.words
    for by, link in zip(("tag", "mention"), links, strict=True):
        assert link == f"/network?tag=sre&lang=en&by={by}&format=gexf"
        assert service.get(link).headers["Content-Type"] == "application/gexf+xml"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", [f"/view/tweets/{post(9)['id']}", "/view/figures/engaged?period=all", SRE])
def test_pages_of_what_resonated_are_tidy(service: Service, chromium: Browser, width: int, path: str) -> None:
    with tab(chromium, viewport={"width": width, "height": 800}) as page:
        page.goto(service.url + path)
        assert page.evaluate("window.ran") is None
        assert untidy(page) == []
        assert accessibility(page) == []
