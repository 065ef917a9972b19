"""What `specc bench` measures is what it says: phases, operations, and the same detector beside it."""

import copy
import itertools
import json
import time

import pytest
import torch

import specc
from specc_runtime import cli, model
from specc_runtime.bench import capacity, measure, ours, peer, preset, stopwatch
from specc_runtime.bench.table import table
from specc_runtime.data import open_dataset, synth
from specc_runtime.detector import Detector
from specc_runtime.freezing import freeze
from specc_runtime.recipe import Recipe

from .training import TINY, batch

CPU = torch.device("cpu")
RECIPE = Recipe(batch=4, precision="fp32", workers=0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    synth.write(folder, images=20)
    return folder


def measured(mode, folder, **others):
    return measure.measure(measure.Job(model.load(TINY), mode, RECIPE, folder, steps=2, **others))


def emitted(spec, folder, **values):
    path = folder / f"{spec}.py"
    path.write_text(specc.compile(f"specs/{spec}.yaml", **values).source)
    return model.load(path)


def test_phases_add_up_and_nothing_counts_before_the_first_step(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: float(next(ticks)))
    watch = stopwatch.Stopwatch(CPU)
    watch.lap("early")
    for _ in range(2):
        watch.begin()
        for phase in ("load", "forward", "forward"):
            watch.lap(phase)
    assert watch.read() == [{"load": 1.0, "forward": 2.0}] * 2
    assert watch.read() == []


def operations(detector, *, train=False):
    """Of the network on one image; on the meta device, so that nothing is computed."""
    network = copy.deepcopy(detector.network).to("meta").eval()
    images = torch.empty(1, 3, *detector.input.size, device="meta")

    def work():
        outputs = network(images)
        if train:
            torch.autograd.backward([v.sum() for v in outputs if isinstance(v, torch.Tensor)])

    return capacity.flops(work)


def test_operations_are_two_for_each_of_the_compilers_multiply_adds(tmp_path):
    compiled = specc.compile("specs/ssd_light.yaml")
    detector = emitted("ssd_light", tmp_path).build()
    assert operations(detector) == 2 * compiled.macs > 10**8


def test_a_gradient_costs_twice_as_much_but_for_the_images(tmp_path):
    """Also where a convolution is of groups: EfficientNet's of each channel by itself."""
    for spec, side, stem in (("ssd_light", 128, 3 * 16), ("ssd300_efficientnet_b4", 150, 3 * 48)):
        detector = emitted(spec, tmp_path).build()
        forward, both = (operations(detector, train=train) for train in (False, True))
        assert both == 3 * forward - 2 * 9 * stem * side**2


def test_what_is_frozen_costs_no_gradient(tmp_path):
    detector = emitted("ssd_light", tmp_path).build()
    forward, both = (operations(detector, train=train) for train in (False, True))
    freeze(detector.network, ["stem", "stage*"])
    heads = operations(detector, train=True) - forward
    maps = ((64, 32), (128, 16), (128, 8), (128, 4))  # channels and side
    weights = 2 * 9 * 4 * (4 + 4) * sum(channels * side**2 for channels, side in maps)
    assert heads == weights < both - forward


def test_matmul_peak_is_what_products_reach():
    side = 512
    a = torch.randn(side, side)
    start = time.perf_counter()
    torch.mm(a, a)
    once = 2 * side**3 / (time.perf_counter() - start)
    assert capacity.matmul_peak(CPU, torch.float32) > once / 10


@pytest.mark.parametrize(
    ("make", "phases", "slow"),
    [
        (
            ours.training,
            ["load", "copy", "forward", "loss", "backward", "optimizer", "average"],
            "loss",
        ),
        (ours.inference, ["load", "copy", "forward", "select", "read"], "detect"),
    ],
)
def test_a_phase_is_where_the_time_goes(make, phases, slow, monkeypatch):
    method = getattr(Detector, slow)
    monkeypatch.setattr(Detector, slow, lambda *args: (time.sleep(0.2), method(*args))[1])
    watch = stopwatch.Stopwatch(CPU)
    step = make(model.load(TINY).build(), RECIPE, watch)
    watch.begin()
    watch.lap("load")
    step(batch(0, 0))
    [found] = watch.read()
    assert list(found) == phases
    late = "select" if slow == "detect" else slow
    assert found[late] >= 0.2 and max(found, key=found.__getitem__) == late


@pytest.mark.parametrize("mode", measure.MODES)
def test_every_mode_has_speed_phases_and_memory(mode, shapes):
    figures = measured(mode, shapes)
    assert figures["images_per_second"]["median"] > 0
    assert figures["memory"]["peak_rss"] > 2**20 and figures["memory"]["peak_device"] is None
    assert figures["classes"] == 5 and figures["size"] == [64, 64]
    assert ("mfu" in figures) is (mode in ("train", "infer"))
    shown = table(figures)
    assert all(phase in shown for phase in figures["phases_ms"]) and "images/s" in shown
    assert json.loads(json.dumps(figures)) == figures


def test_a_split_is_scored_in_the_time_of_its_phases(shapes):
    figures = measured("eval", shapes)
    seconds = sum(figures["phases_ms"].values()) / 1000
    assert figures["images"] == 14
    assert figures["images_per_second"]["median"] == pytest.approx(14 / seconds, rel=1e-2)


def test_training_costs_up_to_three_forward_passes_an_image(shapes):
    train, infer = (measured(mode, shapes)["gflop_per_image"] for mode in ("train", "infer"))
    assert 2 * infer < train < 3 * infer


@pytest.mark.parametrize("mode", measure.MODES)
def test_detectors_of_two_stages_are_measured_too(mode, shapes, tmp_path):
    job = measure.Job(emitted("faster_rcnn_light", tmp_path), mode, RECIPE, shapes, steps=1)
    figures = measure.measure(job)
    assert figures["images_per_second"]["median"] > 0
    if mode in ("train", "infer"):
        assert 0 < figures["mfu"] < 1 and figures["gflop_per_image"] > 0.4


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_no_more_is_done_than_can_be(mode, shapes):
    figures = measured(mode, shapes)
    speed = figures["images_per_second"]["median"]
    done, most = 1e9 * figures["gflop_per_image"] * speed, 1e12 * figures["matmul_peak_tflops"]
    assert 0 < figures["mfu"] < 1
    assert figures["mfu"] == pytest.approx(done / most, rel=0.05, abs=1e-3)


def test_drawn_shapes_stand_in_for_data():
    job = measure.Job(model.load(TINY), "loader", RECIPE, steps=1)
    assert measure.measure(job)["data"] == "drawn shapes"


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_the_peer_is_the_variant_with_as_many_parameters(variant, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(specc.compile(f"specs/retinanet_resnet50_fpn.yaml:{variant}").source)
    detector = model.load(path).build(3)
    made = peer.build("retinanet_resnet50_fpn", detector)
    count = [sum(p.numel() for p in net.parameters()) for net in (made, detector.network)]
    assert count[0] == count[1]
    assert made.transform.min_size == (800,) and made.transform.max_size == 800


def test_labels_count_the_background_if_there_is_one():
    found = batch(0, 0)
    for background in (0, 1):
        of_image = peer.targets(found, background)[0]
        assert of_image["labels"].tolist() == [int(found.labels[0, 0]) + background]
        assert of_image["boxes"].tolist() == found.boxes[0, :1].tolist()


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("ssdlite320_mobilenet_v3", {}),
        ("faster_rcnn_mobilenet_v3_large_fpn", {"height": 128, "width": 128}),
    ],
)
def test_turns_with_torchvision(spec, values, mode, shapes, tmp_path):
    job = measure.Job(
        emitted(spec, tmp_path, **values),
        mode,
        Recipe(batch=2, precision="fp32", workers=0),
        shapes,
        steps=1,
        against_torchvision=True,
    )
    figures = measure.measure(job)
    pairs = figures["torchvision"]
    ratio = pairs["torchvision_milliseconds"]["median"] / pairs["milliseconds"]["median"]
    assert pairs["ratio"]["median"] == pytest.approx(ratio, rel=1e-3)
    assert "times as fast" in table(figures)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_take_turns_too(workers, shapes):
    recipe = Recipe(batch=4, workers=workers)
    job = measure.Job(model.load(TINY), "loader", recipe, shapes, steps=2, against_torchvision=True)
    figures = measure.measure(job)
    pairs = figures["torchvision"]
    assert pairs["ratio"]["runs"] == 5
    assert pairs["torchvision_milliseconds"]["median"] > pairs["milliseconds"]["median"] > 0
    assert "times as fast" in table(figures)


