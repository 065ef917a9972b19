"""What a tensor is called in the module that takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.unroll.blocks import Block

if TYPE_CHECKING:
    from specc.unroll.blocks import Entry, Source

__all__ = ["References"]


class References:
    """Names tensors by the paths of the rows that make them.

    `tapped` gathers the rows of lists that are taken by name, and so need one.
    """

    def __init__(self) -> None:
        self.tapped: set[tuple[str, str]] = set()

    def name(self, entry: Entry, block: Block) -> str | None:
        """Return the name that a row is given, if it is given one."""
        if entry.name is None and (block.path, entry.key) in self.tapped:
            return f"row{entry.key}"
        return entry.name

    def text(self, source: Source, block: Block, above: list[Entry]) -> str:
        """Return the expression for what a row takes; `above` are the rows before it."""
        if isinstance(source, str):
            return self._path(source, block)
        for name, known in block.inputs.items():
            if known == source:
                return name
        for entry in above:
            if entry.target is None and entry.name is not None and entry.result == source:
                return entry.name
        return f"[{', '.join(self._path(path, block) for path in source)}]"

    def _path(self, path: str, block: Block) -> str:
        for name, source in block.inputs.items():
            if source == path:
                return name
            if isinstance(source, list) and path in source:
                return f"{name}[{source.index(path)}]"
        return self._tap(path, path.removeprefix(f"{block.path}."), block)

    def _tap(self, path: str, rest: str, block: Block) -> str:
        """Return the names that lead from a block to a row, up to the module that gives it."""
        key, _, rest = rest.partition(".")
        key, _, use = key.partition("@")
        entry = block.entry(key)
        if entry.name is None:
            self.tapped.add((block.path, key))
        name = entry.name or f"row{key}"
        if entry.is_shared:
            name += f"[{use or 0}]"
        if not isinstance(entry.target, Block) or not rest or entry.result == [path]:
            return name
        return f"{name}.{self._tap(path, rest, entry.target)}"
