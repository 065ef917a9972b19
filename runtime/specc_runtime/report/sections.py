"""The sections of a report, each from data to HTML."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from specc_runtime.data import Dataset
from specc_runtime.detector import Detector
from specc_runtime.evaluation import Curve
from specc_runtime.matching import CenterSampling
from specc_runtime.recipe import Recipe
from specc_runtime.report import svg
from specc_runtime.report.coverage import BANDS, MOST_OBJECTS, coverage, sides, stretched
from specc_runtime.report.findings import THRESHOLDS, Findings, confusion
from specc_runtime.report.page import Section, figure, picture, table
from specc_runtime.report.pictures import training_sheet, validation_sheets

MOST_LINES = 10
"""Classes shown in a chart: those with the most objects."""

MOST_SQUARES = 30
"""Classes shown in a confusion matrix."""

_NO_LOSSES = {"kind", "epoch", "loss", "lr", "images_per_second", "step"}

Records = Sequence[Mapping[str, Any]]


def overview(about: Mapping[str, Any], recipe: Recipe, records: Records) -> Section:
    """What the run was."""
    data, validated = about["data"], _of_kind(records, "validation")
    best = max((_score(r) for r in validated), default=0.0)
    last = max((record["step"] for record in records), default=0)
    rows = [
        ("best mAP on the validation split", f"{best:.4f}"),
        ("steps so far", f"{last:,}"),
        ("data", f"{data['root']}: {data['split']}, validation {data['val_split'] or 'none'}"),
        ("classes", ", ".join(about["classes"])),
        ("device", str(about["device"])),
        ("versions", ", ".join(f"{name} {v}" for name, v in about["versions"].items())),
    ]
    settings = escape(recipe.as_yaml())
    body = table(("", ""), rows)
    return Section(
        "Run", f"{body}<details><summary>Recipe</summary><pre>{settings}</pre></details>"
    )


def course(records: Records) -> Section:
    """Losses, learning rate and scores over steps."""
    train, validated = _of_kind(records, "train"), _of_kind(records, "validation")
    names = dict.fromkeys(name for record in train for name in record)
    parts = [name for name in names if name not in _NO_LOSSES]
    losses = {name: _over_steps(train, name) for name in ("loss", *parts)}
    scored = [name for name in ("map50", "map") if any(name in r for r in validated)]
    scores = {name: _over_steps(validated, name) for name in scored}
    return Section(
        "Course",
        _side_by_side(
            figure("Loss and its parts.", svg.lines(losses, "step")),
            figure(
                "Mean average precision on the validation split.",
                svg.lines(scores, "step", y_range=(0.0, 1.0)),
            ),
            figure("Learning rate.", svg.lines({"lr": _over_steps(train, "lr")}, "step")),
            figure(
                "Images a second.",
                svg.lines({"images/s": _over_steps(train, "images_per_second")}, "step"),
            ),
        ),
    )


def scores(findings: Findings, dataset: Dataset, file: str) -> Section:
    """Precision, recall and F1, and each class's average precision."""
    counts = _objects_of(dataset)
    curves = {n: c for n, c in findings.curves.items() if c is not None}
    shown = sorted(curves, key=lambda name: -counts[name])[:MOST_LINES]
    precision = {name: _precision_over_recall(curves[name]) for name in shown}
    every = findings.f1
    lines = {name: list(zip(THRESHOLDS, every[name], strict=True)) for name in shown}
    if len(every) > 1:
        mean = np.mean(list(every.values()), axis=0)
        lines["all classes"] = list(zip(THRESHOLDS, mean, strict=True))
    note = (
        f"{file}, {findings.scores['images']} images. At the least score of "
        f"{findings.threshold:.2f} the mean F1 of all classes is best."
    )
    body = _side_by_side(
        figure(
            "Precision over recall at IoU 0.5.",
            svg.lines(precision, "recall", x_range=(0, 1), y_range=(0, 1)),
        ),
        figure(
            "F1 over the least score shown.",
            svg.lines(lines, "least score", x_range=(0, 1), y_range=(0, 1)),
        ),
    )
    return Section(
        "Scores", f'<p class="note">{escape(note)}</p>{body}{_per_class(findings, counts)}'
    )


def confusions(findings: Findings, dataset: Dataset) -> Section:
    """Which class is taken for which."""
    counts = confusion(dataset, findings.found, findings.threshold)
    names = [*dataset.classes, "background"]
    chosen: list[int] = sorted(
        np.argsort(-counts[:-1].sum(axis=1), kind="stable")[:MOST_SQUARES].tolist()
    )
    chosen.append(len(dataset.classes))
    shown = [names[n] for n in chosen]
    note = (
        f"Rows are what is there, columns what was found, at IoU 0.5 and scores of "
        f"{findings.threshold:.2f} or more. The row of background is of false alarms, its column of "
        "objects that were missed."
    )
    if len(chosen) < len(names):
        note += f" The {MOST_SQUARES} classes with the most objects."
    return Section("Confusions", figure(note, svg.heat_map(counts[np.ix_(chosen, chosen)], shown)))


