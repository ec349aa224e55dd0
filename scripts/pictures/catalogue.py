"""The pictures: what each shows, and of which page it is taken."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import quote

OPEN, PASSING, GUARDED, PROMETHEUS = "open", "passing", "guarded", "prometheus"
"""What is pictured: the service, the service while it collects, one with API_TOKEN, and the Prometheus that scrapes."""

HEADING, CHART, RUNS, FORM, OPERATION = "main h1", ".uplot canvas", ".state-running", "form button", ".opblock"
CURVES = ".legend .line, canvas"
ASKED = quote("sum by (url_rule) (rate(flask_http_request_duration_seconds_count[15s])) > 0")
GRAPH = f"/graph?g0.tab=0&g0.stacked=0&g0.range_input=1m&g0.expr={ASKED}"


class Picture(NamedTuple):
    """A picture of the top of a page, `width` wide and `height` high at most (CSS pixels, which are the picture's).

    It is taken when an element is there: `awaited`, a selector.
    """

    name: str
    shows: str
    path: str
    awaited: str
    service: str = OPEN
    width: int = 1280
    height: int = 1500
    scheme: Literal["light", "dark"] = "light"

    @property
    def file(self) -> str:
        """The name of its file in evidences/."""
        return f"{self.name}.png"


TWEETS = "/view/tweets?tag=devops&lang=en&min_followers=1000"
PICTURES = (
    Picture("overview", "the overview, `/`", "/", CHART),
    Picture("overview-dark", "the same where the system is set to dark", "/", CHART, scheme="dark"),
    Picture("overview-360", "the same on a telephone, 360 pixels wide", "/", CHART, width=360, height=1600),
    Picture("tag", "a hashtag, with X's counts beside what is stored", "/view/tags/devops", CHART, height=1450),
    Picture("tweets", "what was found by tag, language and followers", TWEETS, HEADING, height=1100),
    Picture("collections", "a collection that runs, what the month has cost", "/view/collections", RUNS, PASSING, height=1400),
    Picture("health", "how the parts of the service are", "/view/health", HEADING, height=1200),
    Picture("sign-in", "the sign-in of a service with `API_TOKEN`", "/", FORM, GUARDED, height=700),
    Picture("docs", "the API's description, on which it can be tried out", "/docs", OPERATION, height=1300),
    Picture("prometheus", "requests a second by route, in Prometheus", GRAPH, CURVES, PROMETHEUS, height=900),
)

HEAD = """# Evidences

Pictures of the running service. `make evidences` takes them anew, by
[scripts/screenshots.py](../scripts/screenshots.py): it starts `python app.py` with an empty database, collects daily from
the emulator of X, whose clock it moves, imports a burst of tweets, and opens each page in Chromium. All tweets and people are
invented. After `make run` the pages say so; here they don't, for the emulator is reached as X is, by `TWITTER_API_URL`.

| picture | shows |
|---|---|
"""


def table() -> str:
    """Return the content of evidences/README.md."""
    return HEAD + "".join(f"| [{one.file}]({one.file}) | {one.shows} |\n" for one in PICTURES)
