"""Everything runs on a device that is not the CPU, gives what the CPU gives, and waits where it must alone.

A tensor on the wrong device, or a step that waits for a GPU, shows here, on machines without one.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
DETECTORS = [
    "efficientdet",
    "faster_rcnn_light",
    "fcos_resnet50_fpn",
    "retinanet_light",
    "ssd300_vgg",
    "yolov1",
    "yolov2",
    "yolov3",
    "yolov3_tiny",
]
REGIONS = {
    "faster_rcnn_light": {
        "nms in faster_rcnn_light": 2,  # an image
        "nonzero in faster_rcnn_light": 2 * 3,  # a part, and a map
    }
}
"""Where a step waits: for regions. With all other detectors, nowhere."""
SELECTION = {"decode", "sparse", "suppression"}
"""What waits in a detection: to learn how many boxes compete, and which overlap."""
RUN = {
    "_to_copy in step",  # for reports
    "_to_copy in tensorfile",  # to write weights
    "copy_ in detector",  # to read them, as what follows
    "copy_ in optim",
    "copy_ in session",
    "copy_ in trainer",
}
"""Where a run waits besides."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes of `on_other_device` print."""
    paths = [str(ROOT / folder) for folder in ("compiler", "runtime", "")]
    settings = {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "tests.runtime.on_other_device"]
    folder = tmp_path_factory.mktemp("run")
    jobs = [
        subprocess.Popen(
            [*command, str(folder), *names],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=(folder / names[0]).open("w"),
            text=True,
        )
        for names in (["work"], ["commands", "faults", "same"])
    ]
    printed = [job.communicate()[0] for job in jobs]
    for job, name in zip(jobs, ("work", "commands"), strict=True):
        assert job.returncode == 0, (folder / name).read_text()
    first, second = (json.loads(text.splitlines()[-1]) for text in printed)
    return first | second


def test_the_device_refuses_tensors_of_the_host(found):
    said = found["faults"]
    assert said["add"] == "aten.add.Tensor of [(3, 'other:0'), (3, 'cpu')]"
    for name in ("number of the device", "number of the host", "stack", "index", "where"):
        assert str(said[name]).startswith("aten."), name


def test_what_the_host_waits_for_is_noted(found):
    said = found["faults"]
    for name, operation in {
        "item": "_local_scalar_dense",
        "if": "_local_scalar_dense",
        "mask": "nonzero",
        "list": "copy_",
        "to": "copy_",
        "cpu": "_to_copy",
    }.items():
        assert said[name] == {f"{operation} in nobody": 1}
    assert said["to, without waiting"] == {}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_step_waits_for_nothing_but_regions(found, name):
    done = found["work"][name]
    assert all(math.isfinite(loss) for loss in done["losses"].values())
    assert done["step"] == REGIONS.get(name, {})


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detection_waits_for_how_much_there_is(found, name):
    waits = dict(found["work"][name]["detection"])
    assert waits.pop("_to_copy in inference") == 4
    places = {place.split()[-1] for place in waits}
    assert places <= (SELECTION | {name} if name in REGIONS else SELECTION)


@pytest.mark.parametrize("name", ["faster_rcnn_light", "retinanet_light", "yolov3_tiny"])
def test_the_numbers_are_those_of_the_cpu(found, name):
    here, there = (found["same"][name][device] for device in ("cpu", "other"))
    for mine, its in zip(here["losses"], there["losses"], strict=True):
        assert its == pytest.approx(mine, rel=1e-4)
    for mine, its in zip(here["boxes"], there["boxes"], strict=True):
        assert sum(mine) > 0
        assert its == pytest.approx(mine, rel=1e-3)


def test_a_run_waits_for_its_reports_and_checkpoints_alone(found):
    of_cpu, waits = (found["commands"][device]["waits"] for device in ("cpu", "other"))
    assert of_cpu == {}
    others = {place for place in waits if place.split()[-1] not in {*SELECTION, "inference"}}
    assert others == RUN
    assert waits["_to_copy in step"] == 6  # of as many, as `log_every` is 1


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "find_rate", "bench"])
def test_a_command_gives_what_it_gives_on_the_cpu(found, command):
    here, there = (found["commands"][device][command] for device in ("cpu", "other"))
    assert same(there, here)


def same(one, other) -> bool:
    """Whether what JSON holds is the same, but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == (
        pytest.approx(other, rel=1e-3, abs=1e-3, nan_ok=True) if isinstance(other, float) else other
    )
