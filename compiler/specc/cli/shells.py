"""The completion scripts: one for bash, which zsh can run too, and one for fish."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specc.cli.words import Command, Words

__all__ = ["SCRIPTS"]

_BASH = """\
# Completion of specc. bash: source <(specc completion bash)   zsh: source <(specc completion zsh)
_specc_reply() {  # words, kind of path, what has been typed
    local found
    while IFS= read -r found; do COMPREPLY+=("$found"); done < <(
        compgen -W "$1" -- "$3"
        case $2 in
            spec) compgen -f -X '!*.yaml' -- "$3"; compgen -d -S / -- "$3" ;;
            file) compgen -f -- "$3" ;;
            folder) compgen -d -S / -- "$3" ;;
        esac
    )
}

_specc() {
    local typed="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}" spec=""
    COMPREPLY=()
    # A colon ends a word in bash, and does not in zsh.
    if [[ $typed == : ]]; then
        spec="$before" typed=""
    elif [[ $before == : ]]; then
        spec="${COMP_WORDS[COMP_CWORD - 2]}"
    elif [[ $typed == *.yaml:* ]]; then
        spec="${typed%%:*}"
        _specc_reply "$(specc completion --variants "$spec" | sed "s|^|$spec:|")" "" "$typed"
        return
    fi
    if [[ -n $spec ]]; then
        _specc_reply "$(specc completion --variants "$spec")" "" "$typed"
        return
    fi
    if ((COMP_CWORD == 1)); then
        _specc_reply "@COMMANDS@" "" "$typed"
        return
    fi
    case "${COMP_WORDS[1]} $before" in
@VALUES@
    esac
    case "${COMP_WORDS[1]}/$typed" in
@ARGUMENTS@
    esac
}
complete -o filenames -o nospace -F _specc specc
"""


def _bash(commands: list[Command]) -> str:
    values = [line for command in commands for line in _bash_values(command)]
    arguments = [line for command in commands for line in _bash_arguments(command)]
    script = _BASH.replace("@COMMANDS@", " ".join(command.name for command in commands))
    return script.replace("@VALUES@", "\n".join(values)).replace(
        "@ARGUMENTS@", "\n".join(arguments)
    )


def _bash_values(command: Command) -> Iterator[str]:
    for option, words in command.options.items():
        if words is not None:
            yield f'        "{command.name} {option}") {_bash_reply(words)}; return ;;'


def _bash_arguments(command: Command) -> Iterator[str]:
    options = shlex.quote(" ".join(command.options))
    yield f'        {command.name}/-*) _specc_reply {options} "" "$typed" ;;'
    yield f"        {command.name}/*) {_bash_reply(command.arguments)} ;;"


def _bash_reply(words: Words) -> str:
    return f'_specc_reply {shlex.quote(" ".join(words.words))} "{words.kind}" "$typed"'


def _zsh(commands: list[Command]) -> str:
    return "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" + _bash(commands)


_FISH = """\
# Completion of specc. fish: specc completion fish | source
function __specc_specs
    set -l typed (commandline -ct)
    if string match -q '*.yaml:*' -- $typed
        set -l spec (string split -m 1 : -- $typed)[1]
        specc completion --variants $spec | string replace -r '^' "$spec:"
    else
        __fish_complete_suffix .yaml
    end
end
complete -c specc -f
"""


def _fish(commands: list[Command]) -> str:
    return _FISH + "".join(f"{line}\n" for command in commands for line in _fish_lines(command))


def _fish_lines(command: Command) -> Iterator[str]:
    described = f" -d {_fish_quoted(command.help)}" if command.help else ""
    yield f"complete -c specc -n __fish_use_subcommand -a {command.name}{described}"
    here = f"complete -c specc -n '__fish_seen_subcommand_from {command.name}'"
    for option, words in command.options.items():
        flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
        taken = "" if words is None else f" -r{_fish_words(words)}"
        yield f"{here} {flag}{taken} -d {_fish_quoted(command.helps[option])}"
    taken = _fish_words(command.arguments)
    if taken:
        yield here + taken


def _fish_words(words: Words) -> str:
    paths = {
        "spec": " -a '(__specc_specs)'",
        "file": " -F",
        "folder": " -a '(__fish_complete_directories)'",
    }
    listed = f" -a {_fish_quoted(' '.join(words.words))}" if words.words else ""
    return listed + paths.get(words.kind, "")


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[list[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
