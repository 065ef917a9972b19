"""The runtime's commands: each takes its arguments and returns an exit code.

0 fine, 1 something is wrong and has been said, 2 wrong usage, 130 or 143 stopped by a signal.
`specc` mounts them as its own (`specc train`), `python3 -m specc_runtime` has them alone.
"""

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from specc.documents import Findings, render_text
from specc_runtime import cli_data, inference, model, weights
from specc_runtime import predict as prediction
from specc_runtime import recipe as recipes
from specc_runtime import reproduce as reproduction
from specc_runtime.bench import measure as benchmark
from specc_runtime.bench.table import table
from specc_runtime.checkpoint import CheckpointError
from specc_runtime.contract import ContractError
from specc_runtime.data import DataError, UnreadableImage, open_dataset
from specc_runtime.device import choose
from specc_runtime.evaluation import METRICS
from specc_runtime.freezing import FreezeError
from specc_runtime.model import Detector, Emitted
from specc_runtime.report import write_report
from specc_runtime.run import Run, RunError
from specc_runtime.session import Job, start
from specc_runtime.step import OutOfMemory
from specc_runtime.tensorfile import TensorFileError
from specc_runtime.trainer import TrainingError
from specc_runtime.verify import VerifyError, output_shapes
from specc_runtime.weights import WeightsError

Command = Callable[[Sequence[str]], int]

FAULTS = (
    benchmark.BenchError,
    CheckpointError,
    ContractError,
    DataError,
    FreezeError,
    OutOfMemory,
    RunError,
    TensorFileError,
    TrainingError,
    UnreadableImage,
    VerifyError,
    WeightsError,
    OSError,
)
"""What a user can mend: said in a line, without a traceback."""


def command(function: Command) -> Command:
    """Make a function of arguments a command: what it raises becomes a message and a code."""

    @functools.wraps(function)
    def run(argv: Sequence[str]) -> int:
        try:
            return function(argv)
        except Findings as findings:
            print(render_text(findings.diagnostics), end="", file=sys.stderr)
        except FAULTS as error:
            print(f"error: {error}", file=sys.stderr)
        except SystemExit as leave:  # argparse has said why
            return int(leave.code or 0)
        return 1

    return run


@command
def train(argv: Sequence[str]) -> int:
    """Train a generated detector, or a spec."""
    parser = _parser("train", train)
    parser.epilog = f"recipe options:\n{recipes.describe()}"
    parser.add_argument("model", nargs="?", type=str, help="generated file, or SPEC.yaml[:variant]")
    parser.add_argument("--data", type=Path, help="folder of the data set, or its data.yaml")
    parser.add_argument("--split", default="train", help="split to train on")
    parser.add_argument("--val-split", default="val", help="split to score on; `none` for none")
    parser.add_argument("--recipe", type=Path, help="YAML file of options")
    parser.add_argument("-o", "--output", type=Path, help="folder of the run: runs/MODEL")
    parser.add_argument("--weights", type=Path, help="safetensors file to start from")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="run to go on with")
    parser.add_argument("options", nargs="*", metavar="name=value", help="recipe options")
    args = parser.parse_intermixed_args(argv)
    if args.model and "=" in args.model and not args.model.endswith((".py", ".yaml")):
        args.options.insert(0, args.model)
        args.model = None
    if args.resume:
        if args.model or args.data or args.weights or args.recipe or args.output:
            parser.error("--resume takes model, data and recipe from the run: give only name=value")
        return start(Job.of_run(args.resume, args.options))
    if not (args.model and args.data):
        parser.error("give MODEL and --data, or --resume RUN")
    source = Path(args.model.partition(":")[0])
    run = Run(args.output or Path("runs") / source.stem)
    run.require_new()
    with tempfile.TemporaryDirectory() as made:
        return start(
            Job(
                run=run,
                model=_generated(args.model, Path(made)),
                recipe=recipes.read(args.recipe, args.options),
                data=args.data,
                split=args.split,
                val_split=None if args.val_split == "none" else args.val_split,
                spec=source if source.suffix == ".yaml" else None,
                weights=args.weights,
            )
        )


@command
def reproduce(argv: Sequence[str]) -> int:
    """Train again what a run's folder records, and compare; 1 if anything differs."""
    parser = _parser("reproduce", reproduce)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("-o", "--output", type=Path, help="folder of the new run: RUN-again")
    args = parser.parse_args(argv)
    return reproduction.reproduce(args.run, args.output or Path(f"{args.run}-again"))


@command
def evaluate(argv: Sequence[str]) -> int:
    """Score a detector on a split of a data set; without weights, as it is before training."""
    parser = _parser("eval", evaluate)
    parser.add_argument("model", help="generated file, or SPEC.yaml[:variant]")
    parser.add_argument("--weights", type=Path, help="safetensors file")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the data set, or its data.yaml"
    )
    parser.add_argument("--split", default="test")
    parser.add_argument("--metric", choices=METRICS, default="voc")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    args = parser.parse_args(argv)
    dataset = open_dataset(args.data, args.split)
    detector, _ = _detector(_emitted(args.model), args.weights, dataset.classes)
    scores = inference.evaluate(
        detector, dataset, args.metric, batch=args.batch, workers=args.workers
    )
    if args.json:
        print(json.dumps(scores, indent=1))
        return 0
    for name, score in scores["per_class"].items():
        print(f"{name:24} {score:.4f}")
    for name in ("map50", "map"):
        if name in scores:
            print(f"{name:24} {scores[name]:.4f}")
    return 0


