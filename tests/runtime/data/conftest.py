"""Fixtures: an empty VOC folder, and a small synthetic data set."""

from pathlib import Path

import pytest

from specc_runtime.data import synth

from .voc_folder import VocFolder


@pytest.fixture
def folder(tmp_path: Path) -> VocFolder:
    return VocFolder(tmp_path / "voc")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images: 28 train, 6 val, 6 test."""
    root = tmp_path_factory.mktemp("shapes")
    synth.write(root, images=40, size=(120, 160), seed=5)
    return root
