"""Default boxes against torchvision's generator and against the paper's own model."""

from dataclasses import replace

import pytest
import torch

from specc_runtime.anchors import AnchorGrid
from specc_runtime.boxes import centres_and_sizes
from specc_runtime.contract import ContractError

from . import torchvision_one_stage, torchvision_ssd
from .ssd300 import DEFAULT_BOXES, MAPS, SIZE

torch.set_num_threads(1)

# The first eight and the last four of Caffe's SSD300, as (cx, cy, w, h) in units of the picture.
CAFFE_FIRST = [
    [0.013333333333333334, 0.013333333333333334, 0.1, 0.1],
    [0.013333333333333334, 0.013333333333333334, 0.1414213562373095, 0.1414213562373095],
    [0.013333333333333334, 0.013333333333333334, 0.1414213562373095, 0.07071067811865474],
    [0.013333333333333334, 0.013333333333333334, 0.07071067811865474, 0.1414213562373095],
    [0.04, 0.013333333333333334, 0.1, 0.1],
    [0.04, 0.013333333333333334, 0.1414213562373095, 0.1414213562373095],
    [0.04, 0.013333333333333334, 0.1414213562373095, 0.07071067811865474],
    [0.04, 0.013333333333333334, 0.07071067811865474, 0.1414213562373095],
]
CAFFE_LAST = {
    False: [
        [0.5, 0.5, 0.88, 0.88],
        [0.5, 0.5, 0.9612491872558333, 0.9612491872558333],
        [0.5, 0.5, 1.2445079348883237, 0.6222539674441618],
        [0.5, 0.5, 0.6222539674441618, 1.2445079348883237],
    ],
    True: [
        [0.5, 0.5, 0.88, 0.88],
        [0.5, 0.5, 0.9612491872558333, 0.9612491872558333],
        [0.5, 0.5, 1.0, 0.6222539674441618],
        [0.5, 0.5, 0.6222539674441618, 1.0],
    ],
}


def build(clip: bool) -> torch.Tensor:
    return replace(DEFAULT_BOXES, clip=clip)(MAPS, (SIZE, SIZE))


@pytest.mark.parametrize("clip", [False, True])
def test_equal_torchvisions(clip):
    d = DEFAULT_BOXES
    theirs = torchvision_ssd.anchors(d.sizes, d.ratios, d.strides, MAPS, SIZE, clip)
    ours = build(clip)
    assert ours.shape == (8732, 4)
    # torchvision works in float32 throughout: its own rounding is up to 3e-5 at 300 pixels.
    assert (ours - theirs).abs().max() < 4e-5


@pytest.mark.parametrize("clip", [False, True])
def test_equal_the_papers(clip):
    boxes = torch.cat(centres_and_sizes(build(clip).double()), dim=1) / SIZE
    assert (boxes[:8] - torch.tensor(CAFFE_FIRST, dtype=torch.float64)).abs().max() < 1e-6
    assert (boxes[-4:] - torch.tensor(CAFFE_LAST[clip], dtype=torch.float64)).abs().max() < 1e-6


def test_clip_bounds_width_by_width_and_height_by_height():
    boxes = replace(
        DEFAULT_BOXES, sizes=(100.0, 400.0), ratios=((2.0,),), strides=(50.0,), clip=True
    )(((2, 1),), (100, 50))
    _, sizes = centres_and_sizes(boxes)
    assert sizes.amax(dim=0).tolist() == [50.0, 100.0]


def test_rows_come_before_columns():
    boxes = replace(DEFAULT_BOXES, sizes=(10.0, 10.0), ratios=((),), strides=(20.0,))(
        ((2, 3),), (40, 60)
    )
    centres, _ = centres_and_sizes(boxes[::2])
    assert centres.tolist() == [[x, y] for y in (10.0, 30.0) for x in (10.0, 30.0, 50.0)]


def test_a_list_of_the_wrong_length_is_an_error():
    with pytest.raises(ContractError, match="6 sizes, 6 ratios and 6 strides for 6 maps"):
        replace(DEFAULT_BOXES, sizes=DEFAULT_BOXES.sizes[1:])(MAPS, (SIZE, SIZE))


RETINANET_SIZES = tuple(
    (float(s), float(int(s * 2 ** (1 / 3))), float(int(s * 2 ** (2 / 3))))
    for s in (32, 64, 128, 256, 512)
)


@pytest.mark.parametrize(
    ("size", "maps", "total"),
    [
        ((800, 800), ((100, 100), (50, 50), (25, 25), (13, 13), (7, 7)), 120087),
        ((320, 320), ((40, 40), (20, 20), (10, 10), (5, 5), (3, 3)), 19206),
        ((800, 1344), ((100, 168), (50, 84), (25, 42), (13, 21), (7, 11)), 201_600),
    ],
)
def test_a_grid_of_anchors_is_torchvisions(size, maps, total):
    grid = AnchorGrid(sizes=RETINANET_SIZES, ratios=(0.5, 1.0, 2.0))
    ours = grid(maps, size)
    theirs = torchvision_one_stage.anchors(RETINANET_SIZES, (0.5, 1.0, 2.0), maps, size)
    assert torch.equal(ours, theirs)
    assert grid.per_cell == (9,) * 5
    assert len(ours) == total


def test_a_grid_needs_sizes_for_each_map():
    with pytest.raises(ContractError, match="5 sizes for 2 maps"):
        AnchorGrid(sizes=RETINANET_SIZES, ratios=(1.0,))(((8, 8), (4, 4)), (64, 64))
