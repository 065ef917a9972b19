"""Commands: functions that take arguments, print errors and return an exit code."""

import argparse
import functools
import signal
import sys
from collections.abc import Callable, Sequence

import torch

from specc.documents import Findings, render_text
from specc_runtime import recipe
from specc_runtime.bench.measure import BenchError
from specc_runtime.checkpoint import CheckpointError
from specc_runtime.contract import ContractError
from specc_runtime.data import DataError, UnreadableImage
from specc_runtime.distributed import DistributedError
from specc_runtime.freezing import FreezeError
from specc_runtime.run import RunError
from specc_runtime.step import OutOfMemory
from specc_runtime.tensorfile import TensorFileError
from specc_runtime.trackers import TrackerError
from specc_runtime.trainer import TrainingError
from specc_runtime.verify import VerifyError
from specc_runtime.weights import WeightsError

Command = Callable[[Sequence[str]], int]

FAULTS = (
    BenchError,
    CheckpointError,
    ContractError,
    DataError,
    DistributedError,
    FreezeError,
    OutOfMemory,
    RunError,
    TensorFileError,
    TrackerError,
    TrainingError,
    UnreadableImage,
    VerifyError,
    WeightsError,
    ImportError,
    OSError,
    torch.OutOfMemoryError,
)
"""Errors that a user can mend: printed in a line, without a traceback."""


def command(function: Command) -> Command:
    """Make a function a command: its exceptions become a message and an exit code."""

    @functools.wraps(function)
    def run(argv: Sequence[str]) -> int:
        try:
            return function(argv)
        except Findings as findings:
            print(render_text(findings.diagnostics), end="", file=sys.stderr)
        except FAULTS as error:
            print(f"error: {_reason(error)}", file=sys.stderr)
        except SystemExit as leave:  # argparse has said why
            return int(leave.code or 0)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        return 1

    return run


def parser_of(name: str, function: Command) -> argparse.ArgumentParser:
    """A command's parser, described by the function's docstring."""
    return argparse.ArgumentParser(
        prog=f"specc {name}",
        description=function.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def with_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of a command that also takes recipe options, `name=value`, in any order."""
    parser.epilog = f"recipe options:\n{recipe.describe()}"
    parser.add_argument("options", nargs="*", metavar="name=value", help="recipe options")
    args, unknown = parser.parse_known_intermixed_args(argv)
    if unknown:
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)} (options of a recipe are written as epochs=20)"
        )
    return args


def _reason(error: Exception) -> str:
    """The message of an error, with the file's name if the system refused one."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)
