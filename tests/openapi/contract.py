"""The document as a judge: what is wrong with an answer, by what it says of the operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import jsonschema_rs
import requests

Json = dict[str, Any]


class Call(NamedTuple):
    """A request of an operation as its examples have it."""

    method: str
    template: str
    path: str
    query: Json
    body: Json | None


def sent(parameter: Json) -> Any:
    """Return a parameter's example as it is sent: a list that is not to be repeated is one text."""
    example = parameter["example"]
    return ",".join(example) if isinstance(example, list) and not parameter.get("explode") else example


class Contract:
    """What a document says."""

    def __init__(self, document: Json) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Give path, method and operation of each."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def calls(self) -> Iterator[Call]:
        """Give each operation's request with what is required, and one with each other parameter that has an example."""
        for path, method, operation in self.operations():
            filled = path
            for place in (one for one in operation["parameters"] if one["in"] == "path"):
                filled = filled.replace(f"{{{place['name']}}}", quote(str(place["example"])))
            sent_body = operation.get("requestBody", {})
            examples = [content["example"] for content in sent_body.get("content", {}).values()]
            bodies = examples if sent_body.get("required") else [None, *examples]
            asked = [one for one in operation["parameters"] if one["in"] == "query" and "example" in one]
            needed = {one["name"]: sent(one) for one in asked if one["required"]}
            others = [{one["name"]: sent(one)} for one in asked if not one["required"]]
            for query in [needed, *(needed | other for other in others)]:
                for body in bodies:
                    yield Call(method, path, filled, query, body)

    def complaints(self, method: str, path: str, answer: requests.Response) -> list[str]:
        """Return what is wrong with an answer: its status, media type, body or headers."""
        responses = self.document["paths"][path][method]["responses"]
        declared = self._resolved(responses.get(str(answer.status_code)))
        if declared is None:
            return [f"status {answer.status_code} is not declared"]
        return [*self._of_body(declared.get("content", {}), answer), *self._of_headers(declared["headers"], answer)]

    def invalid(self, schema: Json, value: Any) -> list[str]:
        """Return why a value is not what a schema of the document asks for."""
        whole = {**schema, "components": self.document["components"]}
        return [error.message for error in jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(value)]

    def _of_body(self, content: Json, answer: requests.Response) -> list[str]:
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if not content or not kind:
            return ["has a body" for _ in [0] if answer.content] + ["has no type" for _ in [0] if content]
        if kind not in content:
            return [f"media type {kind} is not declared"]
        return self.invalid(content[kind]["schema"], answer.json() if kind.endswith("json") else answer.text)

    def _of_headers(self, headers: Json, answer: requests.Response) -> list[str]:
        found = []
        for name, header in headers.items():
            declared = self._resolved(header)
            if name in answer.headers:
                found += self.invalid(declared["schema"], answer.headers[name])
            elif declared.get("required"):
                found.append(f"header {name} is missing")
        return found

    def _resolved(self, value: Any) -> Any:
        if not isinstance(value, dict) or "$ref" not in value:
            return value
        _, *names = value["$ref"].split("/")
        found: Any = self.document
        for name in names:
            found = found[name]
        return found
