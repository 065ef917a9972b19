"""Write docs/results.md from benchmarks/results; `--check` compares only."""

import json
from pathlib import Path
from textwrap import wrap
from typing import Any

from made_page import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/results.md"
RESULTS = ROOT / "benchmarks/results/trained"
CELLS = ROOT / "benchmarks/results/bccd_ssd_light.json"
STEPS = ROOT / "benchmarks/results/ssd300_bccd_steps.json"

INTRO = """\
# Trained

Written by `docs/make_results.py` from `benchmarks/results`: run `benchmarks/trained.py` and
`benchmarks/bccd.py`, then `make goldens`.

Of each family a small member, trained from nothing on a CPU, on pictures of shapes that `specc synth`
draws, and scored once on pictures of the same kind that it has not seen. The weights scored are those
that were best on a third set. The score is the mean over the five classes of the average precision at
IoU 0.5, before training and after. Training used one thread, on a machine that did other work beside:
the minutes are no measure of speed. What was trained on photographs is [below](#photographs)."""


def page() -> str:
    """The whole page, the results by name."""
    results = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    }
    table = [
        "| member | parameters | untrained | trained | images x epochs | minutes |",
        "|---|---:|---:|---:|---:|---:|",
        *(row(name, result) for name, result in results.items()),
    ]
    entries = [entry(name, result) for name, result in results.items()]
    return "\n\n".join([INTRO, "\n".join(table), *entries, photographs()]) + "\n"


def row(name: str, result: dict[str, Any]) -> str:
    """A member's line in the table."""
    before, after = result["untrained_map50"], result["map50"]
    cells = [
        f"[{name}](#{name})",
        f"{result['parameters']:,}",
        f"{before:.3f}",
        f"{after:.3f}",
        f"{result['images']['train']:,} x {result['epochs']}",
        f"{result['seconds'] / 60:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def entry(name: str, result: dict[str, Any]) -> str:
    """A member: its spec, how it was trained, its curves, and what it finds."""
    spec, _, variant = result["spec"].partition(":")
    what = f"Variant `{variant}` of [{Path(spec).stem}]" if variant else f"[{Path(spec).stem}]"
    classes = ", ".join(f"{kind} {score:.3f}" for kind, score in result["per_class"].items())
    folder = f"../{RESULTS.relative_to(ROOT)}"
    return "\n".join(
        [
            f"## {name}",
            "",
            f"{what}(../{spec}). By class: {classes}. [All figures]({folder}/{name}.json).",
            "",
            "```text",
            " \\\n    ".join(wrap(f"$ {result['command']}", 92, break_on_hyphens=False)),
            "```",
            "",
            f"![Loss in training and score on the third set]({folder}/{name}.svg)",
            "",
            f"![Pictures with what was found, and how sure it is]({folder}/{name}.jpg)",
        ]
    )


def photographs() -> str:
    """What was trained on BCCD."""
    cells, ssd300 = (json.loads(path.read_text(encoding="utf-8")) for path in (CELLS, STEPS))
    seeds, (low, high) = cells["seeds"], cells["spread"]
    minutes = max(seed["minutes"] for seed in seeds)
    first, last = (ssd300["steps"][place]["loss"] for place in (0, -1))
    results = f"../{CELLS.parent.relative_to(ROOT)}"
    return f"""\
## Photographs

[BCCD](https://github.com/Shenggan/BCCD_Dataset) shows blood cells of three kinds.
[ssd_light](../specs/ssd_light.yaml) reaches {cells["map50"]:.3f} on its {seeds[0]["images"]} test pictures, the mean of {len(seeds)} seeds
from {low:.3f} to {high:.3f}. Each was trained from nothing on a CPU, for {minutes} minutes at most, and scored once,
with the weights that were best on the val split. [All figures]({results}/{CELLS.name}).

```text
$ {cells["command"]}
```

![Test pictures of blood cells with what was found]({results}/{CELLS.stem}.jpg)

SSD300 is large for a CPU: in {ssd300["steps"][-1]["step"]} steps of 4 pictures, in bfloat16, its loss falls from
{first:.1f} to {last:.1f}. [All steps, and the command]({results}/{STEPS.name})."""


if __name__ == "__main__":
    raise SystemExit(write_or_check(PAGE, page, __doc__))
