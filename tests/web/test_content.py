"""Words that stand out and links: figures whose rows lead to the tweets, and the page of a domain."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.fixtures.archives import Json, page, post, user
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import Element, opened
from tests.fixtures.service import Service
from tests.fixtures.views import Serve, against_the_policy, caption, column, deferred, figure, rows

LATER = "since=2026-03-02T08:40:00Z&until=2026-03-03T00:00:00Z"
HOSTILE = "https://evil.example/%22%3E<script>window.ran=1</script>?a='b'"
DOMAIN = f"/view/links/evil.example?{LATER}"


def linking(number: int, text: str, *urls: str) -> Json:
    metrics = {"like_count": 2, "retweet_count": 1}
    return post(number, text, entities={"urls": [{"expanded_url": url} for url in urls]}, public_metrics=metrics)


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    """The service with ten tweets of #sre, and ten later ones that tell of an outage and link to two domains."""
    usual = (linking(at, "a usual deploy #sre") for at in range(10))
    later = (linking(at, f"#sre the status page &amp; outage {at}", HOSTILE, *LINKS[at % 2]) for at in range(10, 20))
    return serve(page(*usual, *later, users=(user(),)))


LINKS = (("https://evil.example/a",), ("http://b.example",))


def hrefs(page: Element, name: str) -> list[str]:
    return [link["href"] for link in figure(page, name).one("table").all("a", href=True)]


def test_words_that_stand_out_lead_to_their_tweets(service: Service) -> None:
    later = deferred(service, opened(service, f"/view/tags/sre?{LATER}"), "terms")
    assert rows(later, "terms") == [
        ["Word or pair", "Tweets", "Share", "Lift"],
        *([term, "10", "100 %", "–"] for term in ("page outage", "status page")),
    ]
    said = caption(later, "terms")
    assert "“page outage” stands out the most: in 100 % of 10 tweets, in none of the other tweets of #sre examined." in said
    for link in hrefs(later, "terms"):
        assert urlsplit(link).path == "/view/tweets"
        assert len(opened(service, link).all("article")) == 10


def test_without_other_tweets_the_most_frequent_words_are_shown(service: Service) -> None:
    everything = deferred(service, opened(service, "/?period=all"), "terms")
    assert column(everything, "terms", "Word or pair")[:2] == ["page outage", "status page"]
    assert "Lift" not in rows(everything, "terms")[0]
    assert "is the most frequent word, in 50 % of 20 tweets." in caption(everything, "terms")


def test_links_lead_to_the_page_of_their_domain(service: Service) -> None:
    later = deferred(service, opened(service, f"/view/tags/sre?{LATER}"), "links")
    assert rows(later, "links")[1:] == [["evil.example", "10", "1", "30"], ["b.example", "5", "1", "15"]]
    assert "evil.example is linked to the most, in 10 tweets by 1 author." in caption(later, "links")
    assert [urlsplit(link).path for link in hrefs(later, "links")] == ["/view/links/evil.example", "/view/links/b.example"]
    found = opened(service, hrefs(later, "links")[1])
    assert [cell.text for cell in found.one("table").all("td")] == ["5", "1", "15"]
    assert len(found.all("article")) == 5


def test_the_page_of_a_domain_leads_to_the_web_only_and_passes_nothing_on(service: Service) -> None:
    found = opened(service, DOMAIN)
    away = found.one("table").all("a", href=True)
    assert [link["href"] for link in away] == [HOSTILE, "https://evil.example/a"]
    assert all({"noopener", "nofollow", "ugc"} <= set(link["rel"].split()) for link in away)
    assert against_the_policy(found) == []
    assert service.get("/view/links/nowhere.example").status_code == 404


@pytest.mark.parametrize("path", ["/", "/view/tags/sre", "/view/authors/ada_muster"])
def test_overviews_show_both(service: Service, path: str) -> None:
    page = opened(service, f"{path}?period=all")
    assert all(rows(deferred(service, page, name), name) for name in ("terms", "links"))


def test_each_figure_has_a_page_of_its_own(service: Service) -> None:
    assert service.get("/view/figures/volume").status_code == 200
    assert service.get("/view/figures/mood").status_code == 404
    assert service.get("/view/figures/terms?lang=").url.endswith("/view/figures/terms")


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_figures_that_take_long_come_once_they_are_seen(service: Service, chromium: Browser, width: int) -> None:
    with tab(chromium, viewport={"width": width, "height": 600}) as page:
        asked = list[str]()
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.goto(f"{service.url}/?period=all&tz=UTC")
        assert not [path for path in asked if path.startswith("/view/figures/")]
        page.locator("#terms").scroll_into_view_if_needed()
        page.get_by_text("“page outage” is the most frequent word").wait_for()
        page.locator("#links").scroll_into_view_if_needed()
        page.get_by_text("evil.example is linked to the most").wait_for()
        assert page.evaluate("window.ran") is None
        assert page.locator("#terms table").is_visible() == (width > 640)
        assert untidy(page) == []
        assert accessibility(page) == []


@pytest.mark.browser
def test_without_scripts_a_link_leads_to_such_a_figure(service: Service, chromium: Browser) -> None:
    with tab(chromium, java_script_enabled=False) as page:
        page.goto(f"{service.url}/view/tags/sre?{LATER}")
        page.get_by_role("link", name="Show Words that stand out").click()
        assert page.locator("#terms table").is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_of_a_domain_is_tidy(service: Service, chromium: Browser, width: int) -> None:
    with tab(chromium, viewport={"width": width, "height": 800}) as page:
        page.goto(f"{service.url}/view/links/evil.example?period=all")
        assert page.evaluate("window.ran") is None
        assert untidy(page) == []
        assert accessibility(page) == []
