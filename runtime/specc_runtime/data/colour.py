"""SSD's colour distortion for a whole batch, on the batch's device.

Ranges and order are those of the authors' code (Liu et al., SSD, ECCV 2016, section 2.2; after
Howard, arXiv:1312.5402): each of four steps happens half of the time, contrast either before or
after saturation and hue.
"""

import torch
from torch import Tensor

_BRIGHTNESS = 32.0  # added, in grey levels
_CONTRAST = (0.5, 1.5)  # factor
_SATURATION = (0.5, 1.5)  # factor
_HUE = 18.0  # degrees
_CHANCE = 0.5


def photometric(images: Tensor, seed: int, epoch: int, indices: Tensor) -> Tensor:
    """Distort the colours of RGB uint8 [B, 3, H, W]; float32 of the same shape, in 0..255.

    The distortion of an image depends only on (seed, epoch, its index), and not on the batch,
    the device or any generator's state. The host never waits for the device, and all shapes are static.

    Args:
        images: the batch, in any memory format, which the result keeps.
        seed: of the run.
        epoch: counted from 0.
        indices: int64 [B], the samples' indices, on the device of `images`.
    """
    draws = uniform(seed, epoch, indices, count=9)
    if images.device.type != "cpu" or torch.compiler.is_compiling():
        return _distort(images, draws)
    found = torch.empty_like(images, dtype=torch.float32)
    for i in range(len(images)):  # one image's planes stay in the processor's cache
        found[i] = _distort(images[i : i + 1].contiguous(), draws[i : i + 1])[0]
    return found


def _distort(images: Tensor, draws: Tensor) -> Tensor:
    """`photometric` with the random numbers `draws` [B, 9]."""
    chance, amount = draws[:, :5], draws[:, 5:]
    signed = amount * 2 - 1
    brightness = _when(chance[:, 0], _BRIGHTNESS * signed[:, 0], neutral=0.0)
    contrast = _when(chance[:, 1], _between(_CONTRAST, amount[:, 1]), neutral=1.0)
    saturation = _when(chance[:, 2], _between(_SATURATION, amount[:, 2]), neutral=1.0)
    hue = _when(chance[:, 3], _HUE * signed[:, 3], neutral=0.0)
    late = chance[:, 4] < 0.5

    x = (images.float() + _each(brightness)).clamp_(0, 255)
    x = (x * _each(contrast.masked_fill(late, 1.0))).clamp_(0, 255)
    x = turn_colours(x, _each(saturation)[:, 0], _each(hue)[:, 0])
    return (x * _each(contrast.masked_fill(~late, 1.0))).clamp_(0, 255)


def turn_colours(x: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Scale HSV saturation, at most to full, and turn hue by degrees: RGB [B, 3, H, W] to the same.

    In HSV, channel n of (5, 3, 1) for (red, green, blue) is V - C * clamp(2 - d, 0, 1) with chroma
    C = V * S, where d is how far n + hue / 60 is from 2 on a circle of six: one pass serves both steps.
    Cases are selected by factors of 0 and 1, since selecting by masks is slow on a CPU.
    """
    red, green, blue = x.unbind(1)
    value = x.amax(1)
    chroma = value - x.amin(1)
    not_red, not_green = torch.sign(value - red), torch.sign(value - green)
    from_green = torch.lerp(blue - red + 2 * chroma, red - green + 4 * chroma, not_green)
    sextant = torch.lerp(green - blue, from_green, not_red) / chroma.clamp(min=1e-6)
    sextant = sextant + hue / 60
    chroma = torch.minimum(chroma * saturation, value)
    turned = sextant[:, None] + torch.arange(3, -2, -2, device=x.device).view(3, 1, 1)
    distance = (turned - 6 * (turned / 6).round_()).abs_()
    return value[:, None] - chroma[:, None] * (2 - distance).clamp_(0, 1)


def uniform(seed: int, epoch: int, indices: Tensor, count: int) -> Tensor:
    """`count` numbers in [0, 1) for each of (seed, epoch, index): float32 [B, count].

    A chain of 32-bit hashes: counter-based, so the same on every device and in every batch.
    """
    key = torch.full_like(indices, seed & 0xFFFFFFFF)
    for word in (epoch, indices):
        key = _hash(key ^ word)
    draws = torch.arange(count, device=indices.device)
    return (_hash(_hash(key)[:, None] + draws) >> 8).float() / 2**24


def _hash(x: Tensor) -> Tensor:
    """The 32-bit mixer `lowbias32` (Wellons, Prospecting for Hash Functions, 2018), in int64."""
    x = x & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def _when(chance: Tensor, amount: Tensor, neutral: float) -> Tensor:
    return torch.where(chance < _CHANCE, amount, neutral)


def _between(limits: tuple[float, float], amount: Tensor) -> Tensor:
    low, high = limits
    return low + amount * (high - low)


def _each(per_image: Tensor) -> Tensor:
    return per_image[:, None, None, None]
