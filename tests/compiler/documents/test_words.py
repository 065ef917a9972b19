"""Did you mean, and text mended of what does not belong in a spec."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.documents import did_you_mean, mend, suggest, unusual
from specc.ops import OPS as ALL_OPS

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


def distance(a: str, b: str) -> int:
    """Count edits as their definition does: of the first letters, then of the rest."""

    @cache
    def from_(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        edits = [from_(i + 1, j) + 1, from_(i, j + 1) + 1, from_(i + 1, j + 1) + (a[i] != b[j])]
        if a[i : i + 2] == b[j : j + 2][::-1] and len(a[i : i + 2]) == 2:
            edits.append(from_(i + 2, j + 2) + 1)
        return min(edits)

    return from_(0, 0)


WORDS = st.text("abC_2", max_size=9)


@given(word=WORDS, options=st.lists(WORDS, max_size=5))
def test_the_nearest_is_suggested_if_it_is_near(word: str, options: list[str]) -> None:
    found = suggest(word, options)
    edits = {option: distance(word.casefold(), option.casefold()) for option in options}
    allowed = max(1, len(word) // 3) if len(word) > 1 else 0
    if found is None:
        assert all(count > allowed for count in edits.values())
    else:
        assert edits[found] == min(edits.values()) <= allowed
    assert did_you_mean(word, options, "no") == (f"did you mean `{found}`?" if found else "no")


@given(op=st.sampled_from(sorted(ALL_OPS)), data=st.data())
def test_one_wrong_letter_is_understood(op: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(op) - 1))
    letter = data.draw(st.sampled_from("axZ_3"))
    word = data.draw(
        st.sampled_from(
            [op[:place] + letter + op[place + 1 :], op[:place] + letter + op[place:], op.lower()]
        )
    )
    found = suggest(word, ALL_OPS)
    assert found is not None
    assert distance(word.casefold(), found.casefold()) <= 1


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
