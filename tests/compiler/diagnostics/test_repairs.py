"""What a row should give and does not: the finding says which attribute would mend it."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check, findings

SSD = Path("specs/ssd300_vgg.yaml").read_text(encoding="utf-8")
CONV = "Conv2d(64, 128, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"

REPAIRS = {
    # what stands in SSD300, what is made of it: the expectation, the message, the help
    ("ceil_mode=True", "ceil_mode=False"): (
        "-> 38",
        "idx 16: 75 -> 37, expected 38",
        "`ceil_mode=True`",
    ),
    (CONV, CONV.replace(", padding=(1, 1)", "")): (
        "-> 75",
        "idx 9: 148 -> 74, expected 75",
        "in `vgg.5` gives 75",
    ),
    ("512, 3, stride=2", "512, 3, stride=1"): (
        "-> [512, 10, 10]",
        "idx 1: 19 -> 19, expected 10",
        "`stride=2` in `extras.conv8_2.0` gives 10",
    ),
    (", dilation=(6, 6)", ""): (
        "-> [1024, 19, 19]",
        "idx 34: 29 -> 29, expected 19",
        "`dilation=6` in `vgg.31` gives 19",
    ),
}


@pytest.mark.parametrize(("edit", "wanted"), REPAIRS.items(), ids=[new for _, new in REPAIRS])
def test_repair(edit: tuple[str, str], wanted: tuple[str, str, str], tmp_path: Path) -> None:
    (old, new), (expectation, message, help) = edit, wanted
    before, after = SSD.split(old, 1)
    marked = expectation.replace("-> ", "-> «") + "»"
    text = before + new + after.replace(expectation, marked, 1)
    found = check(tmp_path, Fault("E0410", text, help))
    assert found.message == message
    assert found.help is not None
    assert found.help.endswith(f"gives {message.rpartition(' ')[2]}")


def test_repair_of_a_kernel(tmp_path: Path) -> None:
    text = HEAD + "layers:\n  - Conv2d(3, 8, 5, padding=1) -> «32»\n"
    found = check(tmp_path, Fault("E0410", text, "gives 32"))
    assert "`kernel_size=3`" in (found.help or "")


@pytest.mark.parametrize("expected", ["31", "[31]", "[4, 32, 32]", "[3, 31, 32]", "[N, 3, 31]"])
def test_without_a_repair_the_help_says_what_comes_out(expected: str, tmp_path: Path) -> None:
    text = HEAD + f"layers:\n  - ReLU() -> «{expected}»\n"
    check(tmp_path, Fault("E0410", text, "mend the rows before, or write `->"))


def test_what_follows_from_a_deviation_is_not_repeated(tmp_path: Path) -> None:
    text = HEAD + "layers:\n  - Conv2d(3, 8, 3) -> 32\n  - ReLU() -> 32\n  - ReLU() -> 32\n"
    (found,) = findings(tmp_path, text)
    assert (found.code, found.labels[0].span.line) == ("E0410", 5)
