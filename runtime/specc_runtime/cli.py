"""The runtime's commands: each takes its arguments and returns an exit code.

0 for success, 1 for an error, which has been printed, 2 for wrong usage, 130 or 143 for a signal.
`specc` offers them as its own (`specc train`), `python3 -m specc_runtime` without the compiler's.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specc_runtime import api, cli_data, distributed, model, recipe
from specc_runtime import reproduce as reproduction
from specc_runtime.bench.measure import MODES
from specc_runtime.bench.table import table
from specc_runtime.command import command, parser_of, with_options
from specc_runtime.evaluation import METRICS
from specc_runtime.options import at_least, fraction
from specc_runtime.recipe import Recipe
from specc_runtime.report import write_report
from specc_runtime.verify import output_shapes

MODEL = "generated file, or SPEC.yaml[:variant]"


@command
def train(argv: Sequence[str]) -> int:
    """Train a generated detector, or a spec."""
    parser = parser_of("train", train)
    parser.add_argument("model", nargs="?", help=MODEL)
    parser.add_argument("--data", type=Path, help="folder of the data set, or its data.yaml")
    parser.add_argument("--split", default="train", help="split to train on")
    parser.add_argument("--val-split", default="val", help="split to score on; `none` for none")
    parser.add_argument("--recipe", help="YAML file of options, or a name: see `recipes`")
    parser.add_argument("-o", "--output", type=Path, help="folder of the run: runs/MODEL")
    parser.add_argument("--weights", type=Path, help="safetensors file to start from")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="run to continue")
    args = with_options(parser, argv)
    if args.model and "=" in args.model and not args.model.endswith((".py", ".yaml")):
        args.options.insert(0, args.model)
        args.model = None
    if args.resume:
        splits = [parser.get_default("split"), parser.get_default("val_split")]
        other = args.model or args.weights or args.recipe or args.output
        if other or [args.split, args.val_split] != splits:
            parser.error(
                "--resume takes model, weights, recipe and splits from the run: give only name=value, "
                "and --data if the data set has moved"
            )
        api.resume(args.resume, args.options, args.data)
        return 0
    if not args.model:
        parser.error("give MODEL and --data, or --resume RUN")
    if not args.data:
        parser.error("give --data, the folder of a data set: `specc synth shapes` draws one")
    api.train(
        args.model,
        args.data,
        args.output or Path("runs") / Path(args.model.partition(":")[0]).stem,
        _recipe(args.recipe, args.options),
        split=args.split,
        val_split=None if args.val_split == "none" else args.val_split,
        weights=args.weights,
    )
    return 0


@command
def reproduce(argv: Sequence[str]) -> int:
    """Repeat the training that a run's folder records, and compare; 1 if anything differs."""
    parser = parser_of("reproduce", reproduce)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("-o", "--output", type=Path, help="folder of the new run: RUN-again")
    parser.add_argument("--data", type=Path, help="where the data set has moved to")
    parser.add_argument(
        "--weights", type=Path, help="where the weights that it began with have moved to"
    )
    args = parser.parse_args(argv)
    output = args.output or Path(f"{args.run}-again")
    return reproduction.reproduce(args.run, output, args.data, args.weights)


@command
def evaluate(argv: Sequence[str]) -> int:
    """Score a detector on a split of a data set; without weights, an untrained one."""
    parser = parser_of("eval", evaluate)
    parser.add_argument("model", help=MODEL)
    parser.add_argument("--weights", type=Path, help="safetensors file")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the data set, or its data.yaml"
    )
    parser.add_argument("--split", default="test")
    parser.add_argument("--metric", choices=METRICS, default="voc")
    parser.add_argument("--batch", type=at_least(1), default=32, help="images at a time")
    parser.add_argument("--workers", type=at_least(0), default=4, help="processes that read them")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    args = parser.parse_args(argv)
    with distributed.joined():
        scores = api.evaluate(
            args.model,
            args.data,
            args.weights,
            split=args.split,
            metric=args.metric,
            batch=args.batch,
            workers=args.workers,
        )
        if distributed.is_main():
            _print_scores(scores, as_json=args.json)
    return 0


@command
def predict(argv: Sequence[str]) -> int:
    """Find objects on pictures, videos and folders: draw them, and write detections.json."""
    parser = parser_of("predict", predict)
    parser.add_argument("model", help=MODEL)
    parser.add_argument("sources", nargs="+", type=Path, help="pictures, videos, folders of them")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--score", type=fraction, default=0.5, help="lowest score to show")
    parser.add_argument(
        "--coco",
        type=Path,
        metavar="INSTANCES.json",
        help="write results.json too, with the ids of this annotation file of COCO",
    )
    args = parser.parse_intermixed_args(argv)
    found = api.predict(
        args.model,
        args.sources,
        args.output,
        args.weights,
        score=args.score,
        instances=args.coco,
    )
    seen = [part for one in found for part in one.get("frames", [one])]
    objects = sum(len(part["detections"]) for part in seen)
    print(f"{objects} objects on {len(seen)} pictures: {args.output}")
    return 0


@command
def recipes(argv: Sequence[str]) -> int:
    """List the recipes that come with specc, or show one."""
    parser = parser_of("recipes", recipes)
    parser.add_argument("action", choices=("list", "show"), nargs="?", default="list")
    parser.add_argument("name", nargs="?", help="of the recipe to show")
    args = parser.parse_args(argv)
    if (args.action == "show") != bool(args.name):
        parser.error("`list`, or `show NAME`")
    if args.name:
        print(recipe.find(args.name).read_text(encoding="utf-8"), end="")
        return 0
    for name, path in recipe.shipped().items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:28} {first.removeprefix('# ')}")
    return 0


