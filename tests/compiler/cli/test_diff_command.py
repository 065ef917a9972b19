"""`specc diff`: what it finds between files, variants and revisions, and what it returns."""

import json
import subprocess
from pathlib import Path

import pytest
from commands import specc

from specc.driver import compile_spec
from specc.passes.difference import compare

Capture = pytest.CaptureFixture[str]

ROOT = Path(__file__).parents[3]
ZOO = ROOT / "specs"
SSD = ROOT / "specs/ssd300_vgg.yaml"
BEFORE = """\
specc: 1
name: net
inputs: {x: [N, 3, 32, 32]}
layers:
  stem: Conv2d(_, 8, 3, padding=1)
  pool: MaxPool2d(2)
  gone: ReLU()
  tail: Conv2d(_, 4, 1)
"""
AFTER = """\
specc: 1
name: other
inputs: {x: [N, 3, 32, 32]}
layers:
  stem: Conv2d(_, 8, 3, padding=1)
  pool: AvgPool2d(2)
  norm: BatchNorm2d(_)
  tail: Conv2d(_, 6, 3, padding=1)
"""
TABLE = """\
--- before.yaml
+++ after.yaml

   row   op                      settings                                                    \
reads         gives               parameters     multiply-adds
-  ----  ----------------------  ----------------------------------------------------------  \
------------  ------------------  ----------  ----------------
~  pool  MaxPool2d -> AvgPool2d                                                              \
              8x16x16
+  norm  BatchNorm2d                                                                         \
              8x16x16                     16
-  gone  ReLU                                                                                \
              8x16x16
~  tail  Conv2d                  out_channels: 4 -> 6, kernel_size: 1 -> 3, padding: 0 -> 1  \
gone -> norm  4x16x16 -> 6x16x16   36 -> 438  8,192 -> 110,592

parameters: 260 -> 678 (+418)
multiply-adds: 229,376 -> 331,776 (+102,400)
rows: 2 changed, 1 added, 1 removed, 2 the same
"""


@pytest.fixture
def pair() -> None:
    Path("before.yaml").write_text(BEFORE, encoding="utf-8")
    Path("after.yaml").write_text(AFTER, encoding="utf-8")


def differing(change: tuple[str, str], text: str = BEFORE) -> tuple[str, str]:
    """Write a spec, and the same with one text replaced."""
    assert change[0] in text
    Path("a.yaml").write_text(text, encoding="utf-8")
    Path("b.yaml").write_text(text.replace(*change), encoding="utf-8")
    return "a.yaml", "b.yaml"


def difference(a: object, b: object, **options: object):
    models = [compile_spec(str(path), **options) for path in (a, b)]
    return compare(*((model.hierarchy, model.facts) for model in models)), models


@pytest.mark.usefixtures("pair")
class TestCommand:
    """What is printed and returned."""

    def test_table(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "before.yaml", "after.yaml")
        assert (done.code, done.out, done.err) == (1, TABLE, "")

    def test_equal(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "before.yaml", "before.yaml")
        assert (done.code, done.out, done.err) == (0, "no difference in 5 rows\n", "")

    def test_a_name_alone_is_no_difference(self, capsys: Capture) -> None:
        assert specc(capsys, "diff", *differing(("name: net", "name: ten"))).code == 0

    def test_variants(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "good.yaml", "good.yaml:big")
        assert done.code == 1
        assert "out_channels: 8 -> 16" in done.out
        assert "parameters: 224 -> 448 (+224)" in done.out
        assert specc(capsys, "diff", "good.yaml:big", "good.yaml:big").code == 0
        assert specc(capsys, "diff", "good.yaml", "good.yaml:big", "--set", "width=4").code == 0

    def test_another_input(self, capsys: Capture) -> None:
        names = differing(("3, 32, 32", "3, H, W"))
        done = specc(capsys, "diff", *names)
        assert done.code == 1
        assert "multiply-adds: 229,376 -> none" in done.out
        assert specc(capsys, "diff", *names, "--input", "48").code == 0

    def test_json(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "before.yaml", "after.yaml", "--format", "json")
        report = json.loads(done.out)
        assert (done.code, report["equal"], report["same"]) == (1, False, 2)
        assert (report["before"]["parameters"], report["after"]["parameters"]) == (260, 678)
        rows = {row["path"]: row for row in report["rows"]}
        assert list(rows) == ["pool", "norm", "gone", "tail"]
        assert rows["norm"]["before"] is rows["gone"]["after"] is None
        assert rows["tail"]["after"]["settings"]["kernel_size"] == [3, 3]
        assert rows["tail"]["after"]["shape"] == ["N", 6, 16, 16]
        again = specc(capsys, "diff", "before.yaml", "before.yaml", "--format", "json")
        report = json.loads(again.out)
        assert (again.code, report["equal"], report["rows"]) == (0, True, [])

    @pytest.mark.parametrize(("wrong", "code"), [("bad.yaml", "E0205"), ("good.yaml:bag", "E0310")])
    def test_a_spec_with_errors_is_trouble(self, wrong: str, code: str, capsys: Capture) -> None:
        for names in ([wrong, "before.yaml"], ["before.yaml", wrong]):
            done = specc(capsys, "diff", *names)
            assert (done.code, done.out) == (2, "")
            assert code in done.err


