"""The arithmetic of sliding windows, shared by convolutions and pools."""

from __future__ import annotations

from specc.ops.base import Helper, ShapeError
from specc.values.dimensions import Dim, floor_divide, shift

__all__ = ["SAME_PADDING", "same_size", "window_size"]

SAME_PADDING = Helper(
    "same_padding",
    '''\
def same_padding(side: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """TensorFlow's SAME: padding before and after for ceil(side / stride) windows."""
    missing = (-(-side // stride) - 1) * stride + dilation * (kernel - 1) + 1 - side
    before = max(missing, 0) // 2
    return [before, max(missing, 0) - before]
''',
)


def same_size(size: Dim, stride: int) -> Dim:
    """Return how many windows TensorFlow's SAME makes: ``ceil(size / stride)``."""
    return floor_divide(shift(size, stride - 1), stride)


def window_size(
    size: Dim,
    *,
    kernel: int,
    stride: int,
    dilation: int,
    before: int,
    after: int,
    ceil_mode: bool = False,
) -> Dim:
    """Return how many windows fit along one side: ``floor((padded - span) / stride) + 1``.

    With `ceil_mode`, a last window may hang over the end, but has to start inside the map or its
    leading padding, as in torch.
    """
    span = dilation * (kernel - 1) + 1
    room = before + after - span + stride
    if ceil_mode:
        room = min(room, before) + stride - 1
    count = floor_divide(shift(size, room), stride)
    if isinstance(count, int) and count < 1:
        raise _too_small(size, before + after, span)
    return count


def _too_small(size: Dim, padding: int, span: int) -> ShapeError:
    padded = f" (+{padding} padding)" if padding else ""
    message = f"the map is gone: {size}{padded} is smaller than the window of {span}"
    help_ = "use a larger input, more padding or fewer strides before"
    return ShapeError("E0402", message, help=help_)
