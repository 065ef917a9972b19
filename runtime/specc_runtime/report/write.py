"""From a run's folder to its report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc_runtime import logs, model, weights
from specc_runtime import recipe as recipes
from specc_runtime.data import Dataset, open_dataset
from specc_runtime.detector import Detector
from specc_runtime.device import choose
from specc_runtime.files import write_text
from specc_runtime.recipe import Recipe
from specc_runtime.report import sections
from specc_runtime.report.findings import find
from specc_runtime.report.page import Section, page
from specc_runtime.run import Run

NAME = "report.html"


def write_report(folder: Path, data: Path | None = None) -> Path:
    """Write `report.html` into a run's folder: its data, its curves, and what it detects.

    The weights with the best score, or else the last ones, are run over the validation split; a run
    without either gets a page without that part. The same run gives the same page. `data` is the new place
    of a data set that has moved.

    Raises:
        specc_runtime.run.RunError: there is no run in that folder, its data set is not where it was, or
            `data` is another data set.
        specc_runtime.data.DataError: its data set can no longer be read.
        OSError: the page cannot be written; the old one stays.
    """
    run = _Recorded.read(folder, data)
    target = folder / NAME
    write_text(target, page(run.title, run.sections()))
    return target


@dataclass(frozen=True)
class _Recorded:
    """A run as its folder records it, with its data opened."""

    run: Run
    about: dict[str, Any]
    recipe: Recipe
    train: Dataset
    validation: Dataset | None

    @classmethod
    def read(cls, folder: Path, data: Path | None) -> "_Recorded":
        run = Run(folder)
        about = run.read()
        root, splits = data or run.data(), about["data"]
        validation = open_dataset(root, splits["val_split"]) if splits["val_split"] else None
        train = open_dataset(root, splits["split"])
        if data:
            run.check_data([train, validation] if validation else [train])
        return cls(run, about, recipes.read(run.recipe), train, validation)

    @property
    def title(self) -> str:
        return f"{model.load(self.run.model).name} on {Path(self.about['data']['root']).name}"

    def sections(self) -> list[Section]:
        """The page's sections, without those of a validation if there was none."""
        records = logs.read(self.run.metrics)
        detector, file = self._detector()
        parts = [sections.overview(self.about, self.recipe, records), sections.course(records)]
        if self.validation and file:
            findings = find(detector, self.validation, self.recipe)
            parts += [
                sections.scores(findings, self.validation, file.name),
                sections.confusions(findings, self.validation),
                sections.found(findings, self.validation),
            ]
        splits = {self.about["data"]["split"]: self.train}
        if self.validation:
            splits[self.about["data"]["val_split"]] = self.validation
        return [
            *parts,
            sections.labels(splits, detector.input.size),
            sections.anchors(detector, self.train),
            sections.learnt_from(self.train, detector.input.size, self.recipe),
        ]

    def _detector(self) -> tuple[Detector, Path | None]:
        """The run's detector, and the file of its weights if there is one."""
        detector = model.load(self.run.model).build(len(self.about["classes"]))
        file = next((f for f in (self.run.best, self.run.last) if f.exists()), None)
        if file:
            detector.load(weights.read(file))
        return detector.to(choose()).eval(), file
