"""What the drawn calls would not show by name: single rules, formulas and emitted text."""

from __future__ import annotations

import inspect

import pytest
import torch
from op_torch import emitted, evaluate
from torch import nn
from torchvision.ops import FrozenBatchNorm2d, StochasticDepth

from specc.ops import OPS, ShapeError
from specc.values.dimensions import Shape, Size, shape_text
from specc.values.expression import (
    Attribute,
    Call,
    Expression,
    Literal,
    Name,
    Series,
    Star,
)
from specc.values.parsing import parse_expression
from specc.values.traced import traced

N, H, W = Size("N"), Size("H"), Size("W")


def refusal(name: str, *inputs: Shape, **arguments: object) -> ShapeError:
    with pytest.raises(ShapeError) as caught:
        OPS[name](**arguments).shape(*inputs)
    return caught.value


TORCHS = {name: getattr(nn, name) for name in OPS if hasattr(nn, name)}
REQUIRED = inspect.Parameter.empty
LEFT_OUT = {"device", "dtype", "recompute_scale_factor", "args", "kwargs"}


@pytest.mark.parametrize("name", TORCHS)
def test_arguments_are_torchs_in_order_and_default(name: str) -> None:
    declared = OPS[name].arguments
    theirs = {
        key: parameter.default
        for key, parameter in inspect.signature(TORCHS[name]).parameters.items()
        if key not in LEFT_OUT
    }
    ours = {
        key: evaluate(argument.written(argument.default), {})
        for key, argument in declared.items()
        if not argument.required and argument.inferred is None
    }
    assert list(declared) == list(theirs) + (["value"] if name == "ZeroPad2d" else [])
    assert all(ours[key] == default for key, default in theirs.items() if key in ours)
    stricter = {key for key in declared.keys() - ours.keys() if theirs[key] is not REQUIRED}
    assert stricter == ({"dim"} if name == "Softmax" else set())


def test_ceil_mode_drops_a_window_that_would_start_in_the_padding_behind() -> None:
    pool = OPS["MaxPool2d"](kernel_size=2, stride=2, padding=1, ceil_mode=True)
    assert pool.shape((N, 8, 3, 4)) == (N, 8, 2, 3)
    assert OPS["MaxPool2d"](kernel_size=1, stride=4, ceil_mode=True).shape((N, 8, 4, 5)) == (
        N,
        8,
        1,
        2,
    )


def test_a_backbone_of_stride_32_shows_the_ceiling() -> None:
    x: Shape = (N, 3, H, W)
    for kernel in (7, 3, 3, 3):
        x = OPS["Conv2d"](
            in_channels=x[1], out_channels=64, kernel_size=kernel, stride=2, padding=kernel // 2
        ).shape(x)
    x = OPS["MaxPool2d"](kernel_size=3, stride=2, padding=1).shape(x)
    assert shape_text(x) == "64xceil(H/32)xceil(W/32)"


def test_named_sizes_keep_their_closed_form_under_ceil_mode() -> None:
    pool = OPS["MaxPool2d"](kernel_size=2, stride=2, ceil_mode=True)
    assert shape_text(pool.shape((N, 1, H, W))) == "1xceil(H/2)xceil(W/2)"


def test_rows_of_named_maps_add_up_to_one_name() -> None:
    rows = OPS["PerBox"](columns=4).shape((N, 24, H, W))
    fewer = OPS["PerBox"](columns=4).shape((N, 16, H, W))
    join = OPS["Cat"](dim=1)
    assert shape_text(rows) == "6*H*Wx4"
    assert shape_text(join.shape(rows, fewer)) == "(4*H*W + 6*H*W)x4"
    assert join.shape(rows, fewer) == join.shape(fewer, rows)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if "inplace" in op.arguments])
def test_in_place_ops_say_that_they_overwrite(name: str) -> None:
    assert not OPS[name]().overwrites_input
    op = OPS[name](inplace=True)
    x = torch.randn(2, 3, 4, 4)
    assert op.overwrites_input
    assert emitted(op)(x).data_ptr() == x.data_ptr()


def test_alternatives_change_one_attribute() -> None:
    conv = OPS["Conv2d"](in_channels=8, out_channels=8, kernel_size=3)
    changed = {(name, value) for name, value, _ in conv.alternatives()}
    assert {("padding", 1), ("stride", 2), ("kernel_size", 1)} <= changed
    assert ("kernel_size", 3) not in changed
    for name, _, other in conv.alternatives():
        ours, theirs = conv.settings(), other.settings()
        assert [key for key in ours if ours[key] != theirs[key]] == [name]


