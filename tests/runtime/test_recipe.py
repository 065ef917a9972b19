"""Recipes: read from YAML, overridden, refused with the place of the mistake."""

from dataclasses import fields

import pytest

from specc.documents import Findings, render_text
from specc_runtime import recipe as recipes
from specc_runtime.recipe import Recipe


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
    for recipe in (Recipe(), Recipe(lr=1e-5, ema=None, milestones=(), clip_norm=2.5e20)):
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
        ("milestones=[0.5, 2]", "`milestones` must be at most 1.0, and is 2.0"),
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


def test_the_help_has_every_option():
    lines = recipes.describe().splitlines()
    assert [line.strip().partition("=")[0] for line in lines] == [f.name for f in fields(Recipe)]
