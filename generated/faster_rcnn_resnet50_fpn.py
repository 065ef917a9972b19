"""Faster R-CNN on ResNet-50 with a feature pyramid, P2 to P6.

Ren et al., Faster R-CNN, NeurIPS 2015; Lin et al., Feature Pyramid Networks for Object Detection,
CVPR 2017.

Emitted by specc from specs/faster_rcnn_resnet50_fpn.yaml: change the spec, not this file.

    images (N, 3, 800, 800) -> objectness (N, 159882, 1), rpn_deltas (N, 159882, 4),
    proposals (N, 1000, 4), valid (N, 1000), logits (N, 1000, 91), deltas (N, 1000, 364)
    41,808,406 parameters, 134.380 G multiply-adds, 159,882 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import nms, roi_align  # pyright: ignore  # has no types


def roi_rows(regions: Tensor) -> Tensor:
    """Put the number of its image before each region: (N, R, 4) -> (N * R, 5)."""
    images = torch.arange(len(regions), dtype=regions.dtype, device=regions.device)
    images = images[:, None, None].expand(-1, regions.shape[1], 1)
    return torch.cat([images, regions], dim=2).flatten(0, 1)


class MultiScaleRoIAlign(nn.Module):
    """Regions, each sampled to one size from the map that suits its area.

    Maps go from fine to coarse, `stride` being that of the finest, each next one's twice as much.
    Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017, equation 1.
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        *,
        stride: int,
        sampling_ratio: int = -1,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.stride = stride
        self.sampling_ratio = sampling_ratio
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def forward(self, regions: Tensor, *maps: Tensor) -> Tensor:
        rows, places = roi_rows(regions), self.places(regions, len(maps)).flatten()
        order = [(places == level).nonzero().squeeze(1) for level in range(len(maps))]
        strides = [self.stride * 2**level for level in range(len(maps))]
        samples = torch.cat(
            [
                roi_align(x, rows[here], self.output_size, 1 / stride, self.sampling_ratio)
                for x, here, stride in zip(maps, order, strides, strict=True)
            ]
        )
        samples = torch.empty_like(samples).index_copy_(0, torch.cat(order), samples)
        return torch.unflatten(samples, 0, regions.shape[:2])

    def places(self, regions: Tensor, maps: int) -> Tensor:
        """Return the number of the map that each region (N, R, 4) is read from: (N, R)."""
        side = (regions[..., 2:] - regions[..., :2]).prod(dim=-1).sqrt()
        level = self.canonical_level + torch.log2(side / self.canonical_scale)
        return (torch.floor(level + 1e-6) - math.log2(self.stride)).clamp(0, maps - 1)


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


def is_box(regions: Tensor) -> Tensor:
    """Tell boxes (N, R, 4) from the empty ones that fill up the places: (N, R)."""
    return (regions[..., 2:] > regions[..., :2]).all(dim=-1)


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class Projection(nn.Sequential):
    """The shortcut where size or width change."""

    def __init__(self, in_channels: int, out: int, eps: float, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(out, eps=eps),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut."""

    def __init__(self, cin: int, width: int, eps: float, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.downsample = Projection(cin, width * 4, eps, stride)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        bn3 = self.bn3(y)
        y = self.downsample(x)
        y = bn3 + y
        return self.relu3(y)


class BottleneckNoDownsample(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut, without `downsample`."""

    def __init__(self, cin: int, width: int, eps: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        y = self.bn3(y)
        y = y + x
        return self.relu3(y)


class ResNet(nn.Module):
    """ResNet, with C2 to C5 at layer1 to layer4."""

    def __init__(self, eps: float = 1e-05) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(64, eps=eps)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, eps, stride=2),
            *(BottleneckNoDownsample(512, 128, eps) for _ in range(3)),
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, eps, stride=2),
            *(BottleneckNoDownsample(1024, 256, eps) for _ in range(5)),
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, eps, stride=2),
            BottleneckNoDownsample(2048, 512, eps),
            BottleneckNoDownsample(2048, 512, eps),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.conv1(images)  # 64x400x400
        x = self.bn1(x)  # 64x400x400
        x = self.relu(x)  # 64x400x400
        x = self.maxpool(x)  # 64x200x200
        layer1 = self.layer1(x)  # 256x200x200
        layer2 = self.layer2(layer1)  # 512x100x100
        layer3 = self.layer3(layer2)  # 1024x50x50
        layer4 = self.layer4(layer3)  # 2048x25x25
        return layer1, layer2, layer3, layer4