class TestWhatCounts:
    """Each kind of change is found, and nothing else."""

    @pytest.mark.parametrize(
        ("change", "rows"),
        [
            (("3, padding=1", "3, padding=1, bias=False"), ["stem"]),
            (("3, padding=1", "3, padding=1, padding_mode='reflect'"), ["stem"]),
            (("MaxPool2d(2)", "MaxPool2d(2, ceil_mode=True)"), ["pool"]),
            (("ReLU()", "ReLU(inplace=True)"), ["gone"]),
            (("Conv2d(_, 4, 1)", "Conv2d(_, 4, 1)(pool)"), ["tail"]),
            (("Conv2d(_, 4, 1)", "Conv2d(_, 4, (1, 1), stride=1)(gone)"), []),
            (("32, 32", "34, 32"), ["x", "stem", "pool", "gone", "tail"]),
        ],
    )
    def test_rows(self, change: tuple[str, str], rows: list[str]) -> None:
        found, _ = difference(*differing(change))
        assert [row.path for row in found.changes] == rows
        assert found.is_empty == (not rows)

    def test_what_follows_from_what_arrives_is_no_setting(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", *differing(("_, 8, 3", "_, 16, 3")))
        assert "out_channels: 8 -> 16" in done.out
        assert "in_channels" not in done.out.replace("out_channels", "")
        assert "36 -> 68" in done.out

    def test_initial_values(self, capsys: Capture) -> None:
        row = "  tail:\n    op: Conv2d(_, 4, 1)\n    init: {weight: normal_(std=0.01)}\n"
        text = BEFORE.replace("  tail: Conv2d(_, 4, 1)\n", row)
        done = specc(capsys, "diff", *differing(("std=0.01", "std=0.02"), text))
        assert done.code == 1
        assert "std=0.01 -> kind=normal_, mean=0.0, std=0.02" in done.out

    def test_outputs(self) -> None:
        tail = "  tail: Conv2d(_, 4, 1)\n"
        ending = "outputs: {a: tail, b: gone}\n"
        names = differing((tail + ending, tail + "outputs: {b: gone, a: tail}\n"), BEFORE + ending)
        found, _ = difference(*names)
        assert (found.changes, found.settings) == ([], {"outputs": (["a", "b"], ["b", "a"])})
        names = differing((tail + ending, tail + "outputs: {a: tail, b: pool}\n"), BEFORE + ending)
        found, _ = difference(*names)
        assert found.settings == {"outputs.b": (["gone"], ["pool"])}

    def test_the_detector(self) -> None:
        text = SSD.read_text(encoding="utf-8")
        found, (old, new) = difference(*differing(("clip=True", "clip=False"), text))
        assert found.changes == []
        assert found.settings == {"detector.anchors.clip": (True, False)}
        assert old.facts.detector != new.facts.detector
        found, _ = difference(*differing(("name: ssd300_vgg", "name: mine"), text))
        assert found.is_empty

    @pytest.mark.parametrize(
        "names",
        [
            (ZOO / "efficientnet.yaml:b0", ZOO / "efficientnet.yaml:b4"),
            (ZOO / "resnet.yaml:resnet18", ZOO / "resnet.yaml:resnet50"),
            (SSD, ROOT / "specs/ssd_light.yaml"),
        ],
        ids=["efficientnet", "resnet", "ssd"],
    )
    def test_families(self, names: tuple[Path, Path]) -> None:
        """The rows that differ account for all that differs in the totals, both ways."""
        found, (a, b) = difference(*names, resize=(320, 320))
        before = [row.before for row in found.changes if row.before is not None]
        after = [row.after for row in found.changes if row.after is not None]
        more = sum(side.parameters for side in after) - sum(side.parameters for side in before)
        assert b.parameters - a.parameters == more
        more = sum(side.macs or 0 for side in after) - sum(side.macs or 0 for side in before)
        assert b.macs - a.macs == more
        paths = [row.path for row in found.changes]
        assert len(paths) == len(set(paths))
        assert len(after) + found.same == len(list(b.hierarchy.nodes()))
        assert len(before) + found.same == len(list(a.hierarchy.nodes()))
        back, _ = difference(*reversed(names), resize=(320, 320))
        assert sorted(row.path for row in back.changes) == sorted(paths)


class TestRevisions:
    """Specs as they were in git."""

    @pytest.fixture(autouse=True)
    def repository(self, folder: Path) -> None:
        (folder / "specs").mkdir()
        (folder / "specs/part.yaml").write_text(BEFORE.replace("net", "part"), encoding="utf-8")
        whole = "specc: 1\nname: whole\nuse: {Part: part}\nlayers:\n  part: Part()\n"
        whole += "inputs: {x: [N, 3, 32, 32]}\n"
        (folder / "specs/whole.yaml").write_text(whole, encoding="utf-8")
        (folder / "link.yaml").symlink_to("/etc/hostname")
        self.git("init", "--quiet", ".")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "First")
        changed = BEFORE.replace("net", "part").replace("8, 3", "16, 3")
        (folder / "specs/part.yaml").write_text(changed, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
        subprocess.run(["git", *who, *arguments], check=True)

    def test_a_file(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "HEAD:specs/part.yaml", "specs/part.yaml")
        assert done.code == 1
        assert done.out.startswith("--- HEAD:specs/part.yaml\n+++ specs/part.yaml\n")
        assert "out_channels: 8 -> 16" in done.out

    def test_the_files_it_uses_come_from_there_too(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "HEAD:specs/whole.yaml", "specs/whole.yaml")
        assert done.code == 1
        assert "part.stem" in done.out
        both = ["HEAD:specs/whole.yaml", "HEAD:specs/whole.yaml"]
        assert specc(capsys, "diff", *both).code == 0

    def test_a_fault_of_a_revision_is_shown_there(self, folder: Path, capsys: Capture) -> None:
        part = folder / "specs/part.yaml"
        good = part.read_text(encoding="utf-8")
        for wrong in (good.replace("16, 3", "16, 99"), "layers: 3\n"):
            part.write_text(wrong, encoding="utf-8")
            self.git("commit", "--quiet", "--all", "--message", "Wrong")
            part.write_text(good, encoding="utf-8")
            for name in ("part", "whole"):
                done = specc(capsys, "diff", f"HEAD:specs/{name}.yaml", "specs/part.yaml")
                assert done.code == 2
                assert "--> HEAD:specs/" in done.err

    def test_a_variant(self, capsys: Capture) -> None:
        done = specc(capsys, "diff", "HEAD:good.yaml", "HEAD:good.yaml:big")
        assert done.code == 1
        assert "parameters: 224 -> 448" in done.out

    def test_from_a_folder_below(
        self, capsys: Capture, monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        monkeypatch.chdir(folder / "specs")
        assert specc(capsys, "diff", "HEAD:specs/part.yaml", "part.yaml").code == 1
        assert Path.cwd() == folder / "specs"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("HAED:specs/part.yaml", "Not a valid object name HAED"),
            ("HEAD:specs/patr.yaml", "it has no spec specs/patr.yaml"),
            ("HEAD:../part.yaml", "outside"),
            ("HEAD:link.yaml", "it has no spec link.yaml"),
            ("--output=here:good.yaml", "does not begin with `-`"),
            ("missing.yaml:big", "there is no file missing.yaml"),
        ],
    )
    def test_there_is_none(self, name: str, said: str, folder: Path, capsys: Capture) -> None:
        there = sorted(folder.iterdir())
        done = specc(capsys, "diff", "good.yaml", "--", name)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert sorted(folder.iterdir()) == there

    def test_no_repository(
        self, capsys: Capture, tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.chdir(tmp_path_factory.mktemp("bare"))
        done = specc(capsys, "diff", "HEAD:a.yaml", "HEAD:b.yaml")
        assert done.code == 2
        assert "not a git repository" in done.err
