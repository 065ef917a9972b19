"""Faster R-CNN on MobileNetV3, whose two coarsest maps make a small pyramid.

Ren et al., Faster R-CNN, NeurIPS 2015; Howard et al., Searching for MobileNetV3, ICCV 2019; the two
put together by torchvision.

Emitted by specc from specs/faster_rcnn_mobilenet_v3_large_fpn.yaml: change the spec, not this file.

    images (N, 3, 800, 800) -> objectness (N, 21285, 1), rpn_deltas (N, 21285, 4),
    proposals (N, 1000, 4), valid (N, 1000), logits (N, 1000, 91), deltas (N, 1000, 364)
    19,410,754 parameters, 18.853 G multiply-adds, 21,285 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import nms, roi_align  # pyright: ignore  # has no types


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


class RoIAlign(nn.Module):
    """Regions of a map, each sampled to one size: (N, R, 4) -> (N, R, C, *output_size)."""

    def __init__(
        self,
        output_size: int | tuple[int, int],
        *,
        spatial_scale: float,
        sampling_ratio: int = -1,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        samples = roi_align(
            x,
            roi_rows(regions),
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.aligned,
        )
        return torch.unflatten(samples, 0, regions.shape[:2])


def is_box(regions: Tensor) -> Tensor:
    """Tell boxes (N, R, 4) from the empty ones that fill up the places: (N, R)."""
    return (regions[..., 2:] > regions[..., :2]).all(dim=-1)


def make_divisible(value: float, divisor: int) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (Howard et al., MobileNet)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class ConvNormHardswish(nn.Sequential):
    """Module `ConvNorm` of the spec, with `Hardswish`."""

    def __init__(
        self, in_channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out,
                kernel_size=kernel,
                stride=stride,
                padding=kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out),
            nn.Hardswish(inplace=True),
        )


class ConvNormReLU(nn.Sequential):
    """Module `ConvNorm` of the spec, with `ReLU`."""

    def __init__(
        self, in_channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out,
                kernel_size=kernel,
                stride=stride,
                padding=kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )


class Project(nn.Sequential):
    """A convolution of single positions with its norm, and no activation."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out),
        )


class BneckReLUNoExpandNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `expand` and `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.depthwise = ConvNormReLU(16, 16, kernel, groups=16)
        self.project = Project(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)  # 16x400x400
        y = self.project(y)  # 16x400x400
        return y + x  # 16x400x400


class BneckReLUNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(16, 64, 1)
        self.depthwise = ConvNormReLU(64, 64, kernel, stride=2, groups=64)
        self.project = Project(64, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 64x400x400
        x = self.depthwise(x)  # 64x200x200
        return self.project(x)  # 24x200x200


class BneckReLUNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(24, 72, 1)
        self.depthwise = ConvNormReLU(72, 72, kernel, groups=72)
        self.project = Project(72, 24)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 72x200x200
        y = self.depthwise(y)  # 72x200x200
        y = self.project(y)  # 24x200x200
        return y + x  # 24x200x200


class SqueezeExcite(nn.Module):
    """Weigh each channel by what all of its positions say (section 5.3)."""

    def __init__(self, c: int, squeezed: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=1)
        self.fc1 = nn.Conv2d(c, squeezed, kernel_size=1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, c, kernel_size=1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.avgpool(x)
        y = self.fc1(y)
        y = self.relu(y)
        y = self.fc2(y)
        y = self.gate(y)
        return x * y


class BneckReLUNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(24, 72, 1)
        self.depthwise = ConvNormReLU(72, 72, kernel, stride=2, groups=72)
        self.se = SqueezeExcite(72, 24)
        self.project = Project(72, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 72x200x200
        x = self.depthwise(x)  # 72x100x100
        x = self.se(x)  # 72x100x100
        return self.project(x)  # 40x100x100


class BneckReLU(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(40, 120, 1)
        self.depthwise = ConvNormReLU(120, 120, kernel, groups=120)
        self.se = SqueezeExcite(120, 32)
        self.project = Project(120, 40)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 120x100x100
        y = self.depthwise(y)  # 120x100x100
        y = self.se(y)  # 120x100x100
        y = self.project(y)  # 40x100x100
        return y + x  # 40x100x100


class BneckHardswishNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(40, 240, 1)
        self.depthwise = ConvNormHardswish(240, 240, kernel, stride=2, groups=240)
        self.project = Project(240, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 240x100x100
        x = self.depthwise(x)  # 240x50x50
        return self.project(x)  # 80x50x50


class BneckHardswishNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `se`."""

    def __init__(self, kernel: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(80, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, groups=hidden)
        self.project = Project(hidden, 80)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        y = self.depthwise(y)
        y = self.project(y)  # 80x50x50
        return y + x  # 80x50x50


class BneckHardswishNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `add`."""

    def __init__(self, c: int, kernel: int, hidden: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(c, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.se = SqueezeExcite(hidden, make_divisible(hidden // 4, 8))
        self.project = Project(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)
        x = self.depthwise(x)
        x = self.se(x)
        return self.project(x)


class BneckHardswish(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`."""

    def __init__(self, c: int, kernel: int, hidden: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(c, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, groups=hidden)
        self.se = SqueezeExcite(hidden, make_divisible(hidden // 4, 8))
        self.project = Project(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        y = self.depthwise(y)
        y = self.se(y)
        y = self.project(y)
        return y + x


class Large(nn.ModuleList):
    """Table 1 of the paper, without its last two rows."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            [
                ConvNormHardswish(in_channels, 16, 3, stride=2),  # 0: 16x400x400
                BneckReLUNoExpandNoSe(3),
                BneckReLUNoSeNoAdd(3, 24),  # 2: 24x200x200
                BneckReLUNoSe(3),
                BneckReLUNoAdd(5, 40),  # 4: 40x100x100
                BneckReLU(5),
                BneckReLU(5),
                BneckHardswishNoSeNoAdd(3, 80),  # 7: 80x50x50
                BneckHardswishNoSe(3, 200),
                BneckHardswishNoSe(3, 184),
                BneckHardswishNoSe(3, 184),
                BneckHardswishNoAdd(80, 3, 480, 112),  # 11: 112x50x50
                BneckHardswish(112, 3, 672, 112),
                BneckHardswishNoAdd(112, 5, 672, 160, stride=2),  # 13: c4, 160x25x25
                BneckHardswish(160, 5, 960, 160),
                BneckHardswish(160, 5, 960, 160),
                ConvNormHardswish(160, 960, 1),  # 16: 960x25x25
            ]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = list(self)
        for row in rows[:14]:
            x = row(x)
        c4 = x  # 160x25x25
        for row in rows[14:]:
            x = row(x)
        return c4, x


