"""Diagnostics as SARIF: the structure that the standard asks for, and what stands in it.

`STRUCTURE` is the part of the standard's schema that specc writes: names, kinds and bounds as in
sarif-v2.1.0, sections 3.13 to 3.55, and nothing beside them.
"""

import json
from typing import Any

from jsonschema import Draft202012Validator

from specc.documents import CODES, Diagnostic, Label, Source, Span, render_sarif
from specc.explain import page

TEXT: dict[str, Any] = {"type": "string"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}


def some(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def many(items: dict[str, Any], **bounds: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **bounds}


MESSAGE = some("text", text=TEXT, markdown=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
ARTIFACT = some("uri", uri={"type": "string", "pattern": r"^[!-~]+$"})
REGION = some("startLine", startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT)
PLACE = some("artifactLocation", artifactLocation=ARTIFACT, region=REGION)
LOCATION = some(
    id={"type": "integer"},
    physicalLocation=PLACE,
    message=MESSAGE,
    logicalLocations=many(some(fullyQualifiedName=TEXT), uniqueItems=True),
)
REPLACEMENT = some("deletedRegion", deletedRegion=REGION, insertedContent=some("text", text=TEXT))
CHANGE = some(
    "artifactLocation replacements",
    artifactLocation=ARTIFACT,
    replacements=many(REPLACEMENT, minItems=1),
)
RULE = some(
    "id",
    id=TEXT,
    shortDescription=MESSAGE,
    help=MESSAGE,
    defaultConfiguration=some(level=LEVEL),
)
RESULT = some(
    "message",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=many(LOCATION),
    relatedLocations=many(LOCATION, uniqueItems=True),
    fixes=many(
        some("artifactChanges", description=MESSAGE, artifactChanges=many(CHANGE, minItems=1))
    ),
)
DRIVER = some("name", name=TEXT, version=TEXT, rules=many(RULE, uniqueItems=True))
RUN = some(
    "tool",
    tool=some("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=many(RESULT),
)
STRUCTURE = some(
    "version runs", **{"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": many(RUN)}
)

SPEC = Source("specs/my net.yaml", "layers:\n  - Conv2D(3, 8, 3)\n  - L2Norm(512)\n")


def place(word: str, text: str = "") -> Label:
    start = SPEC.text.index(word)
    return Label(Span(SPEC, start, start + len(word)), text)


def log(*diagnostics: Diagnostic) -> dict[str, Any]:
    written = json.loads(render_sarif(diagnostics, "1.2.3", page))
    Draft202012Validator(STRUCTURE).validate(written)
    return written["runs"][0]


def test_nothing_found() -> None:
    run = log()
    assert run["results"] == []
    assert run["tool"]["driver"] == {"name": "specc", "version": "1.2.3", "rules": []}


def test_every_code_is_a_rule() -> None:
    rules = log(*(Diagnostic(code, "x") for code in CODES))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(CODES)
    for rule in rules:
        assert rule["shortDescription"]["text"] == CODES[rule["id"]]
        assert rule["help"]["markdown"] == page(rule["id"])
        level = "warning" if rule["id"].startswith("W") else "error"
        assert rule["defaultConfiguration"] == {"level": level}


def test_a_finding_with_two_places() -> None:
    labels = (place("512", "256 arrive"), place("8", "given here"))
    found = Diagnostic(
        "E0401", "wrong", labels, "write 256, or `_` to infer it", "a fact", 3, ("a", "b.a")
    )
    run = log(Diagnostic("W0601", "dead", (place("layers"),)), found)
    assert [result["ruleIndex"] for result in run["results"]] == [1, 0]
    assert run["results"][1] == {
        "ruleId": "E0401",
        "ruleIndex": 0,
        "level": "error",
        "message": {
            "text": "wrong\nhelp: write 256, or `_` to infer it\nnote: a fact\n3 more E0401 not shown"
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "specs/my%20net.yaml"},
                    "region": {"startLine": 3, "startColumn": 12, "endLine": 3, "endColumn": 15},
                },
                "logicalLocations": [{"fullyQualifiedName": "a"}, {"fullyQualifiedName": "b.a"}],
                "message": {"text": "256 arrive"},
            }
        ],
        "relatedLocations": [
            {
                "id": 1,
                "physicalLocation": {
                    "artifactLocation": {"uri": "specs/my%20net.yaml"},
                    "region": {"startLine": 2, "startColumn": 15, "endLine": 2, "endColumn": 16},
                },
                "message": {"text": "given here"},
            }
        ],
        "fixes": [
            {
                "description": {"text": "write 256"},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": "specs/my%20net.yaml"},
                        "replacements": [
                            {
                                "deletedRegion": {
                                    "startLine": 3,
                                    "startColumn": 12,
                                    "endLine": 3,
                                    "endColumn": 15,
                                },
                                "insertedContent": {"text": "256"},
                            }
                        ],
                    }
                ],
            }
        ],
    }


def fixes(label: Label, help: str) -> list[str]:
    (result,) = log(Diagnostic("E0205", "wrong", (label,), help))["results"]
    changes = [change for fix in result.get("fixes", []) for change in fix["artifactChanges"]]
    return [change["replacements"][0]["insertedContent"]["text"] for change in changes]


def test_a_word_that_was_meant_is_a_fix() -> None:
    assert fixes(place("Conv2D"), "did you mean `Conv2d`?") == ["Conv2d"]


def test_a_word_meant_for_another_place_is_none() -> None:
    assert fixes(place("layers"), "did you mean `Conv2d`?") == []


def test_advice_in_words_is_no_fix() -> None:
    assert fixes(place("512"), "choose another number") == []
    assert fixes(place("L2Norm"), "write 256, or `_` to infer it") == []


def test_a_file_without_text_has_no_region() -> None:
    (result,) = log(Diagnostic("E0101", "x", (Label(Span(Source("/a/b.yaml", ""), 0, 0)),)))[
        "results"
    ]
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "file:///a/b.yaml"}}}
    ]
