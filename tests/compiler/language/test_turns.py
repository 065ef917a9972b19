"""The turn of a repeated row: its number where it is alone, its name where a loop is written."""

from __future__ import annotations

import pytest
import torch
from agreement import agree, compiled
from torch import nn

import specc

GROWING = """
    params: {drop: 0.4}
    inputs: {images: [N, 3, 16, 16]}
    layers:
      stem: Conv2d(_, 8, 1)
      one:
        repeat: {i: 2}
        op: Block(8, drop * i / 6)
      two:
        repeat: {i: 4}
        op: Block(8, drop * (2 + i) / 6)
        first: {stride: 2}
    modules:
      Block:
        params: {out: int, p: float, stride: 1}
        layers:
          - Conv2d(_, out, 3, stride=stride, padding=1)
          - StochasticDepth(p)
    """


def test_each_turn_has_its_number(spec):
    path = spec(GROWING)
    agree(path)
    chances = [m.p for m in specc.load(path).modules() if hasattr(m, "p")]
    assert chances == pytest.approx([0.4 * place / 6 for place in range(6)])
    chances = [m.p for m in specc.load(path, drop=0.6).modules() if hasattr(m, "p")]
    assert chances == pytest.approx([0.1 * place for place in range(6)])


def test_a_long_run_is_a_loop_with_the_spec_s_name(spec):
    source = compiled(spec(GROWING)).source
    assert "self.one = nn.Sequential(Block(8, 8, 0), Block(8, 8, drop / 6))" in source.replace(
        "drop * 0 / 6", "0"
    ).replace("drop * 1 / 6", "drop / 6")
    assert "*(Block(8, 8, drop * (2 + i) / 6) for i in range(1, 4))" in source


def test_rows_behind_know_the_last_number_and_not_the_name(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          grow:
            repeat: {k: 4}
            op: Widen(8 * (k + 1))
          ops:
            repeat: {k: 3}
            op: Conv2d(_, 8 * (k + 1), 1)
          tapped: Conv2d(_, 5, 1)(grow.conv)
          end: Conv2d(_, 7, 1)
        modules:
          Widen:
            params: {out: int}
            layers:
              conv: Conv2d(_, out, 1)
              act: ReLU()
        outputs: {end: end, tapped: tapped}
        """)
    agree(path)
    module = specc.load(path)
    assert [m.out_channels for m in module.modules() if isinstance(m, nn.Conv2d)] == [
        *(8, 16, 24, 32),
        *(8, 16, 24),
        *(5, 7),
    ]


def test_an_open_count_and_the_turn_stand_together(spec):
    path = spec("""
        inputs: {images: [N, 8, 16, 16]}
        layers:
          stage: Stage(5)
        modules:
          Stage:
            params: {depth: int}
            layers:
              blocks:
                repeat: {turn: depth}
                op: Dropout(turn / 8)
        """)
    agree(path)
    assert "nn.Dropout(p=turn / 8) for turn in range(" in compiled(path).source


def test_the_turn_may_decide_the_structure(spec):
    path = spec("""
        inputs: {images: [N, 8, 16, 16]}
        let: {widths: [8, 12, 16]}
        layers:
          blocks:
            repeat: {i: 3}
            op: "Conv2d(_, widths[i], 3, stride=2 if i == 1 else 1, padding=1)"
            init: {bias: constant_(i + 1)}
        """)
    module = agree(path)
    assert [m.stride for m in module.modules() if isinstance(m, nn.Conv2d)] == [
        (1, 1),
        (2, 2),
        (1, 1),
    ]
    biases = [m.bias for m in specc.load(path).modules() if isinstance(m, nn.Conv2d)]
    assert [torch.unique(bias).tolist() for bias in biases] == [[1], [2], [3]]
