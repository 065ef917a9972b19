"""What specc refuses although torch would take it: the whole list, with the reasons."""

from __future__ import annotations

from fnmatch import fnmatchcase

DOCUMENTED_REFUSALS: tuple[tuple[str, str, str], ...] = (
    # What an argument may be.
    ("*", "*: truthy", "a flag is true or false; torch takes whatever is truthy"),
    ("*", "*: * as text*", "a number is no text; torch reads some"),
    ("*", "*: fraction*", "a whole number has no point; torch takes 2.0 where it does not look"),
    ("*", "*: number above*", "a whole number has an upper limit, 2**20 for sizes"),
    ("Upsample", "scale_factor: real above*", "a whole number has an upper limit, 2**20 for sizes"),
    ("*", "*: number below*", "sizes start at one, and a divisor is positive"),
    ("*", "eps: real below", "eps is not negative"),
    ("*Pool2d Conv* Upsample", "*: too few", "one number or two; torch reads [3] as 3"),
    ("*RoI*", "output_size: too many", "one number or two; torchvision reads the first two"),
    ("*RoI*", "output_size: too few", "one number or two; torchvision reads [3] as 3"),
    ("RoI*", "spatial_scale: real below", "a map is not smaller than nothing"),
    ("Proposals", "sizes: *", "the anchors of a map have sizes above 0, and are 16 at most"),
    ("Proposals", "ratios: *", "the anchors of a map have ratios above 0, and are 16 at most"),
    ("Proposals", "iou: real *", "an overlap is from 0 to 1"),
    ("Proposals", "score: real *", "a score is from 0 to 1"),
    ("Proposals", "smallest: real below", "no box has sides below 0"),
    ("BatchNorm2d", "num_features: no value", "a number of channels is a number"),
    ("Reshape", "sizes: too few", "a row keeps a dimension beside the batch"),
    ("Softmax", "dim: *", "the dimension has to be said; torch guesses it, and warns"),
    ("Identity", "*: unknown argument", "nn.Identity swallows any argument"),
    # What may arrive and leave.
    (
        "Add Mul WeightedSum",
        "E0406 None",
        "tensors of different rank are not aligned for the writer",
    ),
    ("*", "E0406 None", "a map is (N, C, H, W); torch takes some with fewer or more dimensions"),
    (
        "ConvTranspose2d Upsample ZeroPad2d",
        "E0402 *",
        "a map is never empty; torch makes some of no size",
    ),
    (
        "Cat Flatten Narrow Permute",
        "E0408 *",
        "the batch stays the first dimension, and as large as it is",
    ),
    (
        "MultiScaleRoIAlign",
        "E0407 stride",
        "a map has a level, which is the logarithm of its stride",
    ),
    ("*MaxPool2d", "E0408 return_indices", "a row makes one tensor"),
    ("PerBox", "E0502 columns", "rows would mix the numbers of several cells"),
    (
        "*Norm* LocallyConnected2d",
        "*: not what arrives",
        "written sizes are those that arrive; torch may not look",
    ),
    ("WeightedSum", "mode: *", "a mode is one of the words; what is emitted follows from it"),
    ("WeightedSum", "num_inputs: no value", "a number of tensors is a number"),
    (
        "WeightedSum",
        "E0305 num_inputs",
        "the number is that of the tensors; a plain sum has no use for it",
    ),
    ("Conv2d", "E0407 padding_mode", "four-sided and TensorFlow's padding hold zeros"),
    ("MaxPool2d", "E0407 ceil_mode", "TensorFlow's padding leaves nothing to round up"),
)
"""Op, cause and reason; the op and the cause are patterns."""


def reason(op: str, cause: str) -> str | None:
    """Return why specc refuses a call that torch takes, if that is on the list."""
    for ops, causes, why in DOCUMENTED_REFUSALS:
        if any(fnmatchcase(op, name) for name in ops.split()) and fnmatchcase(cause, causes):
            return why
    return None
