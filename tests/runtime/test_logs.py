"""Lines for people, records for programs."""

import json

import pytest

from specc_runtime.display import Lines, Status, clock
from specc_runtime.logs import Log

STATUS = Status(1, 10, 1200, 12000, {"boxes": 1.5, "classes": 2.0}, 1e-3, 812.4)


def records(log: Log) -> list[dict]:
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def test_the_line_says_where_the_run_stands():
    assert STATUS.line(left=5400.0) == (
        "epoch 2/10  step 1,200/12,000  loss 3.500 (boxes 1.500, classes 2.000)  lr 1.00e-03  "
        "812 images/s  1:30:00 left"
    )


def test_the_line_has_the_best_score_and_the_memory_of_a_gpu_if_there_are_any():
    status = STATUS._replace(score=0.51234, memory=5 * 2**29)
    assert "images/s  best mAP 0.5123  2.5 GiB  0:00:01 left" in status.line(left=1.0)


def test_the_time_left_follows_from_the_steps_since_the_last_status(tmp_path, capsys, monkeypatch):
    clocks = iter([0.0, 100.0, 130.0])
    monkeypatch.setattr("specc_runtime.logs.time.perf_counter", lambda: next(clocks))
    log = Log(tmp_path / "metrics.jsonl", Lines())
    log.start(1190)
    log.status(STATUS)
    assert capsys.readouterr().err.endswith(f"{clock(10_800 * 3)} left\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (61.4, "0:01:01"), (36000, "10:00:00")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_without_a_terminal_there_are_plain_lines(tmp_path, capsys):
    log = Log(tmp_path / "metrics.jsonl")
    assert isinstance(log.shown, Lines)
    log.status(STATUS)
    assert "step 1,200/12,000" in capsys.readouterr().err
    (record,) = records(log)
    assert record["kind"] == "train" and record["step"] == 1200
    assert record["loss"] == 3.5 and record["boxes"] == 1.5 and record["epoch"] == 1


def test_on_a_terminal_there_is_a_bar_with_all_figures_below(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    log = Log(tmp_path / "metrics.jsonl")
    assert type(log.shown).__name__ == "Bar"
    log.status(STATUS._replace(score=0.5))
    log.say("said")
    log.close()
    assert records(log)[0]["step"] == 1200
    shown = " ".join(capsys.readouterr().err.split())
    assert "said" in shown and "epoch 2/10 step 1,200/12,000" in shown
    assert "(boxes 1.500, classes 2.000) lr 1.00e-03 812 images/s best mAP 0.5000" in shown


def test_what_is_not_finite_is_null(tmp_path):
    log = Log(tmp_path / "metrics.jsonl", Lines())
    log.record("validation", 5, {"map50": float("nan"), "per_class": {"a": float("inf"), "b": 1}})
    assert records(log) == [
        {"kind": "validation", "map50": None, "per_class": {"a": None, "b": 1}, "step": 5}
    ]


def test_going_on_drops_what_came_later_or_was_cut_off(tmp_path):
    log = Log(tmp_path / "metrics.jsonl", Lines())
    for step in (1, 2, 3):
        log.record("train", step, {})
    with log.path.open("a") as file:
        file.write('{"kind": "tr')
    log.start(2)
    assert [r["step"] for r in records(log)] == [1, 2]
