"""Recipes: read from YAML, overridden, refused with the place of the mistake."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet50, vgg16
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.ssd import _vgg_extractor
from torchvision.ops import FrozenBatchNorm2d

import specc
from specc.documents import Findings, render_text
from specc_runtime import recipe as recipes
from specc_runtime.freezing import freeze
from specc_runtime.optim import learning_rate
from specc_runtime.recipe import AUTO, Recipe

ROOT = Path(__file__).parents[2]


def refusal(*overrides: str, path=None) -> str:
    with pytest.raises(Findings) as found:
        recipes.read(path, overrides)
    return render_text(found.value.diagnostics)


def test_without_anything_the_defaults_hold():
    assert recipes.read(None) == Recipe()


def test_overrides_win_over_the_file_which_wins_over_the_defaults(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("lr: 0.02\nbatch: 8\nmilestones: [0.5]\nema: null\n")
    recipe = recipes.read(path, ["batch=16", "seed=3"])
    assert (recipe.lr, recipe.batch, recipe.seed) == (0.02, 16, 3)
    assert recipe.milestones == (0.5,) and recipe.ema is None
    assert recipe.epochs == Recipe().epochs


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "r.yaml"
    for recipe in (
        Recipe(),
        Recipe(lr=1e-5, ema=None, milestones=(), clip_norm=2.5e20),
        Recipe(steps=90_000, milestones=(60_000.0, 0.9), batch=AUTO, track="mlflow"),
    ):
        path.write_text(recipe.as_yaml())
        assert recipes.read(path) == recipe


def test_small_rates_can_be_written_as_on_any_command_line():
    assert recipes.read(None, ["lr=1e-3"]).lr == 0.001
    assert recipes.read(None, ["lr=1"]).lr == 1.0


def test_an_unknown_option_gets_the_nearest_and_its_place(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("batch: 8\nweight_dekay: 0.1\n")
    text = refusal(path=path)
    assert "a recipe has no option `weight_dekay`" in text
    assert f"{path}:2:1" in text
    assert "did you mean `weight_decay`?" in text


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch=0", "`batch` must be at least 1, and is 0"),
        ("batch=2.5", "`batch` is a whole number, and not 2.5"),
        ("batch=true", "`batch` is a whole number, and not true"),
        ("lr=fast", "`lr` is a number, and not fast"),
        ("lr=.nan", "`lr` must be finite, and is nan"),
        ("momentum=1.5", "`momentum` must be at most 1.0, and is 1.5"),
        ("optimizer=adam", "`optimizer` is one of sgd, adamw, and not adam"),
        ("channels_last=1", "`channels_last` is true or false, and not 1"),
        ("milestones=0.5", "`milestones` is a list, and not 0.5"),
        ("milestones=[-0.5]", "`milestones` must be at least 0.0, and is -0.5"),
        ("milestones=[80, 121]", "`milestones` has 121, and the run ends after 120 epochs"),
        ("batch=many", "`batch` is a whole number, and not many"),
        ("epochs=null", "`epochs` is a whole number, and not null"),
        ("epochs", "`epochs` is not `name=value`"),
    ],
)
def test_values_that_do_not_fit_are_refused(override, message):
    assert message in refusal(override)


def test_all_mistakes_are_told_at_once():
    text = refusal("batch=0", "lrr=1", "seed=-1")
    assert text.count("error[") == 3


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("- 1\n")
    assert "a recipe is a mapping of options" in refusal(path=path)


def test_of_epochs_and_steps_the_last_is_the_length(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("steps: 900\nmilestones: [0.5]\n")
    assert recipes.read(path).length == 900
    assert recipes.read(path, ["epochs=7"]).length == 7
    assert recipes.read(path, ["epochs=7", "steps=30"]).length == 30
    path.write_text(recipes.read(path, ["epochs=7"]).as_yaml())
    assert recipes.read(path).length == 7


def test_a_milestone_behind_the_end_is_shown_where_it_stands(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("steps: 900\nmilestones: [600, 800]\n")
    text = refusal("steps=700", path=path)
    assert "`milestones` has 800, and the run ends after 700 steps" in text
    assert f"{path}:2:13" in text and "milestones=[0.667, 0.833]" in text


def test_auto_is_a_word_of_batch_alone(tmp_path):
    recipe = recipes.read(None, ["batch=auto"])
    assert recipe.batch == AUTO and "\nbatch: auto\n" in recipe.as_yaml()
    assert "`workers` is a whole number, and not auto" in refusal("workers=auto")
    assert "`batch` must be at least 1, and is 0" in refusal("batch=0")


# What the sources state: steps or epochs, images a step, rate, decay, where the rate falls, warm-up.
PUBLISHED = {
    "ssd300_voc": ("steps", 120_000, 32, 1e-3, 5e-4, (80_000, 100_000), 0),
    "ssd512_voc": ("steps", 120_000, 32, 1e-3, 5e-4, (80_000, 100_000), 0),
    "ssd300_coco": ("steps", 400_000, 32, 1e-3, 5e-4, (280_000, 360_000), 0),
    "ssd512_coco": ("steps", 400_000, 32, 1e-3, 5e-4, (280_000, 360_000), 0),
    "ssd300_coco_torchvision": ("epochs", 120, 32, 2e-3, 5e-4, (80, 110), 1000),
    "retinanet_coco": ("steps", 90_000, 16, 1e-2, 1e-4, (60_000, 80_000), 500),
    "retinanet_coco_torchvision": ("epochs", 26, 16, 1e-2, 1e-4, (16, 22), 1000),
    "retinanet_voc": ("epochs", 12, 16, 1e-2, 1e-4, (9,), 0),
}


@pytest.mark.parametrize("name", [*PUBLISHED, *(recipes.shipped().keys() - PUBLISHED)])
def test_recipes_of_specc_are_as_published(name):
    unit, length, batch, lr, decay, milestones, warmup = PUBLISHED[name]
    recipe = recipes.read(recipes.find(name))
    assert (getattr(recipe, unit), recipe.length) == (length, length)
    assert (recipe.batch, recipe.lr, recipe.weight_decay) == (batch, lr, decay)
    assert (recipe.milestones, recipe.warmup_steps) == (milestones, warmup)
    assert (recipe.optimizer, recipe.momentum, recipe.gamma) == ("sgd", 0.9, 0.1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_rate_of_published_recipes_is_that_of_torchs_schedulers(name):
    recipe = recipes.read(recipes.find(name))
    an_epoch = 1 if recipe.steps else 1000
    total = recipe.length * an_epoch
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=recipe.lr)
    falls = [round(m * an_epoch) for m in recipe.milestones]
    reference = torch.optim.lr_scheduler.MultiStepLR(optimizer, falls, recipe.gamma)
    for at in (recipe.warmup_steps, *falls, *(fall - 1 for fall in falls), total - 1):
        reference.last_epoch = at
        assert learning_rate(recipe, at, total) == pytest.approx(*reference._get_closed_form_lr())


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_of_specc_name_their_source_and_a_spec_that_they_train(name):
    text = recipes.find(name).read_text()
    comment = text[: text.index("\n", text.rindex("\n#") + 1)]
    assert any(source in comment for source in ("Liu et al.", "Lin et al.", "torchvision", "MMD"))
    spec, variant = re.search(
        rf"#   specc train specs/(\w+)\.yaml:?(\w+)? --recipe {name}$", comment, re.MULTILINE
    ).groups()
    with torch.device("meta"):
        network = specc.load(ROOT / f"specs/{spec}.yaml", variant=variant)
    freeze(network, recipes.read(recipes.find(name)).freeze)


@pytest.mark.parametrize(
    ("name", "spec", "theirs"),
    [
        (
            "ssd300_coco_torchvision",
            "ssd300_vgg",
            lambda: _vgg_extractor(vgg16(), highres=False, trainable_layers=4),
        ),
        (
            "retinanet_coco_torchvision",
            "retinanet_resnet50_fpn",
            lambda: _resnet_fpn_extractor(resnet50(norm_layer=FrozenBatchNorm2d), 3),
        ),
    ],
)
def test_what_torchvision_fixes_is_fixed(name, spec, theirs):
    with torch.device("meta"):
        network, reference = specc.load(ROOT / f"specs/{spec}.yaml"), theirs()
    freeze(network, recipes.read(recipes.find(name)).freeze)
    fixed = [
        [p.shape for p in found.parameters() if p.ndim > 1 and not p.requires_grad]
        for found in (network, reference)
    ]
    assert fixed[0] == fixed[1] != []


def test_an_unknown_recipe_gets_the_nearest():
    with pytest.raises(Findings) as found:
        recipes.find("ssd300_vok")
    text = render_text(found.value.diagnostics)
    assert "there is no recipe `ssd300_vok`" in text and "did you mean `ssd300_voc`?" in text


def test_a_file_goes_by_its_path(tmp_path):
    assert recipes.find("some/where.yaml") == Path("some/where.yaml")
    assert recipes.find(str(tmp_path)) == tmp_path


def test_the_help_has_every_option():
    lines = recipes.describe().splitlines()
    assert [line.strip().partition("=")[0] for line in lines] == [f.name for f in fields(Recipe)]
