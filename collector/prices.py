"""What X charges, in integers of micro-dollars."""

from __future__ import annotations

from typing import NamedTuple

from settings import Settings


class Spend(NamedTuple):
    """Micro-dollars. X's text does not say whether the authors that come with posts are charged, so there are two figures."""

    floor: int
    ceiling: int


class Prices(NamedTuple):
    """Micro-dollars for a post and for an author read."""

    post: int
    user: int

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        return cls(settings.price_post_usd, settings.price_user_usd)

    def spend(self, *, posts: int, users: int) -> Spend:
        """Return what these objects cost: posts alone at least, posts and authors at most."""
        return Spend(posts * self.post, posts * self.post + users * self.user)
