"""Pools over sliding windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import (
    Pair,
    as_pair,
    flag,
    integer,
    integer_schema,
    pair,
    pair_schemas,
)
from specc.ops.base import Helper, Op, ShapeError, Window, argument, call, nn, op
from specc.ops.shapes import image
from specc.ops.windows import SAME_PADDING, same_size, window_size
from specc.values.expression import Expression, Name
from specc.values.traced import formula

if TYPE_CHECKING:
    from specc.values.dimensions import Dim, Shape

__all__ = ["AvgPool2d", "MaxPool2d"]

MAX_POOL2D_SAME = Helper(
    "MaxPool2dSame",
    '''\
class MaxPool2dSame(nn.Module):
    """Max pool padded as TensorFlow's SAME, with -inf, from the size that arrives."""

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel_size, self.stride
        dilation_h, dilation_w = self.dilation
        rows = same_padding(x.shape[2], kernel_h, stride_h, dilation_h)
        columns = same_padding(x.shape[3], kernel_w, stride_w, dilation_w)
        x = functional.pad(x, columns + rows, value=float("-inf"))
        return functional.max_pool2d(x, self.kernel_size, self.stride, dilation=self.dilation)
''',
    ("from torch.nn import functional",),
    (SAME_PADDING,),
)


def refuse_indices(return_indices: bool) -> None:
    """Refuse a pool that returns where its maxima were: a row makes one tensor."""
    if return_indices:
        message = "return_indices=True makes a second tensor, which a row cannot carry"
        raise ShapeError("E0408", message, argument="return_indices")


class _Pool(Op):
    """The shape rule that both pools share."""

    kernel_size: Pair
    stride: Pair | None
    padding: Pair | str
    ceil_mode: bool

    @property
    def step(self) -> Pair:
        """The stride, which is the kernel's side unless given."""
        return self.stride or self.kernel_size

    @property
    def spacing(self) -> Pair:
        """The spacing of the window's taps."""
        return (1, 1)

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, H', W')."""
        n, c, height, width = image(inputs[0])
        return (n, c, self._side(height, 0), self._side(width, 1))

    def _side(self, size: Dim, along: int) -> Dim:
        if isinstance(self.padding, str):
            return same_size(size, self.step[along])
        kernel, padding = self.kernel_size[along], self.padding[along]
        if padding > kernel // 2:
            message = f"padding={padding} is more than half of kernel_size={kernel}"
            raise ShapeError("E0407", message, argument="padding")
        return window_size(
            size,
            kernel=kernel,
            stride=self.step[along],
            dilation=self.spacing[along],
            before=padding,
            after=padding,
            ceil_mode=self.ceil_mode,
        )

    def window(self) -> Window:
        """Return the pool's window."""
        return Window(self.kernel_size, self.step, self.spacing)


@op
class MaxPool2d(_Pool):
    """Largest value of each window, `torch.nn.MaxPool2d`.

    Each side becomes ``floor((side + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1``.
    With `ceil_mode` it is rounded up, as long as the last window starts inside the map or its
    leading padding; with `'tf_same'` it is ``ceil(side / stride)``.
    """

    kernel_size: Pair = pair("Side of the window.", tries=(2, 3))
    stride: Pair | None = pair(
        "Step of the window; the kernel's side if left out.", default=None, tries=(1, 2)
    )
    padding: Pair | str = argument(
        "Negative infinity at each end; `'tf_same'` is TensorFlow's SAME, from the size that"
        " arrives.",
        {"anyOf": [*pair_schemas(integer_schema(0)), {"enum": ["tf_same"]}]},
        default=0,
        tries=(0, 1),
        convert=as_pair,
    )
    dilation: Pair = pair("Spacing of the window's taps.", default=1, tries=(1, 2))
    return_indices: bool = flag("Not supported: only `False`.", default=False)
    ceil_mode: bool = flag("Round the number of windows up.", default=False, tries=(True, False))

    @property
    def spacing(self) -> Pair:
        """The dilation."""
        return self.dilation

    @property
    def helper(self) -> Helper | None:
        """The class that pads as TensorFlow does."""
        return MAX_POOL2D_SAME if self.padding == "tf_same" else None

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, H', W')."""
        refuse_indices(self.return_indices)
        if self.helper and self.ceil_mode:
            message = "padding='tf_same' leaves nothing to round up: leave ceil_mode out"
            raise ShapeError("E0407", message, argument="ceil_mode")
        return super().shape(*inputs)

    def constructor(self) -> Expression:
        """Return the call of torch's class, or of the helper, which takes pairs only."""
        if not self.helper:
            return self.construct(nn("MaxPool2d"))
        pairs = {"kernel_size": formula(self.kernel_size), "stride": formula(self.step)}
        if self.dilation != (1, 1):
            pairs["dilation"] = formula(self.dilation)
        return call(Name(self.helper.name), **pairs)


@op
class AvgPool2d(_Pool):
    """Mean of each window, `torch.nn.AvgPool2d`.

    Each side becomes ``floor((side + 2 * padding - kernel) / stride) + 1``, or is rounded up as
    `MaxPool2d` does.
    """

    kernel_size: Pair = pair("Side of the window.", tries=(2, 3))
    stride: Pair | None = pair(
        "Step of the window; the kernel's side if left out.", default=None, tries=(1, 2)
    )
    padding: Pair | str = pair("Zeros at each end.", minimum=0, default=0, tries=(0, 1))
    ceil_mode: bool = flag("Round the number of windows up.", default=False, tries=(True, False))
    count_include_pad: bool = flag("Whether the padding counts in the mean.", default=True)
    divisor_override: int | None = integer("Divide by this instead.", default=None)