def test_four_sides_that_agree_are_torchs_own_padding() -> None:
    conv = OPS["Conv2d"](in_channels=8, out_channels=8, kernel_size=3, padding=[1, 1, 2, 2])
    assert conv.settings()["padding"] == (2, 1)
    assert conv.helper is None


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_stochastic_depth_draws_as_torchvision_does(p: float) -> None:
    ours, theirs = emitted(OPS["StochasticDepth"](p=p)), StochasticDepth(p, "row")
    x = torch.randn(64, 3, 2, 2)
    for layer in (ours, theirs):
        assert torch.equal(layer.eval()(x), x)
    drawn = []
    for layer in (ours, theirs):
        torch.manual_seed(0)
        drawn.append(layer.train()(x))
    assert torch.equal(*drawn)
    assert (drawn[0] == 0).all(dim=(1, 2, 3)).float().mean() == pytest.approx(p, abs=0.2)


@pytest.mark.parametrize(("side", "expected"), [(300, 150), (75, 38), (19, 10)])
def test_tf_same_rounds_up(side: int, expected: int) -> None:
    for kernel in (1, 3, 5):
        conv = OPS["Conv2d"](
            in_channels=1, out_channels=1, kernel_size=kernel, stride=2, padding="tf_same"
        )
        assert conv.shape((N, 1, side, side)) == (N, 1, expected, expected)


def test_tf_same_puts_the_odd_zero_last() -> None:
    settings = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "stride": 2}
    by_size = emitted(OPS["Conv2d"](**settings, padding="tf_same"))
    by_hand = emitted(OPS["Conv2d"](**settings, padding=[0, 1, 0, 1]))
    by_hand.load_state_dict(by_size.state_dict())
    x = torch.randn(2, 2, 8, 8)
    assert torch.equal(by_size(x), by_hand(x))
    padded = nn.functional.pad(x, (0, 1, 0, 1), value=float("-inf"))
    pool = emitted(OPS["MaxPool2d"](kernel_size=3, stride=2, padding="tf_same"))
    assert torch.equal(pool(x), nn.functional.max_pool2d(padded, 3, 2))


def test_frozen_batch_norm_is_torchvisions() -> None:
    ours = emitted(OPS["FrozenBatchNorm2d"](num_features=4))
    theirs = FrozenBatchNorm2d(4)
    figures = {name: torch.rand(4) for name in theirs.state_dict()}
    ours.load_state_dict(figures)
    theirs.load_state_dict(figures)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


