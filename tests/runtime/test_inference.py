"""From a batch to boxes in pixels of the original pictures."""

import torch

from specc_runtime import model
from specc_runtime.data import open_dataset, synth
from specc_runtime.inference import detect, evaluate
from specc_runtime.predictions import Predictions

from .training import TINY, batch

torch.set_num_threads(1)


def test_boxes_are_stretched_to_the_original():
    torch.manual_seed(0)
    detector = model.load(TINY).build().eval()
    images = batch(0, 0).images
    as_seen = detect(detector, images, torch.full((4, 2), 64))
    original = detect(detector, images, torch.tensor([[64, 64], [128, 64], [64, 320], [640, 32]]))
    for found, expected, (across, down) in zip(
        original, as_seen, [(1, 1), (1, 2), (5, 1), (0.5, 10)], strict=True
    ):
        assert len(found.scores) > 0
        scale = torch.tensor([across, down, across, down])
        torch.testing.assert_close(found.boxes, expected.boxes * scale)
        assert torch.equal(found.labels, expected.labels)


def test_a_detector_that_knows_the_truth_scores_1(tmp_path):
    synth.write(tmp_path, images=20, seed=2)
    dataset = open_dataset(tmp_path, "train")
    detector = model.load(TINY).build(len(dataset.classes))
    seen = iter(range(len(dataset)))

    def truth(images):
        """Predictions that put every object, as annotated, on an anchor of its own."""
        offsets = torch.zeros(len(images), 320, 4)
        logits = torch.zeros(len(images), 320, detector.num_classes)
        logits[..., 0] = 30.0
        for row in range(len(images)):
            found = dataset.annotations[next(seen)]
            scale = torch.tensor([64 / found.width, 64 / found.height] * 2)
            boxes = torch.from_numpy(found.boxes) * scale
            n = len(boxes)
            offsets[row, :n] = detector.coder.encode(boxes, detector.anchors[:n])
            logits[row, torch.arange(n), torch.from_numpy(found.labels) + 1] = 60.0
        return Predictions(offsets, logits)

    detector.forward = truth
    assert evaluate(detector, dataset, "voc", batch=4)["map50"] > 0.99
    assert detector.training
