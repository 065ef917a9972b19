"""The JSON Schema of a spec file: sections, keys and kinds of values.

The same declaration is run by jsonschema on every document and published as
`specs/specc.schema.json` for editors. What stands inside a call is the business of the op's own
schema, see `specc.schema.calls`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["document_schema"]

FORMAT = 1


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description, "pattern": r"\S"}


def _named(description: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": values}


def _patterns(description: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": _text("A pattern of keys.")}


_EXPRESSION: dict[str, Any] = {
    "type": ["string", "number", "boolean", "array"],
    "description": "A number, a name, a list, or an expression.",
}
_DATA: dict[str, Any] = {"type": ["string", "number", "boolean", "array", "null"]}
_INITIAL: dict[str, Any] = {"title": "a call, such as `normal_(std=0.01)`", "type": "string"}
_ROW_BLOCK: dict[str, Any] = {
    "op": {"$ref": "#/$defs/call"},
    "if": _EXPRESSION | {"description": "The row is left out where this is false."},
    "repeat": _EXPRESSION
    | {
        "type": [*_EXPRESSION["type"], "object"],
        "description": "How many instances run one after another; `{i: 3}` names the turn, from 0.",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": _EXPRESSION,
    },
    "first": _named("Arguments of the first of the repeated instances.", _EXPRESSION),
    "for": _named("Lists to walk over, with a name for the item.", _EXPRESSION)
    | {"minProperties": 1},
    "init": _named(
        "Initial values of the op's tensors: `{weight: normal_(std=0.01), bias: zeros_()}`.",
        _INITIAL,
    ),
    "shared": {"type": "boolean", "description": "One instance for all turns of `for`."},
}
_DEFINITIONS: dict[str, Any] = {
    "call": {
        "title": "a call, such as `ReLU(inplace=True)`",
        "type": "string",
        "description": "A call, as `print(model)` shows it: `Conv2d(3, 64, kernel_size=3)`. A second "
        "pair of parentheses names its inputs; `-> 38` or `-> [512, 38, 38]` says what comes out.",
    },
    "block": {
        "type": "object",
        "description": "A row that repeats, loops or is conditional.",
        "properties": _ROW_BLOCK,
        "required": ["op"],
        "additionalProperties": False,
    },
    "row": {
        "if": {"type": "object"},
        "then": {"$ref": "#/$defs/block"},
        "else": {"title": "a call or a list of names", "type": ["string", "array"]},
    },
    "item": {
        "if": {"type": "object"},
        "then": {
            "if": {"required": ["op"]},
            "then": {"$ref": "#/$defs/block"},
            "else": {
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": {"$ref": "#/$defs/row"},
            },
        },
        "else": {"$ref": "#/$defs/call"},
    },
    "layers": {
        "description": "The rows: a list (keys are positions) or a mapping (keys are names).",
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "items": {"$ref": "#/$defs/item"},
        "additionalProperties": {"$ref": "#/$defs/row"},
    },
    "inputs": {
        "description": "Inputs and their shapes, `{images: [N, 3, 300, 300]}`, or their names.",
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "items": {"type": "string"},
        "additionalProperties": {"type": "array", "minItems": 1},
    },
    "outputs": {
        "description": "What comes out: names of rows, or `{name: row}`.",
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "items": {"type": "string"},
        "additionalProperties": {"type": "string"},
    },
    "expect": {
        "type": "object",
        "description": "Figures of the whole model.",
        "properties": {
            "at": _named(
                "Values of parameters and symbolic sizes.",
                {"type": ["number", "string", "boolean"]},
            ),
            "params": {"type": "integer", "description": "Parameters."},
            "keys": {"type": "integer", "description": "Entries of the state dict."},
            "macs": {"type": "integer", "description": "Multiply-adds for one image."},
            "boxes": {"type": "integer", "description": "Boxes of the detector."},
            "parts": _named("Parameters below a path.", {"type": "integer"}),
            "shapes": _named("Shapes of rows by path.", {"type": ["array", "integer"]}),
        },
        "additionalProperties": False,
    },
}


_SLOTS = {
    "anchors": "The boxes that predictions start from: `DefaultBoxes(...)`, `AnchorGrid(...)`.",
    "coder": "What an offset means: `BoxCoder(...)`.",
    "match": "Which object an anchor is to find: `IoUMatch(...)`, `CenterSampling(...)`.",
    "loss": "What training makes small: `MultiBoxLoss(...)`, `FocalLoss(...)`.",
    "select": "Which boxes are kept: `NMS(...)`, `LevelNMS(...)`.",
}
_REGIONS = {
    "proposals": "The row `Proposals` that makes the regions.",
    "boxes": "The output with the offsets, four of each class.",
    "classes": "The output with the scores.",
    "match": "Which object a region is to find: `IoUMatch(...)`.",
    "sample": "Which regions are learnt from: `Sample(...)`.",
    "coder": "What an offset means: `BoxCoder(...)`.",
    "loss": "What training makes small: `FastRCNNLoss(...)`.",
}


def _module_properties() -> dict[str, Any]:
    return {
        "doc": _text("What the module is; the first line of the class's docstring."),
        "params": _named(
            "Parameters: a default, or a type (`int`) for one that must be given.", _DATA
        ),
        "inputs": {"$ref": "#/$defs/inputs"},
        "let": _named("Constants.", _EXPRESSION),
        "init": _named(
            "Initial values of all ops of a kind in the module and the modules it calls, where "
            "nothing nearer says otherwise: `Conv2d: {weight: kaiming_normal_(), bias: zeros_()}`.",
            _named("Its tensors, and how they are filled.", _INITIAL),
        ),
        "layers": {"$ref": "#/$defs/layers"},
        "outputs": {"$ref": "#/$defs/outputs"},
    }


def document_schema() -> dict[str, Any]:
    """Return the schema of a spec file."""
    module = {
        "type": "object",
        "properties": _module_properties(),
        "required": ["layers"],
        "additionalProperties": False,
    }
    regions = {
        "type": "object",
        "description": "The second stage, which judges the regions that the first proposes.",
        "properties": {key: _text(doc) for key, doc in _REGIONS.items()},
        "required": list(_REGIONS),
        "additionalProperties": False,
    }
    detector = {
        "type": "object",
        "description": "What the outputs mean: boxes, coder, matching, loss, selection.",
        "properties": {
            "maps": _text("The row that lists the maps the boxes lie on."),
            "boxes": _text("The output with the offsets."),
            "classes": _text("The output with the scores."),
            "centerness": _text("The output with the center-ness, of a loss that reads it."),
            "objectness": _text("The output with the objectness, of a loss that reads it."),
        }
        | {slot: _text(doc) for slot, doc in _SLOTS.items()}
        | {"regions": regions},
        "additionalProperties": False,
    }
    weights = _named(
        "How known checkpoints map to this model's keys.",
        {
            "type": "object",
            "properties": {
                "map": _named(
                    "Our keys, and what the checkpoint calls them: `vgg.{i}.{p}: features.{i}.{p}`. "
                    "The first line that fits a key counts.",
                    _text("Their key, with expressions in braces."),
                ),
                "into": _text("The part that the checkpoint holds, if not the whole model."),
                "if": _EXPRESSION | {"description": "The map is for models where this is true."},
                "new": _patterns("Our keys that the checkpoint has nothing for."),
                "drop": _patterns("Their keys that this model has no use for."),
                "convert": _named(
                    "Their keys, and what is done to their tensors: `Decimate()`.",
                    _text("A conversion."),
                ),
                "preprocess": _text("What the checkpoint expects as input, if not the spec's own."),
            },
            "required": ["map"],
            "additionalProperties": False,
        },
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "specc model spec",
        "type": "object",
        "properties": {
            "specc": {"const": FORMAT, "description": "Version of the language."},
            "name": _text("Name of the model and of the emitted file."),
            "class": _text("Name of the emitted class."),
            "title": _text("What the model is called in prose."),
            "cite": _text("Where the model was published."),
            "use": _named("Other spec files, each under a name.", {"type": "string"}),
            "variants": _named("Named sets of parameter values.", {"type": "object"}),
            "modules": _named("The blocks of this file.", module),
            "stages": _named(
                "Methods of the emitted class: each ends with a row.", {"type": "string"}
            ),
            "preprocess": _text("How an image becomes the input: `Preprocess(channels='BGR')`."),
            "expect": {
                "description": "Figures of the whole model, or a list of them for several sizes.",
                "if": {"type": "array"},
                "then": {"items": {"$ref": "#/$defs/expect"}},
                "else": {"$ref": "#/$defs/expect"},
            },
            "detector": detector,
            "weights": weights,
        }
        | _module_properties(),
        "required": ["specc", "name", "inputs", "layers"],
        "additionalProperties": False,
        "$defs": _DEFINITIONS,
    }
