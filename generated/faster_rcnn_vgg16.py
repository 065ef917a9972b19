"""Faster R-CNN on VGG16, as in the paper.

Ren et al., Faster R-CNN, NeurIPS 2015; objectness is one logistic score an anchor, the alternative
of its footnote.

Emitted by specc from specs/faster_rcnn_vgg16.yaml: change the spec, not this file.

    images (N, 3, 600, 1000) -> objectness (N, 20646, 1), rpn_deltas (N, 20646, 4),
    proposals (N, 300, 4), valid (N, 300), logits (N, 300, 21), deltas (N, 300, 84)
    137,073,622 parameters, 224.617 G multiply-adds, 20,646 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import nms, roi_pool  # pyright: ignore  # has no types


def base_anchors(sizes: list[float], ratios: list[float]) -> list[list[int]]:
    """Boxes around (0, 0), ratio by ratio, whose halves are rounded to whole pixels."""
    shapes = [(size / ratio**0.5, size * ratio**0.5) for ratio in ratios for size in sizes]
    halves = [(round(width / 2), round(height / 2)) for width, height in shapes]
    return [[-x, -y, x, y] for x, y in halves]


def clip_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Let boxes (N, K, 4) end at the edge of the images (N, C, H, W)."""
    height, width = images.shape[-2:]
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x, y], dim=-1).flatten(2)


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Move centres by shares of the anchors' sides, and multiply the sides by at most 1000 / 16."""
    sides = anchors[..., 2:] - anchors[..., :2]
    centres = anchors[..., :2] + 0.5 * sides + deltas[..., :2] * sides
    halves = 0.5 * sides * deltas[..., 2:].clamp(max=math.log(1000 / 16)).exp()
    return torch.cat([centres - halves, centres + halves], dim=-1)


