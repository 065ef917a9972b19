"""A run told by steps ends where it is told to, within an epoch too, and is scored there."""

from dataclasses import replace

from .training import RECIPE, STEPS_PER_EPOCH, trainer


def test_a_run_of_steps_ends_within_an_epoch_and_is_scored_there(tmp_path):
    scored = []

    def validate(detector, between):
        scored.append(run.step)
        return {"map50": 0.5}

    run = trainer(tmp_path, replace(RECIPE, steps=6), validate=validate)
    assert STEPS_PER_EPOCH == 4 and run.fit() == 0
    assert run.step == 6 and scored == [4, 6]
    assert run.run.last.exists()
    longer = trainer(tmp_path, replace(RECIPE, steps=9), validate=validate)
    longer.resume()
    run = longer
    assert longer.fit() == 0 and scored == [4, 6, 8, 9]
