"""The op that makes regions of what a region proposal network says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import POSITIVE, integer, number, several
from specc.ops.base import Helper, Op, ShapeError, argument, op
from specc.ops.shapes import image, product, total
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from specc.values.dimensions import Dim, Shape

__all__ = ["Proposals"]

BASE_ANCHORS = Helper(
    "base_anchors",
    '''\
def base_anchors(sizes: list[float], ratios: list[float]) -> list[list[int]]:
    """Boxes around (0, 0), ratio by ratio, whose halves are rounded to whole pixels."""
    shapes = [(size / ratio**0.5, size * ratio**0.5) for ratio in ratios for size in sizes]
    halves = [(round(width / 2), round(height / 2)) for width, height in shapes]
    return [[-x, -y, x, y] for x, y in halves]
''',
)

GRID_ANCHORS = Helper(
    "grid_anchors",
    '''\
def grid_anchors(base: Tensor, images: Tensor, x: Tensor) -> Tensor:
    """Boxes (H * W * A, 4) of a map: `base` (A, 4) around the first corner of each cell."""
    sides = zip(images.shape[-2:], x.shape[-2:], strict=True)
    rows, columns = (torch.arange(n, device=x.device) * (side // n) for side, n in sides)
    top, left = torch.meshgrid(rows, columns, indexing="ij")
    corners = torch.stack([left, top, left, top], dim=-1)
    return (corners[:, :, None] + base).reshape(-1, 4)
''',
    imports=("import torch",),
)

DECODE = Helper(
    "decode_boxes",
    '''\
def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Move centres by shares of the anchors' sides, and multiply the sides by at most 1000 / 16."""
    sides = anchors[..., 2:] - anchors[..., :2]
    centres = anchors[..., :2] + 0.5 * sides + deltas[..., :2] * sides
    halves = 0.5 * sides * deltas[..., 2:].clamp(max=math.log(1000 / 16)).exp()
    return torch.cat([centres - halves, centres + halves], dim=-1)
''',
    imports=("import math", "import torch"),
)

CLIP = Helper(
    "clip_boxes",
    '''\
def clip_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Let boxes (N, K, 4) end at the edge of the images (N, C, H, W)."""
    height, width = images.shape[-2:]
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x, y], dim=-1).flatten(2)
''',
    imports=("import torch",),
)

TAKE_ROWS = Helper(
    "take_rows",
    '''\
def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Pick rows of each image: x (N, A, C) at rows (N, K) -> (N, K, C)."""
    return x.gather(1, rows[:, :, None].expand(-1, -1, x.shape[2]))
''',
)

PROPOSALS = Helper(
    "Proposals",
    '''\
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
''',
    imports=("import torch", "from torch.nn import functional", "from torchvision.ops import nms"),
    needs=(BASE_ANCHORS, CLIP, DECODE, GRID_ANCHORS, TAKE_ROWS),
)

ROW = several(POSITIVE, 1, 16)


@op
class Proposals(Op):
    """The boxes that a region proposal network is surest of, as many for every image.

    Of each map, `per_map` anchors of highest objectness become boxes, which end at the image's
    edge; of those that overlap the surest stays, and the best `keep` of all maps leave, best first.
    Empty boxes, all zeros, fill up the places that are left, and `IsBox` tells them apart. Nothing
    learns through the boxes. Ren et al., Faster R-CNN, 2015, section 3; anchors, decoding and
    selection are those of `torchvision.models.detection.rpn`, with the anchors of `AnchorGrid`.

    `objectness` (N, A, 1) and `deltas` (N, A, 4) speak of all anchors as `PerBox` orders them, map
    by map; of `images` and the maps only the sizes are read.
    """

    inputs = ("objectness", "deltas", "images", "maps")
    is_open = True
    takes_list = True

    sizes: list[list[float]] = argument(
        "Sides of the square anchors of each map, in pixels.",
        several(ROW, 1, 16),
        keyword=False,
    )
    ratios: list[float] = argument("Height over width.", ROW, keyword=False)
    per_map: int = integer("Boxes of each map that are looked at.", default=1000)
    iou: float = number(
        "Overlap above which the weaker box goes.", minimum=0, maximum=1, default=0.7
    )
    keep: int = integer("Boxes that leave, R.", default=1000)
    smallest: float = number("Least width and height of a box.", minimum=0, default=1e-3)
    score: float = number("Least sigmoid of a box's objectness.", minimum=0, maximum=1, default=0.0)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return PROPOSALS

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, keep, 4)."""
        objectness, deltas, images, *maps = inputs
        image(images, 2)
        for place, (x, columns) in enumerate(((objectness, 1), (deltas, 4))):
            if len(x) != 3 or x[2] != columns:
                message = f"needs rows (N, A, {columns}); this is {shape_text(x, batch=True)}"
                raise ShapeError("E0406", message, inputs=(place,))
        self._check_sizes(len(maps))
        cells = [image(x, place)[2:] for place, x in enumerate(maps, 3)]
        boxes = self._boxes(cells)
        for place, x in enumerate((objectness, deltas)):
            if isinstance(boxes, int) and isinstance(x[1], int) and x[1] != boxes:
                message = f"the maps have {boxes:,} anchors, but {x[1]:,} rows arrive"
                help = f"give each cell {len(self.sizes[0]) * len(self.ratios)} rows"
                raise ShapeError("E0503", message, help=help, inputs=(place,))
        return (objectness[0], self.keep, 4)

    def _check_sizes(self, maps: int) -> None:
        """Refuse sizes that do not speak of each map in the same way."""
        if len(self.sizes) != maps:
            message = f"sizes has {len(self.sizes)} rows, and the maps that arrive are {maps}"
            help = "give `sizes` a list for each map, or take another number of maps"
            raise ShapeError("E0501", message, argument="sizes", help=help)
        counts = {len(row) for row in self.sizes}
        if len(counts) > 1:
            message = "the maps have different numbers of anchors"
            help = "give each row of `sizes` the same length"
            raise ShapeError("E0407", message, argument="sizes", help=help)

    def _boxes(self, maps: list[Shape]) -> Dim:
        """Return the number of anchors of all maps."""
        per_cell = len(self.sizes[0]) * len(self.ratios)
        return total(tuple(product((*cells, per_cell)) for cells in maps))
