"""What X charges, in integers of micro-dollars, and the budget of a billing month."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import Enum
from typing import NamedTuple

from settings import Settings


class PageContent(Enum):
    """What a page may hold that X may charge for."""

    POSTS_WITH_AUTHORS = "posts with authors"
    POSTS = "posts"
    POSTS_BY_ID = "posts by id"
    AUTHORS = "authors"


class Cost(NamedTuple):
    """Micro-dollars without (floor) and with (ceiling) the authors of posts: X doesn't say whether it charges for them."""

    floor: int
    ceiling: int


class Prices(NamedTuple):
    """Micro-dollars for a post and for an author read, and for a count of recent posts and of the full archive's."""

    post: int
    user: int
    recent_count: int = 5_000
    archive_count: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        return cls(settings.price_post_usd, settings.price_user_usd, settings.price_count_usd, settings.price_count_all_usd)

    def cost(self, *, posts: int, users: int) -> Cost:
        """Return the price of these objects: of posts alone at least, of posts and authors at most."""
        return Cost(posts * self.post, posts * self.post + users * self.user)

    def each(self, content: PageContent) -> int:
        """Return the highest price of one object of a page."""
        posts, users = content is not PageContent.AUTHORS, content in (PageContent.POSTS_WITH_AUTHORS, PageContent.AUTHORS)
        return self.cost(posts=int(posts), users=int(users)).ceiling

    def most(self, posts: int) -> int:
        """Return the ceiling for posts that each have a different author."""
        return self.cost(posts=posts, users=posts).ceiling


class Month(NamedTuple):
    """A billing month: its first day, and the first day of the next."""

    start: date
    end: date

    @property
    def key(self) -> str:
        """The primary key of the month's budget: its first day, YYYY-MM-DD."""
        return self.start.isoformat()


class Billing(NamedTuple):
    """Prices, the budget of a month in micro-dollars (None is no limit), and BILLING_DAY, None where it is unset."""

    prices: Prices
    budget: int | None = None
    day: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Billing:
        return cls(Prices.of(settings), settings.monthly_budget_usd, settings.billing_day)

    def month(self, day: date) -> Month:
        """Return the billing month of a UTC day by BILLING_DAY, or 1. A month that is too short begins on its last day."""
        start = self._start(day.year, day.month)
        if day < start:
            before = day.replace(day=1) - timedelta(days=1)
            return Month(self._start(before.year, before.month), start)
        after = day.replace(day=monthrange(day.year, day.month)[1]) + timedelta(days=1)
        return Month(start, self._start(after.year, after.month))

    def _start(self, year: int, month: int) -> date:
        return date(year, month, min(self.day or 1, monthrange(year, month)[1]))


def dollars(micro: int) -> str:
    """Format an amount such as $1.50, with at least two decimals and as many as it has."""
    whole, rest = divmod(micro, 1_000_000)
    return f"${whole}.{f'{rest:06}'.rstrip('0').ljust(2, '0')}"
