"""Did you mean, and text mended of what does not belong in a spec."""

import pytest

from specc.documents import mend, suggest, unusual

OPS = ["Conv2d", "ConvTranspose2d", "BatchNorm2d", "kernel_size", "ReLU", "ReLU6"]


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("Conv2D", "Conv2d"),
        ("conv2d", "Conv2d"),
        ("kernal_size", "kernel_size"),
        ("kernelsize", "kernel_size"),
        ("Relu6", "ReLU6"),
        ("RLeU", "ReLU"),
        ("BachtNorm2d", "BatchNorm2d"),
        ("Linear", None),
        ("x", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_suggest(word: str, option: str | None) -> None:
    assert suggest(word, OPS) == option


@pytest.mark.parametrize(
    ("text", "mended", "run"),
    [
        ("Conv2d（3，64）", "Conv2d(3, 64)", (6, 1)),
        ("a：１２", "a: 12", (1, 3)),
        ("“x”　‘y’", "\"x\" 'y'", (0, 1)),
        ("［1］＝2", "[1]=2", (0, 1)),
        ("**ReLU(inplace=True),**", "ReLU(inplace=True),", (0, 2)),
        ("Conv2d(3, **64**)", "Conv2d(3, 64)", (10, 2)),
        ("**Conv2d**(3)", "Conv2d(3)", (0, 2)),
        ("ReLU()<br/>", "ReLU()", (6, 5)),
        ("ReLU()<BR>", "ReLU()", (6, 4)),
        ("2 ** 3 + c**2", "2 ** 3 + c**2", None),
        ("plain", "plain", None),
    ],
)
def test_mend(text: str, mended: str, run: tuple[int, int] | None) -> None:
    assert mend(text) == mended
    assert unusual(text) == run
