"""Recipes: the options of a training run, with defaults that train SSD.

A recipe is a YAML file of `name: value`; `name=value` on the command line overrides it. Those in the
folder `recipes` are found by name. All mistakes are reported together, with their places, before anything
is loaded.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from specc.documents import Diagnostic, Findings, Label, Mapping, Node, Source, Span, plain, suggest
from specc.documents import load as load_yaml
from specc.documents import parse as parse_yaml
from specc_runtime.options import option, options_of, text

AUTO = 0
"""The `batch` of a recipe that says `auto`; a number takes its place before training."""


@dataclass(frozen=True)
class Recipe:
    """Options of a training run. The defaults follow Liu et al., SSD, section 3.1, on one GPU."""

    epochs: int = option(120, "passes over the training images", 1)
    steps: int | None = option(None, "length of the run in steps, instead of `epochs`", 1)
    batch: int = option(32, "images per step; auto: as many as fit", 1, words={"auto": AUTO})
    accumulate: int = option(
        1, "parts of a batch that are computed one after another, to save memory", 1
    )
    seed: int = option(0, "for initial weights, image order and augmentation", 0)

    optimizer: Literal["sgd", "adamw"] = option("sgd", "rule that updates the weights")
    lr: float = option(1e-3, "learning rate after warm-up", 0.0)
    momentum: float = option(0.9, "for SGD; beta1 for AdamW", 0.0, 1.0)
    weight_decay: float = option(5e-4, "for weights, not for biases and norms", 0.0)
    clip_norm: float | None = option(None, "largest norm of the gradient; null: no limit", 0.0)
    schedule: Literal["step", "cosine", "constant"] = option("step", "how the learning rate falls")
    milestones: tuple[float, ...] = option(
        (2 / 3, 5 / 6),
        "for `step`: when the rate falls, as fractions of the run, or from 1 on in epochs or steps",
        0.0,
    )
    gamma: float = option(0.1, "for `step`: factor at each milestone", 0.0, 1.0)
    warmup_steps: int = option(500, "steps of linear warm-up, at most a tenth of the run", 0)
    freeze: tuple[str, ...] = option((), "names or patterns of modules that are not trained")
    ema: float | None = option(
        0.9998, "decay of the averaged weights that are scored; null: no average", 0.0, 1.0
    )

    sync_norms: bool = option(False, "batch norms use the images of all processes")

    precision: Literal["bf16", "fp32"] = option("bf16", "of convolutions; weights stay in fp32")
    channels_last: bool = option(True, "store images as NHWC, which tensor cores prefer")
    compile: Literal["auto", "always", "never"] = option("auto", "torch.compile; auto: on a GPU")

    workers: int = option(4, "processes that read images; 0: the main process reads them", 0)
    max_boxes: int | None = option(
        None, "objects per image that batches are padded to; null: the most in the data", 1
    )
    cache: int = option(2048, "MiB of decoded images to keep in memory", 0)
    augmentation: Literal["ssd", "gentle", "flip"] = option(
        "ssd", "how far images are zoomed and cropped; flip: only mirrored"
    )
    distort_colours: bool = option(True, "SSD's colour distortion")

    metric: Literal["voc", "voc07", "coco"] = option("voc", "how validation is scored")
    score_beside: Literal["auto", "always", "never"] = option(
        "auto", "compute scores while training goes on; auto: on a GPU"
    )
    evaluate_every: int = option(1, "epochs between validations; 0: no validation", 0)
    patience: int | None = option(
        None, "validations without a better score after which training ends; null: no limit", 1
    )
    max_skips: int = option(10, "skipped steps in a row before going back to a checkpoint", 1)
    checkpoint_every: int = option(1000, "steps between checkpoints, besides each epoch's end", 1)
    log_every: int = option(20, "steps between lines of the log", 1)
    track: Literal["wandb", "mlflow"] | None = option(
        None, "where to log besides TensorBoard's files; null: nowhere"
    )

    @property
    def length(self) -> int:
        """The run's length in steps if it is given in steps, else in epochs: what `milestones` count."""
        return self.steps or self.epochs

    def as_yaml(self) -> str:
        """The recipe with all options, as `read` takes it."""
        return "".join(
            f"{name}: {_OPTIONS[name].text(value)}\n" for name, value in asdict(self).items()
        )


