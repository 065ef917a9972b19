"""The wheel holds what the project needs when it is not a checkout."""

import zipfile

import pytest
from project import ROOT, run


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> set[str]:
    folder = tmp_path_factory.mktemp("dist")
    done = run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_file_of_both_packages(names):
    for folder, package in (("compiler", "specc"), ("runtime", "specc_runtime")):
        inside = (ROOT / folder / package).rglob("*")
        files = {p for p in inside if p.is_file() and "__pycache__" not in p.parts}
        wanted = {p.relative_to(ROOT / folder).as_posix() for p in files}
        assert wanted <= names, wanted - names


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("specc/emit/templates/module.py.jinja", 1),
        ("specc/py.typed", 1),
        ("specc_runtime/py.typed", 1),
        ("specc/zoo/ssd300_vgg.yaml", 1),
        ("specc/explain/E", 50),
    ],
)
def test_wheel_holds_templates_pages_types_and_zoo(names, kind, least):
    assert sum(name.startswith(kind) for name in names) >= least


def test_wheel_holds_nothing_else(names):
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"specc", "specc_runtime"}
