"""Which parts of a network patterns fix."""

import pytest
from torch import nn

from specc_runtime import recipe as recipes
from specc_runtime.freezing import FreezeError, freeze


def network() -> nn.Module:
    found = nn.Module()
    found.backbone = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
    found.backbone2 = nn.Conv2d(4, 4, 1)
    found.head = nn.Conv2d(4, 2, 1)
    return found


@pytest.mark.parametrize(
    ("patterns", "fixed", "modules"),
    [
        (["backbone"], {f"backbone.{i}.{n}" for i in (0, 1, 2) for n in ("weight", "bias")}, 4),
        (["backbone.[01]"], {f"backbone.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")}, 2),
        (["*.bias"], {f"{m}.bias" for m in ("backbone.0", "backbone.1", "backbone.2")}
         | {"backbone2.bias", "head.bias"}, 0),
        (["head.weight", "backbone2"], {"head.weight", "backbone2.weight", "backbone2.bias"}, 1),
        ([], set(), 0),
    ],
)  # fmt: skip
def test_patterns_fix_what_they_name_and_all_in_it(patterns, fixed, modules):
    module = network()
    assert len(freeze(module, patterns)) == modules
    assert {n for n, p in module.named_parameters() if not p.requires_grad} == fixed


def test_a_pattern_that_names_nothing_is_refused_with_what_there_is():
    with pytest.raises(FreezeError, match="`bakbone`; the network has backbone, backbone2, head"):
        freeze(network(), ["head", "bakbone"])


def test_something_has_to_be_left():
    with pytest.raises(FreezeError, match="nothing is left to train"):
        freeze(network(), ["*"])


def test_a_recipe_names_them(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("freeze: [backbone, '*.bias']\n")
    recipe = recipes.read(path)
    assert recipe.freeze == ("backbone", "*.bias")
    path.write_text(recipe.as_yaml())
    assert recipes.read(path) == recipe
    assert recipes.read(None, ["freeze=[stem.0]"]).freeze == ("stem.0",)
