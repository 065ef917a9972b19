"""Annotated images in, training batches out.

    layout -> reader -> scan -> Dataset -> Loader -> Batch -> photometric -> the network

A data set is scanned once, when it is opened. A format's reader returns what its files say;
all rules about bad input are applied afterwards, in `scan`, and counted in the data set's `Report`.
Geometry (zoom, crop, flip, resize) runs on the CPU as one affine warp, which gives uint8 images of the
network's size; colour distortion runs batched on the training device.

All randomness is a pure function of (seed, epoch, index), so none of it has to be saved:
a run resumed at any batch of any epoch sees the same data as one that was never interrupted.
"""

from specc_runtime.data.augment import AUGMENTATIONS, SSDAugmentation
from specc_runtime.data.batch import Batch
from specc_runtime.data.colour import photometric
from specc_runtime.data.dataset import Annotation, Dataset, Limits
from specc_runtime.data.images import UnreadableImage
from specc_runtime.data.layout import open_dataset
from specc_runtime.data.loader import Loader
from specc_runtime.data.report import DataError, Fault, Report

__all__ = [
    "AUGMENTATIONS",
    "Annotation",
    "Batch",
    "DataError",
    "Dataset",
    "Fault",
    "Limits",
    "Loader",
    "Report",
    "SSDAugmentation",
    "UnreadableImage",
    "open_dataset",
    "photometric",
]
