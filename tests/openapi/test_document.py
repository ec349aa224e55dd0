"""The document: valid, complete, and from the declarations that validate the requests."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import openapi_spec_validator
import pytest
from flask import Flask
from marshmallow import Schema, ValidationError, fields

import resources.api
import settings
from app import create_app
from resources.api import MonitorResource
from resources.openapi import document_of, operations
from resources.timeline import HourArguments
from resources.volume import VolumeArguments
from schemas.arguments import FilterArguments
from schemas.openapi import Undescribed, query, schema_of
from schemas.parameters import choice, whole
from tests.fixtures.environment import MakeSettings
from tests.fixtures.service import Service
from tests.openapi.contract import Contract

ODD = [" ", "no-tag", "1.5", "-1", "007", "9" * 30, "a\tb", "\x00", "\t#Straße1 ", "日本", "PT-br", "@Name_1", "Côte d’Ivoire"]
ODD += ["2025-12-31t07:00:00.5z", "2025-12-31T07:00:00-03:00", "2025-12-31", "yesterday", "day", "id", "ids", "-id"]


@pytest.fixture(scope="module")
def app(service: Service) -> Flask:
    return service.app


def test_it_is_valid_openapi_of_this_version(service: Service, contract: Contract) -> None:
    openapi_spec_validator.validate(contract.document)
    assert contract.document["openapi"] == "3.1.0"
    assert contract.document["info"]["version"] == settings.VERSION
    assert service.get("/openapi.json").headers["Content-Type"] == "application/json"


def test_it_has_each_method_of_each_resource_once(app: Flask, contract: Contract) -> None:
    declared = {(path, method) for path, method, _ in contract.operations()}
    assert declared == {(one.path, one.method) for one in operations(app)}
    names = [operation["operationId"] for *_, operation in contract.operations()]
    assert len(set(names)) == len(names)


def test_what_is_not_in_it_is_a_page_or_a_file(app: Flask) -> None:
    others = {rule.rule for rule in app.url_map.iter_rules() if not hasattr(app.view_functions[rule.endpoint], "view_class")}
    views = {rule for rule in others if rule.startswith("/view/")}
    assert others - views == {"/", "/docs", "/sign-in", "/sign-out", "/static/<path:filename>"}


def test_each_operation_is_described_with_each_of_its_parameters(contract: Contract) -> None:
    for path, method, operation in contract.operations():
        assert 0 < len(operation["summary"]) < 80, path
        assert operation["description"], path
        assert {"400", "406", "500", "503"} <= operation["responses"].keys(), (path, method)
        for parameter in operation["parameters"]:
            assert parameter["description"], parameter
            assert ("example" in parameter) != parameter.get("x-opaque", False), parameter
            if "example" in parameter:
                assert contract.invalid(parameter["schema"], parameter["example"]) == []


def test_parameters_are_those_that_the_resource_validates_and_their_schemas_take_what_it_takes(
    app: Flask, contract: Contract
) -> None:
    checked = set()
    for one in operations(app):
        validated = {field.data_key or name: field for name, field in one.arguments().fields.items()}
        parameters = contract.document["paths"][one.path][one.method]["parameters"]
        schemas = {part["name"]: part["schema"] for part in parameters if part["in"] == "query"}
        assert list(schemas) == sorted(validated)
        for name, field in validated.items():
            for value in ODD:
                if taken(field.inner if isinstance(field, fields.List) else field, value):
                    assert contract.invalid(schemas[name], typed(schemas[name], value)) == [], (name, value)
                    checked.add(name)
    assert {"limit", "tag", "since", "bucket"} <= checked


def typed(schema: dict[str, Any], value: str) -> Any:
    """Return a value as a client means it that reads the schema."""
    if schema.get("type") == "array":
        return [typed(schema["items"], value)]
    return int(value) if schema.get("type") == "integer" else value


def taken(field: Any, value: str) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return False
    return True


class Strange(fields.Field[str]):
    """A kind of field that nobody has described."""


def test_what_nobody_has_described_stops_the_document(app: Flask, make_settings: MakeSettings) -> None:
    class Silent(MonitorResource):
        def get(self) -> None:
            """Say nothing."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HourArguments._declared_fields, "tz", Strange())
        with pytest.raises(Undescribed, match="Strange"):
            document_of(app)
    with pytest.raises(Undescribed, match="Parameter"):
        schema_of(choice(("one",), "One", "one", validate=lambda _value: True))
    with pytest.raises(Undescribed, match="what it is for"):
        query(Schema.from_dict({"unheard": whole(1, 2)}))
    other = create_app(make_settings())
    resources.api.ProblemApi(other).add_resource(Silent, "/silent")
    with closing(other.extensions["collector"]), pytest.raises(Undescribed, match="/silent"):
        document_of(other)


def test_bounds_and_choices_are_those_of_the_validators() -> None:
    assert schema_of(whole(1, 7)) == {"type": "integer", "minimum": 1, "maximum": 7}
    bucket = next(part for part in query(VolumeArguments) if part["name"] == "bucket")
    assert bucket["schema"] == {"type": "string", "enum": ["hour", "day"]}
    tag = next(part for part in query(FilterArguments) if part["name"] == "tag")
    assert (tag["schema"]["type"], tag["style"], tag["explode"]) == ("array", "form", True)