def shipped() -> dict[str, Path]:
    """The recipes that come with specc, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}


def find(name: str) -> Path:
    """The file of a recipe, given as a path or as the name of a shipped recipe. Raises `Findings`."""
    if Path(name).suffix or Path(name).exists():
        return Path(name)
    known = shipped()
    if name in known:
        return known[name]
    source, nearest = Source("command line", name), suggest(name, known)
    raise Findings(
        [
            Diagnostic(
                "E0904",
                f"there is no recipe `{name}`",
                (Label(Span(source, 0, len(name)), "neither a file nor a recipe of specc"),),
                help=f"did you mean `{nearest}`?" if nearest else None,
                note=f"the recipes are {', '.join(known)}",
            )
        ]
    )


def read(path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, or the default one, with `name=value` overrides.

    If both `epochs` and `steps` are given, the later one is the run's length. Raises
    `specc.documents.Findings` with all mistakes.
    """
    values: dict[str, Any] = {}
    places: dict[str, Span] = {}
    found: list[Diagnostic] = []
    for name, at, node in _entries(path, overrides):
        try:
            values[name] = _OPTIONS[name].value(plain(node))
            places[name] = node.span
            if name == "epochs":
                values.pop("steps", None)
        except KeyError:
            nearest = suggest(name, _OPTIONS)
            found.append(
                Diagnostic(
                    "E0901",
                    f"a recipe has no option `{name}`",
                    (Label(at, "unknown option"),),
                    help=f"did you mean `{nearest}`?" if nearest else None,
                    note=f"the options are {', '.join(_OPTIONS)}",
                )
            )
        except ValueError as error:
            found.append(Diagnostic("E0902", f"`{name}` {error}", (Label(node.span, "not that"),)))
    recipe = Recipe(**values)
    if not found and max(recipe.milestones, default=0) > recipe.length:
        found.append(_too_late(recipe, places))
    if found:
        raise Findings(found)
    return recipe


def describe() -> str:
    """One line an option, for the command's help."""
    return "\n".join(
        f"  {f.name + '=' + _OPTIONS[f.name].text(f.default):32} {f.metadata['doc']}"
        for f in fields(Recipe)
    )


_EXPONENT = re.compile(r"[-+]?[0-9]+e[-+]?[0-9]{1,2}")
_OPTIONS = options_of(Recipe)


def _entries(path: Path | None, overrides: Sequence[str]) -> Iterator[tuple[str, Span, Node]]:
    """Name, place of the name, and value of each option, in the order given."""
    documents: list[Node] = [load_yaml(path)] if path else []
    documents += [_override(given) for given in overrides]
    for document in documents:
        if not isinstance(document, Mapping):
            label = Label(document.span, "not `name: value`")
            raise Findings([Diagnostic("E0903", "a recipe is a mapping of options", (label,))])
        for key, value in document.entries:
            yield key.name, key.span, value


def _override(given: str) -> Node:
    name, equals, value = given.partition("=")
    if not equals:
        source = Source("command line", given)
        label = Label(Span(source, 0, len(given)), "no `=`")
        help = f"write `{given}=` and its value, without spaces" if given in _OPTIONS else None
        raise Findings([Diagnostic("E0903", f"`{given}` is not `name=value`", (label,), help)])
    if _EXPONENT.fullmatch(value):
        value = text(float(value))  # YAML 1.1 reads 1e-3 as text, which nobody means here
    return parse_yaml(Source("command line", f"{name}: {value}"))


def _too_late(recipe: Recipe, places: dict[str, Span]) -> Diagnostic:
    """The error for a milestone after the end of the run."""
    unit, last = "steps" if recipe.steps else "epochs", max(recipe.milestones)
    return Diagnostic(
        "E0902",
        f"`milestones` has {last:g}, and the run ends after {recipe.length} {unit}",
        (Label(places["milestones"], "behind the end"),),
        help="milestones below 1 are parts of the run: `milestones=[0.667, 0.833]`",
    )