class TopDown(nn.Module):
    """Add the coarser map, brought to this one's size. What is added is not smoothed yet."""

    def forward(self, lateral: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=lateral.shape[-2:], mode="nearest")
        return lateral + x


class FPN(nn.Module):
    """Maps of one width; what a map lacks in context comes from the next coarser one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            [
                nn.Conv2d(256, width, kernel_size=1),
                nn.Conv2d(512, width, kernel_size=1),
                nn.Conv2d(1024, width, kernel_size=1),
                nn.Conv2d(2048, width, kernel_size=1),
            ]
        )
        for layer in self.lateral:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.merged = nn.ModuleList(TopDown() for _ in range(3))
        self.smooth = nn.ModuleList(
            nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(4)
        )
        for layer in self.smooth:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        merged0 = self.merged[0](lateral[2], lateral[3])  # 256x50x50
        merged1 = self.merged[1](lateral[1], merged0)  # 256x100x100
        merged2 = self.merged[2](lateral[0], merged1)  # 256x200x200
        return [
            layer(x)
            for layer, x in zip(self.smooth, [merged2, merged1, merged0, lateral[3]], strict=True)
        ]


class ConvReLU(nn.Sequential):
    """A 3x3 convolution and its ReLU."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=3, padding=1),
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
        conv = self.conv(x)
        objectness = self.objectness(conv)
        deltas = self.deltas(conv)
        return objectness, deltas


class RPN(nn.Module):
    """How sure a box is an object, and how to move it, for every anchor of every map."""

    def __init__(self, anchors: int) -> None:
        super().__init__()
        self.head = RPNHead(256, anchors)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        head = [self.head(x) for x in maps]
        head_objectness = [each[0] for each in head]
        deltas = [each[1] for each in head]
        scores = [per_box(x, 1) for x in head_objectness]
        moves = [per_box(x, 4) for x in deltas]
        objectness = torch.cat(scores, dim=1)  # 159882x1
        rpn_deltas = torch.cat(moves, dim=1)  # 159882x4
        return objectness, rpn_deltas


