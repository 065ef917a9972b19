"""docs/training.md lists the recipe's options and the runtime's commands as they are."""

import re
from dataclasses import fields

from project import ROOT

from specc_runtime.cli import COMMANDS
from specc_runtime.recipe import Recipe

PAGE = (ROOT / "docs/training.md").read_text(encoding="utf-8")


def test_every_option_is_listed_with_its_default_and_meaning():
    section = PAGE.split("\n## Recipes\n")[1].split("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE))
    defaults = dict(line.split(": ", 1) for line in Recipe().as_yaml().splitlines())
    wanted = {f.name: f"{defaults[f.name]} | {f.metadata['doc']}" for f in fields(Recipe)}
    wanted = {name: row.replace(str([2 / 3, 5 / 6]), "[2/3, 5/6]") for name, row in wanted.items()}
    assert listed == wanted


def test_every_command_is_listed():
    assert {name for name in COMMANDS if f"| `specc {name} " in PAGE} == set(COMMANDS)
