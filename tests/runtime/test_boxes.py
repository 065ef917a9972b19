"""Boxes against torchvision's own functions, and the identities that must hold."""

import math

import pytest
import torch
from torchvision.models.detection._utils import BoxCoder as TorchvisionCoder
from torchvision.ops import box_iou, clip_boxes_to_image

from specc_runtime.boxes import BoxCoder, clip, iou

from .ssd300 import anchors, random_boxes

torch.set_num_threads(1)


def test_iou_is_torchvisions_to_the_bit():
    torch.manual_seed(0)
    a, b = random_boxes((50,)), random_boxes((70,))
    assert torch.equal(iou(a, b), box_iou(a, b))
    assert torch.equal(iou(a, b), iou(b, a).T)


def test_iou_of_a_batch_is_that_of_its_pictures():
    torch.manual_seed(1)
    a, b = random_boxes((3, 5)), random_boxes((3, 7))
    assert torch.equal(iou(a, b), torch.stack([iou(x, y) for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_boxes_without_area_overlap_nothing_not_even_each_other(dtype):
    flat = torch.tensor([[5, 5, 5, 5], [0, 0, 0, 0], [2, 3, 2, 9], [0, 0, 10, 10]], dtype=dtype)
    overlap = iou(flat, flat)
    assert overlap[3, 3] == 1
    overlap[3, 3] = 0
    assert (overlap == 0).all()


def test_clip_is_torchvisions():
    torch.manual_seed(2)
    boxes = random_boxes((4, 100)) * 2 - 100
    assert torch.equal(clip(boxes, (200, 300)), clip_boxes_to_image(boxes, (200, 300)))


@pytest.mark.parametrize("clamp", [None, math.log(1000 / 16)])
def test_decoding_undoes_encoding(clamp):
    torch.manual_seed(3)
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0), clamp)
    start = anchors().double()
    boxes = random_boxes((2, len(start)), torch.float64)
    assert (coder.decode(coder.encode(boxes, start), start) - boxes).abs().max() < 1e-9


def test_coder_is_torchvisions():
    torch.manual_seed(4)
    weights = (10.0, 9.0, 5.0, 4.0)
    ours, theirs = BoxCoder(weights, math.log(1000 / 16)), TorchvisionCoder(weights)
    start = anchors().double()
    boxes = random_boxes((len(start),), torch.float64)
    assert (ours.encode(boxes, start) - theirs.encode_single(boxes, start)).abs().max() < 1e-10
    offsets = torch.randn(len(start), 4, dtype=torch.float64) * 10
    assert (ours.decode(offsets, start) - theirs.decode_single(offsets, start)).abs().max() < 1e-8


def test_clamp_bounds_the_growth():
    start = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    wild = torch.tensor([[0.0, 0.0, 1e4, 1e4]])
    assert BoxCoder(clamp=math.log(2)).decode(wild, start).tolist() == [[-5.0, -5.0, 15.0, 15.0]]
    assert BoxCoder(clamp=None).decode(wild, start).isinf().all()
