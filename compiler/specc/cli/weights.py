"""`specc weights`: show what known checkpoints call a model's tensors, and carry weights across."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.cli.keys import (
    keys_as_data,
    keys_by_part,
    keys_in_full,
    maps_in_short,
    preprocess_in_short,
)
from specc.cli.output import show
from specc.cli.selection import add_values, compile_selected
from specc.documents import did_you_mean

if TYPE_CHECKING:
    import argparse

    from specc.driver import Model
    from specc.passes.weights import WeightMap

__all__ = ["add_arguments", "run"]

MOST_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    shown = actions.add_parser("map", help="list a spec's maps, or show one as a table of keys")
    shown.add_argument("spec", metavar="SPEC[:VARIANT]")
    shown.add_argument("name", nargs="?", metavar="NAME", help="of a map")
    shown.add_argument("--format", choices=("table", "json"), default="table")
    shown.set_defaults(work=_show)
    taken = actions.add_parser("import", help="make weights of the spec from a checkpoint")
    taken.add_argument("--from", dest="name", required=True, metavar="NAME", help="of the map")
    taken.add_argument("source", type=Path, metavar="CKPT", help=".pth, .safetensors or .weights")
    given = actions.add_parser("export", help="make a checkpoint from weights of the spec")
    given.add_argument("--to", dest="name", required=True, metavar="NAME", help="of the map")
    given.add_argument("source", type=Path, metavar="WEIGHTS", help=".safetensors")
    for action, way in ((taken, "import"), (given, "export")):
        action.add_argument("--spec", required=True, metavar="SPEC[:VARIANT]")
        action.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
        action.add_argument("--verbose", action="store_true", help="show every tensor")
        action.set_defaults(work=_transfer, way=way)
    for action in (shown, taken, given):
        add_values(action)


def run(options: argparse.Namespace) -> int:
    """Compile the spec and do what is asked for with its maps."""
    model = compile_selected(options.spec, options)
    show(model.diagnostics)
    if not model.ok:
        return 1
    if options.name is None:
        return _list(model, options)
    if options.name in model.weights:
        return options.work(model, model.weights[options.name], options)
    help = did_you_mean(
        options.name, model.weights, f"there are {', '.join(model.weights) or 'none'}"
    )
    print(f"specc weights: {model.name} has no map {options.name}: {help}", file=sys.stderr)
    return 2


def _list(model: Model, options: argparse.Namespace) -> int:
    maps = model.weights.values()
    if options.format == "json":
        print(json.dumps([keys_as_data(model, found) for found in maps], indent=2))
    else:
        print(maps_in_short(maps))
    return 0


def _show(model: Model, found: WeightMap, options: argparse.Namespace) -> int:
    if options.format == "json":
        print(json.dumps(keys_as_data(model, found), indent=2))
    else:
        print("\n".join([keys_in_full(model, found), *_some("new", found.new)]))
    return 0


def _transfer(model: Model, found: WeightMap, options: argparse.Namespace) -> int:
    """Have the runtime carry the tensors, in a process of its own, and say what went where."""
    if options.way == "import" and options.output.suffix != ".safetensors":
        print("specc weights: -o names a .safetensors file", file=sys.stderr)
        return 2
    if find_spec("torch") is None:
        print("specc weights: needs torch: pip install 'specc[train]'", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "specc_runtime.weights", options.way]
    others = {name: list(each) for name, each in model.weights.items() if each is not found}
    done = subprocess.run(  # noqa: S603
        [*command, str(options.source), str(options.output)],
        input=json.dumps(keys_as_data(model, found) | {"others": others}),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        return done.returncode
    said: dict[str, Any] = json.loads(done.stdout)
    lines = [(keys_in_full if options.verbose else keys_by_part)(model, found)]
    lines += [*said["notes"], *_some("left out", said["left_out"]), *_some("new", found.new)]
    if found.preprocess is not None:
        lines.append(f"input: {preprocess_in_short(found.preprocess)}")
    print("\n".join([*lines, f"{options.output}: {len(found)} tensors"]))
    return 0


def _some(what: str, keys: list[str]) -> list[str]:
    """Return a line with the first of some keys, if there are any."""
    more = f" and {len(keys) - MOST_SHOWN} more" if len(keys) > MOST_SHOWN else ""
    return [f"{what}: {', '.join(keys[:MOST_SHOWN])}{more}"] if keys else []