class BoxHead(nn.Module):
    """Two layers, then for each region a softmax and four numbers for each class."""

    def __init__(self, num_classes: int, width: int = 1024) -> None:
        super().__init__()
        self.flatten = nn.Flatten(start_dim=2)
        self.fc6 = nn.Linear(12544, width)
        self.relu6 = nn.ReLU(inplace=True)
        self.fc7 = nn.Linear(width, width)
        self.relu7 = nn.ReLU(inplace=True)
        self.logits = nn.Linear(width, num_classes)
        self.deltas = nn.Linear(width, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.flatten(x)  # 1000x12544
        x = self.fc6(x)  # 1000x1024
        x = self.relu6(x)  # 1000x1024
        x = self.fc7(x)  # 1000x1024
        relu7 = self.relu7(x)  # 1000x1024
        logits = self.logits(relu7)  # 1000x91
        deltas = self.deltas(relu7)  # 1000x364
        return logits, deltas


class Outputs(NamedTuple):
    """What `FasterRCNN` returns."""

    objectness: Tensor  # (N, 159882, 1)
    rpn_deltas: Tensor  # (N, 159882, 4)
    proposals: Tensor  # (N, keep, 4)
    valid: Tensor  # (N, keep)
    logits: Tensor  # (N, keep, num_classes)
    deltas: Tensor  # (N, keep, 4 * num_classes)


class FasterRCNN(nn.Module):
    """Faster R-CNN on ResNet-50 with a feature pyramid, P2 to P6."""

    def __init__(self, num_classes: int = 91, per_map: int = 1000, keep: int = 1000) -> None:
        super().__init__()
        self.body = ResNet()
        self.fpn = FPN(256)
        self.p6 = nn.MaxPool2d(kernel_size=1, stride=2)
        self.rpn = RPN(3)
        self.proposals = Proposals(
            [[32], [64], [128], [256], [512]], [0.5, 1, 2], per_map=per_map, keep=keep
        )
        self.pool = MultiScaleRoIAlign(output_size=7, stride=4, sampling_ratio=2)
        self.box = BoxHead(num_classes)

    def features(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        # 256x200x200, 512x100x100, 1024x50x50, 2048x25x25
        layer1, layer2, layer3, layer4 = self.body(images)
        # 256x200x200, 256x100x100, 256x50x50, 256x25x25
        fpn = self.fpn([layer1, layer2, layer3, layer4])
        p6 = self.p6(fpn[3])  # 256x13x13
        pyramid = [*fpn, p6]
        return fpn, pyramid

    def propose(self, images: Tensor, pyramid: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        objectness, rpn_deltas = self.rpn(pyramid)  # 159882x1, 159882x4
        proposals = self.proposals(objectness, rpn_deltas, images, *pyramid)  # 1000x4
        return objectness, rpn_deltas, proposals

    def roi(
        self, fpn: list[Tensor], objectness: Tensor, rpn_deltas: Tensor, proposals: Tensor
    ) -> Outputs:
        valid = is_box(proposals)  # 1000
        x = self.pool(proposals, *fpn)  # 1000x256x7x7
        logits, deltas = self.box(x)  # 1000x91, 1000x364
        return Outputs(objectness, rpn_deltas, proposals, valid, logits, deltas)

    def forward(self, images: Tensor) -> Outputs:
        fpn, pyramid = self.features(images)
        objectness, rpn_deltas, proposals = self.propose(images, pyramid)
        return self.roi(fpn, objectness, rpn_deltas, proposals)


MODEL = FasterRCNN

DETECTOR = {
    "format": 1,
    "name": "faster_rcnn_resnet50_fpn",
    "num_classes": 91,
    "input": {
        "size": [800, 800],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "stretch",
    },
    "outputs": {"boxes": "rpn_deltas", "objectness": "objectness"},
    "maps": [[200, 200], [100, 100], [50, 50], [25, 25], [13, 13]],
    "anchors": {
        "kind": "AnchorGrid",
        "sizes": [[32.0], [64.0], [128.0], [256.0], [512.0]],
        "ratios": [0.5, 1.0, 2.0],
    },
    "coder": {"kind": "BoxCoder", "weights": [1.0, 1.0, 1.0, 1.0], "clamp": None},
    "match": {
        "kind": "IoUMatch",
        "foreground": 0.7,
        "background": 0.3,
        "best_for_each_object": False,
        "allow_low_quality_matches": True,
    },
    "loss": {"kind": "RPNLoss", "examples": 256, "positive": 0.5, "beta": 0.1111111111111111},
    "select": {"kind": "NMS", "score": 0.05, "per_class": 1000, "iou": 0.5, "keep": 100},
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
        "sample": {"kind": "Sample", "examples": 512, "positive": 0.25},
        "coder": {
            "kind": "BoxCoder",
            "weights": [10.0, 10.0, 5.0, 5.0],
            "clamp": 4.135166556742356,
        },
        "loss": {"kind": "FastRCNNLoss", "beta": 0.1111111111111111},
        "stages": {
            "features": ["fpn", "pyramid"],
            "propose": ["objectness", "rpn_deltas", "proposals"],
            "roi": [],
        },
    },
}
