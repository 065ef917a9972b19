"""Norms."""

from __future__ import annotations

from specc.ops.arguments import flag, inferred, integer, number
from specc.ops.base import Entry, Helper, Op, ShapeError, op
from specc.ops.shapes import image
from specc.values.dimensions import Shape, shape_text

__all__ = ["BatchNorm2d", "FrozenBatchNorm2d", "GroupNorm", "L2Norm"]

FROZEN_BATCH_NORM2D = Helper(
    "FrozenBatchNorm2d",
    '''\
class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose figures and affine terms are fixed: buffers, never trained."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]
''',
    ("import torch",),
)

L2_NORM = Helper(
    "L2Norm",
    '''\
class L2Norm(nn.Module):
    """Scale each position's channels to length one, then each channel by a learned gain."""

    def __init__(self, num_features: int, scale: float = 1.0, eps: float = 1e-12) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.full((num_features,), float(scale)))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.normalize(x, dim=1, eps=self.eps) * self.weight[:, None, None]
        return y.to(x.dtype)
''',
    ("import torch", "from torch.nn import functional"),
)


def _learned(*, affine: bool, bias: bool) -> tuple[str, ...]:
    """Return the names of the gain and the shift that a norm has."""
    if not affine:
        return ()
    return ("weight", "bias") if bias else ("weight",)


class _MapNorm(Op):
    """A norm that takes maps only and keeps their shape."""

    num_features: int

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        image(inputs[0])
        return inputs[0]

    def per_channel(self, *names: str, is_parameter: bool = True) -> tuple[Entry, ...]:
        """Return entries that hold a number a channel."""
        return tuple(Entry(name, (self.num_features,), is_parameter) for name in names)


@op
class BatchNorm2d(_MapNorm):
    """Normalise each channel over the batch, `torch.nn.BatchNorm2d`.

    ``(x - mean) / sqrt(variance + eps) * weight + bias``, with the batch's figures in training and
    the running ones otherwise. Ioffe and Szegedy, Batch Normalization, 2015.
    """

    num_features: int = inferred("Channels that arrive.")
    eps: float = number("Added to the variance.", above=0, default=1e-5)
    momentum: float | None = number(
        "Weight of the newest batch in the running figures; `None` averages over all batches.",
        default=0.1,
    )
    affine: bool = flag("Whether a gain and a shift are learned.", default=True)
    track_running_stats: bool = flag("Whether running figures are kept.", default=True)
    bias: bool = flag("Whether there is a shift beside the gain.", default=True)

    def state(self) -> tuple[Entry, ...]:
        """Return gain and shift, then the running figures."""
        learned = self.per_channel(*_learned(affine=self.affine, bias=self.bias))
        if not self.track_running_stats:
            return learned
        figures = self.per_channel("running_mean", "running_var", is_parameter=False)
        return (*learned, *figures, Entry("num_batches_tracked", (), is_parameter=False))


@op
class FrozenBatchNorm2d(_MapNorm):
    """Batch norm with fixed figures and affine terms, `torchvision.ops.FrozenBatchNorm2d`.

    ``(x - running_mean) / sqrt(running_var + eps) * weight + bias``, all four buffers: detectors
    train with batches too small to measure them (He et al., Mask R-CNN, 2017).
    """

    num_features: int = inferred("Channels that arrive.")
    eps: float = number("Added to the variance.", minimum=0, default=1e-5)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return FROZEN_BATCH_NORM2D

    def state(self) -> tuple[Entry, ...]:
        """Return the four buffers."""
        names = "weight", "bias", "running_mean", "running_var"
        return self.per_channel(*names, is_parameter=False)


@op
class GroupNorm(Op):
    """Normalise groups of channels of each image, `torch.nn.GroupNorm`.

    ``(x - mean) / sqrt(variance + eps) * weight + bias``, with the figures of each group over all
    positions. Wu and He, Group Normalization, 2018.
    """

    num_groups: int = integer("Number of groups.")
    num_channels: int = inferred("Channels that arrive.")
    eps: float = number("Added to the variance.", minimum=0, default=1e-5)
    affine: bool = flag("Whether a gain and a shift are learned.", default=True)
    bias: bool = flag("Whether there is a shift beside the gain.", default=True)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        if len(inputs[0]) < 2:
            message = f"needs channels; this is {shape_text(inputs[0], batch=True)}"
            raise ShapeError("E0406", message, inputs=(0,))
        if self.num_channels % self.num_groups:
            message = f"num_groups={self.num_groups} does not divide {self.num_channels} channels"
            raise ShapeError("E0405", message, argument="num_groups")
        return inputs[0]

    def state(self) -> tuple[Entry, ...]:
        """Return gain and shift."""
        names = _learned(affine=self.affine, bias=self.bias)
        return tuple(Entry(name, (self.num_channels,)) for name in names)


@op
class L2Norm(_MapNorm):
    """Scale each position's channels to length one, then each channel by a learned gain.

    ``x / max(norm(x), eps) * weight``. Liu et al., ParseNet, 2015; SSD, section 3.1, puts it on
    conv4_3 with a gain of 20.
    """

    num_features: int = inferred("Channels that arrive.")
    scale: float = number("Initial gain.", default=1.0)
    eps: float = number("Smallest length divided by.", minimum=0, default=1e-12)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return L2_NORM

    def state(self) -> tuple[Entry, ...]:
        """Return the gain."""
        return self.per_channel("weight")
