"""A run's page: whole, self-contained, the same each time, and with what the run has."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from specc_runtime import cli
from specc_runtime.report import write_report

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_ssd.py"

OPTIONS = ["epochs=2", "batch=8", "workers=0", "warmup_steps=0", "lr=0.02", "precision=fp32"]
EMPTY = {"meta", "img", "link", "br"}
SVG_EMPTY = {"line", "polyline", "rect", "circle"}


class Page(HTMLParser):
    """Headings, links, images, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.titles, self.attributes, self.tags, self.open = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_EMPTY
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shapes")
    assert cli.synth([str(folder), "--images", "40"]) == 0
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert cli.train([str(TINY), "--data", str(data), "-o", str(folder), *OPTIONS]) == 0
    return folder


def written(folder):
    return write_report(folder).read_text(encoding="utf-8")


def test_the_command_writes_a_page_with_every_part(run, capsys):
    assert cli.report([str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.titles == [
        "Run",
        "Course",
        "Scores",
        "Confusions",
        "Found on the validation split",
        "Labels",
        "Anchors",
        "Learnt from",
    ]
    recorded = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = max(r["map50"] for r in recorded if r["kind"] == "validation")
    assert f"{best:.4f}" in text and "epochs: 2\n" in text


def test_the_page_asks_for_nothing_else(run):
    page = Page(written(run))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value.startswith(("data:image/jpeg;base64,", "#"))
    assert "url(" not in written(run) and "@import" not in written(run)


def test_its_pictures_can_be_opened(run):
    uris = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', written(run))
    sizes = [
        cv2.imdecode(np.frombuffer(base64.b64decode(uri), np.uint8), cv2.IMREAD_COLOR).shape
        for uri in uris
    ]
    assert len(sizes) == 3 and all(width > 1200 for _, width, _ in sizes)


def test_the_same_run_gives_the_same_page(run):
    assert written(run) == written(run)


def test_a_run_without_validation_or_steps_has_the_rest(data, run, tmp_path):
    folder = tmp_path / "young"
    shutil.copytree(run, folder)
    about = json.loads((folder / "run.json").read_text())
    about["data"]["val_split"] = None
    (folder / "run.json").write_text(json.dumps(about))
    for name in ("metrics.jsonl", "best.safetensors", "last.safetensors"):
        (folder / name).unlink()
    text = written(folder)
    assert Page(text).titles == ["Run", "Course", "Labels", "Anchors", "Learnt from"]
    assert "nothing recorded" in text


def test_a_line_that_was_cut_off_does_no_harm(run, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(run, folder)
    whole = written(folder)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 7, "lo')
    assert written(folder) == whole


def test_class_names_are_text(data, tmp_path):
    name, hostile = "disc", "<b>disc</b>"
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    for path in (mine / "Annotations").iterdir():
        escaped = hostile.replace("<", "&lt;").replace(">", "&gt;")
        path.write_text(path.read_text().replace(f"<name>{name}</name>", f"<name>{escaped}</name>"))
    folder = tmp_path / "run"
    assert cli.train([str(TINY), "--data", str(mine), "-o", str(folder), *OPTIONS]) == 0
    text = written(folder)
    assert hostile not in text and "&lt;b&gt;disc&lt;/b&gt;" in text
    assert "b" not in Page(text).tags


def test_a_full_disk_leaves_the_old_page(run, monkeypatch):
    page = write_report(run)
    before = page.read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="no space"):
        write_report(run)
    assert page.read_text(encoding="utf-8") == before
    assert not (run / ".report.html").exists()


def test_no_run_is_said(tmp_path, capsys):
    assert cli.report([str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err