@command
def predict(argv: Sequence[str]) -> int:
    """Find objects on pictures: draws them, and writes them to detections.json."""
    parser = _parser("predict", predict)
    parser.add_argument("model", help="generated file, or SPEC.yaml[:variant]")
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--score", type=float, default=0.5, help="least score to show")
    args = parser.parse_intermixed_args(argv)
    detector, classes = _detector(_emitted(args.model), args.weights, ())
    found = prediction.predict(detector, classes, args.images, args.output, args.score)
    print(
        f"{sum(len(f['detections']) for f in found)} objects on {len(found)} pictures: {args.output}"
    )
    return 0


@command
def data(argv: Sequence[str]) -> int:
    """Check, count, show, convert or make a data set."""
    return cli_data.run(argv, data.__doc__, lambda name, classes: _emitted(name).build(classes))


@command
def synth(argv: Sequence[str]) -> int:
    """Make a small data set of drawn shapes, in VOC layout."""
    return data(["synth", *argv])


@command
def report(argv: Sequence[str]) -> int:
    """Write a run's report.html: its course, what it finds, and how the spec fits the data."""
    parser = _parser("report", report)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    print(write_report(parser.parse_args(argv).run))
    return 0


@command
def bench(argv: Sequence[str]) -> int:
    """Measure how fast a detector trains, finds objects, is fed or is scored."""
    parser = _parser("bench", bench)
    parser.epilog = f"recipe options:\n{recipes.describe()}"
    parser.add_argument("model", help="generated file, or SPEC.yaml[:variant]")
    modes = parser.add_mutually_exclusive_group()
    for mode, purpose in benchmark.MODES.items():
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
    parser.add_argument("--steps", type=int, default=10, help="steps, or pairs, to measure")
    parser.add_argument("--vs", choices=["torchvision"], help="take turns with its same detector")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    parser.add_argument("options", nargs="*", metavar="name=value", help="recipe options")
    args = parser.parse_intermixed_args(argv)
    options = args.options + ([f"batch={args.batch}"] if args.batch is not None else [])
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    figures = benchmark.measure(
        benchmark.Job(
            emitted=_emitted(args.model),
            mode=args.mode,
            recipe=recipes.read(None, options),
            data=args.data,
            split=args.split,
            steps=args.steps,
            against_torchvision=args.vs is not None,
        )
    )
    print(table(figures))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


@command
def verify(argv: Sequence[str]) -> int:
    """Print the shapes of what each module of a generated file returns, as JSON."""
    parser = _parser("verify", verify)
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
    "reproduce": reproduce,
    "bench": bench,
    "report": report,
    "verify": verify,
}


def main(argv: Sequence[str]) -> int:
    """Run the command that the first argument names."""
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    lines = [f"  {name:8} {function.__doc__}" for name, function in COMMANDS.items()]
    print("\n".join(["usage: specc_runtime COMMAND ...", "", *lines]), file=sys.stderr)
    return 0 if argv and argv[0] in ("-h", "--help") else 2


def _parser(name: str, function: Command) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=name,
        description=function.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _sides(text: str) -> list[int]:
    return [int(side) for side in text.split("x")]


def _generated(name: str, folder: Path) -> Path:
    """The generated file: the one named, or the one that the compiler makes of the spec named."""
    if not name.partition(":")[0].endswith(".yaml"):
        return Path(name)
    with tempfile.TemporaryDirectory() as made:
        build = [sys.executable, "-m", "specc", "build", name, "-o", made]
        if subprocess.run(build, check=False, stdout=sys.__stderr__).returncode:  # noqa: S603
            raise ContractError(f"{name}: not compiled")
        [file] = Path(made).glob("*.py")
        return Path(shutil.copy(file, folder / "model.py"))


def _emitted(name: str) -> Emitted:
    """The detector of a generated file, or of a spec."""
    with tempfile.TemporaryDirectory() as folder:
        return model.load(_generated(name, Path(folder)))


def _detector(
    emitted: Emitted, path: Path | None, classes: tuple[str, ...]
) -> tuple[Detector, tuple[str, ...]]:
    """A detector ready to run, untrained if there are no weights, and the names of its classes."""
    if path is None:
        torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
        return emitted.build(len(classes)).to(choose()).eval(), classes
    trained = weights.read(path)
    if classes and trained.classes and classes != trained.classes:
        raise WeightsError(
            f"{path}: trained on {', '.join(trained.classes)}; the data set has {', '.join(classes)}"
        )
    count = trained.num_classes or emitted.num_classes
    numbered = tuple(f"class {i}" for i in range(count - emitted.background))
    names = trained.classes or classes or numbered
    detector = emitted.build(len(names))
    weights.load(detector.network, trained)
    if trained.preprocess is not None:
        detector.expect(trained.preprocess)
    return detector.to(choose()).eval(), names