def test_locally_connected_has_weights_of_its_own_at_each_place() -> None:
    """With one weight for all places it is a convolution; each place alone is a product."""
    settings = {"in_channels": 2, "out_channels": 3, "kernel_size": (3, 2), "stride": (2, 1)}
    settings |= {"padding": (1, 0)}
    local = emitted(OPS["LocallyConnected2d"](**settings, height=6, width=5)).double()
    conv = nn.Conv2d(**settings).double()
    x = torch.randn(4, 2, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        drawn = local(x)
        padded = nn.functional.pad(x, (0, 0, 1, 1))
        place = 1 * 4 + 2  # the second of three rows, the third of four columns
        patch = padded[:, :, 2:5, 2:4].reshape(4, -1)
        alone = patch @ local.weight[place].T + local.bias[:, place]
        torch.testing.assert_close(drawn[:, :, 1, 2], alone, rtol=0, atol=1e-12)
        local.weight.copy_(conv.weight.reshape(1, 3, -1).expand_as(local.weight))
        local.bias.copy_(conv.bias.reshape(3, 1).expand_as(local.bias))
        torch.testing.assert_close(local(x), conv(x), rtol=0, atol=1e-12)


def test_reorg_reads_a_map_as_a_larger_one_of_fewer_channels() -> None:
    """Darknet's `reorg_cpu`: output k is a grid of every s-th number of what it reads."""
    x = torch.arange(2 * 8 * 4 * 6).reshape(2, 8, 4, 6)
    found = emitted(OPS["Reorg"](stride=2))(x)
    assert found.shape == OPS["Reorg"](stride=2).shape((2, 8, 4, 6)) == (2, 32, 2, 3)
    larger = x.reshape(2, 2, 8, 12)
    grids = [larger[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    assert torch.equal(found, torch.cat(grids, 1).reshape(2, 32, 2, 3))
    assert refusal("Reorg", (N, 6, 4, 4), stride=2).code == "E0405"
    assert refusal("Reorg", (N, 4, 4, 5), stride=2).code == "E0405"
    assert OPS["Reorg"](stride=2).shape((N, 4, H, W))[2:] == (Size("H", 0, 2), Size("W", 0, 2))


def test_per_box_keeps_the_numbers_of_a_box_together() -> None:
    x = torch.arange(2 * 12 * 2 * 3).reshape(2, 12, 2, 3)
    rows = emitted(OPS["PerBox"](columns=4))(x)
    assert torch.equal(rows[1, 5], x[1, 8:12, 0, 1])


def test_upsample_takes_the_size_of_another_map() -> None:
    op = OPS["Upsample"](mode="nearest")
    assert op.shape((N, 256, 10, 10), (N, 512, 19, 20)) == (N, 256, 19, 20)
    assert op.shape((N, 256, 10, 10), (N, 512, H, W)) == (N, 256, H, W)
    assert refusal("Upsample", (N, 256, 10, 10)).code == "E0408"


def test_a_named_side_is_scaled_by_whole_numbers_and_their_inverses() -> None:
    x = (N, 8, H, W)
    assert shape_text(OPS["Upsample"](scale_factor=(3.0, 0.25)).shape(x)) == "8x3Hxfloor(W/4)"
    assert refusal("Upsample", x, scale_factor=(0.75, 0.5)).code == "E0408"


def test_the_batch_alone_may_be_flattened() -> None:
    assert OPS["Flatten"](start_dim=0, end_dim=0).shape((N, 8, 4)) == (N, 8, 4)
    assert refusal("Flatten", (N, 8, 4), start_dim=0, end_dim=1).code == "E0408"


@pytest.mark.parametrize(
    ("code", "name", "inputs", "arguments"),
    [
        ("E0402", "MaxPool2d", [(N, 8, 1, 9)], {"kernel_size": 2}),
        ("E0403", "Add", [(N, 8, 4, 4), (N, 8, 5, 4)], {}),
        ("E0404", "Cat", [(N, 8, 4, 4), (N, 8, 5, 4)], {}),
        ("E0405", "GroupNorm", [(N, 8, 4, 4)], {"num_groups": 3, "num_channels": 8}),
        ("E0406", "MaxPool2d", [(N, 8)], {"kernel_size": 2}),
        ("E0407", "MaxPool2d", [(N, 8, 4, 4)], {"kernel_size": 2, "padding": 2}),
        ("E0408", "MaxPool2d", [(N, 8, 4, 4)], {"kernel_size": 2, "return_indices": True}),
    ],
)
def test_refusals_have_a_code(
    code: str, name: str, inputs: list[Shape], arguments: dict[str, object]
) -> None:
    assert refusal(name, *inputs, **arguments).code == code


CHANNELS = {"in_channels": 3, "out_channels": 4, "kernel_size": 3}
EDGES = [
    ("Conv2d", CHANNELS | {"padding": 3, "padding_mode": "reflect"}, True),
    ("Conv2d", CHANNELS | {"padding": 4, "padding_mode": "reflect"}, False),
    ("Conv2d", CHANNELS | {"padding": 4, "padding_mode": "circular"}, True),
    ("Conv2d", CHANNELS | {"padding": 5, "padding_mode": "circular"}, False),
    ("ConvTranspose2d", CHANNELS | {"output_padding": 1, "dilation": 2}, True),
    ("ConvTranspose2d", CHANNELS | {"output_padding": 2, "stride": 2}, False),
    ("MaxPool2d", {"kernel_size": 3, "padding": 1}, True),
    ("MaxPool2d", {"kernel_size": 3, "padding": 2}, False),
]


@pytest.mark.parametrize(("name", "arguments", "is_taken"), EDGES)
def test_what_torch_just_takes_and_just_does_not(
    name: str, arguments: dict[str, object], is_taken: bool
) -> None:
    x = torch.zeros(1, 3, 4, 4)
    layer = TORCHS[name](**arguments)
    if is_taken:
        assert OPS[name](**arguments).shape(tuple(x.shape)) == tuple(layer(x).shape)
    else:
        assert refusal(name, tuple(x.shape), **arguments).code == "E0407"
        with pytest.raises(RuntimeError):
            layer(x)


def keywords(expression: Expression | None) -> dict[str, Expression]:
    assert isinstance(expression, Call)
    return {name: value for name, value, _ in expression.keywords}


def test_defaults_are_left_out_and_equal_pairs_written_once() -> None:
    conv = OPS["Conv2d"](
        in_channels=3, out_channels=8, kernel_size=[3, 3], stride=1, padding=[0, 1]
    )
    assert keywords(conv.constructor()) == {
        "kernel_size": Literal(3),
        "padding": Series((Literal(0), Literal(1)), is_tuple=True),
    }


def test_a_parameter_is_written_by_name_even_where_it_equals_the_default() -> None:
    stride = traced(1, Name("stride"))
    conv = OPS["Conv2d"](in_channels=3, out_channels=8, kernel_size=3, stride=stride)
    assert keywords(conv.constructor())["stride"] == Name("stride")


def test_cat_writes_a_list_as_it_stands() -> None:
    cat = Attribute(Name("torch"), "cat")
    dim = (("dim", Literal(1), (0, 0)),)
    join = OPS["Cat"]()
    assert join.expression((Star(Name("rows")),)) == Call(cat, (Name("rows"),), dim)
    assert join.expression((Name("x"),)) == Call(cat, (Series((Name("x"),)),), dim)


def test_shares_of_a_weighted_sum() -> None:
    """Fast normalised and softmax fusion, and the plain sum (EfficientDet, section 3.3)."""
    maps = torch.randn(3, 2, 4, 5, 5, dtype=torch.float64)
    weights = torch.tensor([0.5, -2.0, 1.5], dtype=torch.float64)
    shares = {
        "fast": torch.tensor([0.5, 0.0, 1.5], dtype=torch.float64) / 2.01,
        "softmax": weights.exp() / weights.exp().sum(),
        "sum": torch.ones(3, dtype=torch.float64),
    }
    for mode, of in shares.items():
        layer = emitted(OPS["WeightedSum"](num_inputs=3, mode=mode, eps=0.01)).double()
        assert all(torch.equal(value, torch.ones(3)) for value in layer.parameters())
        if mode != "sum":
            layer.load_state_dict({"weight": weights})
        expected = (of[:, None, None, None, None] * maps).sum(dim=0)
        assert torch.allclose(layer(*maps), expected, rtol=0, atol=1e-12)


def test_a_weighted_sum_takes_as_many_tensors_as_it_says() -> None:
    error = refusal("WeightedSum", (N, 8, H, W), (N, 8, H, W), num_inputs=3)
    assert (error.code, error.argument, error.help) == ("E0305", "num_inputs", "write 2")
    assert refusal("WeightedSum", (N, 8, 4, 4), (N, 8, 4, 5), num_inputs=2).code == "E0403"


PRINTED = [
    nn.Conv2d(4, 8, 3, padding=(1, 2), groups=2, bias=False),
    nn.ConvTranspose2d(4, 8, 3, stride=2, output_padding=1),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AvgPool2d((2, 3), padding=1),
    nn.AdaptiveAvgPool2d((None, 7)),
    nn.AdaptiveMaxPool2d(1),
    nn.ZeroPad2d((0, 1, 0, 1)),
    nn.BatchNorm2d(8, momentum=None),
    nn.GroupNorm(2, 8, affine=False),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.LeakyReLU(0.1, inplace=True),
    nn.SiLU(),
    nn.GELU("tanh"),
    nn.Hardswish(),
    nn.Hardsigmoid(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Softmax(dim=-1),
    nn.ELU(0.5),
    nn.PReLU(8),
    nn.Dropout(0.1),
    nn.Dropout2d(),
    nn.Identity(),
    nn.Linear(8, 4, bias=False),
    nn.Flatten(),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.Upsample(size=(3, 4)),
    nn.PixelShuffle(2),
]


@pytest.mark.parametrize("module", PRINTED, ids=repr)
def test_a_printed_row_builds_what_prints_it(module: nn.Module) -> None:
    row = parse_expression(repr(module))
    assert isinstance(row, Call)
    op = OPS[type(module).__name__]
    given = dict(zip(op.arguments, row.arguments, strict=False))
    given |= {name: value for name, value, _ in row.keywords}
    made = op(**{name: evaluate(value, {}) for name, value in given.items()})
    assert repr(emitted(made)) == repr(module)


def test_what_others_call_an_op_names_one_op_and_is_none_itself() -> None:
    words = [word.casefold() for op in OPS.values() for word in op.elsewhere]
    assert len(set(words)) == len(words)
    assert not set(words) & {name.casefold() for name in OPS}


def test_exp_is_torchs() -> None:
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    assert torch.equal(emitted(OPS["Exp"]())(x), torch.exp(x))
