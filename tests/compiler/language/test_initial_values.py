"""`init`: the emitted module holds what `torch.nn.init` makes of the same tensors, bit for bit."""

from __future__ import annotations

import math

import pytest
import torch
from agreement import agree, compiled
from torch import nn

import specc
from specc.ops import INITIALIZERS

CALLS = {
    "constant_(0.25)": lambda t: nn.init.constant_(t, 0.25),
    "constant_(val=-3)": lambda t: nn.init.constant_(t, -3),
    "zeros_()": nn.init.zeros_,
    "ones_()": nn.init.ones_,
    "normal_(std=0.01)": lambda t: nn.init.normal_(t, std=0.01),
    "normal_(1, 2)": lambda t: nn.init.normal_(t, 1, 2),
    "uniform_(-0.1, 0.1)": lambda t: nn.init.uniform_(t, -0.1, 0.1),
    "trunc_normal_(std=0.02)": lambda t: nn.init.trunc_normal_(t, std=0.02),
    "trunc_normal_(0.5, 1, a=0, b=1)": lambda t: nn.init.trunc_normal_(t, 0.5, 1, 0, 1),
    "kaiming_normal_()": nn.init.kaiming_normal_,
    "kaiming_normal_(mode='fan_out', nonlinearity='relu')": lambda t: nn.init.kaiming_normal_(
        t, mode="fan_out", nonlinearity="relu"
    ),
    "kaiming_uniform_(a=1)": lambda t: nn.init.kaiming_uniform_(t, a=1),
    "xavier_normal_(gain=2)": lambda t: nn.init.xavier_normal_(t, gain=2),
    "xavier_uniform_()": nn.init.xavier_uniform_,
}


def loaded(path, seed=0, **params):
    torch.manual_seed(seed)
    return specc.load(path, **params)


def test_every_initializer_is_tried():
    assert {call.partition("(")[0] for call in CALLS} == set(INITIALIZERS)
    assert all(callable(getattr(nn.init, name)) for name in INITIALIZERS)


@pytest.mark.parametrize("call", CALLS)
def test_values_are_those_of_torch(call, spec):
    path = spec(f"""
        inputs: {{images: [N, 3, 8, 8]}}
        layers:
          conv:
            op: Conv2d(_, 16, 3)
            init: {{weight: "{call}"}}
        """)
    module = loaded(path)
    torch.manual_seed(0)
    wanted = nn.Conv2d(3, 16, 3)
    CALLS[call](wanted.weight)
    assert torch.equal(module.conv.weight, wanted.weight)
    assert torch.equal(module.conv.bias, wanted.bias)


def test_the_prior_of_a_focal_loss(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        params: {prior: 0.01}
        layers:
          tower:
            repeat: 3
            op: Conv2d(_, 8, 3, padding=1)
            init: {weight: normal_(std=0.01), bias: zeros_()}
          predict:
            op: Conv2d(_, 4, 3)
            init: {bias: constant_(-log((1 - prior) / prior))}
        """)
    agree(path)
    source = compiled(path).source
    assert "for layer in self.tower:\n            nn.init.normal_(" in source
    assert "-math.log((1 - prior) / prior)" in source
    for prior in (0.01, 0.2):
        bias = loaded(path, prior=prior).predict.bias
        assert torch.equal(bias, torch.full((4,), -math.log((1 - prior) / prior)))
        assert torch.equal(type(loaded(path))(prior=prior).predict.bias, bias)


def test_rows_of_a_list_and_buffers(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          body: Body()
        modules:
          Body:
            layers:
              - {op: "Conv2d(_, 8, 3)", init: {weight: xavier_uniform_(), bias: ones_()}}
              - {op: BatchNorm2d(_), init: {weight: zeros_(), running_var: constant_(4)}}
              - {repeat: 2, op: "Conv2d(_, 8, 1)", init: {bias: constant_(2)}}
        """)
    module = loaded(path)
    assert module.body[0].bias.eq(1).all() and module.body[1].weight.eq(0).all()
    assert module.body[1].running_var.eq(4).all()
    assert all(conv.bias.eq(2).all() for conv in module.body[2])
    torch.manual_seed(0)
    nn.Conv2d(3, 8, 3), [nn.Conv2d(8, 8, 1) for _ in range(2)]
    wanted = nn.init.xavier_uniform_(torch.empty(8, 3, 3, 3))
    assert torch.equal(module.body[0].weight, wanted)


def test_turns_alike_turns_apart_turns_left_out_and_one_for_all(spec):
    path = spec("""
        inputs: {images: [N, 4, 8, 8]}
        layers:
          alike:
            for: {m: [images, images]}
            op: Conv2d(_, 4, 1)(m)
            init: {bias: zeros_()}
          apart:
            for: {m: alike, v: [1, 2]}
            op: Conv2d(_, 4, 1)(m)
            init: {bias: constant_(sqrt(v))}
          some:
            for: {m: apart, v: [1, 2]}
            if: v == 2
            op: Conv2d(_, 4, 1)(m)
            init: {bias: constant_(v)}
          shared:
            for: {m: some}
            op: Conv2d(_, 4, 1)(m)
            shared: true
            init: {bias: constant_(exp(-1))}
        outputs: [shared]
        """)
    agree(path)
    module = loaded(path)
    biases = [*module.alike, *module.apart, module.some[1], module.shared]
    wanted = [0, 0, 1, math.sqrt(2), 2, math.exp(-1)]
    for layer, value in zip(biases, wanted, strict=True):
        assert torch.equal(layer.bias, torch.full((4,), float(value)))


