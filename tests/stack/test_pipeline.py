"""Logstash's configuration: it parses, and names only what Logstash 9 knows.

No Logstash can be run here. The grammar is checked by logstash-pipeline-parser, the names by lists from the documentation of
Logstash 9: an unknown option of a plugin stops the pipeline, an unknown setting stops Logstash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from logstash_pipeline_parser import Pipeline  # type: ignore[import-untyped]

from logstash import LONGEST_TEXT
from tests.fixtures.environment import ROOT
from tests.stack.files import PIPELINE, services

TEXT = (ROOT / PIPELINE).read_text(encoding="utf-8")
# Of the elasticsearch output, what may stand beside data_stream: with index, template*, ilm_* or document_id it stops.
KNOWN = {
    "input.tcp": "id codec dns_reverse_lookup_enabled ecs_compatibility host mode port ssl_enabled tags tcp_keep_alive type",
    "codec.json_lines": "charset decode_size_limit_bytes delimiter ecs_compatibility target",
    "filter.mutate": "id add_field add_tag remove_field remove_tag rename replace",
    "output.elasticsearch": "id data_stream data_stream_type data_stream_dataset data_stream_namespace data_stream_auto_routing"
    " data_stream_sync_fields ecs_compatibility hosts user password timeout",
}
SETTINGS = {"api.http.host", "pipeline.ecs_compatibility", "queue.type", "queue.max_bytes"}
SETTINGS |= {f"dead_letter_queue.{name}" for name in ("enable", "max_bytes", "storage_policy", "retain.age")}


def options(section: str, tree: list[Any]) -> Iterator[tuple[str, str]]:
    """Give plugin and name of each option of each plugin, through conditions; a codec is a plugin of its own."""
    for name, body in tree:
        if name == "if":
            yield from options(section, body[1][0])
            continue
        for option, values in body:
            yield f"{section}.{name}", option
            if option == "codec" and isinstance(values[0], list):
                yield from options("codec", values)


def test_the_pipeline_parses_has_no_unknown_option_and_marks_only_records_of_others() -> None:
    sections = Pipeline(TEXT).parse()
    assert [section for section, _ in sections] == ["input", "filter", "output"]
    found = [option for section, tree in sections for option in options(section, tree)]
    assert {plugin for plugin, _ in found} == set(KNOWN)
    assert [(plugin, option) for plugin, option in found if option not in KNOWN[plugin].split()] == []
    marked = [["mutate", [["id", ["foreign"]], ["add_tag", [["foreign"]]]]]]
    assert dict(sections)["filter"] == [["if", [["!", "[service][name]"], [marked]]]]


def test_no_name_is_looked_up_and_no_line_of_any_length_is_read() -> None:
    assert "dns_reverse_lookup_enabled => false" in TEXT
    [limit] = re.findall(r"decode_size_limit_bytes => (\d+)", TEXT)
    assert 10 * LONGEST_TEXT < int(limit) <= 2**20


def test_the_password_is_the_one_that_the_start_script_exports() -> None:
    wanted = set(re.findall(r"\$\{(\w+)\}", TEXT))
    assert wanted == set(re.findall(r"^export (\w+)$", (ROOT / "logstash/start.sh").read_text(), re.MULTILINE))
    assert {name.lower().replace("_", ".") for name in wanted}.isdisjoint(SETTINGS)


def test_settings_are_known_and_say_what_containers_need() -> None:
    found = yaml.safe_load((ROOT / "logstash/logstash.yml").read_text())
    assert set(found) == SETTINGS
    assert (found["api.http.host"], found["pipeline.ecs_compatibility"]) == ("0.0.0.0", "v8")
    assert (found["queue.type"], found["dead_letter_queue.enable"]) == ("persisted", True)


def test_the_whole_folder_is_mounted_so_that_the_image_s_own_pipeline_is_gone() -> None:
    assert "./logstash/pipeline:/usr/share/logstash/pipeline:ro,z" in services()["logstash"]["volumes"]
    assert [path.name for path in (ROOT / "logstash/pipeline").iterdir()] == ["twitterapi.conf"]
