"""Where a run's numbers go besides its log: TensorBoard files, and tracking services on request."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from specc_runtime.events import EventFile
from specc_runtime.logs import Tracker
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run

PROJECT = "specc"
"""The name of W&B's project and of MLflow's experiment."""


class TrackerError(Exception):
    """A tracker is not installed or cannot start; the message says why."""


def trackers(run: Run, recipe: Recipe) -> list[Tracker]:
    """An event file in the run's folder, and the service that the recipe's `track` names.

    Raises `TrackerError`.
    """
    services = {"wandb": WandB, "mlflow": MLflow}
    asked: list[Tracker] = []
    if recipe.track:
        try:
            asked.append(services[recipe.track](run, recipe))
        except TrackerError:
            raise
        except Exception as error:
            raise TrackerError(f"`track={recipe.track}` does not begin: {error}") from error
    return [EventFile(run.path), *asked]


class WandB:
    """Weights & Biases, as configured on this machine; a resumed run continues its own entry."""

    name = "Weights & Biases"

    def __init__(self, run: Run, recipe: Recipe) -> None:
        wandb = _need("wandb")
        self._run: Any = wandb.init(
            project=PROJECT,
            name=run.path.name,
            dir=str(run.path),
            config=asdict(recipe),
            id=_known(run, "wandb"),
            resume="allow",
        )
        _keep(run, "wandb", self._run.id)

    def start(self, step: int) -> None:
        """Nothing: W&B forgets nothing, and ignores steps that it already has."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Keep numbers by name, as of a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class MLflow:
    """MLflow, at this machine's tracking URI; a resumed run continues its own entry."""

    name = "MLflow"

    def __init__(self, run: Run, recipe: Recipe) -> None:
        mlflow = _need("mlflow")
        self._client: Any = mlflow.MlflowClient()
        known = _known(run, "mlflow")
        if known is None:
            experiment = mlflow.set_experiment(PROJECT)
            made = self._client.create_run(experiment.experiment_id, run_name=run.path.name)
            known = made.info.run_id
            for name, value in asdict(recipe).items():
                self._client.log_param(known, name, value)
            _keep(run, "mlflow", known)
        self._id: str = known

    def start(self, step: int) -> None:
        """Nothing: MLflow forgets nothing."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Keep numbers by name, as of a step."""
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._id)


def _need(package: str) -> Any:
    """Import an optional package. Raises `TrackerError`."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise TrackerError(f"`track={package}` needs a package: pip install {package}") from error


def _known(run: Run, service: str) -> str | None:
    """The id that a service gave this run when it began."""
    return json.loads(run.tracked.read_text()).get(service) if run.tracked.exists() else None


def _keep(run: Run, service: str, name: str) -> None:
    run.tracked.write_text(json.dumps({service: name}) + "\n")