def test_places_that_differ_in_their_values_share_a_class(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          low: Scaled(0.5)
          high: Scaled(2)
        modules:
          Scaled:
            params: {gain: float}
            layers:
              conv: {op: "Conv2d(_, 3, 1)", init: {bias: constant_(gain)}}
        """)
    module = loaded(path)
    assert type(module.low) is type(module.high)
    assert module.low.conv.bias.eq(0.5).all() and module.high.conv.bias.eq(2).all()


def test_an_argument_named_like_the_loop_variable(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          body: Body(0.5)
        modules:
          Body:
            params: {layer: float}
            layers:
              convs: {repeat: 2, op: "Conv2d(_, 3, 1)", init: {bias: constant_(layer)}}
        """)
    assert all(conv.bias.eq(0.5).all() for conv in loaded(path).body.convs)


def test_a_choice_of_two(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          drawn: Layer(0.5)
          constant: Layer(0.0)
          turns:
            repeat: {i: 3}
            op: Conv2d(_, 3, 1)
            init: {bias: ones_() if i == 0 else zeros_() if i == 1 else constant_(i)}
        modules:
          Layer:
            params: {std: float}
            layers:
              conv:
                op: Conv2d(_, 3, 1)
                init: {weight: normal_(std=std) if std else ones_()}
        """)
    agree(path)
    module = loaded(path)
    assert module.constant.conv.weight.eq(1).all()
    assert module.drawn.conv.weight.unique().numel() == 9
    assert "normal_(self.conv.weight, std=0.5)" in compiled(path).source
    assert [conv.bias.unique().tolist() for conv in module.turns] == [[1], [0], [2]]


def test_a_module_speaks_for_all_in_it_and_what_is_nearer_counts(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        init:
          Conv2d: {weight: constant_(1), bias: constant_(2)}
        layers:
          first: Conv2d(_, 4, 1)
          own: {op: "Conv2d(_, 4, 1)", init: {bias: constant_(3)}}
          plain: Block()
          nearer: Nearer()
        modules:
          Block:
            layers:
              - Conv2d(_, 4, 1, bias=False)
              - Conv2d(_, 4, 1)
          Nearer:
            init:
              Conv2d: {weight: constant_(4)}
            layers:
              block: Block()
              own: {op: "Conv2d(_, 4, 1)", init: {weight: constant_(5)}}
        """)
    agree(path)
    found = {name: tensor.mean().item() for name, tensor in loaded(path).named_parameters()}
    assert found == {
        "first.weight": 1,
        "first.bias": 2,
        "own.weight": 1,
        "own.bias": 3,
        "plain.0.weight": 1,
        "plain.1.weight": 1,
        "plain.1.bias": 2,
        "nearer.block.0.weight": 4,
        "nearer.block.1.weight": 4,
        "nearer.block.1.bias": 2,
        "nearer.own.weight": 5,
        "nearer.own.bias": 2,
    }


def test_a_file_that_is_used_gets_the_values_of_its_user(spec):
    spec(
        """
        params: {gain: 3.0}
        inputs: {images: [N, 3, 8, 8]}
        init: {Conv2d: {bias: constant_(gain)}}
        layers: {body: Body()}
        modules: {Body: {layers: {conv: "Conv2d(_, 4, 1)", norm: BatchNorm2d(_)}}}
        """,
        name="used",
    )
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        use: {Used: used.yaml}
        init:
          Conv2d: {weight: ones_(), bias: zeros_()}
          BatchNorm2d: {running_var: constant_(4)}
        layers:
          part: Used.Body()
          whole: Used(0.5)(images)
        outputs: [part, whole]
        """)
    module = loaded(path)
    assert module.part.conv.weight.eq(1).all() and module.part.conv.bias.eq(0).all()
    assert module.whole.body.conv.weight.eq(1).all() and module.whole.body.conv.bias.eq(0.5).all()
    assert module.whole.body.norm.running_var.eq(4).all()


def test_one_loop_fills_all_layers_with_an_open_argument(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        params: {layer: 0.5}
        init:
          Conv2d: {weight: normal_(std=2 * layer), bias: constant_(layer)}
        layers:
          tower: {repeat: 3, op: Block()}
        modules:
          Block: {layers: {conv: "Conv2d(_, 3, 1)", relu: ReLU()}}
        """)
    agree(path)
    source = compiled(path).source
    assert source.count("nn.init.") == 2
    assert "for layer2 in self.modules():" in source
    torch.manual_seed(0)
    module = type(loaded(path))(layer=0.25)
    assert all(block.conv.bias.eq(0.25).all() for block in module.tower)


def test_a_number_that_is_written_into_several_classes_is_no_argument_of_one(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        params: {gain: 0.5}
        init: {Conv2d: {bias: constant_(gain)}}
        layers:
          plain: Plain()
          other: Other()
        modules:
          Plain: {layers: {conv: "Conv2d(_, 3, 1)"}}
          Other: {layers: {conv: {op: "Conv2d(_, 3, 1)", init: {weight: ones_()}}}}
        """)
    agree(path)
    assert "gain" not in compiled(path).source
    for gain in (0.5, 2.0):
        module = loaded(path, gain=gain)
        assert module.plain.conv.bias.eq(gain).all() and module.other.conv.bias.eq(gain).all()