class MobileNetV3(nn.Module):
    """MobileNetV3, large and small."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Large(3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        c4, row16 = self.features(images)  # 160x25x25, 960x25x25
        return c4, row16


class TopDown(nn.Module):
    """Add the coarser map, brought to this one's size. What is added is not smoothed yet."""

    def forward(self, lateral: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=lateral.shape[-2:], mode="nearest")  # 256x25x25
        return lateral + x  # 256x25x25


class FPN(nn.Module):
    """Maps of one width; what a map lacks in context comes from the next coarser one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            [nn.Conv2d(160, width, kernel_size=1), nn.Conv2d(960, width, kernel_size=1)]
        )
        for layer in self.lateral:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.merged = nn.ModuleList([TopDown()])
        self.smooth = nn.ModuleList(
            [
                nn.Conv2d(width, width, kernel_size=3, padding=1),
                nn.Conv2d(width, width, kernel_size=3, padding=1),
            ]
        )
        for layer in self.smooth:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        merged = [layer(lateral[0], lateral[1]) for layer in self.merged]
        return [layer(x) for layer, x in zip(self.smooth, [*merged, lateral[1]], strict=True)]


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
        objectness = torch.cat(scores, dim=1)  # 21285x1
        rpn_deltas = torch.cat(moves, dim=1)  # 21285x4
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

    objectness: Tensor  # (N, 21285, 1)
    rpn_deltas: Tensor  # (N, 21285, 4)
    proposals: Tensor  # (N, 1000, 4)
    valid: Tensor  # (N, 1000)
    logits: Tensor  # (N, 1000, num_classes)
    deltas: Tensor  # (N, 1000, 4 * num_classes)


class FasterRCNN(nn.Module):
    """Faster R-CNN on MobileNetV3, whose two coarsest maps make a small pyramid."""

    def __init__(self, num_classes: int = 91) -> None:
        super().__init__()
        self.body = MobileNetV3()
        self.fpn = FPN(256)
        self.p6 = nn.MaxPool2d(kernel_size=1, stride=2)
        self.rpn = RPN(15)
        self.proposals = Proposals(
            [[32, 64, 128, 256, 512], [32, 64, 128, 256, 512], [32, 64, 128, 256, 512]],
            [0.5, 1, 2],
            per_map=1000,
            keep=1000,
            score=0.05,
        )
        self.pool = RoIAlign(output_size=7, spatial_scale=0.03125, sampling_ratio=2)
        self.box = BoxHead(num_classes)

    def features(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        c4, features = self.body(images)  # 160x25x25, 960x25x25
        fpn = self.fpn([c4, features])  # 256x25x25, 256x25x25
        p6 = self.p6(fpn[1])  # 256x13x13
        pyramid = [*fpn, p6]
        return fpn, pyramid

    def propose(self, images: Tensor, pyramid: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        objectness, rpn_deltas = self.rpn(pyramid)  # 21285x1, 21285x4
        proposals = self.proposals(objectness, rpn_deltas, images, *pyramid)  # 1000x4
        return objectness, rpn_deltas, proposals

    def roi(
        self, fpn: list[Tensor], objectness: Tensor, rpn_deltas: Tensor, proposals: Tensor
    ) -> Outputs:
        valid = is_box(proposals)  # 1000
        x = self.pool(fpn[0], proposals)  # 1000x256x7x7
        logits, deltas = self.box(x)  # 1000x91, 1000x364
        return Outputs(objectness, rpn_deltas, proposals, valid, logits, deltas)

    def forward(self, images: Tensor) -> Outputs:
        fpn, pyramid = self.features(images)
        objectness, rpn_deltas, proposals = self.propose(images, pyramid)
        return self.roi(fpn, objectness, rpn_deltas, proposals)


MODEL = FasterRCNN

DETECTOR = {
    "format": 1,
    "name": "faster_rcnn_mobilenet_v3_large_fpn",
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
    "maps": [[25, 25], [25, 25], [13, 13]],
    "anchors": {
        "kind": "AnchorGrid",
        "sizes": [
            [32.0, 64.0, 128.0, 256.0, 512.0],
            [32.0, 64.0, 128.0, 256.0, 512.0],
            [32.0, 64.0, 128.0, 256.0, 512.0],
        ],
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
