"""`if`: a row that is left out means its input."""

from __future__ import annotations

from agreement import agree, compiled

import specc

RESIDUAL = """
    inputs: {images: [N, 4, 16, 16]}
    layers:
      same: Residual(4)
      wider: Residual(8)
      again: Residual(8)
    modules:
      Residual:
        params: {out: int}
        layers:
          conv: Conv2d(_, out, 3, padding=1)
          shortcut:
            if: x.channels != out
            op: Conv2d(_, out, 1)(x)
          added: Add()(conv, shortcut)
    """


def test_a_condition_on_the_channels_that_arrive(spec):
    path = spec(RESIDUAL)
    module = agree(path)
    assert [hasattr(part, "shortcut") for part in module.children()] == [False, True, False]
    assert "class ResidualNoShortcut" in compiled(path).source


def test_a_condition_on_a_declared_name(spec):
    text = RESIDUAL.replace(
        "params: {out: int}", "params: {out: int}\n        inputs: {x: [N, c, H, W]}"
    )
    path = spec(text.replace("x.channels", "c"))
    assert compiled(path).parameters == compiled(spec(RESIDUAL, "other")).parameters
    agree(path)


def test_rows_left_out_of_a_list_keep_the_positions(spec):
    path = spec("""
        inputs: {images: [N, 4, 16, 16]}
        params: {norm: false}
        layers:
          - Conv2d(_, 4, 1)
          - op: BatchNorm2d(_)
            if: norm
          - Conv2d(_, 4, 1)
        """)
    assert list(agree(path).state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert "1.weight" in agree(path, norm=True).state_dict()


def test_a_parameter_that_decides_is_not_an_argument(spec):
    path = spec("""
        inputs: {images: [N, 4, 16, 16]}
        params: {width: 8, depth: 2, classes: 5}
        layers:
          body:
            repeat: depth
            op: Block(width)
          head: Conv2d(_, classes, 1)
        modules:
          Block:
            params: {out: int}
            layers:
              conv: Conv2d(_, out, 1)
              pool:
                if: out > 6
                op: MaxPool2d(2)
        """)
    agree(path)
    assert "def __init__(self, classes: int = 5)" in compiled(path).source


def test_a_row_left_out_at_the_end_of_a_list_leaves_nothing(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          body: Body(False)
          tail: Body(True)
        modules:
          Body:
            params: {act: bool}
            layers:
              - {if: act, op: ReLU()}
              - Conv2d(_, 4, 3, padding=1)
              - {if: act, op: ReLU()}
        """)
    agree(path)
    module = specc.load(path)
    assert [type(layer).__name__ for layer in module.body] == ["Identity", "Conv2d"]
    assert [type(layer).__name__ for layer in module.tail] == ["ReLU", "Conv2d", "ReLU"]
