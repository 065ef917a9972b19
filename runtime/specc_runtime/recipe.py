"""Recipes: all that a training run can be told, with the defaults that train SSD.

A recipe is a YAML file of `name: value`, any of which `name=value` on the command line overrides.
Mistakes are found before anything is loaded, all at once, with their places.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from specc.documents import Diagnostic, Findings, Label, Mapping, Node, Source, Span, plain, suggest
from specc.documents import load as load_yaml
from specc.documents import parse as parse_yaml


def option(default: Any, doc: str, least: float | None = None, most: float | None = None) -> Any:
    """A field with what `specc train --help` says of it and the bounds of its value."""
    return field(default=default, metadata={"doc": doc, "least": least, "most": most})


@dataclass(frozen=True)
class Recipe:
    """Options of a training run. The defaults follow Liu et al., SSD, section 3.1, on one GPU."""

    epochs: int = option(120, "passes over the training images", 1)
    batch: int = option(32, "images a step", 1)
    accumulate: int = option(
        1, "parts of a batch that are computed in turn, to need less memory", 1
    )
    seed: int = option(0, "of weights, order and augmentation", 0)

    optimizer: Literal["sgd", "adamw"] = option("sgd", "rule that updates the weights")
    lr: float = option(1e-3, "learning rate after warm-up", 0.0)
    momentum: float = option(0.9, "of SGD; beta1 of AdamW", 0.0, 1.0)
    weight_decay: float = option(5e-4, "of weights, not of biases and norms", 0.0)
    clip_norm: float | None = option(None, "greatest norm of the gradient; null for any", 0.0)
    schedule: Literal["step", "cosine", "constant"] = option("step", "how the rate falls")
    milestones: tuple[float, ...] = option(
        (2 / 3, 5 / 6), "of `step`: when the rate falls, in parts of the run", 0.0, 1.0
    )
    gamma: float = option(0.1, "of `step`: factor at each milestone", 0.0, 1.0)
    warmup_steps: int = option(500, "steps in which the rate rises, a tenth of the run at most", 0)
    freeze: tuple[str, ...] = option((), "names or patterns of modules that are not trained")
    ema: float | None = option(
        0.9998, "decay of the averaged weights that are scored; null for none", 0.0, 1.0
    )

    precision: Literal["bf16", "fp32"] = option("bf16", "of convolutions; weights stay in fp32")
    channels_last: bool = option(True, "lay images out as NHWC, which tensor cores want")
    compile: Literal["auto", "always", "never"] = option("auto", "torch.compile; auto: on a GPU")

    workers: int = option(4, "processes that read images; 0 reads in the trainer's own", 0)
    max_boxes: int | None = option(None, "room for objects on an image; null: as many as occur", 1)
    cache: int = option(2048, "MiB of decoded images kept in memory", 0)
    augmentation: Literal["ssd", "gentle"] = option("ssd", "how far images are zoomed and cropped")
    distort_colours: bool = option(True, "SSD's colour distortion")

    metric: Literal["voc", "voc07", "coco"] = option("voc", "how validation is scored")
    evaluate_every: int = option(1, "epochs between validations; 0 for none", 0)
    patience: int | None = option(
        None, "validations without a better score after which training ends; null for any", 1
    )
    max_skips: int = option(10, "steps in a row not finite before going back to a checkpoint", 1)
    checkpoint_every: int = option(1000, "steps between checkpoints, besides each epoch's end", 1)
    log_every: int = option(20, "steps between lines of the log", 1)

    def as_yaml(self) -> str:
        """The recipe with every option in it, as `read` takes it."""
        return "".join(f"{name}: {_text(value)}\n" for name, value in asdict(self).items())


def read(path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file, or the default one, with `name=value` overrides.

    Raises `specc.documents.Findings` with all mistakes.
    """
    values: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for name, at, node in _entries(path, overrides):
        try:
            values[name] = _value(name, plain(node))
        except KeyError:
            nearest = suggest(name, _HINTS)
            found.append(
                Diagnostic(
                    "E0901",
                    f"a recipe has no option `{name}`",
                    (Label(at, "unknown option"),),
                    help=f"did you mean `{nearest}`?" if nearest else None,
                    note=f"the options are {', '.join(_HINTS)}",
                )
            )
        except ValueError as error:
            found.append(Diagnostic("E0902", f"`{name}` {error}", (Label(node.span, "not that"),)))
    if found:
        raise Findings(found)
    return Recipe(**values)