@pytest.mark.parametrize("backend", ["pil", "tensor"])
def test_the_preset_gives_batches_of_the_networks_size_for_ever(backend, shapes):
    torch.manual_seed(0)
    dataset = open_dataset(shapes, "train")
    endless = preset.batches(dataset, (48, 64), 5, workers=0, backend=backend)
    for images in itertools.islice(endless, 2 + len(dataset) // 5):
        assert images.shape == (5, 3, 48, 64) and images.dtype == torch.float32
        assert images.std() > 10 and images.abs().max() < 256  # of 255, less the mean


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--vs", "torchvision"],
            1,
            "torchvision has no tiny_ssd; it has faster_rcnn_mobilenet_v3_large_fpn",
        ),
        (["--eval", "--vs", "torchvision"], 1, "compare --train, --infer or --loader"),
        (["--loader", "--vs", "torchvision", "augmentation=flip"], 1, "augmentation=ssd"),
        (["--steps", "0"], 2, "argument --steps: must be at least 1, and is 0"),
        (["--train", "--infer"], 2, "not allowed with"),
        (["bacth=2"], 1, "did you mean `batch`?"),
    ],
)
def test_what_cannot_be_measured_is_said(arguments, code, message, shapes, capsys):
    given = [str(TINY), "--data", str(shapes), "--batch", "2", "--steps", "1", "workers=0"]
    assert cli.bench([*given, *arguments]) == code
    assert message in capsys.readouterr().err


def test_the_command_prints_a_table_and_writes_json(shapes, tmp_path, capsys):
    out = tmp_path / "figures.json"
    given = [str(TINY), "--infer", "--data", str(shapes), "--batch", "3", "--out", str(out)]
    assert cli.bench([*given, "--steps", "1", "workers=0", "precision=fp32"]) == 0
    assert "tiny_ssd: infer, batch 3 of 64x64, fp32, cpu" in capsys.readouterr().out
    assert json.loads(out.read_text())["mode"] == "infer"