def grid_anchors(base: Tensor, images: Tensor, x: Tensor) -> Tensor:
    """Boxes (H * W * A, 4) of a map: `base` (A, 4) around the first corner of each cell."""
    sides = zip(images.shape[-2:], x.shape[-2:], strict=True)
    rows, columns = (torch.arange(n, device=x.device) * (side // n) for side, n in sides)
    top, left = torch.meshgrid(rows, columns, indexing="ij")
    corners = torch.stack([left, top, left, top], dim=-1)
    return (corners[:, :, None] + base).reshape(-1, 4)


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Pick rows of each image: x (N, A, C) at rows (N, K) -> (N, K, C)."""
    return x.gather(1, rows[:, :, None].expand(-1, -1, x.shape[2]))


class Proposals(nn.Module):
    """The boxes that a region proposal network is surest of, `keep` of them for every image.

    Of boxes of one map that overlap by more than `iou`, the surest stays. Empty boxes, all zeros,
    fill up the places that are left. Ren et al., Faster R-CNN, NeurIPS 2015, section 3.
    """

    anchors: Tensor

    def __init__(
        self,
        sizes: list[list[float]],
        ratios: list[float],
        *,
        per_map: int = 1000,
        iou: float = 0.7,
        keep: int = 1000,
        smallest: float = 1e-3,
        score: float = 0.0,
    ) -> None:
        super().__init__()
        anchors = torch.tensor([base_anchors(of, ratios) for of in sizes]).float()
        self.register_buffer("anchors", anchors, persistent=False)
        self.per_map = per_map
        self.iou = iou
        self.keep = keep
        self.smallest = smallest
        self.score = score

    def forward(self, objectness: Tensor, deltas: Tensor, images: Tensor, *maps: Tensor) -> Tensor:
        objectness, deltas = objectness.detach().flatten(1), deltas.detach()
        grids = [grid_anchors(base, images, x) for base, x in zip(self.anchors, maps, strict=True)]
        counts = [len(grid) for grid in grids]
        rows = objectness.split_with_sizes(counts, 1), deltas.split_with_sizes(counts, 1)
        found = [self.of_map(*of, images) for of in zip(*rows, grids, strict=True)]
        scores, boxes = (torch.cat(of, dim=1) for of in zip(*found, strict=True))
        side = max(images.shape[-2:])
        shifts = [torch.full_like(of, i * side) for i, (of, _) in enumerate(found)]
        scores = self.apart(scores, boxes + torch.cat(shifts, dim=1)[:, :, None])
        scores, best = scores.topk(min(self.keep, scores.shape[1]))
        boxes = take_rows(boxes, best).where(scores[:, :, None] > -torch.inf, 0)
        return functional.pad(boxes, (0, 0, 0, self.keep - boxes.shape[1]))

    def of_map(
        self, scores: Tensor, deltas: Tensor, anchors: Tensor, images: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the best boxes of a map: scores (N, K), -inf if too poor, and boxes (N, K, 4)."""
        scores, best = scores.topk(min(self.per_map, scores.shape[1]))
        boxes = decode_boxes(take_rows(deltas, best), anchors[best])
        boxes = clip_boxes(boxes, images)
        is_large = (boxes[..., 2:] - boxes[..., :2] >= self.smallest).all(dim=-1)
        return scores.where(is_large & (scores.sigmoid() >= self.score), -torch.inf), boxes

    def apart(self, scores: Tensor, boxes: Tensor) -> Tensor:
        """Return scores (N, K), -inf where a better box overlaps by more than `iou`."""
        kept = [nms(of, by, self.iou) for of, by in zip(boxes, scores, strict=True)]
        gone = torch.full_like(scores, -torch.inf)
        rows = zip(gone, kept, scores, strict=True)
        return torch.stack([row.index_copy(0, best, by[best]) for row, best, by in rows])


def roi_rows(regions: Tensor) -> Tensor:
    """Put the number of its image before each region: (N, R, 4) -> (N * R, 5)."""
    images = torch.arange(len(regions), dtype=regions.dtype, device=regions.device)
    images = images[:, None, None].expand(-1, regions.shape[1], 1)
    return torch.cat([images, regions], dim=2).flatten(0, 1)


class RoIPool(nn.Module):
    """Regions of a map, each pooled to one size: (N, R, 4) -> (N, R, C, *output_size)."""

    def __init__(self, output_size: int | tuple[int, int], *, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        pooled = roi_pool(x, roi_rows(regions), self.output_size, self.spatial_scale)
        return torch.unflatten(pooled, 0, regions.shape[:2])


def is_box(regions: Tensor) -> Tensor:
    """Tell boxes (N, R, 4) from the empty ones that fill up the places: (N, R)."""
    return (regions[..., 2:] > regions[..., :2]).all(dim=-1)


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class Features(nn.Sequential):
    """Module `Features` of the spec."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 64, kernel_size=3, padding=1),  # 0: 64x600x1000
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 3: conv1_2, 64x600x1000
            nn.MaxPool2d(kernel_size=2, stride=2),  # 4: 64x300x500
            nn.Conv2d(64, 128, kernel_size=3, padding=1),  # 5: 128x300x500
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 8: conv2_2, 128x300x500
            nn.MaxPool2d(kernel_size=2, stride=2),  # 9: 128x150x250
            nn.Conv2d(128, 256, kernel_size=3, padding=1),  # 10: 256x150x250
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 15: conv3_3, 256x150x250
            nn.MaxPool2d(kernel_size=2, stride=2),  # 16: 256x75x125
            nn.Conv2d(256, 512, kernel_size=3, padding=1),  # 17: 512x75x125
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 22: conv4_3, 512x75x125
            nn.MaxPool2d(kernel_size=2, stride=2),  # 23: 512x37x62
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 29: conv5_3, 512x37x62
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                nn.init.zeros_(layer.get_parameter("bias"))


class ConvReLU(nn.Sequential):
    """A 3x3 convolution and its ReLU."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=3, padding=1),  # 0: 512x37x62
            nn.ReLU(inplace=True),
        )
        nn.init.normal_(self.get_parameter("0.weight"), std=0.01)
        nn.init.zeros_(self.get_parameter("0.bias"))


class RPNHead(nn.Module):
    """The same layers on every map."""

    def __init__(self, in_channels: int, anchors: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(ConvReLU(in_channels, in_channels))
        self.objectness = nn.Conv2d(in_channels, anchors, kernel_size=1)
        nn.init.normal_(self.objectness.weight, std=0.01)
        nn.init.zeros_(self.objectness.get_parameter("bias"))
        self.deltas = nn.Conv2d(in_channels, 4 * anchors, kernel_size=1)
        nn.init.normal_(self.deltas.weight, std=0.01)
        nn.init.zeros_(self.deltas.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        conv = self.conv(x)  # 512x37x62
        objectness = self.objectness(conv)  # 9x37x62
        deltas = self.deltas(conv)  # 36x37x62
        return objectness, deltas


class RPN(nn.Module):
    """How sure a box is an object, and how to move it, for every anchor of every map."""

    def __init__(self, anchors: int) -> None:
        super().__init__()
        self.head = RPNHead(512, anchors)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        head = [self.head(x) for x in maps]
        head_objectness = [each[0] for each in head]
        deltas = [each[1] for each in head]
        scores = [per_box(x, 1) for x in head_objectness]
        moves = [per_box(x, 4) for x in deltas]
        objectness = torch.cat(scores, dim=1)  # 20646x1
        rpn_deltas = torch.cat(moves, dim=1)  # 20646x4
        return objectness, rpn_deltas


class BoxHead(nn.Module):
    """VGG16's fc6 and fc7, then for each region a softmax and four numbers for each class."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten(start_dim=2)
        self.fc6 = nn.Linear(25088, 4096)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout()
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout()
        self.logits = nn.Linear(4096, num_classes)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.zeros_(self.logits.get_parameter("bias"))
        self.deltas = nn.Linear(4096, 4 * num_classes)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.deltas.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.flatten(x)  # 300x25088
        x = self.fc6(x)  # 300x4096
        x = self.relu6(x)  # 300x4096
        x = self.drop6(x)  # 300x4096
        x = self.fc7(x)  # 300x4096
        x = self.relu7(x)  # 300x4096
        drop7 = self.drop7(x)  # 300x4096
        logits = self.logits(drop7)  # 300x21
        deltas = self.deltas(drop7)  # 300x84
        return logits, deltas


class Outputs(NamedTuple):
    """What `FasterRCNN` returns."""

    objectness: Tensor  # (N, 20646, 1)
    rpn_deltas: Tensor  # (N, 20646, 4)
    proposals: Tensor  # (N, keep, 4)
    valid: Tensor  # (N, keep)
    logits: Tensor  # (N, keep, num_classes)
    deltas: Tensor  # (N, keep, 4 * num_classes)


class FasterRCNN(nn.Module):
    """Faster R-CNN on VGG16, as in the paper."""

    def __init__(self, num_classes: int = 21, per_map: int = 6000, keep: int = 300) -> None:
        super().__init__()
        self.vgg = Features()
        self.rpn = RPN(9)
        self.proposals = Proposals(
            [[128, 256, 512]], [0.5, 1, 2], per_map=per_map, keep=keep, smallest=16
        )
        self.pool = RoIPool(output_size=7, spatial_scale=0.0625)
        self.box = BoxHead(num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.vgg(images)  # 512x37x62

    def propose(self, images: Tensor, vgg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        objectness, rpn_deltas = self.rpn([vgg])  # 20646x1, 20646x4
        proposals = self.proposals(objectness, rpn_deltas, images, vgg)  # 300x4
        return objectness, rpn_deltas, proposals

    def roi(
        self, vgg: Tensor, objectness: Tensor, rpn_deltas: Tensor, proposals: Tensor
    ) -> Outputs:
        valid = is_box(proposals)  # 300
        x = self.pool(vgg, proposals)  # 300x512x7x7
        logits, deltas = self.box(x)  # 300x21, 300x84
        return Outputs(objectness, rpn_deltas, proposals, valid, logits, deltas)

    def forward(self, images: Tensor) -> Outputs:
        vgg = self.features(images)
        objectness, rpn_deltas, proposals = self.propose(images, vgg)
        return self.roi(vgg, objectness, rpn_deltas, proposals)


MODEL = FasterRCNN

DETECTOR = {
    "format": 1,
    "name": "faster_rcnn_vgg16",
    "num_classes": 21,
    "input": {
        "size": [600, 1000],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "stretch",
    },
    "outputs": {"boxes": "rpn_deltas", "objectness": "objectness"},
    "maps": [[37, 62]],
    "anchors": {"kind": "AnchorGrid", "sizes": [[128.0, 256.0, 512.0]], "ratios": [0.5, 1.0, 2.0]},
    "coder": {"kind": "BoxCoder", "weights": [1.0, 1.0, 1.0, 1.0], "clamp": None},
    "match": {
        "kind": "IoUMatch",
        "foreground": 0.7,
        "background": 0.3,
        "best_for_each_object": False,
        "allow_low_quality_matches": True,
    },
    "loss": {"kind": "RPNLoss", "examples": 256, "positive": 0.5, "beta": 0.1111111111111111},
    "select": {"kind": "NMS", "score": 0.05, "per_class": 300, "iou": 0.3, "keep": 100},
    "regions": {
        "proposals": "proposals",
        "outputs": {"boxes": "deltas", "classes": "logits"},
        "match": {
            "kind": "IoUMatch",
            "foreground": 0.5,
            "background": 0.5,
            "best_for_each_object": False,
            "allow_low_quality_matches": False,
        },
        "sample": {"kind": "Sample", "examples": 128, "positive": 0.25},
        "coder": {
            "kind": "BoxCoder",
            "weights": [10.0, 10.0, 5.0, 5.0],
            "clamp": 4.135166556742356,
        },
        "loss": {"kind": "FastRCNNLoss", "beta": 1.0},
        "stages": {
            "features": ["vgg"],
            "propose": ["objectness", "rpn_deltas", "proposals"],
            "roi": [],
        },
    },
}
