"""Write docs/notes-errata.md from the cases `tests/cases/notes_*`; `--check` compares only."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import Any

from made_page import write_or_check

from specc.documents import load, plain, render_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/notes-errata.md"
CASES = Path("tests/cases")
sys.path.insert(0, str(ROOT / CASES))
from outcome import outcome  # noqa: E402  (where the cases are)

INTRO = """\
# What a checker finds in a set of reading notes

Written by `docs/make_errata.py` from the cases `tests/cases/notes_*`: change those, then run `make
goldens`.

The first specs were transcribed from reading notes on detection papers: 1,339 lines of Chinese on SSD,
EfficientNet, FPN, focal loss and RetinaNet, with tables of layers, listings and pieces of code. Most of
what they print holds: every size in the two tables of SSD300, the keys of its weights, the channels,
kernels and strides of EfficientNet-B4. Where they contradict themselves, or the papers and the code
that they describe, this page quotes the lines of the notes, shows what `specc build` reports for a spec
that says the same, and says what is true.

A case is a folder with that spec, `spec.yaml`, whose rows name the line of the notes that they are
transcribed from (`# L105`), and with `truth.yaml`, the same spec without the contradiction."""

UNSEEN = """\
## What a checker cannot see

| lines | the notes | the truth | why it stays unseen |
|---|---|---|---|
| 9, 1339 | headings on Faster R-CNN and EfficientDet, with nothing below | | nothing is claimed |
| 19 and others | figures as images that are not there | | no text |
| 39 | YOLO and Faster R-CNN predict from the last map alone | so do YOLO's first version and Faster R-CNN on VGG16; YOLOv3, which line 1238 names beside SSD, has three maps, and Faster R-CNN with a pyramid five | prose; the specs say it |
| 59 | `- [ ]` before the header of table 1 | the table begins with the header | gone once transcribed |
| 62 and others | rows in `**` | | Markdown; a row that is pasted with it is refused as E0121 |
| 64 and others, 275 and others | a comma behind a row, strides as lists | | no mistake: rows are read as `print(model)` and people write them |
| 171 | SSD512's last map, 1x1x256, as a contrast | SSD300's is 1x1x256 too | follows from the 5x5 above, in prose |
| 177 | VGG16 without "the two" fully connected layers FC6 and FC7, which become convolutions | there are three, and FC8 is dropped; of the 119,545,856 parameters of FC6 and FC7, 5,769,216 are kept | where weights come from is not said by layers |
| 235 to 241 | VGG16, 14.7M parameters, and EfficientNet-B4, 19M, are comparable | 14.7M counts convolutions, 19M everything; SSD's VGG16 has 20,483,904, B4 without its head 16,742,216 | two ways of counting in one column, each right |
| 239 | a top-1 accuracy of 71.93% beside 14.7M | it takes all 138M | accuracy is not structure |
| 241 | `EfﬁcientNet`, with the ligature U+FB01 | `EfficientNet` | names are compared as Python compares them, after NFKC |
| 1175 | "factorials" of two | powers | prose |
| 1201 to 1219 | `RCNN_layer0` and other names that nothing defines | | a transcription has to say what they are |
| 1227 | `F.upsample` without `align_corners` | since PyTorch 0.4 it is False | no version is printed |
| 1261 | two stages are sheltered by the RPN | of the four in line 1238, Faster R-CNN alone has one; the regions of R-CNN, SPPNet and Fast R-CNN come from elsewhere | prose; in their specs regions are an input |
| 1291 | negatives of the highest confidence | of the highest confidence loss, as line 1289 quotes | the loss is a component with a name, `MultiBoxLoss` |
| 1309 | γ is greater than 0 | or 0, which is cross entropy | prose |
| 1315 | the best γ and α in an image | 2 and 0.25 (Focal Loss, section 5.1) | no text |"""


def page() -> str:
    """The whole page, cases in the order of the notes."""
    notes = [(folder, plain(load(folder / "notes.yaml"))) for folder in CASES.glob("notes_*")]
    notes.sort(key=lambda case: (case[1]["notes"][0]["line"], case[0].name))
    table = ["| lines | | reported |", "|---|---|---|", *(row(case) for _, case in notes)]
    entries = [entry(folder, case) for folder, case in notes]
    return "\n\n".join([INTRO, "\n".join(table), *entries, UNSEEN]) + "\n"


def row(case: dict[str, Any]) -> str:
    """A case's line in the table at the top."""
    lines = ", ".join(str(quote["line"]) for quote in case["notes"])
    anchor = re.sub(r"[^\w -]", "", case["title"].lower()).replace(" ", "-")
    codes = dict.fromkeys(report.split()[0] for report in case["reports"])
    return f"| {lines} | [{case['title']}](#{anchor}) | {', '.join(codes) or 'another module'} |"


def entry(folder: Path, case: dict[str, Any]) -> str:
    """A case: the lines of the notes, what is reported, the truth, the edit."""
    printed, truth = folder / "spec.yaml", folder / "truth.yaml"
    quotes = [
        f"- Line {quote['line']}: {quote['text']}\\\n  {quote['says']}" for quote in case["notes"]
    ]
    found, module = outcome(printed)
    if found:
        report = fenced("text", render_text(found).rstrip("\n").splitlines())
    else:
        changes = changed(module, outcome(truth)[1])
        report = f"`specc build` finds nothing; the modules differ:\n\n{fenced('diff', changes)}"
    edit = fenced("diff", changed(*(path.read_text(encoding="utf-8") for path in (printed, truth))))
    return "\n\n".join(
        [
            f"## {case['title']}",
            "\n".join(quotes),
            report,
            wrapped(case["truth"]),
            f"The edit, in [{folder}](../{printed}):",
            edit,
        ]
    )


def changed(old: str, new: str) -> list[str]:
    """The lines that two texts do not share, but for the name of the file they came from."""
    lines = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [
        line for line in list(lines)[2:] if not line.startswith("@@") and "Emitted by" not in line
    ]


def wrapped(prose: str) -> str:
    """A paragraph in lines of a page's width."""
    return textwrap.fill(prose, 100, break_long_words=False, break_on_hyphens=False)


def fenced(language: str, lines: Iterable[str]) -> str:
    """A block of Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])


if __name__ == "__main__":
    os.chdir(ROOT)  # findings name the files from here
    raise SystemExit(write_or_check(PAGE, page, __doc__))
