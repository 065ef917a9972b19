"""Networks run from the text of a Darknet `.cfg`, layer by layer as src/*_layer.c says.

It reads the text and the bytes of a `.weights` file by itself and shares nothing with specc.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5  # blas_kernels.cu, normalize_kernel


class Section(NamedTuple):
    kind: str
    options: dict[str, str]

    def whole(self, name: str, default: int) -> int:
        return int(self.options.get(name, default))


class Ran(NamedTuple):
    """What a layer gave: its map, and how many multiply-adds it took for one image."""

    kind: str
    output: Tensor
    macs: int


def sections(text: str) -> list[Section]:
    found: list[Section] = []
    for written in text.splitlines():
        line = written.split("#")[0].replace(" ", "")
        if line.startswith("["):
            found.append(Section(line.strip("[]"), {}))
        elif line:
            name, _, value = line.partition("=")
            found[-1].options[name] = value
    return found


def reorg(x: Tensor, stride: int) -> Tensor:
    """Copy number by number, as `reorg_cpu` does with `forward=0`."""
    n, c, h, w = x.shape
    out_c = c // stride**2
    source = [0] * (c * h * w)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                offset = k // out_c
                column = i * stride + offset % stride
                row = j * stride + offset // stride
                place = column + w * stride * (row + h * stride * (k % out_c))
                source[i + w * (j + h * k)] = place
    return x.reshape(n, -1)[:, source].reshape(n, c * stride**2, h // stride, w // stride)


def max_pool(x: Tensor, size: int, stride: int) -> Tensor:
    """Windows begin `(size - 1) / 2` before the map; what lies outside is smaller than anything."""
    before = (size - 1) // 2
    after = size - 1 - before
    padded = functional.pad(x, (before, after, before, after), value=float("-inf"))
    return functional.max_pool2d(padded, size, stride)


class Darknet(nn.Module):
    """A network of a `.cfg`; its parameters are named by layer, as `weight3` or `mean3`."""

    def __init__(self, text: str, side: int | None = None) -> None:
        super().__init__()
        self.net, *self.sections = sections(text)
        self.stored: list[list[str]] = []
        side = side or self.net.whole("height", 0)
        self.sizes: list[tuple[int, int, int]] = []
        size = (self.net.whole("channels", 3), side, side)
        for index, layer in enumerate(self.sections):
            size = self.make(index, layer, size)
            self.sizes.append(size)

    def make(self, index: int, layer: Section, size: tuple[int, int, int]) -> tuple[int, int, int]:
        """Give a layer its parameters; return the size of its output."""
        c, h, w = size
        stride, kernel = layer.whole("stride", 1), layer.whole("size", 1)
        filters = layer.whole("filters", 1)
        match layer.kind:
            case "convolutional" | "local":
                pad = kernel // 2 if layer.whole("pad", 0) else layer.whole("padding", 0)
                h, w = ((s + 2 * pad - kernel) // stride + 1 for s in (h, w))
                if layer.kind == "local":
                    shapes = {"bias": (filters, h * w), "weight": (h * w, filters, c * kernel**2)}
                elif layer.whole("batch_normalize", 0):
                    norm = dict.fromkeys(("bias", "scale", "mean", "variance"), (filters,))
                    shapes = {**norm, "weight": (filters, c, kernel, kernel)}
                else:
                    shapes = {"bias": (filters,), "weight": (filters, c, kernel, kernel)}
                self.store(index, shapes)
                return filters, h, w
            case "connected":
                outputs = layer.whole("output", 1)
                self.store(index, {"bias": (outputs,), "weight": (outputs, c * h * w)})
                return outputs, 1, 1
            case "maxpool":
                return c, (h - 1) // stride + 1, (w - 1) // stride + 1
            case "upsample":
                return c, h * stride, w * stride
            case "reorg":
                return c * stride**2, h // stride, w // stride
            case "route":
                froms = [self.sizes[place] for place in self.froms(index, "layers")]
                return sum(size[0] for size in froms), *froms[0][1:]
            case _:
                return size

    def store(self, index: int, shapes: dict[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            tensor = torch.zeros(shape)
            if name in {"mean", "variance"}:
                self.register_buffer(f"{name}{index}", tensor)
            else:
                self.register_parameter(f"{name}{index}", nn.Parameter(tensor))
        self.stored.append([f"{name}{index}" for name in shapes])

    def froms(self, index: int, option: str) -> list[int]:
        """Return the layers that a layer takes; what is negative counts from itself."""
        written = map(int, self.sections[index].options[option].split(","))
        return [place if place >= 0 else index + place for place in written]

    def load(self, path: Path) -> None:
        """Read float32 numbers behind the header, in the order in which they were stored."""
        data = path.read_bytes()
        major, minor, _ = np.frombuffer(data, "<i4", 3)
        header = 20 if major * 10 + minor >= 2 else 16
        numbers = torch.from_numpy(np.frombuffer(data, "<f4", offset=header).copy())
        for name in (name for layer in self.stored for name in layer):
            tensor = getattr(self, name)
            tensor.data = numbers[: tensor.numel()].reshape(tensor.shape).to(tensor.dtype)
            numbers = numbers[tensor.numel() :]
        assert not len(numbers)

    def run(self, x: Tensor) -> list[Ran]:
        """Run all layers."""
        done: list[Ran] = []
        for index, layer in enumerate(self.sections):
            x, macs = self.step(index, layer, x, [ran.output for ran in done])
            done.append(Ran(layer.kind, x, macs))
        return done

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return what arrives at each `[yolo]`, `[region]` or `[detection]`."""
        heads = {"yolo", "region", "detection"}
        return [ran.output for ran in self.run(x) if ran.kind in heads]

    def step(self, index: int, layer: Section, x: Tensor, done: list[Tensor]) -> tuple[Tensor, int]:
        """Return a layer's output and its multiply-adds for one image."""
        stride, size = layer.whole("stride", 1), layer.whole("size", 1)
        match layer.kind:
            case "convolutional":
                x = self.convolve(index, layer, x)
                weight = getattr(self, f"weight{index}")
                return self.activate(layer, x), weight.numel() * x.shape[2] * x.shape[3]
            case "local":
                return self.activate(layer, self.local(index, layer, x)), getattr(
                    self, f"weight{index}"
                ).numel()
            case "connected":
                weight = getattr(self, f"weight{index}")
                x = x.reshape(len(x), -1) @ weight.T + getattr(self, f"bias{index}")
                return self.activate(layer, x), weight.numel()
            case "maxpool":
                return max_pool(x, size, stride), 0
            case "shortcut":
                (place,) = self.froms(index, "from")
                return self.activate(layer, x + done[place]), 0
            case "route":
                return torch.cat([done[place] for place in self.froms(index, "layers")], 1), 0
            case "upsample":
                return x.repeat_interleave(stride, 2).repeat_interleave(stride, 3), 0
            case "reorg":
                return reorg(x, stride), 0
            case "dropout" | "yolo" | "region" | "detection":
                return x, 0
            case kind:
                raise NotImplementedError(kind)

    def convolve(self, index: int, layer: Section, x: Tensor) -> Tensor:
        pad = layer.whole("size", 1) // 2 if layer.whole("pad", 0) else layer.whole("padding", 0)
        weight, bias = getattr(self, f"weight{index}"), getattr(self, f"bias{index}")
        stride = layer.whole("stride", 1)
        if not layer.whole("batch_normalize", 0):
            return functional.conv2d(x, weight, bias, stride, pad)
        x = functional.conv2d(x, weight, None, stride, pad)
        scale = getattr(self, f"scale{index}")
        mean, variance = getattr(self, f"mean{index}"), getattr(self, f"variance{index}")
        return functional.batch_norm(x, mean, variance, scale, bias, self.training, 0.01, EPS)

    def local(self, index: int, layer: Section, x: Tensor) -> Tensor:
        """A product of its own at each place."""
        size, stride = layer.whole("size", 1), layer.whole("stride", 1)
        weight, bias = getattr(self, f"weight{index}"), getattr(self, f"bias{index}")
        filters, h, w = self.sizes[index]
        x = functional.pad(x, (layer.whole("pad", 0),) * 4)
        places: list[Tensor] = []
        for place in range(h * w):
            row, column = place // w * stride, place % w * stride
            patch = x[:, :, row : row + size, column : column + size].reshape(len(x), -1)
            places.append(patch @ weight[place].T + bias[:, place])
        return torch.stack(places, 2).reshape(len(x), filters, h, w)

    def activate(self, layer: Section, x: Tensor) -> Tensor:
        match layer.options.get("activation", "linear"):
            case "leaky":
                return torch.where(x > 0, x, 0.1 * x)
            case "linear":
                return x
            case activation:
                raise NotImplementedError(activation)
