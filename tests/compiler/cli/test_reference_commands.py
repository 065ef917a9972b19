"""`specc explain`, `ops`, `schema` and `zoo`."""

import json
from pathlib import Path

import pytest
from commands import specc

from specc.detector import COMPONENTS
from specc.documents import CODES
from specc.library import zoo
from specc.ops import INITIALIZERS, OPS

Capture = pytest.CaptureFixture[str]


class TestExplain:
    """`specc explain`."""

    def test_list(self, capsys: Capture) -> None:
        done = specc(capsys, "explain")
        assert done.code == 0
        assert [line.split("  ")[0] for line in done.out.splitlines()] == list(CODES)

    @pytest.mark.parametrize("code", ["E0306", "e0306"])
    def test_page(self, code: str, capsys: Capture) -> None:
        done = specc(capsys, "explain", code)
        assert done.code == 0
        assert done.out.startswith("E0306: value overwritten in place\n=====")
        assert "```" not in done.out
        assert "\n    error[E0306]: " in done.out

    def test_unknown(self, capsys: Capture) -> None:
        done = specc(capsys, "explain", "E306")
        assert (done.code, done.out) == (2, "")
        assert "did you mean `E0306`?" in done.err


class TestOps:
    """`specc ops`."""

    def test_list(self, capsys: Capture) -> None:
        done = specc(capsys, "ops")
        assert done.code == 0
        assert "\n  Conv2d " in f"\n{done.out}"
        listed = {line.split()[0] for line in done.out.splitlines() if line.startswith("  ")}
        assert listed == {*OPS, *INITIALIZERS, *COMPONENTS}

    @pytest.mark.parametrize("op", [*OPS, *INITIALIZERS])
    def test_entry(self, op: str, capsys: Capture) -> None:
        done = specc(capsys, "ops", op)
        assert done.code == 0
        assert done.out.startswith(f"{op}(")
        assert "\nemitted  " in done.out
        for name, argument in (OPS | INITIALIZERS)[op].arguments.items():
            assert name in done.out
            assert argument.doc.replace("`", "") in done.out

    @pytest.mark.parametrize("component", COMPONENTS)
    def test_component(self, component: str, capsys: Capture) -> None:
        done = specc(capsys, "ops", component)
        assert done.code == 0
        assert done.out.startswith(f"{component}(")
        slot = COMPONENTS[component].slot.rpartition(".")[2]
        assert slot in done.out.rpartition("\nunder    ")[2]
        for argument in COMPONENTS[component].arguments.values():
            assert argument.doc.replace("`", "") in done.out

    def test_conv2d(self, capsys: Capture) -> None:
        done = specc(capsys, "ops", "Conv2d")
        assert "shape    (N, out_channels, H', W')\n" in done.out
        assert "emitted  nn.Conv2d(64, 64, kernel_size=3)(x)\n" in done.out

    def test_unknown(self, capsys: Capture) -> None:
        done = specc(capsys, "ops", "Conv2D")
        assert done.code == 2
        assert "did you mean `Conv2d`?" in done.err
        assert "here it is `Cat`" in specc(capsys, "ops", "Concat").err

    def test_constant(self, capsys: Capture) -> None:
        done = specc(capsys, "ops", "constant_")
        assert done.out.startswith("constant_(val)\n\nAll val, torch.nn.init.constant_.\n")
        assert done.out.endswith("emitted  nn.init.constant_(layer.weight, 0.5)\n")
        assert "did you mean `constant_`?" in specc(capsys, "ops", "constant").err


class TestSchema:
    """`specc schema`."""

    def test_printed_and_written_are_the_same(self, capsys: Capture) -> None:
        printed = specc(capsys, "schema")
        assert json.loads(printed.out)["title"] == "specc model spec"
        assert specc(capsys, "schema", "-o", "schema.json").code == 0
        assert Path("schema.json").read_text(encoding="utf-8") == printed.out

    def test_check(self, capsys: Capture) -> None:
        assert specc(capsys, "schema", "--check", "-o", "schema.json").code == 1
        specc(capsys, "schema", "-o", "schema.json")
        assert specc(capsys, "schema", "--check", "-o", "schema.json").code == 0
        Path("schema.json").write_text("{}")
        done = specc(capsys, "schema", "--check", "-o", "schema.json")
        assert done.code == 1
        assert "run `specc schema -o schema.json`" in done.err

    def test_a_folder_that_cannot_be_written(self, capsys: Capture) -> None:
        assert specc(capsys, "schema", "-o", "good.yaml/schema.json").code == 2


