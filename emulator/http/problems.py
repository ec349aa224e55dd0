"""The bodies in which X says what is wrong. Titles and types are X's; most details are our own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Body = dict[str, object]
OLD_HOST = "https://api.twitter.com/2/problems"
NEW_HOST = "https://api.x.com/2/problems"


def invalid_request(message: str, parameters: Mapping[str, str]) -> Body:
    """400: a parameter is wrong."""
    return {
        "errors": [{"parameters": {name: [value] for name, value in parameters.items()}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{OLD_HOST}/invalid-request",
    }


def not_one_of(name: str, value: str, allowed: Sequence[str]) -> Body:
    """400: a value outside a fixed list."""
    return invalid_request(f"The `{name}` query parameter value [{value}] is not one of [{','.join(allowed)}]", {name: value})


def unknown_parameter(name: str, value: str, allowed: Sequence[str]) -> Body:
    """400: a parameter X does not know."""
    return invalid_request(f"The query parameter [{name}] is not one of [{','.join(allowed)}]", {name: value})


def plain(status: int, title: str, detail: str | None = None) -> Body:
    """Return the shape with type about:blank, as for 401, 404 and 429."""
    return {"title": title, "type": "about:blank", "status": status, "detail": detail or title}


def unsupported_authentication() -> Body:
    """403: an endpoint for a Bearer token only was called with OAuth 1.0a."""
    return {
        "title": "Unsupported Authentication",
        "detail": "Authenticating with OAuth 1.0a User Context is forbidden for this endpoint. "
        "Supported authentication types are [OAuth 2.0 Application-Only].",
        "type": f"{OLD_HOST}/unsupported-authentication",
        "status": 403,
    }


def absent_user(user_id: str, parameter: str, absence: str) -> Body:
    """Return the partial error beside data for an author X does not show. absence: suspended or missing."""
    suspended = absence == "suspended"
    return {
        "value": user_id,
        "detail": f"User has been suspended: [{user_id}]."
        if suspended
        else f"Could not find user with {parameter}: [{user_id}].",
        "title": "Forbidden" if suspended else "Not Found Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": user_id,
        "type": f"{OLD_HOST}/resource-not-found",
    }


def absent_place(place_id: str) -> Body:
    """Return the partial error beside data for a place X does not show."""
    return {
        "value": place_id,
        "detail": f"Could not find place with geo.place_id: [{place_id}].",
        "title": "Not Found Error",
        "resource_type": "place",
        "parameter": "geo.place_id",
        "resource_id": place_id,
        "type": f"{OLD_HOST}/resource-not-found",
    }
