"""A good spec with one token changed gives a model or findings, and never anything else."""

import random
import re
from pathlib import Path

import pytest
from marked import findings

SSD = Path("specs/ssd300_vgg.yaml").read_text(encoding="utf-8")
TOKEN = re.compile(r"\w+|[^\w\s]|\n +|\n")
ROUNDS = 150
STRANGE = [
    "", "0", "-1", "9999999999", "1e400", "None", "x", "self", "import", "'", '"', "(", ")", "[",
    "]", "{", "}", ",", ":", "- ", "\t", "\n", "#", "&a", "*a", "!t", "<<", "->", "=", "**", "，",
    "\x00", "\ud7ff", "é", "~", "yes", "num_classes", "vgg", "sources", "Conv2d", "Add",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_one_token(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    tokens = list(TOKEN.finditer(SSD))
    for _ in range(ROUNDS // 5):
        token = draw.choice(tokens)
        other = draw.choice([*STRANGE, draw.choice(tokens).group()])
        text = SSD[: token.start()] + other + SSD[token.end() :]
        try:
            findings(tmp_path, text)
        except Exception as error:
            place = SSD.count("\n", 0, token.start()) + 1
            error.add_note(f"line {place}: {token.group()!r} replaced by {other!r}")
            raise
