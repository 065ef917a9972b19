"""A good spec with a few tokens changed gives a model or findings, and never anything else."""

import random
import re
from pathlib import Path

import pytest
from marked import findings

SPECS = {path.name: path.read_text(encoding="utf-8") for path in Path("specs").glob("*.yaml")}
TOKEN = re.compile(r"\w+|[^\w\s]|\n +|\n")
ROUNDS = 8
STRANGE = [
    "", "0", "-1", "1.5", "9999999999", "1e400", "None", "x", "self", "import", "'", '"', "(", ")",
    "[", "]", "{", "}", ",", ":", "- ", "\t", "\n", "#", "&a", "*a", "!t", "<<", "->", "=", "**",
    "，", "²", "\x00", "\ud7ff", "é", "~", "yes", "num_classes", "images", "sources", "Conv2d",
    "Add", "x.channels", "R",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_few_tokens(name: str, tmp_path: Path) -> None:
    for other, text in SPECS.items():
        (tmp_path / other).write_text(text, encoding="utf-8")
    draw = random.Random()
    for _ in range(ROUNDS):
        text = SPECS[name]
        changed: list[str] = []
        for _ in range(draw.choice([1, 1, 2, 3])):
            tokens = list(TOKEN.finditer(text))
            token = draw.choice(tokens)
            put = draw.choice([*STRANGE, *(draw.choice(tokens).group() for _ in STRANGE)])
            line = text.count("\n", 0, token.start()) + 1
            changed.append(f"line {line}: {token.group()!r} replaced by {put!r}")
            text = text[: token.start()] + put + text[token.end() :]
        try:
            findings(tmp_path, text)
        except Exception as error:
            error.add_note("\n".join(changed))
            raise
