"""The networks of Darknet's `.cfg` files, written here from their tables.

The facts are those of github.com/pjreddie/darknet (released to the public domain); comments, order
of options and what only concerns training are not carried over.
"""

from __future__ import annotations

from collections.abc import Callable


def section(kind: str, **options: object) -> str:
    lines = [f"[{kind}]", *(f"{name}={value}" for name, value in options.items())]
    return "\n".join(lines) + "\n"


def net(side: int) -> str:
    return section(
        "net", batch=1, subdivisions=1, width=side, height=side, channels=3, decay=0.0005
    )


def conv(filters: int, size: int, stride: int = 1) -> str:
    shape = {"filters": filters, "size": size, "stride": stride, "pad": 1}
    return section("convolutional", batch_normalize=1, **shape, activation="leaky")


def plain(filters: int, size: int, stride: int = 1) -> str:
    """Return a convolution without a norm."""
    shape = {"filters": filters, "size": size, "stride": stride, "pad": 1}
    return section("convolutional", **shape, activation="leaky")


def head(filters: int) -> str:
    shape = {"size": 1, "stride": 1, "pad": 1, "filters": filters}
    return section("convolutional", **shape, activation="linear")


def pool(stride: int = 2) -> str:
    return section("maxpool", size=2, stride=stride)


def route(*layers: int) -> str:
    return section("route", layers=", ".join(map(str, layers)))


def residual(filters: int) -> str:
    squeeze_expand = conv(filters // 2, 1) + conv(filters, 3)
    return squeeze_expand + section("shortcut", **{"from": -3, "activation": "linear"})


def yolo(mask: str, anchors: str) -> str:
    boxes = {"mask": mask, "anchors": anchors, "classes": 80, "num": anchors.count(",  ") + 1}
    return section("yolo", **boxes, jitter=0.3, ignore_thresh=0.7, truth_thresh=1, random=1)


def in_turn(filters: int, times: int) -> str:
    """Return narrow and wide convolutions in turn."""
    return (conv(filters, 1) + conv(filters * 2, 3)) * times


LARGE = "10,13,  16,30,  33,23,  30,61,  62,45,  59,119,  116,90,  156,198,  373,326"
V2 = "0.57273, 0.677385, 1.87446, 2.06253, 3.33843, 5.47434, 7.88282, 3.52778, 9.77052, 9.16828"
V1_LOSS = {"object_scale": 1, "noobject_scale": 0.5, "class_scale": 1, "coord_scale": 5}
V2_LOSS = {"rescore": 1, "object_scale": 5, "thresh": 0.6, "jitter": 0.3}
TINY = "10,14,  23,27,  37,58,  81,82,  135,169,  344,319"
UP = section("upsample", stride=2)

YOLOV3 = "\n".join(
    [
        net(416),
        conv(32, 3),
        *(
            conv(filters, 3, stride=2) + residual(filters) * times
            for filters, times in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))
        ),
        in_turn(512, 3) + head(255) + yolo("6,7,8", LARGE),
        route(-4) + conv(256, 1) + UP + route(-1, 61),
        in_turn(256, 3) + head(255) + yolo("3,4,5", LARGE),
        route(-4) + conv(128, 1) + UP + route(-1, 36),
        in_turn(128, 3) + head(255) + yolo("0,1,2", LARGE),
    ]
)

YOLOV3_TINY = "\n".join(
    [
        net(416),
        *(conv(filters, 3) + pool() for filters in (16, 32, 64, 128, 256)),
        conv(512, 3) + pool(stride=1) + conv(1024, 3),
        conv(256, 1) + conv(512, 3) + head(255) + yolo("3,4,5", TINY),
        route(-4) + conv(128, 1) + UP + route(-1, 8),
        conv(256, 3) + head(255) + yolo("0,1,2", TINY),
    ]
)

YOLOV2 = "\n".join(
    [
        net(416),
        conv(32, 3) + pool() + conv(64, 3) + pool(),
        conv(128, 3) + conv(64, 1) + conv(128, 3) + pool(),
        conv(256, 3) + conv(128, 1) + conv(256, 3) + pool(),
        conv(512, 3) + in_turn(256, 2) + pool(),
        conv(1024, 3) + in_turn(512, 2) + conv(1024, 3) * 2,
        route(-9) + conv(64, 1) + section("reorg", stride=2) + route(-1, -4),
        conv(1024, 3) + head(425),
        section(
            "region", anchors=V2, bias_match=1, classes=80, coords=4, num=5, softmax=1, **V2_LOSS
        ),
    ]
)


def yolov1(conv: Callable[..., str], boxes: int, *top: str) -> str:
    """Return the first version: its paper's figure 3, but for what stands behind the convolutions."""

    def in_turn(filters: int, times: int) -> str:
        return (conv(filters, 1) + conv(filters * 2, 3)) * times

    detection = {"classes": 20, "coords": 4, "rescore": 1, "side": 7, "num": boxes, "sqrt": 1}
    return "\n".join(
        [
            net(448),
            conv(64, 7, stride=2) + pool() + conv(192, 3) + pool(),
            in_turn(128, 1) + in_turn(256, 1) + pool(),
            in_turn(256, 4) + in_turn(512, 1) + pool(),
            in_turn(512, 2) + conv(1024, 3) + conv(1024, 3, stride=2) + conv(1024, 3) * 2,
            *top,
            section("connected", output=49 * (20 + 5 * boxes), activation="linear"),
            section("detection", **detection, **V1_LOSS, jitter=0.2),
        ]
    )


DROPOUT = section("dropout", probability=0.5)
LOCAL = section("local", size=3, stride=1, pad=1, filters=256, activation="leaky")
CONNECTED = section("connected", output=4096, activation="leaky")

CFGS = {
    "yolov1": yolov1(conv, 3, LOCAL, DROPOUT),
    "yolov1:paper": yolov1(plain, 2, CONNECTED, DROPOUT),  # cfg/yolo.cfg, until June 2016
    "yolov2": YOLOV2,
    "yolov3": YOLOV3,
    "yolov3_tiny": YOLOV3_TINY,
}
