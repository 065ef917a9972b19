"""How many images a step has memory for."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from specc_runtime import batch_size, model
from specc_runtime.batch_size import bytes_per_image, decide, host_memory, largest_fitting, settled
from specc_runtime.data import open_dataset, synth
from specc_runtime.recipe import AUTO, Recipe
from specc_runtime.step import OutOfMemory

from .training import RECIPE, TINY

torch.set_num_threads(1)


def tiny():
    return model.load(TINY).build(3)


@pytest.mark.parametrize("most", [1, 7, 100, 5000])
@pytest.mark.parametrize("limit", [1, 2, 3, 9, 63, 64, 65, 1000, 4999])
def test_the_greatest_that_fits_is_found_to_an_eighth_in_few_trials(limit, most):
    asked = []

    def fits(count):
        asked.append(count)
        return count <= limit

    found = largest_fitting(fits, most)
    best = min(limit, most)
    assert best - max(1, best // 8) < found <= best
    assert len(asked) == len(set(asked)) <= 2 + 2 * best.bit_length()
    assert max(asked) <= most


def test_nothing_fits():
    assert largest_fitting(lambda _: False, 100) == 0


def test_what_is_kept_for_the_backward_pass_is_counted_and_weights_are_not():
    detector = tiny()
    found = bytes_per_image(detector, RECIPE, 2)
    image = 3 * 64 * 64 * 4  # the network's input, which the first convolution keeps
    assert image < found < 40 * image
    detector.network.requires_grad_(False)
    assert bytes_per_image(detector, RECIPE, 2) < found / 100


def test_what_is_kept_is_what_hand_and_pencil_find():
    class Layers(torch.nn.Module):
        """A layer of 4 channels: its input, and what the ReLU gives, are kept; no more."""

        anchors = torch.zeros(1, 4)
        input = SimpleNamespace(size=(8, 16))

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 4, 3, padding=1)

        def losses(self, images, boxes, labels, *, bf16):
            return {"sum": self.layer(images.float()).relu().sum()}

    assert bytes_per_image(Layers(), RECIPE, 1) == (3 + 4) * 8 * 16 * 4


def test_on_a_cpu_the_memory_decides_and_never_more_than_thirty_two(monkeypatch):
    each = bytes_per_image(tiny(), RECIPE, 2)
    for images, expected in ((1.5, 1), (4.2, 4), (7.9, 4), (8.1, 8), (10_000, 32)):
        memory = int(images * each * 4)  # of which a quarter is for the batch
        monkeypatch.setattr(batch_size, "host_memory", lambda memory=memory: memory)
        assert decide(tiny(), RECIPE, 10_000, 2) == expected
    assert decide(tiny(), RECIPE, 100, 2) == 8  # twelve steps of an epoch
    assert decide(tiny(), RECIPE, 3, 2) == 1


def test_memory_is_the_machines_or_less():
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 2**26 < host_memory() <= physical


def test_auto_becomes_a_number_and_a_number_stays(tmp_path):
    synth.write(tmp_path, images=40)
    dataset = open_dataset(tmp_path, "train")
    emitted = model.load(TINY)
    found = settled(replace(RECIPE, batch=AUTO), emitted, dataset)
    assert found.batch == 1 << ((len(dataset) // 8).bit_length() - 1)
    assert settled(RECIPE, emitted, dataset) is RECIPE


@pytest.mark.gpu
@pytest.mark.parametrize("ballast", [0.0, 0.5])
def test_on_a_gpu_a_step_with_what_was_decided_fits(ballast):
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(int(ballast * free), dtype=torch.uint8, device="cuda")
    recipe = Recipe(precision="fp32", compile="never", ema=None)
    found = decide(tiny().cuda(), recipe, 10**9, 4)
    trial = batch_size._Trial(tiny().cuda(), recipe, 4)
    assert trial(found) and not trial(2 * found)
    del held


@pytest.mark.gpu
def test_on_a_gpu_without_room_for_one_image_it_says_so(monkeypatch):
    monkeypatch.setattr(batch_size, "SHARE_OF_GPU", 0.0)
    with pytest.raises(OutOfMemory, match="smaller input"):
        decide(tiny().cuda(), RECIPE, 100, 2)
