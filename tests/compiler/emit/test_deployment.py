"""Emitted models compile as one graph, export with a batch of any size, and become ONNX."""

from __future__ import annotations

import shutil

import pytest
import torch
from emitted import emitted, fill, output_names

BATCH = {"images": {0: torch.export.Dim("batch", min=1, max=64)}}
MODELS = {"ssd300_vgg": 300, "ssd_light": 256}
OPSET = 18


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    """Return an emitted file, its model with weights that keep signals alive, and a batch of two."""
    module = emitted(request.param)
    model = module.MODEL(num_classes=3).eval()
    fill(model)
    side = MODELS[request.param]
    return module, model, torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def eager(case):
    _, model, images = case
    with torch.no_grad():
        return model(images)


def same(outputs, expected):
    for ours, theirs in zip(outputs, expected, strict=True):
        assert theirs.std() > 1e-2
        torch.testing.assert_close(torch.as_tensor(ours), theirs, rtol=1e-4, atol=1e-4)


def test_compiles_as_one_graph(case, eager):
    module, model, images = case
    is_light = module.__name__ == "ssd_light"
    backend = "inductor" if is_light and shutil.which("g++") else "aot_eager"
    torch.compiler.reset()
    with torch.no_grad():
        same(torch.compile(model, fullgraph=True, backend=backend)(images), eager)


def test_exports_with_a_batch_of_any_size(case, eager):
    _, model, images = case
    program = torch.export.export(model, (images,), dynamic_shapes=BATCH, strict=True)
    with torch.no_grad():
        same(program.module()(images), eager)
        one = program.module()(images[:1])
    same(one, [output[:1] for output in eager])


def test_becomes_onnx_with_the_names_of_the_spec(case, eager, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module, model, images = case
    names = output_names(module)
    path = tmp_path / "model.onnx"
    torch.onnx.export(
        model,
        (images,),
        path,
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=BATCH,
        input_names=["images"],
        output_names=names,
        verbose=False,
    )
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    assert tuple(output.name for output in session.get_outputs()) == names == ("loc", "conf")
    same(session.run(None, {"images": images.numpy()}), eager)
    one = session.run(None, {"images": images[:1].numpy()})
    same(one, [output[:1] for output in eager])
