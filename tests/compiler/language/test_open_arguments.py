"""Which parameters stay arguments of the emitted class: those with which it fits whatever they are.

`agree` builds every class a second time, with its open numbers doubled.
"""

from __future__ import annotations

import pytest
from agreement import agree, compiled, open_numbers

BEHIND_A_CONVOLUTION = {
    "another convolution": ("ReLU()", "Conv2d(_, 5, 1)"),
    "a join": ("Cat(dim=1)(a, images)", "Conv2d(_, 5, 1)"),
    "its features": ("Flatten()", "Linear(_, 5)"),
    "a sum with a fixed width": ("Add()(a, fixed)", "Conv2d(_, 5, 1)"),
    "groups of channels": ("PixelShuffle(2)", "Conv2d(_, 5, 1)"),
}
OPEN = {"another convolution", "a join"}


@pytest.mark.parametrize("case", BEHIND_A_CONVOLUTION)
def test_a_width_is_open_if_all_that_follows_is(spec, case):
    between, last = BEHIND_A_CONVOLUTION[case]
    path = spec(f"""
        inputs: {{images: [N, 3, 8, 8]}}
        params: {{width: 8}}
        layers:
          fixed: Conv2d(_, 8, 1)
          a: Conv2d(_, width, 1)(images)
          between: {between}
          last: {last}
        """)
    assert open_numbers(agree(path)) == ({"width": 8} if case in OPEN else {})


def test_a_width_that_a_list_hands_on_is_not_mistaken_for_another(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        params: {width: 6}
        layers:
          a: Conv2d(_, width, 1)
          b: Conv2d(_, 2 * width, 1)
          head: Head(4)([a, b])
        outputs: [head]
        modules:
          Head:
            params: {width: int}
            inputs: [maps]
            layers:
              convs:
                for: {m: maps}
                op: Conv2d(_, width, 1)(m)
        """)
    agree(path)


def test_channels_that_an_input_declares_are_no_argument(spec):
    """A number or a parameter says them already."""
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          body: Body()
          node: Node(4)
          other: Node(4)
        modules:
          Body:
            inputs: {x: [N, 3, H, W]}
            layers:
              - Conv2d(_, 4, 1)
          Node:
            params: {width: int}
            inputs: {x: [N, width, H, W]}
            layers:
              conv: Conv2d(_, width, 1)
        """)
    agree(path)
    source = compiled(path).source
    assert "self.body = Body()" in source
    assert "def __init__(self, width: int) -> None:" in source
    assert "self.conv = nn.Conv2d(width, width, kernel_size=1)" in source