@command
def lr_find(argv: Sequence[str]) -> int:
    """Find a learning rate: train for some steps at rising rates, and watch the loss."""
    parser = parser_of("lr-find", lr_find)
    parser.add_argument("model", help=MODEL)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the data set, or its data.yaml"
    )
    parser.add_argument("--split", default="train", help="split to train on")
    parser.add_argument("--recipe", help="YAML file of options, or a name: see `recipes`")
    parser.add_argument("--weights", type=Path, help="safetensors file to start from")
    parser.add_argument("--low", type=float, default=1e-6, help="rate of the first step")
    parser.add_argument("--high", type=float, default=1.0, help="rate of the last step")
    parser.add_argument("--steps", type=at_least(2), default=100, help="at most")
    parser.add_argument("--html", type=Path, help="page with a chart to write")
    parser.add_argument("--json", type=Path, help="file of all steps to write")
    args = with_options(parser, argv)
    if not 0 < args.low < args.high:
        parser.error("--low and --high are rates, the second greater")
    found = api.find_rate(
        args.model,
        args.data,
        _recipe(args.recipe, args.options),
        split=args.split,
        weights=args.weights,
        low=args.low,
        high=args.high,
        steps=args.steps,
    )
    print(found.table())
    if args.html:
        _write(args.html, found.as_html())
    if args.json:
        _write(args.json, json.dumps(found.as_json(), indent=1) + "\n")
    return 0 if found.suggestion else 1


@command
def data(argv: Sequence[str]) -> int:
    """Check, count, show, convert or make a data set."""
    return cli_data.run(argv, data.__doc__, lambda name, classes: api.emitted(name).build(classes))


@command
def synth(argv: Sequence[str]) -> int:
    """Make a small data set of drawn shapes, in VOC layout."""
    return data(["synth", *argv])


@command
def report(argv: Sequence[str]) -> int:
    """Write a run's report.html: its curves, what it detects, and how the spec fits the data."""
    parser = parser_of("report", report)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--data", type=Path, help="where the data set has moved to")
    args = parser.parse_args(argv)
    print(write_report(args.run, args.data))
    return 0


@command
def bench(argv: Sequence[str]) -> int:
    """Measure how fast a detector trains, detects, is fed with data or is scored."""
    parser = parser_of("bench", bench)
    parser.add_argument("model", help=MODEL)
    modes = parser.add_mutually_exclusive_group()
    for mode, purpose in MODES.items():
        modes.add_argument(
            f"--{mode}",
            dest="mode",
            action="store_const",
            const=mode,
            default="train",
            help=purpose,
        )
    parser.add_argument("--data", type=Path, help="data set; drawn shapes if left out")
    parser.add_argument("--split", default="train")
    parser.add_argument("--batch", type=int, help="images a step: the recipe's")
    parser.add_argument("--steps", type=at_least(1), default=10, help="steps, or pairs, to measure")
    parser.add_argument(
        "--vs", choices=["torchvision"], help="take turns with torchvision's detector, or loader"
    )
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    args = with_options(parser, argv)
    options = args.options + ([f"batch={args.batch}"] if args.batch is not None else [])
    figures = api.bench(
        args.model,
        args.mode,
        recipe.read(None, options),
        data=args.data,
        split=args.split,
        steps=args.steps,
        against_torchvision=args.vs is not None,
    )
    print(table(figures))
    if args.out:
        _write(args.out, json.dumps(figures, indent=1) + "\n")
    return 0


@command
def verify(argv: Sequence[str]) -> int:
    """Print the output shapes of each module of a generated file, as JSON."""
    parser = parser_of("verify", verify)
    parser.add_argument("model", type=Path, help="generated file")
    parser.add_argument(
        "--inputs", type=_sides, nargs="+", metavar="1x3x300x300", help="of what is no detector"
    )
    args = parser.parse_args(argv)
    inputs = args.inputs or [[1, 3, *model.load(args.model).literal["input"]["size"]]]
    print(json.dumps(output_shapes(model.run_file(args.model)["MODEL"], inputs)))
    return 0


COMMANDS = {
    "train": train,
    "eval": evaluate,
    "predict": predict,
    "data": data,
    "synth": synth,
    "recipes": recipes,
    "lr-find": lr_find,
    "reproduce": reproduce,
    "bench": bench,
    "report": report,
    "verify": verify,
}
OF_MANY = ("train", "eval", "reproduce")
"""The commands that several processes started by `torchrun` run together."""


def main(argv: Sequence[str]) -> int:
    """Run the command that the first argument names."""
    if argv and argv[0] in COMMANDS:
        if argv[0] not in OF_MANY and distributed.launched_processes() > 1:
            print(f"error: `{argv[0]}` is for one process: leave torchrun out", file=sys.stderr)
            return 2
        return COMMANDS[argv[0]](argv[1:])
    lines = [f"  {name:9} {function.__doc__}" for name, function in COMMANDS.items()]
    print("\n".join(["usage: specc_runtime COMMAND ...", "", *lines]), file=sys.stderr)
    return 0 if argv and argv[0] in ("-h", "--help") else 2


def _print_scores(scores: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(scores, indent=1))
        return
    for name, score in scores["per_class"].items():
        print(f"{name:24} {score:.4f}")
    for name in ("map50", "map"):
        if name in scores:
            print(f"{name:24} {scores[name]:.4f}")


def _write(path: Path, text: str) -> None:
    """Write a file, and its folder if it is missing: the results took minutes to compute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _sides(text: str) -> list[int]:
    return [int(side) for side in text.split("x")]


def _recipe(name: str | None, options: Sequence[str]) -> Recipe:
    """The recipe of that file or name, or the default one, with options changed. Raises `Findings`."""
    return recipe.read(recipe.find(name) if name else None, options)
