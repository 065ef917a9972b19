"""Lines for people, records for programs."""

import json

import pytest

from specc_runtime.logs import Lines, Log, Status, clock

STATUS = Status(1, 10, 1200, 12000, {"boxes": 1.5, "classes": 2.0}, 1e-3, 812.4)


def records(log: Log) -> list[dict]:
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def test_the_line_says_where_the_run_stands():
    assert STATUS.line(steps_per_second=2.0) == (
        "epoch 2/10  step 1,200/12,000  loss 3.500 (boxes 1.500, classes 2.000)  lr 1.00e-03  "
        "812 images/s  1:30:00 left"
    )


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


def test_on_a_terminal_there_is_a_bar(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    log = Log(tmp_path / "metrics.jsonl")
    assert type(log.shown).__name__ == "Bar"
    log.status(STATUS)
    log.say("said")
    log.close()
    assert records(log)[0]["step"] == 1200


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