def describe() -> str:
    """One line an option, for the command's help."""
    return "\n".join(
        f"  {f.name + '=' + _text(f.default):32} {f.metadata['doc']}" for f in fields(Recipe)
    )


_EXPONENT = re.compile(r"[-+]?[0-9]+e[-+]?[0-9]{1,2}")
_HINTS = get_type_hints(Recipe)
_BOUNDS = {f.name: (f.metadata["least"], f.metadata["most"]) for f in fields(Recipe)}


def _entries(path: Path | None, overrides: Sequence[str]) -> Iterator[tuple[str, Span, Node]]:
    """Name, place of the name, and value of each option given, in the order given."""
    documents: list[Node] = [load_yaml(path)] if path else []
    documents += [_override(text) for text in overrides]
    for document in documents:
        if not isinstance(document, Mapping):
            label = Label(document.span, "not `name: value`")
            raise Findings([Diagnostic("E0903", "a recipe is a mapping of options", (label,))])
        for key, value in document.entries:
            yield key.name, key.span, value


def _override(text: str) -> Node:
    name, equals, value = text.partition("=")
    if not equals:
        source = Source("command line", text)
        label = Label(Span(source, 0, len(text)), "no `=`")
        raise Findings([Diagnostic("E0903", f"`{text}` is not `name=value`", (label,))])
    if _EXPONENT.fullmatch(value):
        value = _text(float(value))  # of files, YAML 1.1 takes 1e-3 for a text; here nobody does
    return parse_yaml(Source("command line", f"{name}: {value}"))


def _value(name: str, given: Any) -> Any:
    """The value of an option, checked. Raises `KeyError` for an unknown name, `ValueError`."""
    value = _fit(given, _HINTS[name])
    least, most = _BOUNDS[name]
    numbers = cast(tuple[Any, ...], value) if isinstance(value, tuple) else (value,)
    for number in numbers:
        if number is None or isinstance(number, str):
            continue
        if not math.isfinite(number):
            raise ValueError(f"must be finite, and is {number}")
        if least is not None and number < least:
            raise ValueError(f"must be at least {_text(least)}, and is {_text(number)}")
        if most is not None and number > most:
            raise ValueError(f"must be at most {_text(most)}, and is {_text(number)}")
    return cast(Any, value)


def _fit(given: Any, hint: Any) -> Any:
    """The value as the annotation `hint` wants it. Raises `ValueError`, which says what it wants."""
    if isinstance(hint, UnionType):
        inner, _ = get_args(hint)
        return None if given is None else _fit(given, inner)
    if get_origin(hint) is Literal:
        if given not in get_args(hint):
            raise ValueError(f"is one of {', '.join(get_args(hint))}, and not {_text(given)}")
        return given
    if get_origin(hint) is tuple:
        if not isinstance(given, list):
            raise ValueError(f"is a list, and not {_text(given)}")
        return tuple(_fit(item, get_args(hint)[0]) for item in cast(list[Any], given))
    wanted = (int, float) if hint is float else (hint,)
    if not isinstance(given, wanted) or isinstance(given, bool) is not (hint is bool):
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise ValueError(f"is {names[hint]}, and not {_text(given)}")
    return hint(given)


def _text(value: Any) -> str:
    if isinstance(value, float):
        # YAML 1.1 takes 1e-05 for a text, 1.0e-05 for a number; all readers agree on the latter.
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}" if e else mantissa
    if isinstance(value, tuple):
        items = cast(tuple[Any, ...], value)
        return (
            "[" + ", ".join(json.dumps(v) if isinstance(v, str) else _text(v) for v in items) + "]"
        )
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