def found(findings: Findings, dataset: Dataset) -> Section:
    """What is annotated and what was found, image by image."""
    there, seen = validation_sheets(dataset, findings)
    return Section(
        "Found on the validation split",
        picture("As annotated.", there)
        + picture(f"As found, with scores of {findings.threshold:.2f} or more.", seen),
    )


def labels(splits: Mapping[str, Dataset], size: tuple[int, int]) -> Section:
    """Objects by class and size."""
    counts = {split: _objects_of(dataset) for split, dataset in splits.items()}
    [train, *_] = splits.values()
    rows = [(name, *(counts[split][name] for split in splits)) for name in train.classes]
    rows.append(("all", *(sum(c.values()) for c in counts.values())))
    rows.append(("images", *map(len, splits.values())))
    an_image = Counter(min(len(a.labels), 10) for a in train.annotations)
    on_images = {"10+" if n == 10 else str(n): an_image[n] for n in range(max(an_image) + 1)}
    return Section(
        "Labels",
        table(("class", *splits), rows)
        + _side_by_side(
            figure("Images with so many objects.", svg.bars(on_images, "objects an image")),
            figure(
                f"Objects by size: the root of their area at {size[1]} x {size[0]} pixels.",
                svg.bars(_sizes(train, size), "pixels"),
            ),
        ),
    )


def anchors(detector: Detector, dataset: Dataset) -> Section:
    """Whether the detector's anchors fit the data."""
    title = "Anchors"
    if isinstance(detector.match, CenterSampling):
        return Section(
            title, '<p class="note">This detector matches by centres, not by overlap.</p>'
        )
    objects, covered = coverage(detector, dataset)
    rows: list[tuple[str | float, ...]] = []
    lines = [*zip(dataset.classes, objects, covered, strict=True)]
    lines.append(("all", objects.sum(axis=0), covered.sum(axis=0)))
    for name, there, met in lines:
        shares = [*(met / np.maximum(there, 1)), met.sum() / max(there.sum(), 1)]
        known = [*there, there.sum()]
        rows.append(
            (name, *(float(s) if n else float("nan") for s, n in zip(shares, known, strict=True)))
        )
    bands = [
        f"{name}, {'from ' + format(low, 'g') if high == float('inf') else 'to ' + format(high, 'g')}"
        for name, (low, high) in BANDS.items()
    ]
    note = (
        f"The share of the training split's objects that one of the {len(detector.anchors):,} anchors "
        "overlaps with an IoU of 0.5 or more, by size in pixels of the network's input. Where it is "
        "low, the spec's sizes and ratios do not fit the data."
    )
    if objects.sum() == MOST_OBJECTS:
        note += f" Of {MOST_OBJECTS:,} objects."
    return Section(title, f'<p class="note">{note}</p>{table(("class", *bands, "all"), rows)}')


def learnt_from(dataset: Dataset, size: tuple[int, int], recipe: Recipe) -> Section:
    """What the network gets to see in training."""
    sheet = training_sheet(dataset, size, recipe)
    return Section("Learnt from", picture("Images of the first epoch, augmented.", sheet))


def _per_class(findings: Findings, counts: Mapping[str, int]) -> str:
    precision, every = findings.average_precision(), findings.f1
    rows: list[tuple[str, int, int, float, float, float]] = []
    for name, curve in findings.curves.items():
        best = every.get(name, np.full(len(THRESHOLDS), np.nan))
        detections = 0 if curve is None else int((curve.scores >= findings.threshold).sum())
        place = int(best.argmax())
        rows.append(
            (
                name,
                counts[name],
                detections,
                precision[name],
                float(best[place]),
                float(THRESHOLDS[place]),
            )
        )
    return table(("class", "objects", "found", "AP at IoU 0.5", "best F1", "at score"), rows)


def _precision_over_recall(curve: Curve) -> svg.Points:
    """The curve with precision made non-increasing, as average precision uses it."""
    envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return [
        (0.0, float(envelope[0]) if len(envelope) else 0.0),
        *zip(curve.recall, envelope, strict=True),
    ]


def _objects_of(dataset: Dataset) -> dict[str, int]:
    every = Counter(label for a in dataset.annotations for label in a.labels.tolist())
    return {name: every[label] for label, name in enumerate(dataset.classes)}


def _sizes(dataset: Dataset, size: tuple[int, int]) -> dict[str, float]:
    """Objects by the square roots of their areas, in bands half as wide as those of `coverage`."""
    edges = [0, 16, 32, 64, 96, 192]
    every = np.concatenate([sides(stretched(a, size)) for a in dataset.annotations])
    counts = np.bincount(np.searchsorted(edges, every, side="right") - 1, minlength=len(edges))
    names = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return dict(zip([*names, "192+"], counts.tolist(), strict=True))


def _of_kind(records: Records, kind: str) -> Records:
    return [record for record in records if record["kind"] == kind]


def _over_steps(records: Records, name: str) -> svg.Points:
    return [(r["step"], r[name]) for r in records if isinstance(r.get(name), int | float)]


def _score(record: Mapping[str, Any]) -> float:
    value = record.get("map", record.get("map50"))
    return float(value) if isinstance(value, int | float) else 0.0


def _side_by_side(*figures: str) -> str:
    return f'<div class="charts">{"".join(figures)}</div>'
