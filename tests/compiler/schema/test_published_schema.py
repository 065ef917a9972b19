"""The schema that editors read: it is fresh, says what the compiler checks, and is needed."""

import json
from pathlib import Path

import jsonschema
import pytest

from specc.documents import load, plain
from specc.ops import OPS
from specc.schema.publish import published_schema

SPECS = sorted(Path("specs").glob("*.yaml"))
SCHEMA = json.loads(published_schema())


def accepts(document: object) -> bool:
    """Whether an editor would find nothing to underline."""
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_it_is_fresh() -> None:
    committed = Path("specs/specc.schema.json").read_text(encoding="utf-8")
    assert committed == published_schema(), "run `specc schema -o specs/specc.schema.json`"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, schema in SCHEMA["$defs"]["ops"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["title"] == name
    assert set(OPS) <= set(SCHEMA["$defs"]["ops"])


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_it_accepts_the_zoo(spec: Path) -> None:
    assert accepts(plain(load(spec)))


@pytest.mark.parametrize(
    "change",
    [
        {"layer": []},
        {"specc": 2},
        {"name": 3},
        {"layers": []},
        {"inputs": {}},
        {"layers": [{"op": "ReLU()", "repat": 3}]},
        {"layers": {"a": {"repeat": 3}}},
        {"modules": {"A": {}}},
        {"detector": {"map": "a"}},
        {"expect": [{"parms": 3}]},
        {"weights": {"a": {"maps": {}}}},
    ],
    ids=json.dumps,
)
def test_it_refuses(change: dict[str, object]) -> None:
    assert not accepts(plain(load("specs/ssd300_vgg.yaml")) | change)  # type: ignore[operator]


def test_every_key_has_a_description() -> None:
    for name, schema in SCHEMA["properties"].items():
        described = schema
        if "$ref" in schema:
            described = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        assert "description" in described, name
