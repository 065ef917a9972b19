"""Dropout, of numbers, of channels, and of whole branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import inplace, number
from specc.ops.base import Helper, Op, op
from specc.ops.shapes import image

if TYPE_CHECKING:
    from specc.values.dimensions import Shape

__all__ = ["Dropout", "Dropout2d", "StochasticDepth"]

STOCHASTIC_DEPTH = Helper(
    "StochasticDepth",
    '''\
class StochasticDepth(nn.Module):
    """Zero images of a branch at random in training, divide the rest by ``1 - p``."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = x.new_empty(len(x), *(1 for _ in x.shape[1:])).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p) if self.p < 1 else kept)
''',
)


def _probability() -> float:
    return number("Share that is zeroed in training.", minimum=0, maximum=1, default=0.5)


@op
class Dropout(Op):
    """Zero numbers at random in training, divide the rest by ``1 - p``, `torch.nn.Dropout`."""

    passes_on_memory = True

    p: float = _probability()
    inplace: bool = inplace()


@op
class Dropout2d(Op):
    """Zero whole channels at random in training, `torch.nn.Dropout2d`."""

    passes_on_memory = True

    p: float = _probability()
    inplace: bool = inplace()

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        image(inputs[0])
        return inputs[0]


@op
class StochasticDepth(Op):
    """Zero images of a branch at random in training, divide the rest by ``1 - p``.

    `torchvision.ops.StochasticDepth` by rows. Huang et al., Deep Networks with Stochastic Depth,
    2016.
    """

    elsewhere = ("DropPath", "DropConnect")
    passes_on_memory = True

    p: float = number("Share of images that is zeroed in training.", minimum=0, maximum=1)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return STOCHASTIC_DEPTH
