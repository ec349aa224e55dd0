"""Paths of pages that others lead to, with what else is asked for."""

from __future__ import annotations

from typing import Any

from web.asked import ViewQuery


def tag_path(tag: str, asked: ViewQuery) -> str:
    """Return the path of a tag's page."""
    return asked.here(f"/view/tags/{tag.removeprefix('#')}", tag=None)


def author_path(username: str, asked: ViewQuery) -> str:
    """Return the path of an author's page."""
    return asked.here(f"/view/authors/{username}", author=None)


def tweets_path(asked: ViewQuery, **filters: Any) -> str:
    """Return the path of the search, with more filters and those that the page's own path names."""
    return asked.here("/view/tweets", **dict(asked.fixed) | filters)
