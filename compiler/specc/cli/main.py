"""Parse the command line, run a command, turn findings into text and an exit code.

0 means fine, 1 that a spec has errors, 2 that the command was used wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import specc
from specc.cli.output import show
from specc.documents import Findings, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

__all__ = ["COMMANDS", "command_module", "main", "plugins"]

COMMANDS = {
    "build": "write the PyTorch module of a spec",
    "check-shapes": "show every row's shape and cost, and compare with what the spec expects",
    "summary": "show what each module gives and costs",
    "diff": "show the rows, shapes and costs in which two models differ",
    "expand": "print a spec with all that it repeats, decides and uses written out",
    "fmt": "bring specs into the canonical layout",
    "viz": "draw a spec's graph",
    "weights": "show what checkpoints call a spec's tensors, and carry weights across",
    "import": "make a spec of another project's description of a network",
    "schema": "print the JSON Schema of spec files",
    "explain": "explain a diagnostic's code",
    "ops": "list the ops, or describe one",
    "zoo": "list or copy the specs that come with specc",
    "completion": "print a script that completes `specc` in your shell",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        print(end="", flush=True)
    except BrokenPipeError:
        _end_output()
        return 0
    except OSError as error:
        _end_output()
        print(f"specc: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def command_module(name: str) -> Any:
    """Return the module of a command, which has `add_arguments` and `run`."""
    return import_module(f"specc.cli.{name.replace('-', '_')}{'_' * iskeyword(name)}")


def plugins() -> dict[str, EntryPoint]:
    """Return the commands that other packages bring, by their names."""
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="specc.commands")}


def _run(arguments: list[str]) -> int:
    try:
        if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            return _plugin(arguments)
        if not arguments:
            _parser("").print_help(sys.stderr)
            return 2
        options = _parser(arguments[0]).parse_args(arguments)
        return options.run(options)
    except Findings as findings:
        show(findings.diagnostics, is_json="json" in arguments[1:])
        return 1
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 2


def _end_output() -> None:
    """Write what is left; if nobody takes it, Python is not to try again when it ends."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plugin(arguments: list[str]) -> int:
    """Run a command that another package brings."""
    name, others = arguments[0], plugins()
    if name not in others:
        help = did_you_mean(name, [*COMMANDS, *others], "`specc --help` lists them")
        print(f"specc: there is no command {name}: {help}", file=sys.stderr)
        return 2
    try:
        command = others[name].load()
    except ModuleNotFoundError as error:
        needs = f"needs {error.name}: pip install 'specc[train]'"
        print(f"specc {name}: {needs}", file=sys.stderr)
        return 2
    return int(command(arguments[1:]))


def _parser(wanted: str) -> argparse.ArgumentParser:
    """Return the parser; of the commands only the wanted one is loaded."""
    parser = argparse.ArgumentParser(prog="specc", description=(specc.__doc__ or "").split("\n")[0])
    parser.add_argument("--version", action="version", version=f"specc {specc.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=purpose[0].upper() + purpose[1:] + "."
        )
        if name == wanted:
            module = command_module(name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    if wanted not in COMMANDS:
        for name in plugins():
            commands.add_parser(name, help=f"`specc {name} --help`", add_help=False)
    return parser
