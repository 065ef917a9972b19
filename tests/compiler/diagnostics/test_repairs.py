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
        "`ceil_mode=True` or `padding=1` gives 38",
    ),
    (CONV, CONV.replace(", padding=(1, 1)", "")): (
        "-> 75",
        "`vgg.5`: 150 -> 148, expected 150",
        "in `vgg.5` gives 150",
    ),
    ("512, 3, stride=2", "512, 3, stride=1"): (
        "-> [512, 10, 10]",
        "`extras.conv8_2.0`: 19 -> 19, expected 10",
        "`stride=2` in `extras.conv8_2.0` gives 10",
    ),
    (", dilation=(6, 6)", ""): (
        "-> [1024, 19, 19]",
        "`vgg.31`: 19 -> 29, expected 19",
        "`dilation=6` in `vgg.31` gives 19",
    ),
    # the map collapses later, which is not another mistake
    ("conv9_2: ConvReLU(256, 3, stride=2, padding=1)", "conv9_2: ConvReLU(256, 3, stride=2)"): (
        "-> [256, 5, 5]",
        "`extras.conv9_2.0`: 10 -> 4, expected 5",
        "`padding=1` or `kernel_size=1` in `extras.conv9_2.0` gives 5",
    ),
    ("conv10_2: ConvReLU(256, 3)", "conv10_2: ConvReLU(256, 5)"): (
        "-> [256, 3, 3]",
        "`extras.conv10_2.0`: 5 -> 1, expected 3",
        "`padding=1` or `kernel_size=3` in `extras.conv10_2.0` gives 3",
    ),
    ("MaxPool2d(kernel_size=2, stride=2", "MaxPool2d(kernel_size=2, stride=3"): (
        "-> 150",
        "idx 4: 300 -> 100, expected 150",
        "`stride=2` gives 150",
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


def codes(folder: Path, *rows: str) -> list[tuple[str, int]]:
    """Return the codes and lines of what is found in a list of rows, the first in line 5."""
    found = findings(folder, HEAD + "layers:\n" + "".join(f"  - {row}\n" for row in rows))
    return [(diagnostic.code, diagnostic.labels[0].span.line) for diagnostic in found]


def test_rows_that_refuse_what_follows_from_a_deviation_are_not_reported(tmp_path: Path) -> None:
    assert codes(tmp_path, "Conv2d(3, 9, 3) -> [8, 30, 30]", "Conv2d(8, 8, 3)") == [("E0410", 5)]
    assert codes(tmp_path, "Conv2d(3, 9, 3) -> [8, 30, 30]", "Conv2d(_, 8, 3, groups=4)") == [
        ("E0410", 5)
    ]
    assert codes(tmp_path, "AvgPool2d(16) -> 16", "ReLU()", "Conv2d(3, 8, 3)") == [("E0410", 5)]


def test_what_is_wrong_with_a_row_in_any_case_is_reported_beside_a_deviation(
    tmp_path: Path,
) -> None:
    """With the map that was meant, the rows behind it would be refused for the same reason."""
    deviation = "Conv2d(3, 8, 3) -> 32"
    assert codes(tmp_path, deviation, "Conv2d(9, 8, 3)") == [("E0410", 5), ("E0401", 6)]
    assert codes(tmp_path, deviation, "Conv2d(_, 8, 40)") == [("E0410", 5), ("E0402", 6)]
    assert codes(tmp_path, deviation, "Conv2d(_, 8, 3, groups=3)") == [("E0410", 5), ("E0405", 6)]


def test_a_row_that_gives_what_is_expected_is_right_again(tmp_path: Path) -> None:
    rows = ["ReLU() -> 31", "Conv2d(_, 8, 3, padding=1) -> 32", "Conv2d(_, 8, 3) -> 32"]
    assert codes(tmp_path, *rows) == [("E0410", 5), ("E0410", 7)]


def test_rows_that_pass_on_a_shape_are_not_where_a_deviation_begins(tmp_path: Path) -> None:
    rows = ["MaxPool2d(2)", "Conv2d(3, 8, 3, padding=1)", "ReLU() -> [9, 16, 16]"]
    (found,) = findings(tmp_path, HEAD + "layers:\n" + "".join(f"  - {row}\n" for row in rows))
    assert found.message == "`1`: 3x16x16 -> 8x16x16, expected 9x16x16"
    assert found.rows == ("1",)


def test_a_deviation_begins_behind_a_row_that_gives_what_is_expected(tmp_path: Path) -> None:
    rows = ["Conv2d(3, 8, 3)", "ReLU() -> 30", "ReLU() -> 32"]
    (found,) = findings(tmp_path, HEAD + "layers:\n" + "".join(f"  - {row}\n" for row in rows))
    assert found.message == "idx 2: 30 -> 30, expected 32"
    assert found.help == "mend the rows before, or write `-> 30`"