class TestZoo:
    """`specc zoo`."""

    @pytest.mark.parametrize("arguments", [["zoo"], ["zoo", "list"]])
    def test_list(self, arguments: list[str], capsys: Capture) -> None:
        done = specc(capsys, *arguments)
        assert done.code == 0
        (ssd,) = (line for line in done.out.splitlines() if line.startswith("ssd300_vgg "))
        assert ssd.split()[-3:] == ["26,285,486", "8,732", "coco"]

    def test_copy(self, capsys: Capture) -> None:
        done = specc(capsys, "zoo", "copy", "ssd300_vgg", "-o", "mine")
        assert done.code == 0
        assert done.out.splitlines() == ["mine/ssd300_vgg.yaml", "mine/specc.schema.json"]
        original = (zoo() / "ssd300_vgg.yaml").read_bytes()
        assert Path("mine/ssd300_vgg.yaml").read_bytes() == original

    def test_copy_brings_the_files_that_are_used(
        self, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelf = folder / "shelf"
        shelf.mkdir()
        text = (folder / "good.yaml").read_text()
        uses = text.replace("Conv2d(3, width, 3)", "good()").replace("-> 30", "")
        (shelf / "good.yaml").write_text(text)
        (shelf / "top.yaml").write_text(uses + "use: {good: good}\n")
        (shelf / "specc.schema.json").write_text("{}")
        monkeypatch.setattr("specc.cli.zoo.zoo", lambda: shelf)
        done = specc(capsys, "zoo", "copy", "top", "-o", "mine")
        assert done.code == 0
        names = ["good.yaml", "specc.schema.json", "top.yaml"]
        assert sorted(path.name for path in Path("mine").iterdir()) == names

    def test_copy_never_overwrites(self, folder: Path, capsys: Capture) -> None:
        (folder / "ssd300_vgg.yaml").write_text("mine")
        done = specc(capsys, "zoo", "copy", "ssd300_vgg")
        assert (done.code, done.out) == (2, "")
        assert "add --force" in done.err
        assert (folder / "ssd300_vgg.yaml").read_text() == "mine"
        assert not (folder / "specc.schema.json").exists()
        assert specc(capsys, "zoo", "copy", "ssd300_vgg", "--force").code == 0
        assert (folder / "ssd300_vgg.yaml").read_text() != "mine"

    def test_unknown(self, capsys: Capture) -> None:
        done = specc(capsys, "zoo", "copy", "ssd300_vg")
        assert done.code == 2
        assert "did you mean `ssd300_vgg`?" in done.err

    @pytest.mark.parametrize(
        ("path", "copy"),
        [
            ("ssd300_vgg.yaml", "specc zoo copy ssd300_vgg"),
            ("ssd300_vgg", "specc zoo copy ssd300_vgg"),
            ("specs/ssd300_vgg.yaml:coco", "specc zoo copy ssd300_vgg -o specs"),
            ("my specs/ssd300_vgg.yaml", "specc zoo copy ssd300_vgg -o 'my specs'"),
        ],
    )
    def test_a_spec_that_is_only_in_the_zoo_says_so(
        self, path: str, copy: str, capsys: Capture
    ) -> None:
        done = specc(capsys, "build", path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"error[E0101]: `{path.removesuffix(':coco')}` cannot be read")
        assert f"= help: ssd300_vgg.yaml comes with specc: `{copy}` puts it there" in done.err

    def test_a_file_of_a_name_in_the_zoo_is_read(self, folder: Path, capsys: Capture) -> None:
        (folder / "ssd300_vgg.yaml").mkdir()
        assert (
            "error[E0102]: `ssd300_vgg.yaml` is a folder"
            in specc(capsys, "build", "ssd300_vgg.yaml").err
        )
