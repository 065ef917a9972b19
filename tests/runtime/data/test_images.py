"""Headers agree with decoders, and every image comes out as RGB."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specc_runtime.data.images import UnreadableImage, decode, read_header

from .voc_folder import jpeg, picture, with_exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_header_foretells_the_decoded_size(tmp_path: Path, orientation: int, kind: str) -> None:
    path = tmp_path / "a"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture(30, 50)).save(path, kind, exif=exif)
    header = read_header(path, max_pixels=10_000)
    assert header.orientation == orientation
    assert decode(path).shape[:2] == header.shown
    assert decode(path, apply_exif=False).shape[:2] == (header.height, header.width) == (30, 50)


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "options"),
    [
        ("RGB", (200, 30, 90), "JPEG", {"progressive": True}),
        ("RGB", (200, 30, 90), "PNG", {}),
        ("L", 90, "JPEG", {}),
        ("L", 90, "PNG", {}),
        ("I;16", 90 * 257, "PNG", {}),
        ("CMYK", (55, 225, 165, 0), "JPEG", {}),
        ("RGBA", (200, 30, 90, 255), "PNG", {}),
        (
            "RGB",
            (200, 30, 90),
            "JPEG",
            {"exif": b"Exif\0\0" + bytes(60000), "comment": bytes(60000)},
        ),
    ],
)
def test_always_rgb(
    tmp_path: Path, mode: str, colour: int | tuple[int, ...], kind: str, options: dict[str, object]
) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (40, 24), colour).save(buffer, kind, **options)
    path = tmp_path / "a"
    path.write_bytes(buffer.getvalue())
    assert read_header(path, 1000).shown == (24, 40)
    image = decode(path)
    assert image.shape == (24, 40, 3) and image.dtype == np.uint8
    expected = (90, 90, 90) if mode in ("L", "I;16") else (200, 30, 90)
    assert np.abs(image[12, 20].astype(int) - expected).max() <= 3


def test_fill_bytes_may_precede_a_marker(tmp_path: Path) -> None:
    data = jpeg(picture(30, 50))
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + b"\xff\xff" + data[2:])
    assert read_header(path, 10_000).shown == decode(path).shape[:2] == (30, 50)


def test_tables_may_precede_the_frame(tmp_path: Path) -> None:
    data = jpeg(picture(60, 80))
    start = data.index(b"\xff\xc4")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + data[start:end] + data[2:start] + data[end:])
    assert read_header(path, 10**6).shown == decode(path).shape[:2] == (60, 80)


def test_pixel_limit_comes_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    claims = (100_000).to_bytes(4, "big") * 2
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + claims + bytes(9) + b"\0\0\0\0IDAT")
    with pytest.raises(UnreadableImage, match="over 1,000,000 pixels"):
        read_header(path, 1_000_000)
    assert read_header(path, 100_000**2).shown == (100_000, 100_000)


@pytest.mark.parametrize("part", [0.3, 0.9, 0.99])
def test_truncation_shows_when_decoding(tmp_path: Path, part: float) -> None:
    whole = jpeg(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UnreadableImage, match=r"a\.jpg: truncated"):
        decode(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"GIF89a"])
def test_what_is_no_image_is_called_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"a\.jpg: neither JPEG nor PNG"):
        decode(path)


def test_damaged_headers_are_refused_or_read(tmp_path: Path) -> None:
    whole = with_exif(jpeg(picture(30, 50)), 6)
    path = tmp_path / "a.jpg"
    refused = 0
    for at in range(2, 180):
        data = bytearray(whole)
        data[at] ^= 0xFF
        path.write_bytes(data)
        try:
            header = read_header(path, 10_000)
        except UnreadableImage:
            refused += 1
        else:
            assert header.height * header.width <= 10_000
            assert header.orientation in range(1, 9)
    assert 0 < refused < 178
