"""The literal `DETECTOR` of an emitted module, format 1, as typed values.

Each part of the literal names a component by its `kind`, and the component is a frozen dataclass
whose fields are the literal's other keys. So the options of a component, their meaning and the code
that uses them are in one place, and a key that nothing reads is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, TypeVar, cast

FORMAT = 1

T = TypeVar("T")


class ContractError(Exception):
    """This runtime cannot run the generated file; the message says which part and why."""


@dataclass(frozen=True)
class Input:
    """How a picture becomes the network's input.

    `size` is (height, width) in pixels. A channel value x of 0..255 becomes
    `(x * scale / 255 - mean) / std`, in the order of `channels`, RGB or BGR.
    """

    size: tuple[int, int]
    channels: str
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str

    def __post_init__(self) -> None:
        require("input.channels", self.channels, ("RGB", "BGR"))
        require("input.resize", self.resize, ("stretch",))
        for name, count, values in (
            ("scale", 1, (self.scale,)),
            ("mean", 3, self.mean),
            ("std", 3, self.std),
        ):
            if not _are_numbers(values, count) or (name == "std" and 0 in values):
                raise ContractError(f"DETECTOR: input.{name} is {getattr(self, name)!r}")

    @property
    def preprocess(self) -> dict[str, Any]:
        """All settings but the size: those that weights are trained with."""
        return {name: value for name, value in asdict(self).items() if name != "size"}


@dataclass(frozen=True)
class Outputs:
    """Names of the module's outputs that the loss reads.

    Box offsets (N, A, 4), or (N, R, 4 * C) of a second stage; class logits (N, A, C); and center-ness or
    objectness logits (N, A, 1).
    """

    boxes: str
    classes: str | None = None
    centerness: str | None = None
    objectness: str | None = None

    def name(self, key: str, reader: object) -> str:
        """The name of the output that a loss reads under a key. Raises `ContractError` if none is given."""
        name: str | None = getattr(self, key)
        if name is None:
            raise ContractError(
                f"DETECTOR: outputs lacks {key}, which {type(reader).__name__} reads"
            )
        return name


def require(where: str, value: str, known: Sequence[str]) -> None:
    """Raise `ContractError` unless `value` is one of `known`."""
    if value not in known:
        raise ContractError(
            f"DETECTOR: {where} is {value!r}; this runtime knows {', '.join(known)}"
        )


def component(kinds: Mapping[str, type[T]], literal: Any, where: str) -> T:
    """Build the component that `literal["kind"]` names from the literal's other keys."""
    keys = _mapping(literal, where)
    require(f"{where}.kind", str(keys.pop("kind", None)), tuple(kinds))
    return _construct(kinds[literal["kind"]], keys, where)


def record(cls: type[T], literal: Any, where: str) -> T:
    """Build a part of the literal that has only one kind, and so no `kind`."""
    return _construct(cls, _mapping(literal, where), where)


def lists_to_tuples(value: Any) -> Any:
    """The value with all lists in it, at any depth of lists and mappings, turned into tuples."""
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value).items()
        return {name: lists_to_tuples(item) for name, item in entries}
    if isinstance(value, (list, tuple)):
        return tuple(lists_to_tuples(item) for item in cast(Sequence[Any], value))
    return value


def _are_numbers(values: Any, count: int) -> bool:
    """Whether this is a tuple of `count` numbers of a magnitude that pixel values can have."""
    if not isinstance(values, tuple) or len(cast(tuple[Any, ...], values)) != count:
        return False
    found = cast(tuple[Any, ...], values)
    return all(isinstance(value, int | float) and abs(value) <= 1e6 for value in found)


def _mapping(literal: Any, where: str) -> dict[str, Any]:
    if not isinstance(literal, Mapping):
        raise ContractError(f"DETECTOR: {where} is missing or not a mapping")
    return dict(cast(Mapping[str, Any], literal))


def _construct(cls: type[T], keys: dict[str, Any], where: str) -> T:
    known = {f.name: f.default is MISSING for f in fields(cast(Any, cls))}
    unknown = sorted(set(keys) - set(known))
    missing = sorted(name for name, needed in known.items() if needed and name not in keys)
    if unknown:
        raise ContractError(
            f"DETECTOR: {where} has {', '.join(unknown)}, which {cls.__name__} does not read"
        )
    if missing:
        raise ContractError(f"DETECTOR: {where} lacks {', '.join(missing)} for {cls.__name__}")
    return cls(**{name: lists_to_tuples(value) for name, value in keys.items()})
