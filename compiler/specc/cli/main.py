"""Parse the command line, run a command, turn findings into text and an exit code.

0 means fine, 1 that a spec has errors, 2 that the command was used wrongly.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.metadata import entry_points
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import specc
from specc.cli.output import show
from specc.documents import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "command_module", "main"]

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
PLUGINS = "specc.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        plugin = _plugin(arguments)
        if plugin is not None:
            return plugin
        options = _parser(arguments[0] if arguments else "").parse_args(arguments)
        return options.run(options)
    except Findings as findings:
        show(findings.diagnostics, is_json="json" in arguments[1:])
        return 1
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def command_module(name: str) -> Any:
    """Return the module of a command, which has `add_arguments` and `run`."""
    return import_module(f"specc.cli.{name.replace('-', '_')}{'_' * iskeyword(name)}")


def _plugin(arguments: list[str]) -> int | None:
    """Run a command that another package brings, if it is one."""
    if not arguments or arguments[0] in COMMANDS or arguments[0].startswith("-"):
        return None
    for entry in entry_points(group=PLUGINS, name=arguments[0]):
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            print(
                f"specc {arguments[0]}: needs {error.name}: pip install 'specc[train]'",
                file=sys.stderr,
            )
            return 2
        return int(command(arguments[1:]))
    return None


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
        for entry in entry_points(group=PLUGINS):
            commands.add_parser(entry.name, help=f"`specc {entry.name} --help`", add_help=False)
    return parser
