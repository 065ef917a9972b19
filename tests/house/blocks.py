"""The fenced blocks of a Markdown page, and what makes each of them true.

- ```` ```yaml ```` is a spec, or the part of one that follows `HEAD`: it compiles;
- ```` ```yaml FILE ```` and ```` ```python FILE ```` are lines of that file; `...` leaves some out;
- ```` ```pycon ```` is a session that Python repeats;
- ```` ```console ```` has commands behind `$ ` and, below each, what it prints; `...` leaves some out.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from project import ROOT

HEAD = {
    "specc": "specc: 1",
    "name": "name: example",
    "inputs": "inputs: {x: [N, 3, 64, 64]}",
    "layers": "layers: [Identity()]",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, what its fence says, its lines."""

    page: Path
    line: int
    language: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of a language on a page."""
    found = []
    pattern = re.compile(r"^( *)```(\w+)(?: ([^\n]+))?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    text = page.read_text(encoding="utf-8")
    for match in pattern.finditer(text):
        if match[2] == language:
            line = text.count("\n", 0, match.start()) + 1
            body = textwrap.dedent(match[4])
            found.append(Block(page, line, language, match[3] or "", body))
    return found


def whole_spec(text: str) -> str:
    """A spec of the sections that are given and, where they are not, of `HEAD`."""
    given = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    return "\n".join([*(line for key, line in HEAD.items() if key not in given), text])


def is_excerpt(text: str, file: Path) -> bool:
    """Whether the pieces between `...` lines follow each other in a file, at any indent."""
    have = [line.rstrip() for line in file.read_text(encoding="utf-8").splitlines()]
    start = 0
    for piece in re.split(r"^\s*\.\.\.\n", text, flags=re.MULTILINE):
        wanted = textwrap.dedent(piece).rstrip().splitlines()
        places = range(start, len(have) - len(wanted) + 1)
        at = next((i for i in places if _same(have[i : i + len(wanted)], wanted)), None)
        if at is None:
            return False
        start = at + len(wanted)
    return True


def _same(have: list[str], wanted: list[str]) -> bool:
    return textwrap.dedent("\n".join(have)).splitlines() == wanted


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, shown = found[-1]
            found[-1] = (command, f"{shown}{line}\n")
    return found


def agrees(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed; a line `...` stands for any lines."""
    pieces = re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)
    pattern = "(?:.*\n)*?".join(re.escape(piece) for piece in pieces)
    return re.fullmatch(pattern.rstrip("\\\n"), printed.rstrip("\n")) is not None
