"""Recipes: all that a training run can be told, with the defaults that train SSD.

A recipe is a YAML file of `name: value`, any of which `name=value` on the command line overrides.
Those in the folder `recipes` go by their names. Mistakes are found before anything is loaded, all at
once, with their places.
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
"""The `batch` of a recipe that says `auto`: to be decided before training."""


@dataclass(frozen=True)
class Recipe:
    """Options of a training run. The defaults follow Liu et al., SSD, section 3.1, on one GPU."""

    epochs: int = option(120, "passes over the training images", 1)
    steps: int | None = option(None, "steps of the run, in place of `epochs`", 1)
    batch: int = option(32, "images a step; auto: as many as fit", 1, words={"auto": AUTO})
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
        (2 / 3, 5 / 6),
        "of `step`: when the rate falls, in parts of the run, or from 1 on in its epochs or steps",
        0.0,
    )
    gamma: float = option(0.1, "of `step`: factor at each milestone", 0.0, 1.0)
    warmup_steps: int = option(500, "steps in which the rate rises, a tenth of the run at most", 0)
    freeze: tuple[str, ...] = option((), "names or patterns of modules that are not trained")
    ema: float | None = option(
        0.9998, "decay of the averaged weights that are scored; null for none", 0.0, 1.0
    )

    sync_norms: bool = option(False, "batch norms see the images of all processes")

    precision: Literal["bf16", "fp32"] = option("bf16", "of convolutions; weights stay in fp32")
    channels_last: bool = option(True, "lay images out as NHWC, which tensor cores want")
    compile: Literal["auto", "always", "never"] = option("auto", "torch.compile; auto: on a GPU")

    workers: int = option(4, "processes that read images; 0 reads in the trainer's own", 0)
    max_boxes: int | None = option(None, "room for objects on an image; null: as many as occur", 1)
    cache: int = option(2048, "MiB of decoded images kept in memory", 0)
    augmentation: Literal["ssd", "gentle", "flip"] = option(
        "ssd", "how far images are zoomed and cropped; flip: only mirrored"
    )
    distort_colours: bool = option(True, "SSD's colour distortion")

    metric: Literal["voc", "voc07", "coco"] = option("voc", "how validation is scored")
    score_beside: Literal["auto", "always", "never"] = option(
        "auto", "compute scores while training goes on; auto: on a GPU"
    )
    evaluate_every: int = option(1, "epochs between validations; 0 for none", 0)
    patience: int | None = option(
        None, "validations without a better score after which training ends; null for any", 1
    )
    max_skips: int = option(10, "steps in a row not finite before going back to a checkpoint", 1)
    checkpoint_every: int = option(1000, "steps between checkpoints, besides each epoch's end", 1)
    log_every: int = option(20, "steps between lines of the log", 1)
    track: Literal["wandb", "mlflow"] | None = option(
        None, "where the log goes besides TensorBoard's files; null for nowhere"
    )

    @property
    def length(self) -> int:
        """Steps of the run where it is told by them, else its epochs: what `milestones` count."""
        return self.steps or self.epochs

    def as_yaml(self) -> str:
        """The recipe with every option in it, as `read` takes it."""
        return "".join(
            f"{name}: {_OPTIONS[name].text(value)}\n" for name, value in asdict(self).items()
        )


def shipped() -> dict[str, Path]:
    """The recipes that come with specc, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}


def find(name: str) -> Path:
    """The file of a recipe: one that comes with specc, or else a path. Raises `Findings`."""
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
    """The recipe of a YAML file, or the default one, with `name=value` overrides.

    Of `epochs` and `steps`, the one that comes last is the run's length. Raises
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
    """Name, place of the name, and value of each option given, in the order given."""
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
        value = text(float(value))  # of files, YAML 1.1 takes 1e-3 for a text; here nobody does
    return parse_yaml(Source("command line", f"{name}: {value}"))


def _too_late(recipe: Recipe, places: dict[str, Span]) -> Diagnostic:
    """What to say of a milestone behind the end of the run."""
    unit, last = "steps" if recipe.steps else "epochs", max(recipe.milestones)
    return Diagnostic(
        "E0902",
        f"`milestones` has {last:g}, and the run ends after {recipe.length} {unit}",
        (Label(places["milestones"], "behind the end"),),
        help="milestones below 1 are parts of the run: `milestones=[0.667, 0.833]`",
    )
