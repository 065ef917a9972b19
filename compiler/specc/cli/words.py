"""What may stand on the command line: read from the parsers that take it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from specc.cli.main import COMMANDS, command_module, plugins
from specc.detector import COMPONENTS
from specc.documents import CODES
from specc.library import zoo
from specc.ops import INITIALIZERS, OPS

__all__ = ["Command", "Words", "commands"]


@dataclass(frozen=True, slots=True)
class Words:
    """What a value can be: `words`, or a `kind` of path: `spec`, `file`, `folder`, or nothing."""

    words: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its options with their values (None for a switch), and its arguments."""

    name: str
    help: str
    options: dict[str, Words | None] = field(default_factory=dict[str, "Words | None"])
    helps: dict[str, str] = field(default_factory=dict[str, str])
    arguments: Words = Words(kind="file")


class _Parser(argparse.ArgumentParser):
    """A parser that tells what it takes."""

    @property
    def actions(self) -> list[argparse.Action]:
        return self._actions


def commands() -> list[Command]:
    """Return all commands; those of other packages take files, as far as can be known."""
    own = [_read(name, purpose) for name, purpose in COMMANDS.items()]
    others = sorted(plugins().keys() - COMMANDS.keys())
    return own + [Command(name, "") for name in others]


def _read(name: str, purpose: str) -> Command:
    """Return a command by its parser and those of its actions."""
    parser = _Parser(prog=name)
    command_module(name).add_arguments(parser)
    options: dict[str, Words | None] = {}
    helps: dict[str, str] = {}
    words: list[str] = []
    kind = ""
    waiting = list(parser.actions)
    while waiting:
        action = waiting.pop(0)
        taken = None if action.nargs == 0 else _values(action, name)
        for option in action.option_strings:
            options[option] = taken
            helps[option] = (action.help or "").replace("%%", "%")
        if action.option_strings or taken is None:
            continue
        words += taken.words
        kind = kind or taken.kind
        waiting += [inner for parser in _inner(action) for inner in parser.actions]
    return Command(name, purpose, options, helps, Words(tuple(dict.fromkeys(words)), kind))


def _inner(action: argparse.Action) -> list[_Parser]:
    """Return the parsers of a command's actions."""
    choices = cast("Any", action.choices)
    values = cast("dict[str, Any]", choices).values() if isinstance(choices, dict) else ()
    return [parser for parser in values if isinstance(parser, _Parser)]


def _values(action: argparse.Action, command: str) -> Words:
    """Return what an option or argument of a command can be: its choices, or what it is called."""
    if action.choices is not None:
        return Words(tuple(map(str, action.choices)))
    match action.metavar:
        case "SPEC" | "SPEC[:VARIANT]" | "A" | "B":
            return Words(kind="spec")
        case "DIR":
            return Words(kind="folder")
        case "OP":
            return Words((*OPS, *INITIALIZERS, *COMPONENTS))
        case "CODE":
            return Words(tuple(CODES))
        case "NAME" if command == "zoo":
            return Words(tuple(sorted(path.stem for path in zoo().glob("*.yaml"))))
        case _:
            return Words(kind="file" if action.type is Path or action.metavar == "FILE" else "")
