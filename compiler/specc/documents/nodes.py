"""The tree that a YAML document becomes: ordinary values that know where they were written."""

from dataclasses import dataclass, field
from typing import TypeAlias

from specc.documents.places import Place, places
from specc.documents.source import Span

Value: TypeAlias = str | int | float | bool | None


@dataclass(slots=True, eq=False)
class Scalar:
    """One value: text, number, truth value or null.

    `span` covers it as written, quotes included; `content` leaves the quotes out. `plain` says
    that no quotes and no block style were used.
    """

    value: Value
    span: Span
    plain: bool
    content: Span

    @property
    def text(self) -> str:
        """What it says, folded and with escapes resolved; of a number, how it is written."""
        return self.value if isinstance(self.value, str) else self.content.text

    @property
    def is_as_written(self) -> bool:
        """Whether `text` stands in the file character for character."""
        return self.text == self.content.text

    def places(self) -> list[Place]:
        """Where in `content` each character of `text` starts and ends."""
        quote = None if self.plain else self.span.text[:1]
        return places(self.text, self.content.text, quote)

    def part(self, start: int, end: int) -> Span:
        """The span of the characters of `text` from `start` up to `end`."""
        if self.is_as_written:
            return self.content.within(start, end)
        found = [*self.places(), (len(self.content.text),) * 2]
        last = len(found) - 1
        return self.content.within(
            found[min(start, last)][0], found[min(max(end - 1, start), last)][1]
        )

    @property
    def name(self) -> str:
        """The text as the name of a mapping's entry: `3:` and `"3":` are the same name."""
        return self.text


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    items: "list[Node]"
    span: Span


@dataclass(slots=True, eq=False)
class Mapping:
    """Entries in the order written; names are unique."""

    entries: "list[tuple[Scalar, Node]]"
    span: Span
    _places: dict[str, int] | None = field(default=None, init=False, repr=False)

    def get(self, key: str) -> "Node | None":
        """The value of the entry named `key`."""
        place = self._find(key)
        return None if place is None else self.entries[place][1]

    def key(self, name: str) -> Scalar | None:
        """The key of the entry named `name`, for a diagnostic to point at."""
        place = self._find(name)
        return None if place is None else self.entries[place][0]

    def keys(self) -> list[str]:
        """The names of the entries."""
        return [key.name for key, _ in self.entries]

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> int | None:
        if self._places is None:
            self._places = {key.name: place for place, (key, _) in enumerate(self.entries)}
        return self._places.get(name)


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> object:
    """The same data as dictionaries with text keys, lists and values, without places.

    The reader bounds how deep a document nests, so recursion is safe here.
    """
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.name: plain(value) for key, value in node.entries}
